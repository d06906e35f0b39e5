import type { CodecTuning } from "../codecs/audio-codec.ts";
import type { PlayedPosition } from "../codecs/receipt.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { LiveSender, MediaReceiver, StreamPause } from "./two-way-media.ts";
import type { WaitReason } from "./waiting-words.ts";

/** What either end of a voice has for whoever cuts it off: the media epochs that interrupts begin. */
interface EpochEnd {
  /** Stream id. */
  readonly stream: number;
  /** Media epoch in force. */
  readonly epoch: number;
  /** Throws away what waits; what follows is of media epoch `epoch`. */
  beginEpoch(epoch: number): void;
  /** The server refused the epoch that was begun here: it goes on in `epoch`. */
  returnToEpoch(epoch: number): void;
}

/** Who says a voice, whatever makes its frames. */
export interface VoiceSender extends LiveSender, EpochEnd {
  /** Whether a frame of the epoch has gone. */
  readonly sentInEpoch: boolean;
  /** While muted nothing is sent; the source's time goes on. */
  muted: boolean;
  pause(reason: StreamPause | WaitReason): void;
  goOn(reason: StreamPause | WaitReason): void;
  /** Throws away what waits; what follows begins a turn. */
  flush(): void;
  /** Whether its encoder does as it is told. */
  readonly isFollowed: boolean;
  /** How its encoder is to run from the next frame on. Throws `field-invalid`. */
  tune(settings: CodecTuning): void;
  /** Each frame from the next on carries so many of the ones before it. Changes nothing where that was not agreed. */
  useRedundancy(level: RedundancyLevel): void;
  /** The way to who hears it takes little, or not any more: its checkpoints are to be small. */
  useThinWay(isThin: boolean): void;
  /** The other end is heard, or is not any more. */
  talkingOver(isHeard: boolean): void;
  /** Milliseconds of its turn said up to the first so many samples of a frame; undefined for one that is not remembered. */
  saidBy(sequence: number, samples: number): number | undefined;
  /** Whether it can have been heard up to there. */
  mayBeHeard(played: Omit<PlayedPosition, "time">): boolean;
}

/** Who hears a voice, whatever becomes of its frames. */
export interface VoiceReceiver extends MediaReceiver, EpochEnd {
  /** Whether a frame of the epoch has come. */
  readonly heardInEpoch: boolean;
  /** Signs a receipt at once, where something was heard: how far. */
  stateHeard(): void;
  /** Nothing is heard until `resume`, for 2 s at most; what comes is kept. Idempotent. */
  pause(): void;
  /** Goes on where `pause` stopped. Idempotent. */
  resume(): void;
  datagram(bytes: Uint8Array, held?: number): void;
  item(bytes: Uint8Array): void;
  checkpoint(bytes: Uint8Array): void;
}
