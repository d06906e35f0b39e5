import { beforeEach, describe, expect, it } from "vitest";
import { createSigner } from "../platform/node/sodium.ts";
import { createOpusCodec } from "../platform/opus.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import type { StreamSetting, Terms } from "../signaling/terms.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { utterance } from "../test/scenario/talking.ts";
import { AudioSender } from "./audio-sender.ts";
import { MediaTime } from "./media-time.ts";
import { SentVoice } from "./sent-voice.ts";

const OWN = { bitrate: 32_000, redundancy: 0, expectedLoss: undefined } as const;

/** Bytes of a packet that are not its payload: header, elements, tag. */
const AROUND = 102;

describe("a voice as it is sent", () => {
  let clock: VirtualClock;
  let sender: AudioSender;
  let bytes: number[];

  beforeEach(async () => {
    clock = new VirtualClock();
    bytes = [];
    const signer = createSigner(new Uint8Array(32));
    const signed = { sessionDigest: new Uint8Array(32), leg: 0, stream: 1, keyGeneration: 0, signer };
    sender = new AudioSender({
      clock,
      time: new MediaTime(clock),
      codec: await createOpusCodec({ bitrate: OWN.bitrate }),
      frames: new FrameSender({
        ...signed,
        seal: { profile: "frame", signer },
        flow: 2,
        ssrc: 1,
        payloadType: 111,
        redPayloadType: 112,
        clockRate: 48_000,
        frameSamples: 960,
        startSequence: 10,
        startTimestamp: 0,
      }),
      checkpointer: new Checkpointer({ ...signed, startSequence: 10 }),
      stream: 1,
      outlet: {
        hasRoom: () => true,
        frame: ({ packet }) => {
          bytes.push(packet.length);
          return true;
        },
        checkpoint: () => undefined,
      },
    });
  });

  /** Bits of payload a second that four seconds of speech take, copies included. */
  async function rateOfSpeech(): Promise<number> {
    void sender.write(utterance(4, 48_000));
    await clock.advance(4_000);
    return (bytes.reduce((sum, each) => sum + each - AROUND, 0) * 8) / 4;
  }

  it("has no more copies than the rate agreed on leaves room for, while the plan is more already", async () => {
    const voice = new SentVoice(sender, 0, OWN, terms({ bitrate_bps: 8_000 }));
    voice.follow({ bitrate: 28_000, redundancy: 2, expectedLoss: 0.1 });
    expect(sender.redundancy).toBe(0);
    expect(await rateOfSpeech()).toBeLessThan(10_000);
    voice.underTerms(terms({ bitrate_bps: 28_000, redundancy: 2 }));
    expect(sender.redundancy).toBe(2);
  });

  it("gives what goes twice its part of one rate", async () => {
    const voice = new SentVoice(sender, 0, OWN, terms({}));
    voice.follow({ bitrate: 32_000, redundancy: 1, expectedLoss: 0 });
    expect(sender.redundancy).toBe(1);
    const rate = await rateOfSpeech();
    expect(rate).toBeGreaterThan(28_000);
    expect(rate).toBeLessThan(40_000);
  });

  it.each([6_000, 8_000, 12_000, 16_000, 24_000])(
    "can be sent at %i bit/s, whatever was planned",
    (agreed) => {
      const voice = new SentVoice(sender, 0, OWN, terms({ bitrate_bps: agreed }));
      for (const redundancy of [0, 1, 2] as const)
        expect(() => voice.follow({ bitrate: 32_000, redundancy, expectedLoss: 0.2 })).not.toThrow();
    },
  );
});

function terms(setting: Omit<StreamSetting, "leg" | "stream">): Terms {
  const settings = [{ leg: 0, stream: 1, ...setting }] as const;
  return {
    v: 1,
    session_id: "s",
    number: 1,
    profile: "frame",
    expires_at: 0,
    legs: [],
    streams: [],
    settings,
  };
}
