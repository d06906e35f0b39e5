import type { FrameProfile, FrameSeal } from "../codecs/frame.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { Modality } from "../signaling/scope.ts";
import type { CallHop } from "./call-hop.ts";
import type { CallStream } from "./call-stream.ts";
import type { PeerClock } from "./heard-row.ts";
import type { HeardStreamOptions } from "./heard-stream.ts";
import type { StreamLine } from "./stream-line.ts";
import type { HeardPlace, StreamMedia, StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { listeningParts } from "./stream-parts.ts";
import type { StreamTotals } from "./stream-totals.ts";
import type { HeardKey, TagKeys } from "./tag-keys.ts";

/** Why this end sends nothing of a stream for now. */
export type StreamPause = "muted" | "suspended" | "detached" | "peer-detached";

/** What says one stream, whatever it carries. */
export interface MediaSender {
  /** While false it sends nothing: the terms do not let this end send. */
  permitted: boolean;
  readonly counters: NonNullable<StreamTotals["sent"]>;
  /** Sends nothing until `goOn` for the same reason. Idempotent. */
  pause(reason: "muted" | "suspended"): void;
  goOn(reason: "muted" | "suspended"): void;
  /** What follows is sealed so: the profile changed, or the listener has another key, of this generation. */
  useSeal(seal: FrameSeal, listenerGeneration: number): void;
  /** Signs what has fallen due. */
  poll(now: number): void;
  /** Signs the last statement. Idempotent. */
  finish(): void;
}

/** One of what is live. */
export interface LiveSender extends MediaSender {
  pause(reason: StreamPause): void;
  goOn(reason: StreamPause): void;
  /** It leaves on another flow from now on. */
  moveTo(flow: number): void;
}

/** What hears one stream, whatever it carries. */
export interface MediaReceiver {
  readonly receipts: NonNullable<StreamTotals["heard"]>;
  /** Plays and hands out nothing until `release`: the call is suspended. Idempotent. */
  hold(): void;
  release(): void;
  moveTo(flow: number): void;
  cutOff(): void;
  reached(): void;
  useProfile(profile: FrameProfile, termsNumber: number): void;
  expectProfile(profile: FrameProfile): void;
  takeKey(key: HeardKey, expiresAt: number): void;
  takeClock(clock: PeerClock): void;
  underTerms(termsNumber: number, transmitAllowed: boolean): void;
  poll(now: number): void;
  finish(): void;
}

/** What the media of a stream is made of: who says it, who hears it, and where. */
export interface TwoWayParts<Sender, Receiver> {
  readonly stream: number;
  readonly sides: StreamSides;
  readonly sender: Sender | undefined;
  readonly receiver: Receiver | undefined;
  readonly tagKeys: TagKeys;
}

/** The media of one stream as its sender and its receiver have it; what is a modality's own is in its class. */
export abstract class TwoWayMedia<Sender extends MediaSender, Receiver extends MediaReceiver>
  implements StreamMedia
{
  readonly stream: number;
  readonly sender: Sender | undefined;
  readonly receiver: Receiver | undefined;
  abstract readonly modality: Modality;
  abstract readonly handle: CallStream;
  protected readonly sides: StreamSides;
  readonly #tagKeys: TagKeys;

  constructor({ stream, sides, sender, receiver, tagKeys }: TwoWayParts<Sender, Receiver>) {
    this.stream = stream;
    this.sides = sides;
    this.sender = sender;
    this.receiver = receiver;
    this.#tagKeys = tagKeys;
  }

  mute(isMuted: boolean): void {
    if (isMuted) this.sender?.pause("muted");
    else this.sender?.goOn("muted");
  }

  abstract want(isWanted: boolean): void;

  hold(): void {
    this.sender?.pause("suspended");
    this.receiver?.hold();
  }

  release(): void {
    this.sender?.goOn("suspended");
    this.receiver?.release();
  }

  abstract detach(): void;
  abstract attach(entries: readonly StreamParameters[]): void;

  peerSeen(): void {}
  peerIsToCome(): void {}
  abstract peerLeft(): void;
  abstract peerCame(received: readonly HeardPlace[]): void;

  useProfile(profile: FrameProfile, termsNumber: number, peer: MediaKey): void {
    this.#seal(profile, peer);
    this.receiver?.useProfile(profile, termsNumber);
  }

  expectProfile(profile: FrameProfile): void {
    this.receiver?.expectProfile(profile);
  }

  takeKey(key: MediaKey, profile: FrameProfile, expiresAt: number): void {
    this.receiver?.takeKey(this.#tagKeys.heard(this.stream, key), expiresAt);
    this.#seal(profile, key);
  }

  takeClock(clock: PeerClock): void {
    this.receiver?.takeClock(clock);
  }

  permit(isPermitted: boolean): void {
    if (this.sender !== undefined) this.sender.permitted = isPermitted;
  }

  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    this.receiver?.underTerms(termsNumber, transmitAllowed);
  }

  get heardPlace(): HeardPlace | undefined {
    return undefined;
  }

  get totals(): StreamTotals {
    return { sent: this.sender?.counters, heard: this.receiver?.receipts };
  }

  poll(now: number): void {
    this.sender?.poll(now);
    this.receiver?.poll(now);
  }

  closed(): void {
    this.handle.ended();
  }

  finish(): void {
    this.sender?.finish();
    this.receiver?.finish();
  }

  #seal(profile: FrameProfile, listener: MediaKey): void {
    this.sender?.useSeal(this.#tagKeys.seal(profile, this.stream, listener), listener.generation);
  }
}

/** That of a stream whose frames are of their moment: none goes again. */
export abstract class LiveMedia<
  Sender extends LiveSender,
  Receiver extends MediaReceiver,
> extends TwoWayMedia<Sender, Receiver> {
  detach(): void {
    this.sender?.pause("detached");
    this.receiver?.cutOff();
  }

  attach(_entries: readonly StreamParameters[]): void {
    const { sends, hears } = this.sides;
    if (sends !== undefined) this.sender?.moveTo(sends.line.flow);
    if (hears !== undefined) this.receiver?.moveTo(hears.line.flow);
    this.receiver?.reached();
    this.sender?.goOn("detached");
  }

  override peerIsToCome(): void {
    this.sender?.pause("peer-detached");
  }

  peerLeft(): void {
    this.sender?.pause("peer-detached");
    this.receiver?.cutOff();
  }

  peerCame(_received: readonly HeardPlace[]): void {
    this.sender?.goOn("peer-detached");
    this.receiver?.reached();
  }
}

/** What whoever hears a stream is made with, under the ceilings of its modality. */
export function hearingParts(
  context: StreamMediaContext,
  { entry, line }: StreamSide,
  limits: Pick<AdmissionRow, "rate" | "reliable" | "deadlineMs">,
): HeardStreamOptions {
  return {
    clock: context.platform.clock,
    time: context.time,
    ...listeningParts(context, entry, limits),
    stopsUnattributed: context.unattributedRule === "stop",
    unattributed: (frames) => context.unattributed({ ...frames, stream: entry.stream }),
    speaker: context.speaker,
    receipt: (bytes) => line.state(bytes),
    hasRoom: () => line.hasRoom,
    tap: context.tap,
    watch: context.watch,
  };
}

/** Hears frames that come in datagrams, each at once. */
export function hearDatagrams(
  hop: CallHop,
  line: StreamLine,
  receiver: { datagram(bytes: Uint8Array, held?: number): void; item(bytes: Uint8Array): void },
): void {
  hop.hears(line);
  line.listen("frames", {
    datagram: (bytes, held) => {
      hop.arrived(bytes, held);
      receiver.datagram(bytes, held);
    },
    item: (bytes) => receiver.item(bytes),
  });
}
