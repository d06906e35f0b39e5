/** A voice whose silences are not sent. */
import { describe, expect, it } from "vitest";
import { audioLevel } from "../../agent/audio-level.ts";
import { ComfortNoise } from "../../codecs/comfort-noise.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** What goes on behind the voice, dB below full scale. */
const NOISE_LEVEL = 55;

/** A second of voice between seconds of noise alone. */
function spoken(clockRate: number, dark: number): Int16Array {
  const noise = new ComfortNoise();
  noise.level = NOISE_LEVEL;
  const pcm = new Int16Array(clockRate * (1 + 2 * dark));
  noise.fill(pcm);
  const voice = utterance(1, clockRate);
  for (const [at, sample] of voice.entries()) {
    const place = at + clockRate * dark;
    pcm[place] = (pcm[place] as number) + sample;
  }
  return pcm;
}

async function said(codec: string, dtx: boolean) {
  const toServer = new Link({ delay: 20, jitter: 2 }, new SeededRandom(3));
  const world = new World({ toServer, opusComplexity: 5 });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  const pair = await connected(world, ada, bob, { audio: { codecs: [codec], dtx } });
  const recording = new Recording(pair.answered);
  const pcm = spoken(pair.call.audio.sends?.clockRate ?? 0, 3);
  await world.during(pair.call.audio.write(pcm).then(() => pair.call.audio.endTurn()));
  await world.clock.advance(500);
  const { heard } = pair.answered.stats();
  const { sent } = pair.call.stats();
  if (heard === undefined || sent === undefined) throw new Error("nothing was said");
  expect(world.reported).toEqual([]);
  return { heard, sent, recording, world, ...pair };
}

describe.each(["opus", "g722", "pcma"])("in %s", (codec) => {
  it("most of them is not sent, nothing counts as lost, and the turn is one", async () => {
    const all = await said(codec, false);
    const less = await said(codec, true);
    expect(all.sent.pauses).toBe(0);
    expect(less.sent.sent + less.sent.pauses).toBe(all.sent.sent);
    expect(less.sent.sent).toBeLessThan(all.sent.sent / 2);
    expect(less.heard.lost).toBe(0);
    expect(less.heard.refused).toEqual({});
    expect(less.recording.count("concealed")).toBe(0);
    const speech = less.recording.frames.filter((frame) => frame.kind === "speech");
    expect(speech.filter((frame) => frame.startOfTurn)).toHaveLength(1);
    expect(speech.filter((frame) => frame.endOfTurn)).toHaveLength(1);
    // The voice itself is there, whole.
    const loud = (frames: readonly { readonly pcm: Int16Array }[]) =>
      frames.filter(({ pcm }) => audioLevel(pcm) < 40).length;
    expect(loud(less.recording.frames)).toBeGreaterThanOrEqual(loud(all.recording.frames));
  });

  it("the noise behind the voice goes on where nothing is sent, about as loud", async () => {
    const { recording } = await said(codec, true);
    const comfort = recording.frames.filter((frame) => frame.kind === "comfort");
    expect(comfort.length).toBeGreaterThan(150);
    expect(comfort.every((frame) => !frame.verified)).toBe(true);
    const levels = comfort.map(({ pcm }) => audioLevel(pcm)).toSorted((a, b) => a - b);
    const median = levels[Math.floor(levels.length / 2)] as number;
    expect(Math.abs(median - NOISE_LEVEL)).toBeLessThanOrEqual(6);
    const silent = recording.frames.filter((frame) => frame.kind === "silence" && frame.pcm.length > 0);
    expect(silent.length).toBeLessThan(30);
  });
});

it("the noise ends where its speaker is gone", async () => {
  const { world, call, recording } = await said("g722", true);
  await world.during(call.audio.write(spoken(16_000, 2).subarray(0, 32_000)));
  await world.clock.advance(200);
  const before = recording.frames.length;
  await world.clock.advance(5_000);
  const after = recording.frames.slice(before);
  const comfort = after.filter(({ kind }) => kind === "comfort").length;
  expect(comfort).toBeGreaterThan(0);
  expect(comfort).toBeLessThanOrEqual(80);
  expect(after.at(-1)?.kind).toBe("silence");
});
