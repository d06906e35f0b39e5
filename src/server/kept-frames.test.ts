import { expect, it } from "vitest";
import { KeptFrames } from "./kept-frames.ts";

const stream = { sessionId: "sess-1", leg: 0, stream: 2 };
const packet = (sequence: number, bytes = 10) => new Uint8Array(bytes).fill(sequence % 256);

it("gives out what a listener lacks, in order, of that stream alone", () => {
  const kept = new KeptFrames();
  for (const sequence of [5, 6, 7]) kept.add(stream, sequence, packet(sequence));
  kept.add({ ...stream, leg: 1 }, 6, packet(99));
  expect(kept.from(stream, 6)).toEqual([packet(6), packet(7)]);
  expect(kept.from(stream, 8)).toEqual([]);
  expect(kept.from({ ...stream, sessionId: "sess-2" }, 0)).toEqual([]);
});

it("keeps 1,024 frames and 1 MiB at most: the oldest goes", () => {
  const many = new KeptFrames();
  for (let sequence = 0; sequence < 1_100; sequence += 1) many.add(stream, sequence, packet(sequence));
  expect(many.from(stream, 0)).toHaveLength(1_024);
  expect(many.from(stream, 0)[0]).toEqual(packet(76));
  const large = new KeptFrames();
  for (let sequence = 0; sequence < 80; sequence += 1) large.add(stream, sequence, packet(sequence, 16_384));
  expect(large.from(stream, 0)).toHaveLength(64);
});

it("lets go of what may not go out any more, and of sessions that are over", () => {
  const kept = new KeptFrames();
  const other = { ...stream, leg: 1 };
  kept.add(stream, 1, packet(1));
  kept.add(other, 1, packet(2));
  kept.drop(stream);
  expect([kept.from(stream, 0), kept.from(other, 0)]).toEqual([[], [packet(2)]]);
  kept.forget(stream.sessionId);
  expect(kept.size).toBe(0);
});
