import { describe, expect, test } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import { pinOneAtATime } from "./pinning.ts";

const [old, live, other] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

function failing(code: "connect-refused" | "connect-timeout") {
  const tried: Uint8Array[] = [];
  const dial = async (pinned: Uint8Array): Promise<Uint8Array> => {
    tried.push(pinned);
    if (pinned === live) return pinned;
    throw new ParleyError({ code, message: `no ${pinned[0]}` });
  };
  return { tried, dial };
}

describe("pinning one certificate at a time", () => {
  test("goes on after a refusal and stops at the one that is shown", async () => {
    const { tried, dial } = failing("connect-refused");
    expect(await pinOneAtATime([old, live, other], dial)).toBe(live);
    expect(tried).toEqual([old, live]);
  });

  test("throws the last refusal", async () => {
    const { tried, dial } = failing("connect-refused");
    await expect(pinOneAtATime([old, other], dial)).rejects.toThrow("no 3");
    expect(tried).toEqual([old, other]);
  });

  test("does not take a silent server for one with another certificate", async () => {
    const { tried, dial } = failing("connect-timeout");
    await expect(pinOneAtATime([old, live], dial)).rejects.toMatchObject({ code: "connect-timeout" });
    expect(tried).toEqual([old]);
  });

  test("refuses hashes that are none", async () => {
    const { tried, dial } = failing("connect-refused");
    for (const hashes of [[], [live, new Uint8Array(31)]])
      await expect(pinOneAtATime(hashes, dial)).rejects.toMatchObject({ code: "usage" });
    expect(tried).toEqual([]);
  });
});
