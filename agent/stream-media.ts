import type { FrameProfile } from "../codecs/frame.ts";
import type { UnattributedFrames } from "../sfu/attribution.ts";

import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { Modality } from "../signaling/scope.ts";
import type { AgreedRates } from "./agreed-rates.ts";
import type { CallHop } from "./call-hop.ts";
import type { UnattributedRule, VoiceKind } from "./call-options.ts";
import type { CallStream, StreamControl } from "./call-stream.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { PacketTap } from "./frame-intake.ts";
import type { HeardAudio } from "./heard-audio.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";
import type { AudioCodecOptions } from "./platform.ts";
import type { StreamLine } from "./stream-line.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import type { StreamContext } from "./stream-parts.ts";
import type { StreamTotals } from "./stream-totals.ts";
import type { TagKeys } from "./tag-keys.ts";
import type { TurnDetector } from "./turns/turn-detector.ts";

/** What a listener played of a stream in profile `chain` and nobody can be shown to have sent: no word on whose fault it is. */
export interface Unattributed extends UnattributedFrames {
  readonly stream: number;
}

/** How far a listener has heard a stream. */
export interface HeardPlace {
  readonly stream: number;
  readonly nextSequence: number;
}

/** One direction of a stream: as the server laid it out, and its flows. */
export interface StreamSide<Entry extends StreamParameters = StreamParameters> {
  readonly entry: Entry;
  readonly line: StreamLine;
}

/** A stream as this end has it: what it says there, what it hears, or both. */
export interface StreamSides<Entry extends StreamParameters = StreamParameters> {
  readonly sends: StreamSide<Entry> | undefined;
  readonly hears: StreamSide<Entry> | undefined;
}

/**
 * The media of one stream at one end of a call. Its lines are the call's: they are attached before it, detached before it and finished
 * after it.
 */
export interface StreamMedia {
  /** Stream id. */
  readonly stream: number;
  readonly modality: Modality;
  /** As the application has it. */
  readonly handle: CallStream;
  /** Sends nothing of what is live, and keeps what is not, until told otherwise. */
  mute(isMuted: boolean): void;
  /** This end wants nothing of it for now, or wants it again: the server forwards nothing meanwhile. */
  want(isWanted: boolean): void;
  /** Sends and plays nothing until `release`: the call is suspended. Idempotent. */
  hold(): void;
  release(): void;
  /** The call has no connection. Idempotent. */
  detach(): void;
  /** It has one, where the stream is laid out so: what has to go again goes. */
  attach(entries: readonly StreamParameters[]): void;
  /** Something of the other end has come, in any stream: it is there. Idempotent. */
  peerSeen(): void;
  /** The other end has no connection for its media yet, as the call begins. */
  peerIsToCome(): void;
  /** It has none any more; or it has one again, and has heard so much of these streams. Idempotent. */
  peerLeft(): void;
  peerCame(received: readonly HeardPlace[]): void;
  /** Frames are of this profile from now on in both directions, by the terms of this number, for a listener with this key. */
  useProfile(profile: FrameProfile, termsNumber: number, peer: MediaKey): void;
  /** Both ends agree to this profile: the other one may use it before this end is told that it is in force. */
  expectProfile(profile: FrameProfile): void;
  /** The other end signs with this key from now on; `expiresAt`: when the terms run out, Unix milliseconds. */
  takeKey(key: MediaKey, profile: FrameProfile, expiresAt: number): void;
  /** The other end goes by another clock from now on. */
  takeClock(clock: PeerClock): void;
  /** Whether this end sends what it is given. */
  permit(isPermitted: boolean): void;
  /** Whether the terms of this number let the other end send: what it may not send is not played. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void;
  /** How far a reliable stream was heard; undefined for one that is not, or not reliable. */
  readonly heardPlace: HeardPlace | undefined;
  readonly totals: StreamTotals;
  /** Signs what has fallen due; the call's timer runs it. */
  poll(now: number): void;
  /** It is closed, or its call is over: its handle says so. */
  closed(): void;
  /** Signs what is still owed: the final checkpoint, the final receipt. Nothing is sent or played any more. Idempotent. */
  finish(): void;
}

/** What the streams of one call share. */
export interface StreamMediaContext extends StreamContext {
  readonly time: MediaTime;
  readonly tagKeys: TagKeys;
  readonly speaker: string;
  readonly codecOptions: AudioCodecOptions;
  readonly voices: VoiceKind;
  readonly unattributedRule: UnattributedRule;
  /** How many of the frames before it each frame sent carries, where that was agreed. */
  readonly redundancy: RedundancyLevel;
  /** What tells where turns begin and end in what is written; the writer, where there is none. */
  readonly turns?: TurnDetector | "loudness" | undefined;
  readonly tap?: PacketTap | undefined;
  readonly watch: FrameWatch;
  readonly outgoing?: ((packet: Uint8Array) => void) | undefined;
  /** Takes what nobody waits for. */
  readonly report: (error: unknown) => void;
  readonly control: StreamControl;
  /** The way of live media to the server. */
  readonly hop: () => CallHop;
  /** What of it the server lets through. */
  readonly rates: AgreedRates;
  /** Told of each piece of a voice as it is handed out. Returns how much later than it needs itself that voice is to be played, ms. */
  readonly heard: (heard: HeardAudio) => number;
  /** Takes frames of profile `chain` that were not attributed in time. */
  readonly unattributed: (frames: Unattributed) => void;
  /** Takes interrupts that the server hands on beside the statements of a voice, unproved. */
  readonly interrupted: (bytes: Uint8Array) => void;
  /** The reader of a stream of data takes less than comes, or has caught up. */
  readonly slowReader: (stream: number, isSlow: boolean) => void;
  /** Takes receipts of the other end for what this end says, unproved. */
  readonly receipt: (bytes: Uint8Array, stream: number) => void;
}

/** Who is told of the streams of a call, and does what they ask for. */
export interface StreamWatch {
  readonly opened: (media: StreamMedia) => void;
  readonly closed: (media: StreamMedia) => void;
  /** A stream that both ends agreed on cannot be made here. */
  readonly failed: (stream: number, error: unknown) => void;
  readonly control: StreamControl;
  /** Told of frames of profile `chain` that were not attributed in time. */
  readonly unattributed: (frames: Unattributed) => void;
  /** Takes interrupts that the server hands on beside the statements of a voice, unproved. */
  readonly interrupted: (bytes: Uint8Array) => void;
  /** Takes receipts of the other end for what this end says on a voice, unproved. */
  readonly receipt: (bytes: Uint8Array, stream: number) => void;
  /** The reader of a stream of data takes less than comes, or has caught up. */
  readonly slowReader: (stream: number, isSlow: boolean) => void;
}
