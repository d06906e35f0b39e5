/** What becomes of streams that are agreed on and laid out, in whichever order that happens, and of who waits for them. */
import { beforeEach, describe, expect, it } from "vitest";
import type { StreamMedia } from "./stream-media.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { StreamsToCome } from "./streams-to-come.ts";

const laidOut = (stream: number) => [{ stream, direction: "send" }] as unknown as StreamParameters[];

describe("a stream that is to come", () => {
  let agreed: number[];
  let made: number[];
  let failed: number[];
  /** Ends the making of the stream that is being made. */
  let done: PromiseWithResolvers<StreamMedia | undefined>;
  let streams: StreamsToCome;

  beforeEach(() => {
    [agreed, made, failed] = [[], [], []];
    done = Promise.withResolvers();
    streams = new StreamsToCome({
      agreed: () => agreed,
      isKnown: () => false,
      make: (stream) => {
        made.push(stream);
        done = Promise.withResolvers();
        return done.promise;
      },
      failed: (stream) => failed.push(stream),
    });
  });

  const mediaOf = (stream: number) => ({ stream }) as StreamMedia;
  const codeOf = (waiting: Promise<unknown>) =>
    waiting.then(
      () => "opened",
      ({ code }) => code,
    );

  it("is made once it is laid out and agreed, whichever comes first, and once", async () => {
    streams.layOut(laidOut(3));
    streams.make();
    expect(made).toEqual([]);
    agreed = [3, 4];
    streams.make();
    streams.make();
    expect(made).toEqual([3]);
    const waiting = streams.opened(3);
    done.resolve(mediaOf(3));
    expect(await waiting).toEqual({ stream: 3 });
    streams.layOut(laidOut(4));
    streams.make();
    expect(made).toEqual([3, 4]);
  });

  it("is not waited for in vain: it is closed before it flows, cannot be made, or the call ends", async () => {
    agreed = [3, 4, 5];
    const waiting = [3, 4, 5].map((stream) => codeOf(streams.opened(stream)));
    agreed = [4, 5];
    streams.dropClosed();
    streams.layOut(laidOut(4));
    streams.make();
    done.reject({ code: "proposal-rejected" });
    await waiting[1];
    streams.finish();
    expect(await Promise.all(waiting)).toEqual(["closed", "proposal-rejected", "closed"]);
    expect(failed).toEqual([4]);
    expect(await codeOf(streams.opened(9))).toBe("closed");
  });

  it("is made where it lies on the connection that came while it was being made", async () => {
    agreed = [3];
    streams.layOut(laidOut(3));
    streams.make();
    const waiting = streams.opened(3);
    streams.forgetLayout();
    streams.layOut(laidOut(3));
    const before = done;
    before.resolve(undefined);
    await before.promise;
    await Promise.resolve();
    await Promise.resolve();
    expect(made).toEqual([3, 3]);
    done.resolve(mediaOf(3));
    expect(await waiting).toEqual({ stream: 3 });
  });

  it("is not made from more layouts than there may be streams", () => {
    for (let stream = 0; stream < 100; stream += 1) streams.layOut(laidOut(stream));
    agreed = Array.from({ length: 100 }, (_, stream) => stream);
    streams.make();
    expect(made).toHaveLength(16);
  });
});
