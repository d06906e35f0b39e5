/** What was said in one call, played into another: only marked as that, and proven to be it. */
import { describe, expect, it } from "vitest";
import type { CallAudioOptions } from "../../agent/call-options.ts";
import { readRecording } from "../../agent/recording.ts";
import { encodeHex } from "../../codecs/hex.ts";
import {
  encodeKeptFrames,
  type KeptFrame,
  keptFramesTitle,
  parseKeptFrames,
} from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { type ProvenFrame, verifyMedia } from "../../signaling/evidence/media.ts";
import { checkRecorded } from "../../signaling/evidence/recorded.ts";
import type { Recording as Recorded } from "../../signaling/evidence/recording.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { describeRecorded } from "../../src/cli/recorded-frames.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { connected, Recording, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

const AUDIO: CallAudioOptions = { codecs: ["opus"], redundancy: 0 };

/** A call in which the caller speaks and the callee keeps what it hears. */
async function keptCall(
  world: World,
  names: readonly [string, string],
  speak: (call: Awaited<ReturnType<typeof connected>>["call"]) => Promise<unknown>,
  audio = AUDIO,
) {
  const kept: KeptFrame[] = [];
  const [caller, callee] = [await world.agent(names[0]), await world.agent(names[1])];
  const tap = ({ leg, stream, bytes }: { leg: number; stream: number; bytes: Uint8Array }) =>
    kept.push({ leg, stream, packet: bytes });
  const pair = await connected(world, caller, callee, { audio }, { audio, tap });
  const recording = new Recording(pair.answered);
  const said = await speak(pair.call);
  await world.clock.advance(500);
  await world.during(pair.call.end());
  await world.during(pair.answered.ended);
  const evidence = await world.during(pair.answered.evidence());
  const frames = Uint8Array.from([...keptFramesTitle(), ...encodeKeptFrames(kept)]);
  return { kept, evidence, frames, recording, said };
}

const source = async (world: World, audio = AUDIO) => {
  const { said, ...call } = await keptCall(world, ["Ada", "Bob"], (up) => say(world, up, 2), audio);
  return { ...call, said: said as Int16Array };
};

/** Judged as `parley verify --media` does. */
function judged(call: { readonly evidence: Uint8Array; readonly kept: readonly KeptFrame[] }) {
  const evidence = verifyEvidence(call.evidence, undefined, verifier);
  const { frames, faults } = verifyMedia(call.kept, evidence, verifier);
  expect(evidence.report.faults).toEqual([]);
  expect(faults).toEqual([]);
  return { evidence, frames };
}

it("is heard as it was, each frame with where it comes from, and is proven by the evidence of both calls", async () => {
  const world = new World();
  const first = await source(world);
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  const audio: CallAudioOptions = { ...AUDIO, redundancy: 2 };
  const second = await keptCall(
    world,
    ["Carol", "Dave"],
    async (call) => {
      await say(world, call, 0.5);
      await world.during(call.audio.replay(recording));
      await say(world, call, 0.5);
    },
    audio,
  );
  const speech = second.recording.frames.filter((frame) => frame.kind === "speech");
  const replayed = speech.filter((frame) => frame.recorded !== undefined);
  const digest = encodeHex(recording.sessionDigest);
  expect(replayed.map((frame) => frame.recorded)).toEqual(
    first.recording.frames.flatMap((frame) =>
      frame.kind === "speech"
        ? [{ sessionDigest: digest, stream: 1, sequence: frame.sequence, capturedAt: expect.any(Number) }]
        : [],
    ),
  );
  // A turn of its own, and the speech around it is not marked.
  expect(replayed.map(({ startOfTurn }) => startOfTurn).indexOf(true)).toBe(0);
  expect(replayed.at(-1)?.endOfTurn).toBe(true);
  expect(speech.length - replayed.length).toBe(2 * 26);
  const heard = Int16Array.from(replayed.flatMap(({ pcm }) => [...pcm]));
  expect(compareUtterance(first.said, heard, 48_000).correlation).toBeGreaterThan(0.95);

  const before = judged(first);
  const after = judged(second);
  expect(checkRecorded(after.frames, before)).toEqual({
    runs: [
      {
        leg: 0,
        sessionDigest: digest,
        stream: 1,
        frames: replayed.length,
        first: replayed[0]?.recorded?.sequence,
        last: replayed.at(-1)?.recorded?.sequence,
        proven: replayed.length,
        signedBy: [replayed.length, 0],
        repeated: 0,
        unknown: 0,
      },
    ],
    faults: [],
  });
  // Without the earlier call's frames it is the word of who played them.
  expect(checkRecorded(after.frames, undefined).runs[0]).toMatchObject({
    proven: 0,
    unknown: replayed.length,
  });
  expect(world.reported).toEqual([]);
});

it("of a call whose frames carried the ones before them, each frame is played as itself", async () => {
  const world = new World();
  const first = await source(world, { ...AUDIO, redundancy: 2 });
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  expect(recording.frames.length).toBe(first.kept.length);
  const second = await keptCall(world, ["Carol", "Dave"], (call) =>
    world.during(call.audio.replay(recording)),
  );
  const { faults, runs } = checkRecorded(judged(second).frames, judged(first));
  expect(faults).toEqual([]);
  expect(runs).toMatchObject([{ frames: first.kept.length, proven: first.kept.length, unknown: 0 }]);
  const heard = Int16Array.from(second.recording.frames.flatMap(({ pcm }) => [...pcm]));
  expect(compareUtterance(first.said, heard, 48_000).correlation).toBeGreaterThan(0.95);
});

it("what is not what was said at that place is a fault", async () => {
  const world = new World();
  const first = await source(world);
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  const [one, other] = recording.frames.slice(10, 12);
  if (one === undefined || other === undefined) throw new Error("too short");
  const forged = { ...recording, frames: [{ ...one, payload: other.payload }, other] };
  const second = await keptCall(world, ["Carol", "Dave"], (call) => world.during(call.audio.replay(forged)));
  const after = judged(second).frames;
  const { faults, runs } = checkRecorded(after, judged(first));
  expect(runs[0]).toMatchObject({ frames: 2, proven: 1 });
  expect(faults.map(({ message }) => message)).toEqual([
    "It is marked as recorded and is not what was said there.",
  ]);
});

it("of the same second, and not of the same moment, is a fault", async () => {
  const world = new World();
  const first = await source(world);
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  const [one] = recording.frames;
  if (one === undefined) throw new Error("too short");
  const { seconds, fraction } = one.capture;
  const moved = { ...recording, frames: [{ ...one, capture: { seconds, fraction: (fraction ^ 1) >>> 0 } }] };
  const second = await keptCall(world, ["Carol", "Dave"], (call) => world.during(call.audio.replay(moved)));
  expect(checkRecorded(judged(second).frames, judged(first))).toMatchObject({
    runs: [{ frames: 1, proven: 0, unknown: 0 }],
    faults: [{ message: "It is marked as recorded and is not what was said there." }],
  });
});

describe("a replay of a replay", () => {
  /** Ada said it, Carol played it, and Erin plays what Carol played: what Frank hears, and what the evidence of each call makes of it. */
  async function replayedTwice(altered: (recording: Recorded) => Recorded) {
    const world = new World();
    const first = await source(world);
    const said = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
    const second = await keptCall(world, ["Carol", "Dave"], (call) => world.during(call.audio.replay(said)));
    const played = readRecording({ evidence: second.evidence, frames: second.frames }, verifier);
    const third = await keptCall(world, ["Erin", "Frank"], (call) =>
      world.during(call.audio.replay(altered(played))),
    );
    const heard = third.recording.frames.flatMap((frame) =>
      frame.kind === "speech" ? [frame.recorded] : [],
    );
    const against = (call: typeof second) => {
      const before = judged(call);
      const report = checkRecorded(judged(third).frames, before);
      return { ...report, lines: describeRecorded(report, before) };
    };
    return { heard, said, played, first, second, against };
  }

  it("names who said it first", async () => {
    const { heard, said, first, against } = await replayedTwice((recording) => recording);
    const sessionDigest = encodeHex(said.sessionDigest);
    expect(heard.map((recorded) => [recorded?.sessionDigest, recorded?.sequence])).toEqual(
      said.frames.map(({ sequence }) => [sessionDigest, sequence]),
    );
    const { runs, faults, lines } = against(first);
    const all = said.frames.length;
    expect(runs).toMatchObject([{ sessionDigest, proven: all, signedBy: [all, 0], repeated: 0, unknown: 0 }]);
    expect(faults).toEqual([]);
    expect(lines.map(({ text }) => text)).toEqual([
      expect.stringMatching(/are what its caller signed there, Ada, agent [0-9a-f]{64}/),
    ]);
  });

  it("that hides it is seen in the evidence of the call between: they are not the words of who signed them there", async () => {
    const { said, second, against } = await replayedTwice((recording) => ({
      ...recording,
      frames: recording.frames.map((frame) => ({ ...frame, recorded: undefined })),
    }));
    const { runs, lines } = against(second);
    const all = said.frames.length;
    expect(runs).toMatchObject([{ proven: all, signedBy: [all, 0], repeated: all }]);
    expect(lines[0]?.text).toContain(`Carol`);
    expect(lines[0]?.text).toContain(`${all} of them marked as recorded there too`);
  });
});

it("pauses keep their length, the long ones 2 s", async () => {
  const world = new World();
  const first = await source(world);
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  const [a, b, c] = recording.frames as unknown as [ProvenFrame, ProvenFrame, ProvenFrame];
  const at = (frame: ProvenFrame, ms: number) => ({ ...frame, timestamp: (a.timestamp + ms * 48) >>> 0 });
  const frames = [a, at(b, 300), at(c, 60_000)];
  const second = await keptCall(world, ["Carol", "Dave"], (call) =>
    world.during(call.audio.replay({ ...recording, frames })),
  );
  const times = second.recording.frames.flatMap((frame) =>
    frame.kind === "speech" ? [frame.capturedAt] : [],
  );
  expect(times.map((time) => Math.round(time - (times[0] ?? 0)))).toEqual([0, 300, 300 + 2_020]);
});

it("takes a call of the same format, and proven frames", async () => {
  const world = new World();
  const first = await source(world);
  const recording = readRecording({ evidence: first.evidence, frames: first.frames }, verifier);
  const refused = await keptCall(
    world,
    ["Carol", "Dave"],
    async (call) => {
      expect(await refusal(world, call.audio.replay(recording))).toBe("field-invalid at recording.codec");
    },
    { codecs: ["g722"] },
  );
  expect(refused.kept).toEqual([]);
  const altered = first.frames.slice();
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  expect(parseKeptFrames(altered).ok).toBe(true);
  expect(() => readRecording({ evidence: first.evidence, frames: altered }, verifier)).toThrow("signed");
});
