import { beforeEach, describe, expect, it } from "vitest";
import { type Checkpoint, parseCheckpoint } from "../codecs/checkpoint.ts";
import { G711Codec } from "../codecs/g711.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { seedSigner } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { AudioSender } from "./audio-sender.ts";
import { EncodedSender } from "./encoded-sender.ts";
import { MediaTime } from "./media-time.ts";
import type { SpokenVoice, SpokenVoiceOptions } from "./spoken-voice.ts";
import type { VoiceSender } from "./voice-ends.ts";

const FRAME = 160;
const FIRST_SEQUENCE = 10;

interface Speaking {
  readonly voice: SpokenVoice & VoiceSender;
  /** Says one more frame. */
  readonly say: () => void;
}

type Make = (options: SpokenVoiceOptions) => Speaking;

const written: Make = (options) => {
  const voice = new AudioSender({ ...options, codec: new G711Codec("pcmu", FRAME) });
  return { voice, say: () => void voice.write(new Int16Array(FRAME)) };
};

const codedElsewhere: Make = (options) => {
  const { format } = new G711Codec("pcmu", FRAME);
  // Its rate is not what this is about.
  const rates = { take: () => undefined };
  const voice = new EncodedSender({ ...options, format, rates, wants: () => {}, isFollowed: () => false });
  return { voice, say: () => void voice.send({ payload: new Uint8Array(FRAME) }) };
};

describe.each([
  { what: "that is written as PCM", make: written },
  { what: "that is coded elsewhere", make: codedElsewhere },
])("a spoken voice $what", ({ make }) => {
  let clock: VirtualClock;
  let voice: Speaking["voice"];
  let say: Speaking["say"];
  let checkpoints: Checkpoint[];

  beforeEach(() => {
    clock = new VirtualClock();
    checkpoints = [];
    const signer = seedSigner(11);
    const signed = { sessionDigest: new Uint8Array(32), leg: 0, stream: 1, keyGeneration: 0, signer };
    const options: SpokenVoiceOptions = {
      ...{ clock, time: new MediaTime(clock), stream: 1, epoch: 3 },
      frames: new FrameSender({
        ...signed,
        ...{ seal: { profile: "frame", signer }, flow: 2, ssrc: 1, payloadType: 0, clockRate: 8_000 },
        ...{ frameSamples: FRAME, startSequence: FIRST_SEQUENCE, startTimestamp: 0 },
      }),
      checkpointer: new Checkpointer({ ...signed, startSequence: FIRST_SEQUENCE }),
      outlet: {
        frame: () => true,
        checkpoint: (bytes) => {
          const parsed = parseCheckpoint(bytes);
          if (!parsed.ok) throw new Error(parsed.fault.message);
          checkpoints.push(parsed.value);
        },
        hasRoom: () => true,
      },
    };
    ({ voice, say } = make(options));
  });

  /** Says so many frames, one each 20 ms. */
  async function speak(count: number): Promise<void> {
    for (let frame = 0; frame < count; frame += 1) {
      say();
      await clock.advance(20);
    }
  }

  it("knows whether a frame of its media epoch has gone", async () => {
    expect([voice.stream, voice.epoch, voice.sentInEpoch]).toEqual([1, 3, false]);
    await speak(1);
    expect(voice.sentInEpoch).toBe(true);
    voice.beginEpoch(4);
    expect([voice.epoch, voice.sentInEpoch]).toEqual([4, false]);
    voice.returnToEpoch(3);
    await speak(1);
    expect([voice.epoch, voice.sentInEpoch]).toEqual([3, true]);
  });

  it("knows where in its turn each sample was said", async () => {
    await speak(3);
    expect(voice.saidBy(FIRST_SEQUENCE, 40)).toBe(5);
    expect(voice.saidBy(FIRST_SEQUENCE + 2, FRAME)).toBe(60);
    expect(voice.saidBy(FIRST_SEQUENCE + 3, 1)).toBeUndefined();
  });

  it("can have been heard as far as it was said, and no further", async () => {
    await speak(2);
    const possible = { sequence: FIRST_SEQUENCE + 1, samples: FRAME, epoch: 3 };
    expect(voice.mayBeHeard(possible)).toBe(true);
    for (const other of [{ sequence: FIRST_SEQUENCE + 2 }, { samples: FRAME + 1 }, { epoch: 4 }])
      expect(voice.mayBeHeard({ ...possible, ...other })).toBe(false);
  });

  it("sends nothing while the terms do not let it", async () => {
    voice.permitted = false;
    await speak(2);
    expect(voice.counters.sent).toBe(0);
    voice.permitted = true;
    await speak(2);
    expect(voice.counters.sent).toBe(2);
  });

  it("lists what it said in a last checkpoint, once, and takes nothing after that", async () => {
    await speak(3);
    voice.finish();
    voice.finish();
    expect(checkpoints).toMatchObject([{ final: true, firstSequence: FIRST_SEQUENCE, totalFrames: 3 }]);
    expect(say).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
