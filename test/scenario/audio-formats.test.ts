/** Every format that may be agreed, from the offer to the listener's ear. */
import { describe, expect, it } from "vitest";
import type { CallAudioOptions } from "../../agent/call-options.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { World } from "./world.ts";

async function callWith(audio: CallAudioOptions, taking: CallAudioOptions = audio) {
  const world = new World();
  const pair = await connected(
    world,
    await world.agent("Ada"),
    await world.agent("Bob"),
    { audio },
    { audio: taking },
  );
  return { world, ...pair, recording: new Recording(pair.answered) };
}

/** Two channels of which the right one has `share` of the left. */
function stereo(mono: Int16Array, share: number): Int16Array {
  return Int16Array.from({ length: mono.length * 2 }, (_, at) =>
    Math.round((mono[at >> 1] as number) * (at % 2 === 0 ? 1 : share)),
  );
}

const channel = (pcm: Int16Array, side: 0 | 1) =>
  Int16Array.from({ length: pcm.length / 2 }, (_, at) => pcm[at * 2 + side] as number);

describe.each(["opus", "g722", "pcmu", "pcma"])("%s", (codec) => {
  it.each([10, 20, 40, 60])(
    "in frames of %i ms: what was said is heard, each frame with its level",
    async (frameMs) => {
      const { world, call, answered, recording } = await callWith({ codecs: [codec], frameMs });
      const { sends } = call.audio;
      expect(answered.audio.hears).toEqual(sends);
      const { clockRate = 0, frameSamples = 0 } = sends ?? {};
      expect(frameSamples).toBe((clockRate * frameMs) / 1000);
      const said = utterance(2, clockRate);
      await world.during(call.audio.write(said).then(() => call.audio.endTurn()));
      await world.clock.advance(500);
      const speech = recording.frames.filter((frame) => frame.kind === "speech");
      // The last one carries what the encoder still held.
      expect(speech.length).toBe(Math.ceil((2 * 1000) / frameMs) + 1);
      expect(speech.every(({ clockRate: rate }) => rate === clockRate)).toBe(true);
      expect(recording.count("concealed")).toBe(0);
      expect(compareUtterance(said, recording.pcm(), clockRate).correlation).toBeGreaterThan(0.97);
      for (const { level = 0 } of speech.slice(1, -2)) {
        expect(level).toBeGreaterThanOrEqual(10);
        expect(level).toBeLessThanOrEqual(28);
      }
      expect(answered.stats().heard?.refused).toEqual({});
      expect(world.reported).toEqual([]);
    },
  );
});

it("two channels arrive as two, and the level is that of both together", async () => {
  const { world, call, answered, recording } = await callWith({ channels: 2 });
  expect(answered.audio.hears?.channels).toBe(2);
  const mono = utterance(2, 48_000);
  const said = stereo(mono, 0.1);
  await world.during(call.audio.write(said).then(() => call.audio.endTurn()));
  await world.clock.advance(500);
  const heard = recording.pcm();
  expect(compareUtterance(mono, channel(heard, 0), 48_000).correlation).toBeGreaterThan(0.97);
  const power = (pcm: Int16Array) => pcm.reduce((sum, sample) => sum + sample * sample, 0);
  const ratio = 10 * Math.log10(power(channel(heard, 0)) / power(channel(heard, 1)));
  expect(ratio).toBeGreaterThan(15);
  // One channel alone is 3 dB less than it would be in both.
  const [loudest] = recording.frames
    .flatMap((frame) => (frame.kind === "speech" && frame.level !== undefined ? [frame.level] : []))
    .toSorted((a, b) => a - b);
  expect(loudest).toBe(Math.round(-20 * Math.log10((9000 / 32_768 / Math.SQRT2) * Math.sqrt(1.01 / 2))));
});

it("an end that takes one channel is called with one, whatever the caller prefers", async () => {
  const { call, answered } = await callWith({ channels: 2 }, {});
  expect(call.audio.sends?.channels).toBe(1);
  expect(answered.audio.hears?.channels).toBe(1);
});
