/** A silence that nobody hears: nobody wakes for it, and what is said after it stands where it would have stood. */
import { expect, it } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { LinearCodec, lonePlayer } from "../test/playing.ts";
import type { AudioPlayer } from "./audio-player.ts";
import type { HeardAudio } from "./heard-audio.ts";
import { MediaTime } from "./media-time.ts";

const FRAME_MS = 20;
const TURN_FRAMES = 50;
const SILENCE_MS = 5_007;
const SECOND_TURN_AT = TURN_FRAMES * FRAME_MS + SILENCE_MS;
/** In the middle of the silence, when the first turn was heard to its end. */
const MIDDLE = SECOND_TURN_AT - SILENCE_MS / 2;

/** Two turns with a silence between them; `during` is called in the middle of it. */
function twoTurns(hearsSilence: () => boolean, during: (player: AudioPlayer, clock: VirtualClock) => void) {
  const clock = new VirtualClock();
  const time = new MediaTime(clock);
  const codec = new LinearCodec(48_000, FRAME_MS);
  const heard: HeardAudio[] = [];
  const player = lonePlayer({
    clock,
    time,
    codec,
    heard: (piece) => heard.push(piece),
    silenceIsHeard: hearsSilence,
  });
  const say = (from: number, first: number): void => {
    for (let index = 0; index < TURN_FRAMES; index += 1) {
      const sequence = first + index;
      clock.at(from + (index + 1) * FRAME_MS, () => {
        const payload = codec.encode(new Int16Array(960).fill(1_000)).slice();
        const captured = time.wallAt(from + index * FRAME_MS);
        const marks = { startOfTurn: index === 0, endOfTurn: index === TURN_FRAMES - 1 };
        const timestamp = ((from * 48) >>> 0) + index * 960;
        player.insert(
          { own: { sequence, timestamp, captured, payload, ...marks }, earlier: [] },
          clock.now(),
        );
      });
    }
  };
  say(0, 0);
  clock.runSync(MIDDLE);
  during(player, clock);
  say(SECOND_TURN_AT, TURN_FRAMES);
  clock.runSync(SECOND_TURN_AT + (TURN_FRAMES + 25) * FRAME_MS);
  const { counters } = player;
  player.finish();
  const spoken = heard.filter(({ kind }) => kind === "speech");
  return { heard, counters, places: spoken.map(({ position, playedAt }) => [position, playedAt]) };
}

it("wakes nobody for a silence that nobody hears, and goes on as one that was awake", () => {
  let pending = Number.NaN;
  const asleep = twoTurns(
    () => false,
    (_, clock) => {
      pending = clock.pending;
    },
  );
  const awake = twoTurns(
    () => true,
    (_, clock) => expect(clock.pending).toBe(1),
  );
  expect(pending).toBe(0);
  expect(asleep.places).toHaveLength(2 * TURN_FRAMES);
  expect(asleep.places).toEqual(awake.places);
  expect(asleep.counters).toEqual(awake.counters);
  expect(asleep.counters).toMatchObject({ skipped: 0, concealed: 0, late: 0 });
});

it("counts the silence while it lasts", () => {
  const silent: (number | undefined)[] = [];
  for (const hears of [false, true])
    twoTurns(
      () => hears,
      (player) => silent.push(player.counters?.silent),
    );
  expect(silent[0]).toBe(silent[1]);
  expect(silent[0]).toBeGreaterThan(100);
});

it("gives silence out without a gap from when somebody wants it", () => {
  let wanted = false;
  const { heard } = twoTurns(
    () => wanted,
    (player) => {
      wanted = true;
      player.hearSilence();
    },
  );
  const from = heard.findIndex(({ kind }) => kind === "silence");
  const gapless = heard.slice(from);
  const place = (piece: HeardAudio | undefined): number => (piece?.position ?? 0) / 48;
  expect(place(gapless[0])).toBeGreaterThanOrEqual(MIDDLE - 2 * FRAME_MS);
  expect(place(gapless[0])).toBeLessThan(MIDDLE + FRAME_MS);
  for (const [index, piece] of gapless.slice(1).entries())
    expect(piece.position).toBe((gapless[index]?.position ?? 0) + (gapless[index]?.pcm.length ?? 0));
  expect(gapless.filter(({ kind }) => kind === "speech")).toHaveLength(TURN_FRAMES);
});

it("stays awake through a pause, whose end comes by itself", () => {
  const { counters, heard } = twoTurns(
    () => false,
    (player, clock) => {
      player.pause();
      expect(clock.pending).toBe(1);
    },
  );
  expect(counters?.skipped).toBe(0);
  expect(heard.filter(({ kind }) => kind === "speech")).toHaveLength(2 * TURN_FRAMES);
});
