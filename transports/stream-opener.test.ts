import { describe, expect, test } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { MAX_WAITING_OPENS, OPEN_TIMEOUT, StreamOpener } from "./stream-opener.ts";

/** An opener over a carrier that grants only when told to. */
function subject() {
  const clock = new VirtualClock();
  const asked: PromiseWithResolvers<string>[] = [];
  const opener = new StreamOpener(clock, () => {
    const opening = Promise.withResolvers<string>();
    asked.push(opening);
    return opening.promise;
  });
  return { clock, asked, opener };
}

const outcome = (promise: Promise<string>): Promise<string> =>
  promise.catch((error: { code?: string; message: string }) => error.code ?? error.message);

describe("opening streams", () => {
  test("gives grants to callers in their order", async () => {
    const { asked, opener } = subject();
    const both = [opener.next(), opener.next()];
    asked[1]?.resolve("first granted");
    asked[0]?.resolve("second granted");
    expect(await Promise.all(both)).toEqual(["first granted", "second granted"]);
  });

  test("refuses a caller after the timeout, and gives the late grant to the next one", async () => {
    const { clock, asked, opener } = subject();
    const first = outcome(opener.next());
    await clock.advance(OPEN_TIMEOUT);
    expect(await first).toBe("capacity");
    const second = opener.next();
    expect(asked.length).toBe(1);
    asked[0]?.resolve("late");
    expect(await second).toBe("late");
    expect(clock.pending).toBe(0);
  });

  test("keeps a grant nobody waits for", async () => {
    const { clock, asked, opener } = subject();
    const first = outcome(opener.next());
    await clock.advance(OPEN_TIMEOUT);
    await first;
    asked[0]?.resolve("spare");
    await clock.settle();
    expect(await opener.next()).toBe("spare");
    expect(asked.length).toBe(1);
  });

  test("lets only so many wait", async () => {
    const { asked, opener } = subject();
    const waiting = Array.from({ length: MAX_WAITING_OPENS }, () => outcome(opener.next()));
    expect(await outcome(opener.next())).toBe("capacity");
    expect(asked.length).toBe(MAX_WAITING_OPENS);
    for (const opening of asked) opening.resolve("granted");
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["granted"]));
  });

  test("passes the carrier's failure on", async () => {
    const { asked, opener } = subject();
    const opening = outcome(opener.next());
    asked[0]?.reject(new Error("the connection ended"));
    expect(await opening).toBe("the connection ended");
  });

  test("refuses all who wait when the connection is over", async () => {
    const { clock, opener } = subject();
    const waiting = [outcome(opener.next()), outcome(opener.next())];
    opener.fail(new Error("over"));
    expect(await Promise.all(waiting)).toEqual(["over", "over"]);
    expect(clock.pending).toBe(0);
  });
});
