/** A machine that stands still: what came meanwhile is heard, and nothing is made up for it. */
import { expect, it } from "vitest";
import type { Clock } from "../codecs/clock.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { LinearCodec, lonePlayer } from "../test/playing.ts";
import { MediaTime } from "./media-time.ts";

const FRAME_MS = 20;
const FRAMES = 100;

/** What is due between `from` and `to` is done at `to`, in the order in which it was due. */
function standingStill(clock: VirtualClock, from: number, to: number): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    at: (at, fire) => clock.at(at > from && at < to ? to : at, fire),
  };
}

/** Plays a steady voice on a machine that stands still for so long in the middle of it. */
function played(standstill: number) {
  const virtual = new VirtualClock();
  const clock = standingStill(virtual, 1_000, 1_000 + standstill);
  const time = new MediaTime(virtual);
  const codec = new LinearCodec(48_000, FRAME_MS);
  const heard: (number | string)[] = [];
  const player = lonePlayer({
    clock,
    time,
    codec,
    heard: (piece) => heard.push(piece.kind === "speech" ? piece.sequence : piece.kind),
    silenceIsHeard: () => false,
  });
  for (let sequence = 0; sequence < FRAMES; sequence += 1) {
    // Where the machine stands still what comes waits at the door, behind a timer that was due before it.
    virtual.at((sequence + 1) * FRAME_MS - 1, () =>
      clock.at(virtual.now() + 1, () => {
        const payload = codec.encode(new Int16Array(960).fill(1_000)).slice();
        const captured = time.wallAt(sequence * FRAME_MS);
        const marks = { startOfTurn: sequence === 0, endOfTurn: sequence === FRAMES - 1 };
        const own = { sequence, timestamp: sequence * 960, captured, payload, ...marks };
        player.insert({ own, earlier: [] }, virtual.now());
      }),
    );
  }
  virtual.runSync(FRAMES * FRAME_MS + 1_000);
  const { counters } = player;
  player.finish();
  return { heard, counters };
}

it.each([100, 300, 600])("a standstill of %d ms costs no frame that came in it", (standstill) => {
  const { heard, counters } = played(standstill);
  expect(counters).toMatchObject({ late: 0, concealed: 0, shrunk: 0, skipped: 0 });
  expect(heard).toEqual(Array.from({ length: FRAMES }, (_, sequence) => sequence));
});
