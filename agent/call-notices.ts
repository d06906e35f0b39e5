import type { JsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import {
  type BandwidthEstimate,
  type PauseNotice,
  type QualityReason,
  SESSION_NOTICE_EVENTS,
  SESSION_NOTICES,
  type SessionNotice,
} from "../signaling/session-notice.ts";
import { readShape } from "../signaling/shape.ts";
import type { CallRequests } from "./call-control.ts";
import type { CallMedia } from "./call-media.ts";
import type { Unattributed } from "./stream-media.ts";
import { unwrap } from "./unwrap.ts";

/** Quality got worse, or better again. */
export interface QualityTold {
  readonly degraded: boolean;
  /** Who hears badly, or well again: 0 the caller. */
  readonly leg: 0 | 1;
  readonly reason: QualityReason;
  /** Absent: all streams. */
  readonly stream: number | undefined;
  /** Agent-ID of who says so, or `server`. Nobody signed it. */
  readonly by: string;
}

/** How much the other end believes that it can be sent. Nobody signed it. */
export type BandwidthTold = Omit<BandwidthEstimate, "event"> & { readonly by: string };

/** Frames of profile `chain` that an end played and that no checkpoint covers, or that one lists otherwise. Nobody signed it, and it blames nobody. */
export interface UnattributedTold {
  readonly stream: number;
  /** 48-bit sequence numbers. */
  readonly first: number;
  readonly last: number;
  readonly by: string;
}

/** The other end cannot go on with a video but at a key frame; `VideoStream.wants` asks for it. Nobody signed it. */
export interface KeyFrameWanted {
  readonly stream: number;
  readonly by: string;
}

/** The other end says nothing on a stream for now, or goes on. Nobody signed it. */
export interface StreamMuted {
  readonly stream: number;
  readonly muted: boolean;
  /** Agent-ID of its speaker. */
  readonly by: string;
}

/** The other end wants nothing of a stream for now, or wants it again: the server forwards nothing meanwhile. Nobody signed it. */
export interface StreamHeld {
  readonly stream: number;
  readonly held: boolean;
  /** Agent-ID of its listener. */
  readonly by: string;
}

export interface CallNoticesOptions {
  readonly session: CheckedSession;
  readonly control: CallRequests;
  readonly media: CallMedia;
  /** This end's. */
  readonly agentId: string;
  /** The other end wants to know how far it was heard on a voice. */
  readonly heardAsked: (stream: number) => void;
  /** It plays nothing of one for a moment, or goes on. */
  readonly paused: (notice: PauseNotice) => void;
  readonly quality: (event: QualityTold) => void;
  readonly bandwidth: (event: BandwidthTold) => void;
  readonly unattributed: (event: UnattributedTold) => void;
  readonly keyFrameWanted: (event: KeyFrameWanted) => void;
  readonly muted: (event: StreamMuted) => void;
  readonly held: (event: StreamHeld) => void;
  readonly report: (error: unknown) => void;
}

/** Members of a notice in the inbox that are not the sender's. */
const ENVELOPE: ReadonlySet<string> = new Set(["by", "leg", "event", "session_id", "inbox_seq", "final"]);

/** What the ends tell each other of how the media comes. */
export class CallNotices {
  readonly #options: CallNoticesOptions;

  constructor(options: CallNoticesOptions) {
    this.#options = options;
  }

  /** This end played such frames: tells its application, the other end, and the record. While there is no connection, the evidence alone shows what no checkpoint covers. */
  async playedUnattributed({ stream, first, last }: Unattributed): Promise<void> {
    const { agentId, unattributed } = this.#options;
    unattributed({ stream, first, last, by: agentId });
    try {
      await this.tell({ event: "unattributed", stream, first_sequence: first, last_sequence: last });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  /** Asks the other end for a key frame, on record. Where that cannot be asked now it is asked again soon, by who waits for it. */
  async askKeyFrame(stream: number): Promise<void> {
    try {
      await this.tell({ event: "keyframe_request", stream });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  /** The reader of a stream of data here takes less than comes, or has caught up: tells the application, the other end, and the record. */
  async readerIsSlow(stream: number, isSlow: boolean): Promise<void> {
    const { agentId, session, quality } = this.#options;
    const reason = "slow-receiver";
    quality({ degraded: isSlow, leg: session.leg, reason, stream, by: agentId });
    try {
      await this.tell({ event: isSlow ? "quality_degraded" : "quality_restored", reason, stream });
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
    }
  }

  async tell(notice: SessionNotice): Promise<void> {
    const { session, control } = this.#options;
    const content = unwrap(readShape<SessionNotice>(SESSION_NOTICES[notice.event], notice, "notice"));
    const path = `/sessions/${session.sessionId}`;
    await control.request({ method: "NOTIFY", path, parameters: { content } });
  }

  /** True for an event that is one of these, whatever becomes of it. */
  takes(event: string, fields: JsonObject): boolean {
    const name = SESSION_NOTICE_EVENTS.find((known) => known === event);
    if (name === undefined) return false;
    const { by, leg } = fields;
    const facts = Object.fromEntries(Object.entries(fields).filter(([member]) => !ENVELOPE.has(member)));
    const read = readShape<SessionNotice>(SESSION_NOTICES[name], { event, ...facts }, event);
    // A server that says anything else is not worth a failed call.
    if (read.ok && typeof by === "string") this.#take(read.value, by, leg === 0 ? 0 : 1);
    return true;
  }

  #take(notice: SessionNotice, by: string, leg: 0 | 1): void {
    const { quality, bandwidth, keyFrameWanted, media, unattributed } = this.#options;
    switch (notice.event) {
      case "bandwidth_estimate": {
        const { event: _, ...estimate } = notice;
        bandwidth({ ...estimate, by });
        return;
      }
      case "quality_degraded":
      case "quality_restored": {
        const { event, reason, stream } = notice;
        quality({ degraded: event === "quality_degraded", leg, reason, stream, by });
        return;
      }
      case "heard-position":
        this.#options.heardAsked(notice.stream);
        return;
      case "keyframe_request":
        media.video(notice.stream)?.sender?.askKeyFrameOnRecord();
        keyFrameWanted({ stream: notice.stream, by });
        return;
      case "pause":
      case "resume":
        this.#options.paused(notice);
        return;
      case "stream-muted":
        media.video(notice.stream)?.receiver?.setQuiet("muted", notice.muted);
        this.#options.muted({ stream: notice.stream, muted: notice.muted, by });
        return;
      case "stream-held":
        this.#options.held({ stream: notice.stream, held: notice.held, by });
        return;
      case "unattributed": {
        const { stream, first_sequence: first, last_sequence: last } = notice;
        unattributed({ stream, first, last, by });
        return;
      }
    }
  }
}
