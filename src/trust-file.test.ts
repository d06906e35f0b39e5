import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeBase64url } from "../codecs/base64url.ts";
import { seedSigner } from "../test/keys.ts";
import { addToTrustFile, encodeTrustFile, loadTrustFile, NO_ANCHORS, parseTrustFile } from "./trust-file.ts";

const KEY = seedSigner(1).publicKey;
const OTHER = seedSigner(2).publicKey;
const ID = "0f".repeat(32);
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-trust-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a trust file", () => {
  it("holds issuers' keys and agents, and comes back as it was written", () => {
    const anchors = { issuerKeys: [KEY, OTHER], agentIds: [ID] };
    expect(parseTrustFile(encodeTrustFile(anchors))).toEqual({ ok: true, value: anchors });
    expect(
      JSON.parse(new TextDecoder().decode(encodeTrustFile({ issuerKeys: [KEY], agentIds: [ID] }))),
    ).toEqual({
      anchors: [
        { type: "key", value: encodeBase64url(KEY) },
        { type: "agent", value: ID },
      ],
    });
  });

  it.each([
    [{}, "anchors"],
    [[], "anchors"],
    [{ anchors: [7] }, "anchors[0].value"],
    [{ anchors: [{ type: "agent", value: ID.slice(1) }] }, "anchors[0].value"],
    [{ anchors: [{ type: "agent", value: ID.toUpperCase() }] }, "anchors[0].value"],
    [
      {
        anchors: [
          { type: "agent", value: ID },
          { type: "key", value: "AAAA" },
        ],
      },
      "anchors[1].value",
    ],
    // The neutral point: a key that any signature holds for.
    [
      { anchors: [{ type: "key", value: encodeBase64url(new Uint8Array(32).fill(1, 0, 1)) }] },
      "anchors[0].value",
    ],
    [{ anchors: [{ type: "ca", value: ID }] }, "anchors[0].type"],
  ])("is refused as %j, naming the place", (value, at) => {
    expect(parseTrustFile(bytes(value))).toMatchObject({ ok: false, fault: { at } });
  });

  it("grows by what is added, each anchor once", async () => {
    const path = join(folder, "trust.json");
    await addToTrustFile(path, { issuerKeys: [KEY], agentIds: [] });
    await addToTrustFile(path, { issuerKeys: [KEY, OTHER], agentIds: [ID] });
    await addToTrustFile(path, NO_ANCHORS);
    expect(await loadTrustFile(path)).toEqual({ issuerKeys: [KEY, OTHER], agentIds: [ID] });
  });

  it("is not replaced where it is something else", async () => {
    const path = join(folder, "trust.json");
    await writeFile(path, "precious");
    await expect(addToTrustFile(path, NO_ANCHORS)).rejects.toMatchObject({ code: "usage" });
    expect(await readFile(path, "utf8")).toBe("precious");
    await expect(addToTrustFile(join(folder, "no/trust.json"), NO_ANCHORS)).rejects.toThrow(
      /cannot be written: ENOENT/,
    );
  });
});
