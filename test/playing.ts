/** One voice from a speaker's clock over a link to a listener's loudspeaker, on virtual time, measured on the PCM. */
import { AudioPlayer, type AudioPlayerCounters } from "../agent/audio-player.ts";
import type { HeardAudio } from "../agent/heard-audio.ts";
import { MediaTime } from "../agent/media-time.ts";
import type { AudioCodec, AudioFormat } from "../codecs/audio-codec.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { Link, type LinkConditions } from "../src/emulation/link.ts";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import { seedSigner } from "./keys.ts";
import { VirtualClock } from "./net/virtual-clock.ts";

/** Sequence and timestamp wrap soon: their low 16 bits after 16 frames, the timestamp after five seconds. */
const FIRST_SEQUENCE = 0x1_fff0;
const SECONDS_TO_WRAP = 5;

/** PCM as it is: what is measured behind it is the playout's own doing. */
export class LinearCodec implements AudioCodec {
  readonly format: AudioFormat;
  readonly lookahead = 0;

  constructor(clockRate: number, frameMs: number, channels: 1 | 2 = 1) {
    const frameSamples = (clockRate * frameMs) / 1000;
    this.format = { name: "l16", clockRate, rtpClockRate: clockRate, channels, frameSamples };
  }

  encode(pcm: Int16Array): Uint8Array {
    return new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  }

  decode(payload: Uint8Array): Int16Array {
    return new Int16Array(payload.buffer, payload.byteOffset, payload.byteLength / 2);
  }

  conceal(): Int16Array {
    return new Int16Array(this.format.frameSamples * this.format.channels);
  }

  close(): void {}
}

/** A player that belongs to no call: nobody asks how far it played, nor what it made up. */
export function lonePlayer(
  parts: Pick<
    ConstructorParameters<typeof AudioPlayer>[0],
    "clock" | "time" | "codec" | "heard" | "silenceIsHeard"
  >,
): AudioPlayer {
  return new AudioPlayer({
    ...parts,
    receipts: new ReceiptTracker({
      ...{ sessionDigest: new Uint8Array(32), listenerLeg: 1, speakerLeg: 0, stream: 1, keyGeneration: 0 },
      ...{ signer: seedSigner(1), start: 0 },
    }),
    speaker: "speaker",
    played: () => {},
    concealed: () => {},
    cutOff: () => {},
  });
}

export interface PlayedScene {
  readonly seconds: number;
  readonly link: LinkConditions;
  /** Milliseconds that the way takes longer for what leaves at that time. Default: none. */
  readonly detour?: (leaves: number) => number;
  readonly codec: AudioCodec;
  /** PCM of the frame that many frames from the beginning. */
  readonly frame: (index: number) => Int16Array;
  /** Speaker's milliseconds for each of the listener's. Default 1. */
  readonly skew?: number;
  readonly seed?: number;
  /** Takes each piece, and for speech how long ago its first sample was spoken, ms. */
  readonly heard: (piece: HeardAudio, delay: number | undefined) => void;
}

/** Plays a scene. What it counted. */
export function playScene(
  scene: PlayedScene,
): AudioPlayerCounters & { readonly sent: number; readonly lost: number } {
  const { codec, heard, skew = 1 } = scene;
  const { clockRate, frameSamples } = codec.format;
  const frameMs = (frameSamples * 1000) / clockRate;
  const clock = new VirtualClock();
  const time = new MediaTime(clock);
  const link = new Link(scene.link, new SeededRandom(scene.seed ?? 1));
  const spokenAt = (sequence: number) => ((sequence - FIRST_SEQUENCE) * frameMs) / skew;
  const player = lonePlayer({
    clock,
    time,
    codec,
    heard: (piece) => {
      const at = piece.playedAt - time.wallAt(0);
      heard(piece, piece.kind === "speech" ? at - spokenAt(piece.sequence) : undefined);
    },
    silenceIsHeard: () => true,
  });
  const frames = Math.floor((scene.seconds * 1000) / frameMs);
  for (let index = 0; index < frames; index += 1) {
    const sequence = FIRST_SEQUENCE + index;
    // A frame leaves when its last sample is there.
    const leaves = spokenAt(sequence + 1);
    clock.runSync(leaves);
    const payload = codec.encode(scene.frame(index)).slice();
    const at = link.datagram(payload.length, leaves);
    if (at === undefined) continue;
    const own = {
      sequence,
      timestamp: (2 ** 32 - SECONDS_TO_WRAP * clockRate + index * frameSamples) % 2 ** 32,
      captured: time.wallAt(index * frameMs),
      payload,
      startOfTurn: index === 0,
      endOfTurn: index === frames - 1,
    };
    const arrival = at + (scene.detour?.(leaves) ?? 0);
    clock.at(arrival, () => player.insert({ own, earlier: [] }, arrival));
  }
  clock.runSync(clock.now() + 2_000);
  const counters = player.counters;
  player.finish();
  if (counters === undefined) throw new Error("nothing was heard");
  return { ...counters, sent: frames, lost: link.counters.lost };
}
