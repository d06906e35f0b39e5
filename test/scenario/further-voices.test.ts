/** A voice that was opened in mid-call, beside the first: cut off, taken back, paused and asked how far it was heard like that one, and apart from it. */
import { beforeEach, describe, expect, it } from "vitest";
import { VoiceStream } from "../../agent/audio-media.ts";
import type { Call } from "../../agent/call.ts";
import type { HeardAudio } from "../../agent/heard-audio.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connected, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** Milliseconds of speech in what was heard. */
const spoken = (frames: readonly HeardAudio[]) =>
  frames.reduce((sum, { kind, pcm }) => sum + (kind === "speech" ? pcm.length / 8 : 0), 0);

function heardOf(voice: VoiceStream): HeardAudio[] {
  const frames: HeardAudio[] = [];
  void (async () => {
    for await (const frame of voice.audio) frames.push(frame);
  })();
  return frames;
}

describe("a further voice", () => {
  let world: World;
  let call: Call;
  let answered: Call;
  /** At both ends. */
  let mine: VoiceStream;
  let theirs: VoiceStream;

  beforeEach(async () => {
    world = new World();
    const options = { audio: { codecs: ["pcmu"] } } as const;
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    ({ call, answered } = await connected(world, ada, bob, options));
    const opened = new Promise<VoiceStream>((resolve) => {
      answered.on("stream-opened", ({ stream }) => stream instanceof VoiceStream && resolve(stream));
    });
    mine = await world.during(call.open({ modality: "audio", codecs: ["pcmu"] }));
    theirs = await world.during(opened);
  });

  /** Both voices of the caller say five seconds. */
  function talk(): void {
    for (const audio of [call.audio, mine.audio])
      void audio.write(utterance(5, 8_000)).catch(() => undefined);
  }

  it("is interrupted alone: the first voice goes on, its speaker is told, and how far it was heard is signed", async () => {
    const told: unknown[] = [];
    call.on("interrupted", (event) => told.push(event));
    const positions: { readonly stream: number; readonly playedMs: number | undefined }[] = [];
    call.on("heard", (position) => positions.push(position));
    const frames = heardOf(theirs);
    talk();
    await world.clock.advance(1_000);
    await world.during(theirs.audio.interrupt());
    await world.clock.advance(200);
    const cutOff = spoken(frames);
    const first = answered.stats().heard?.verified ?? 0;
    expect(told).toEqual([{ stream: mine.id, epoch: 1, by: call.peer.agentId }]);
    expect(positions.map(({ stream }) => stream)).toEqual([mine.id]);
    expect(Math.abs((positions[0]?.playedMs ?? 0) - cutOff)).toBeLessThanOrEqual(20);
    await world.clock.advance(1_000);
    expect([spoken(frames), (answered.stats().heard?.verified ?? 0) - first]).toEqual([cutOff, 50]);
    // What is written next is heard again.
    void mine.audio.write(utterance(0.2, 8_000)).then(() => mine.audio.endTurn());
    await world.clock.advance(600);
    expect(spoken(frames) - cutOff).toBeGreaterThanOrEqual(180);
    // The first is interrupted as ever, and the further one is not touched.
    await world.during(answered.interrupt());
    expect(told).toHaveLength(2);
    expect(told[1]).toMatchObject({ stream: 1, epoch: 1 });
    await world.during(call.end());
    await world.clock.advance(6_000);
    const { report } = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
    expect(report.faults).toEqual([]);
    expect(world.reported).toEqual([]);
  });

  it("says how far it was heard when asked, apart from the first", async () => {
    const frames = heardOf(theirs);
    void mine.audio.write(utterance(5, 8_000)).catch(() => undefined);
    await world.clock.advance(700);
    const position = await world.during(mine.audio.heardPosition());
    expect(position).toMatchObject({ stream: mine.id, epoch: 0 });
    expect(Math.abs((position?.playedMs ?? 0) - spoken(frames))).toBeLessThanOrEqual(40);
    // Both at once, each with its own answer.
    void call.audio.write(utterance(5, 8_000)).catch(() => undefined);
    await world.clock.advance(500);
    const both = await world.during(Promise.all([call.audio.heardPosition(), mine.audio.heardPosition()]));
    expect(both.map((each) => each?.stream)).toEqual([1, mine.id]);
    expect((both[1]?.playedMs ?? 0) - (both[0]?.playedMs ?? 0)).toBeGreaterThan(600);
    expect(world.reported).toEqual([]);
  });

  it("is taken back by its speaker, and paused by its listener, alone", async () => {
    const frames = heardOf(theirs);
    talk();
    await world.clock.advance(500);
    theirs.audio.pause();
    await world.clock.advance(100);
    const paused = spoken(frames);
    const first = answered.stats().heard?.verified ?? 0;
    await world.clock.advance(1_000);
    expect([spoken(frames), (answered.stats().heard?.verified ?? 0) - first]).toEqual([paused, 50]);
    theirs.audio.resume();
    await world.clock.advance(500);
    expect(spoken(frames)).toBeGreaterThan(paused + 300);
    await world.during(mine.audio.flush());
    await world.clock.advance(200);
    const left = spoken(frames);
    await world.clock.advance(500);
    expect(spoken(frames)).toBe(left);
    expect(world.reported).toEqual([]);
  });

  it("is the call's voice once the first is closed", async () => {
    await world.during(call.streams[0]?.close() ?? Promise.resolve());
    await world.clock.advance(100);
    expect([call.audio, answered.audio]).toEqual([mine.audio, theirs.audio]);
    const frames = heardOf(theirs);
    talk();
    await world.clock.advance(500);
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    const cutOff = spoken(frames);
    await world.clock.advance(500);
    expect(spoken(frames)).toBe(cutOff);
    await world.during(mine.close());
    await world.clock.advance(100);
    expect([call.audio, answered.audio]).toEqual([mine.audio, theirs.audio]);
    expect(world.reported).toEqual([]);
  });
});
