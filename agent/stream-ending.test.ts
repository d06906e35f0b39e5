import { expect, it } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { EndingStreams } from "./stream-ending.ts";
import { StreamLine } from "./stream-line.ts";
import type { StreamMedia } from "./stream-media.ts";

/** Longer than a stream that is over is kept, ms. */
const LONG = 11_000;

/** Streams 3 and 4 of a call, closed just now, each with what it sent. */
function closed() {
  const clock = new VirtualClock();
  const dropped: number[] = [];
  const reported: unknown[] = [];
  const state = { isAttached: true };
  const ending = new EndingStreams({
    clock,
    isAttached: () => state.isAttached,
    dropped: (lines) => dropped.push(...lines.map(({ stream }) => stream)),
    report: (error) => reported.push(error),
  });
  for (const stream of [3, 4]) {
    const line = new StreamLine(
      undefined,
      {
        ...{ stream, leg: 0, direction: "send", flow: 2, checkpointFlow: 3, receiptFlow: 4 },
        ...{ ssrc: 1, payloadType: 98, clockRate: 1_000, nextSequence: undefined, epoch: undefined },
        ...{ isSettled: true, isClosed: false, modality: "data", format: "json" },
        ...{ label: undefined, delivery: undefined, deadlineMs: undefined },
      },
      0,
    );
    const media: Pick<StreamMedia, "stream" | "permit" | "finish" | "totals" | "heardPlace"> = {
      ...{ stream, permit: () => {}, finish: () => {}, heardPlace: undefined },
      totals: { sent: { sent: 5, checkpoints: 1 }, heard: undefined },
    };
    ending.add(media as StreamMedia, [line], true);
  }
  const sent = () => ending.totals.sent;
  return { clock, dropped, reported, state, ending, sent };
}

const ALL = { sent: 10, checkpoints: 2 };

it("a stream that is over is kept for its last statements, then dropped, and counted for good", async () => {
  const { clock, dropped, reported, sent } = closed();
  await clock.advance(5_000);
  expect([dropped, sent()]).toEqual([[], ALL]);
  await clock.advance(LONG);
  expect([dropped, sent(), reported]).toEqual([[3, 4], ALL, []]);
});

it("it waits for a connection, and is dropped where the server does not know it there any more", async () => {
  const { clock, dropped, state, ending, sent } = closed();
  state.isAttached = false;
  await clock.advance(LONG);
  expect(dropped).toEqual([]);
  ending.keepOnly([1, 4]);
  expect([dropped, sent()]).toEqual([[3], ALL]);
  ending.keepOnly([1]);
  expect([dropped, sent()]).toEqual([[3, 4], ALL]);
});
