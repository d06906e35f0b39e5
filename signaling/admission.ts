import type { VideoFormatName } from "../codecs/video-formats.ts";

/** Names a connection inside one server process. */
export type ConnectionId = number;

/** Refusals of a media frame, in the order they are decided (`design` 5). Each is a counter and a metric label. */
export const REFUSALS = [
  "malformed",
  "unknown-flow",
  "session-state",
  "scope",
  "terms",
  "profile",
  "rate",
  "limit",
  "replayed",
  "window",
  "stale",
  "early",
  "key-generation",
  "expired",
  "epoch",
  "signature",
  "picture",
  "too-large",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** How far the capture time of a frame on a reliable stream may lie back, ms, before the clocks' uncertainty is added. */
export const RELIABLE_FRESHNESS_MS = 30_000;

/** The same of a unit of video, ms: a key frame may be on its way for long. */
export const UNIT_FRESHNESS_MS = 6_000;

/** How long frames of the profile before pass after a change of the terms, ms: they carry proof of their own. */
export const PROFILE_OVERLAP_MS = 2_000;

/** How long frames of a profile pass at a listener that has agreed to it and waits for the news that it is in force, ms. */
export const PROFILE_NEWS_MS = 10_000;

/** What the pictures of a stream may be at most, pixels. */
export interface PictureBounds {
  readonly format: VideoFormatName;
  /** As both ends agreed. Where they agree on less, what was agreed before passes for {@link UNIT_FRESHNESS_MS} more: it is on its way. */
  readonly maxWidth: number;
  readonly maxHeight: number;
  /** By the scope of the speaker, at once. Absent: no cap. */
  readonly heightLimit?: number | undefined;
}

/** Where admitted frames of a flow leave the relay. */
export interface EgressLeg {
  readonly connection: ConnectionId;
  /** Flow identifier on that connection. */
  readonly flow: number;
}

/** One row of the admission table: everything the relay needs to judge and route one incoming media flow. */
export interface AdmissionRow {
  readonly connection: ConnectionId;
  /** Flow identifier on the incoming connection (QUIC varint). */
  readonly flow: number;
  readonly sessionId: string;
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly leg: number;
  readonly stream: number;
  /** The speaker's media keys by generation (0..15), 32 raw bytes each. The highest is in force: frames of the others are refused. */
  readonly keys: ReadonlyMap<number, Uint8Array>;
  /**
   * When frames may be let through, Unix milliseconds, both included: while the certificate of the media key in force holds and the terms
   * have not run out. As the ends signed it; whoever judges allows for the difference of their clocks.
   */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Frames of the generation in force with a lower sequence number are refused (`window`): an earlier generation, or server process, may have had them. Absent: any may come. */
  readonly leastSequence?: number;
  readonly profile: "frame" | "chain";
  /**
   * Of a listener: the keys of the speaker's tags in profile `chain`, by the speaker's key generation, 32 raw bytes each. A relay has none
   * and cannot tell whether a tag holds; it compares frames with their checkpoints.
   */
  readonly tagKeys?: ReadonlyMap<number, Uint8Array>;
  readonly termsNumber: number;
  readonly payloadType: number;
  /** Of packets that carry earlier frames once more (RFC 2198). Absent: none may come. */
  readonly redPayloadType?: number | undefined;
  readonly ssrc: number;
  readonly clockRate: number;
  /**
   * Frames come on the flow's stream alone, in order, and may have waited for it: {@link RELIABLE_FRESHNESS_MS} instead of
   * what holds for live media. Absent: live media.
   */
  readonly reliable?: boolean;
  /**
   * Of latest values of data: age from which one is refused (`stale`), and does not leave a queue any more, ms. Absent: something else, to which what holds for a
   * conversation applies.
   */
  readonly deadlineMs?: number | undefined;
  /**
   * Of video: each frame is a unit and comes on a stream of its own. Rows of one leg with the same `source` show one picture, `rendition` 0 best;
   * a listener gets one of them. Absent: no video.
   */
  readonly video?: { readonly source?: number | undefined; readonly rendition: number };
  /** Of video: what its key frames may be, which is looked at where whoever judges can read them. Absent: it is not looked at. */
  readonly picture?: PictureBounds | undefined;
  /** False when the effective scope does not let this leg transmit the modality. */
  readonly transmitAllowed: boolean;
  /** Ceiling, with `burst` seconds of credit. */
  readonly rate: {
    readonly framesPerSecond: number;
    readonly bytesPerSecond: number;
    readonly burst: number;
  };
  /** Bits of payload a second that this leg may send on all its streams together, by its scope. Absent: no cap. */
  readonly bitsPerSecond?: number | undefined;
  /** Milliseconds to add to the sender's capture times to get server time, and how sure that is. */
  readonly clockOffset: number;
  readonly clockUncertainty: number;
  /** None while the listener has no connection for media: live frames then go nowhere, and reliable ones wait unread. */
  readonly egress: readonly EgressLeg[];
  /** Its listener holds it: what is live is let through and goes nowhere, what is reliable waits unread. Absent: it does not. */
  readonly held?: boolean | undefined;
  /**
   * Where an earlier process of the server held the windows: when this one took the session over, in the time that capture times are held
   * against. Of live media nothing passes whose capture time would have let it pass until then. What is reliable goes by `leastSequence`.
   */
  readonly resumedAt?: number;
}

/** The only thing that steers the media core (`design` 8). */
export type AdmissionMessage =
  | { readonly kind: "install"; readonly row: AdmissionRow }
  /**
   * Moves a leg's stream that is here to the connections and flows of this row: its windows, counters, rate and what it holds go on. What
   * comes on the old flow is nobody's. `epoch` is the media epoch in force, which may have begun while the speaker had no connection.
   */
  | {
      readonly kind: "move";
      readonly row: AdmissionRow;
      readonly epoch: number;
      /** Of a reliable stream: the number of the first frame that its listener lacks. What is kept from there on goes to it again. */
      readonly resend?: number;
    }
  /** Replaces what the terms govern; the window and counters go on. */
  | {
      readonly kind: "terms";
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly termsNumber: number;
      readonly transmitAllowed: boolean;
      /** Absent: as before. Where it is another one, frames of the one before pass for {@link PROFILE_OVERLAP_MS} more: they are on their way. */
      readonly profile?: AdmissionRow["profile"];
      /** Absent: as before. */
      readonly rate?: AdmissionRow["rate"];
      /** Absent: as before. */
      readonly picture?: PictureBounds | undefined;
      /** As in the row, in its place. */
      readonly bitsPerSecond?: number | undefined;
    }
  /** At a listener: a change to this profile was agreed on and may be in force. Frames of it pass as well from now on, for {@link PROFILE_NEWS_MS}. */
  | {
      readonly kind: "profile-ahead";
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly profile: "frame" | "chain";
    }
  /** What a speaker in profile `chain` signed that it sent, proved and in order: compared with what was let through. */
  | {
      readonly kind: "checkpoint";
      readonly sessionId: string;
      readonly leg: number;
      readonly stream: number;
      readonly firstSequence: number;
      /** 16 bytes each. */
      readonly digests: readonly Uint8Array[];
      readonly final: boolean;
      /** Frames before `firstSequence` that no checkpoint lists may have been sent: the speaker's key changed. */
      readonly hasGap: boolean;
    }
  /** Raises the media epoch: frames of older ones are refused, those of a later one wait for it. Lower ones change nothing, except where `goesBack`: at a listener whose own interrupt was refused. */
  | {
      readonly kind: "epoch";
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly epoch: number;
      readonly goesBack?: true;
    }
  /**
   * A reliable stream was not read on from `since` (monotonic milliseconds) until now: its listener was away or took no more, or the session was held.
   * What was fresh then is fresh now, and for {@link RELIABLE_FRESHNESS_MS} more.
   */
  | {
      readonly kind: "stood-still";
      readonly sessionId: string;
      readonly leg: number;
      readonly stream: number;
      readonly since: number;
    }
  /** Its listener holds a leg's stream, or does not any more: `held` in the row. */
  | {
      readonly kind: "hold";
      readonly sessionId: string;
      readonly leg: number;
      readonly stream: number;
      readonly isHeld: boolean;
    }
  /** A leg's stream is over before its session is: nothing of it is let through, or known, any more. */
  | { readonly kind: "lift"; readonly sessionId: string; readonly leg: number; readonly stream: number }
  | { readonly kind: "state"; readonly sessionId: string; readonly state: "active" | "held" | "ended" }
  | { readonly kind: "remove"; readonly sessionId: string };

/** What the relay counted for one flow: the server's claim in the evidence. */
export interface FlowCounters {
  readonly leg: number;
  readonly stream: number;
  readonly received: number;
  readonly admitted: number;
  readonly bytes: number;
  readonly forwarded: number;
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** Admitted frames of profile `chain` that a checkpoint of their speaker lists otherwise, or passes over. Absent: none. */
  readonly contradicted?: number;
  /** Admitted frames the egress could not take, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly firstSequence: number | undefined;
  readonly lastSequence: number | undefined;
}
