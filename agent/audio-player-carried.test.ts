/** Which frames that came something to hear is made of: what is not attributed to anybody is told by these. */
import { expect, it } from "vitest";
import type { AudioCodec } from "../codecs/audio-codec.ts";
import { audioFormat } from "../codecs/audio-formats.ts";
import { createAudioCodec } from "../platform/audio-codecs.ts";
import type { BufferedFrame } from "../sfu/jitter-buffer.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import { seedSigner } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { LinearCodec } from "../test/playing.ts";
import { AudioPlayer } from "./audio-player.ts";
import { MediaTime } from "./media-time.ts";

const FRAME_MS = 20;

/** PCM as it is; each payload brings back the frame before it as well. */
class RepairingCodec extends LinearCodec {
  carriesEarlier(): boolean {
    return true;
  }
}

interface Heard {
  readonly kind: string;
  readonly sequence?: number;
  /** The frames that were named before it was handed out. */
  readonly played: readonly number[];
}

function tracker(): ReceiptTracker {
  return new ReceiptTracker({
    ...{ sessionDigest: new Uint8Array(32), listenerLeg: 1, speakerLeg: 0, stream: 1, keyGeneration: 0 },
    ...{ signer: seedSigner(1), start: 0 },
  });
}

/** Plays what comes in a steady voice's time. */
function heardOf(codec: AudioCodec, coming: readonly UnpackedFrames[], receipts = tracker()): Heard[] {
  const clock = new VirtualClock();
  const heard: Heard[] = [];
  let played: number[] = [];
  const player = new AudioPlayer({
    clock,
    time: new MediaTime(clock),
    codec,
    receipts,
    speaker: "speaker",
    played: (sequence) => played.push(sequence),
    heard: (piece) => {
      const sequence = piece.kind === "speech" ? { sequence: piece.sequence } : {};
      heard.push({ kind: piece.kind, ...sequence, played });
      played = [];
    },
    silenceIsHeard: () => false,
    concealed: () => {},
    cutOff: () => {},
  });
  for (const frames of coming) {
    // Some take long, so that there is a delay to recover from.
    const arrival = frames.own.sequence * FRAME_MS + (frames.own.sequence % 7 === 1 ? 70 : 5);
    clock.at(arrival, () => player.insert(frames, arrival));
  }
  clock.runSync(coming.length * 3 * FRAME_MS + 1_000);
  player.finish();
  return heard;
}

function frame(codec: AudioCodec, sequence: number, more: Partial<BufferedFrame> = {}): BufferedFrame {
  const { channels, frameSamples } = codec.format;
  return {
    sequence,
    timestamp: sequence * frameSamples,
    captured: sequence * FRAME_MS,
    payload: codec.encode(new Int16Array(frameSamples * channels).fill(500)).slice(),
    startOfTurn: sequence === 1,
    endOfTurn: false,
    ...more,
  };
}

it("frames that came only in another one are that one's, also where nothing of its own can be heard", async () => {
  const format = audioFormat("pcmu", 1, FRAME_MS);
  if (format === undefined) throw new Error("no such format");
  const codec = await createAudioCodec(format, {});
  const coming = [3, 6, 9, 12].map((carrier) => ({
    own: frame(codec, carrier, { payload: new Uint8Array(0) }),
    earlier: [carrier - 2, carrier - 1].map((sequence) => frame(codec, sequence, { carrier })),
  }));
  const receipts = tracker();
  const speech = heardOf(codec, coming, receipts).filter(({ kind }) => kind === "speech");
  expect(speech.length).toBeGreaterThan(5);
  for (const { sequence = 0, played } of speech) expect(played).toEqual([Math.ceil(sequence / 3) * 3]);
  expect(receipts.totals().heard, "receipts claim to have heard only frames that came").toBe(0);
});

it("what is recovered from the frame after a lost one is that one's, or its carrier's", () => {
  const codec = new RepairingCodec(48_000, FRAME_MS);
  const coming: UnpackedFrames[] = [];
  for (let sequence = 1; sequence <= 40; sequence += 1) {
    // 10 and 17 are lost; 18 comes in 19.
    if (sequence === 10 || sequence === 17 || sequence === 18) continue;
    const earlier = sequence === 19 ? [frame(codec, 18, { carrier: 19 })] : [];
    coming.push({ own: frame(codec, sequence), earlier });
  }
  const made = heardOf(codec, coming).filter(({ kind }) => kind === "concealed");
  expect(made.map(({ played }) => played).filter((played) => played.length > 0)).toEqual([[11], [19]]);
});
