import { boolean, integer, number, object, oneOf, optional, type Shape } from "./shape.ts";
import { STREAM_ID } from "./stream-fields.ts";
import { RENDITION, SOURCE } from "./video-stream.ts";

/** What the receiving end makes of the path that leads to it. */
export type BandwidthEstimate = {
  readonly event: "bandwidth_estimate";
  /** Payload and all around it, what the receiver believes that it can be sent. */
  readonly bits_per_second: number;
  readonly round_trip_ms?: number;
  /** Beyond what the path takes when nothing waits on it. */
  readonly queue_delay_ms?: number;
  /** Share of what was sent, 0 to 1. */
  readonly loss?: number;
};

/** Why the media of a call is worse than it should be. */
export const QUALITY_REASONS = ["loss", "delay", "bandwidth", "gap", "slow-receiver"] as const;
export type QualityReason = (typeof QUALITY_REASONS)[number];

/** What an end hears, or is sent, is worse than it should be, or no more. */
export type QualityNotice = {
  readonly event: "quality_degraded" | "quality_restored";
  readonly reason: QualityReason;
  /** Absent: all of them. */
  readonly stream?: number;
  readonly loss?: number;
  readonly queue_delay_ms?: number;
  readonly bits_per_second?: number;
};

/** The speaker asks how far it was heard: the listener signs a receipt at once. */
export type HeardPositionAsked = { readonly event: "heard-position"; readonly stream: number };

/** The listener played frames that no checkpoint of their speaker covers, and plays no more of that stream. */
export type UnattributedNotice = {
  readonly event: "unattributed";
  readonly stream: number;
  /** 48-bit sequence numbers. */
  readonly first_sequence: number;
  readonly last_sequence: number;
};

/** The listener plays nothing of a stream for a moment, or goes on: the speaker holds what it has to say, 2 s at most. */
export type PauseNotice = { readonly event: "pause" | "resume"; readonly stream: number };

/** The listener cannot go on with a video but at a key frame. The record of what it asked on the media path, and the way to ask where that is lost. */
export type KeyFrameAsked = { readonly event: "keyframe_request"; readonly stream: number };

/** The speaker says nothing on a stream for now, or goes on: the listener need not wonder. */
export type MuteNotice = {
  readonly event: "stream-muted";
  readonly stream: number;
  readonly muted: boolean;
};

/** The listener wants nothing of a stream for now, or wants it again: the server forwards nothing of it meanwhile. */
export type HoldNotice = {
  readonly event: "stream-held";
  readonly stream: number;
  readonly held: boolean;
};

/** Which rendition of a video the listener is sent from now on. */
export type RenditionNotice = {
  readonly event: "rendition";
  readonly source: number;
  readonly rendition: number;
};

/** What one end tells the other, and the record, of how the media comes: by NOTIFY of the session. Nobody signs it but who carries it. */
export type SessionNotice =
  | BandwidthEstimate
  | QualityNotice
  | HeardPositionAsked
  | UnattributedNotice
  | PauseNotice
  | KeyFrameAsked
  | MuteNotice
  | HoldNotice
  | RenditionNotice;

/** Names of such events. */
export const SESSION_NOTICE_EVENTS = [
  "bandwidth_estimate",
  "quality_degraded",
  "quality_restored",
  "heard-position",
  "unattributed",
  "pause",
  "resume",
  "keyframe_request",
  "stream-muted",
  "stream-held",
  "rendition",
] as const;

export type SessionNoticeEvent = SessionNotice["event"];

const BITS: Shape<number> = integer(0, 1e12);
const MILLISECONDS: Shape<number> = number(0, 600_000);
const SHARE: Shape<number> = number(0, 1);
const SEQUENCE: Shape<number> = integer(0, 2 ** 48 - 1);

const QUALITY: Shape<QualityNotice> = object<QualityNotice>({
  event: oneOf("quality_degraded", "quality_restored"),
  reason: oneOf(...QUALITY_REASONS),
  stream: optional(STREAM_ID),
  loss: optional(SHARE),
  queue_delay_ms: optional(MILLISECONDS),
  bits_per_second: optional(BITS),
});

const PAUSE: Shape<PauseNotice> = object<PauseNotice>({
  event: oneOf("pause", "resume"),
  stream: STREAM_ID,
});

/** What each event says, and nothing else: it goes into the record. */
export const SESSION_NOTICES: Readonly<Record<SessionNoticeEvent, Shape<SessionNotice>>> = {
  bandwidth_estimate: object<BandwidthEstimate>({
    event: oneOf("bandwidth_estimate"),
    bits_per_second: BITS,
    round_trip_ms: optional(MILLISECONDS),
    queue_delay_ms: optional(MILLISECONDS),
    loss: optional(SHARE),
  }),
  quality_degraded: QUALITY,
  quality_restored: QUALITY,
  "heard-position": object<HeardPositionAsked>({ event: oneOf("heard-position"), stream: STREAM_ID }),
  pause: PAUSE,
  resume: PAUSE,
  keyframe_request: object<KeyFrameAsked>({ event: oneOf("keyframe_request"), stream: STREAM_ID }),
  "stream-muted": object<MuteNotice>({ event: oneOf("stream-muted"), stream: STREAM_ID, muted: boolean() }),
  "stream-held": object<HoldNotice>({ event: oneOf("stream-held"), stream: STREAM_ID, held: boolean() }),
  rendition: object<RenditionNotice>({ event: oneOf("rendition"), source: SOURCE, rendition: RENDITION }),
  unattributed: object<UnattributedNotice>({
    event: oneOf("unattributed"),
    stream: STREAM_ID,
    first_sequence: SEQUENCE,
    last_sequence: SEQUENCE,
  }),
};
