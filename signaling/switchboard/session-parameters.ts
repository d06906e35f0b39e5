import type { JsonObject, JsonValue } from "../../codecs/canonical-json.ts";
import { END_REASON } from "../closing.ts";
import { COUNTER_PROPOSAL, type CounterProposal } from "../negotiation.ts";
import { MAX_STREAMS } from "../offer.ts";
import { SESSION_NOTICE_EVENTS, type SessionNoticeEvent } from "../session-notice.ts";
import {
  AGENT_ID,
  boolean,
  bounded,
  integer,
  list,
  object,
  oneOf,
  optional,
  type Shape,
  text,
  UUID_V7,
} from "../shape.ts";
import { CLOCK, type ClockStatement, STREAM_ID } from "../stream-fields.ts";
import { INBOX, JWS, MAX_EXPLANATION_CHARACTERS, OPEN } from "./parameters.ts";

/** Longest checkpoint kept of a suspended session, bytes of canonical JSON. */
const MAX_CHECKPOINT_BYTES = 4_096;

/** Longest counter-proposal taken from a callee, bytes of canonical JSON: it is handed on and remembered with the offer. */
const MAX_COUNTER_PROPOSAL_BYTES = 4_096;

/** Any JSON: kept for the client, never read. */
const ANYTHING: Shape<JsonValue> = { schema: {}, check: () => undefined };

/** ESTABLISH /sessions. */
export interface EstablishParameters {
  /** Default: the callee of the offer. */
  readonly target_agent_id?: string;
  readonly offer?: string;
  readonly provisional?: boolean;
  readonly session_model?: string;
  readonly session_ttl?: number;
  readonly authority_scope?: readonly string[];
}
export const ESTABLISH: Shape<EstablishParameters> = object<EstablishParameters>(
  {
    target_agent_id: optional(AGENT_ID),
    offer: optional(JWS),
    provisional: optional(boolean()),
    session_model: optional(text({ max: 32 })),
    session_ttl: optional(integer(1, 2 ** 31)),
    authority_scope: optional(list(text({ max: 128 }), { max: 64 })),
  },
  OPEN,
);

/** CONFIRM /sessions/{id}. */
export interface ConfirmParameters {
  readonly target_id: string;
  readonly status: "accepted" | "rejected";
  readonly answer?: string;
  /** Of a change of terms; see {@link ConfirmChangeParameters}. */
  readonly acceptance?: string;
  readonly reason?: "declined" | "busy" | "proposal-rejected";
  readonly explanation?: string;
  /** With `proposal-rejected`: what the callee would take instead. */
  readonly counter_proposal?: CounterProposal;
  /** Which inbox of the callee answers. Default: the one on the same connection, else `main`. */
  readonly inbox?: string;
}
export const CONFIRM: Shape<ConfirmParameters> = object<ConfirmParameters>(
  {
    target_id: text({ min: 1, max: 128 }),
    status: oneOf("accepted", "rejected"),
    answer: optional(JWS),
    acceptance: optional(JWS),
    reason: optional(oneOf("declined", "busy", "proposal-rejected")),
    explanation: optional(text({ max: MAX_EXPLANATION_CHARACTERS })),
    counter_proposal: optional(bounded(COUNTER_PROPOSAL, MAX_COUNTER_PROPOSAL_BYTES)),
    inbox: optional(INBOX),
  },
  OPEN,
);

/** TERMINATE, DISCONNECT or CLOSE /sessions/{id}. */
export interface TerminateParameters {
  /** Default `hangup`. */
  readonly reason?: string;
  readonly closing?: string;
}
export const TERMINATE: Shape<TerminateParameters> = object<TerminateParameters>(
  // The other end repeats the reason in its closing statement, so it must fit there.
  { reason: optional(END_REASON), closing: optional(JWS) },
  OPEN,
);

/** CONFIRM /sessions/{id} of a change that the other end asks for. */
export interface ConfirmChangeParameters {
  /** Its `change_id`. */
  readonly target_id: string;
  readonly status: "accepted" | "rejected";
  /** With `accepted`: the signed acceptance. */
  readonly acceptance?: string;
  /** With `rejected`: why, for who asked. */
  readonly explanation?: string;
}
export const CONFIRM_CHANGE: Shape<ConfirmChangeParameters> = object<ConfirmChangeParameters>(
  {
    target_id: UUID_V7,
    status: oneOf("accepted", "rejected"),
    acceptance: optional(JWS),
    explanation: optional(END_REASON),
  },
  OPEN,
);

/** True for parameters of CONFIRM that are about a change, and not about an offer. */
export function confirmsChange({ target_id: target }: JsonObject): boolean {
  return UUID_V7.check(target, "target_id") === undefined;
}

/** ADJUST /sessions/{id}: one of both. */
interface AdjustParameters {
  readonly narrowing?: string;
  readonly change?: string;
}
export const ADJUST: Shape<AdjustParameters> = object<AdjustParameters>(
  { narrowing: optional(JWS), change: optional(JWS) },
  OPEN,
);

/** OPEN /sessions/{id}/streams, ADJUST /sessions/{id}/streams/{stream}. */
interface StreamChangeParameters {
  /** Opens streams, or changes how the one is sent, and nothing else. */
  readonly change: string;
}
export const STREAM_CHANGE: Shape<StreamChangeParameters> = object<StreamChangeParameters>(
  { change: JWS },
  OPEN,
);

/** CLOSE /sessions/{id}/streams/{stream}. */
interface CloseStreamParameters {
  /** Closes the one, and no other. */
  readonly narrowing: string;
}
export const CLOSE_STREAM: Shape<CloseStreamParameters> = object<CloseStreamParameters>(
  { narrowing: JWS },
  OPEN,
);

/** SUSPEND /sessions/{id}. */
export interface SuspendParameters {
  /** Where a client names the session here as well. */
  readonly session_id?: string;
  readonly reason?: string;
  /** RFC 3339, UTC. */
  readonly resume_by?: string;
  /** Instead of `resume_by`: how long. */
  readonly ttl_seconds?: number;
  /** Kept and given back to whoever resumes. */
  readonly checkpoint?: JsonValue;
  /** Named by the client so that a repetition is known as one. */
  readonly suspension_id?: string;
}
export const SUSPEND: Shape<SuspendParameters> = object<SuspendParameters>(
  {
    session_id: optional(text({ min: 1, max: 128 })),
    reason: optional(END_REASON),
    resume_by: optional(text({ min: 1, max: 40 })),
    ttl_seconds: optional(integer(1, 2 ** 31)),
    checkpoint: optional(bounded(ANYTHING, MAX_CHECKPOINT_BYTES)),
    suspension_id: optional(text({ min: 1, max: 64, pattern: /^[\w-]+$/ })),
  },
  OPEN,
);

/** RESUME /sessions/{id}. */
export interface ResumeParameters {
  readonly session_id?: string;
  /** Another name of the session (`spec/agtp.md` C9). */
  readonly workflow_id?: string;
  readonly resumption_nonce: string;
}
export const RESUME: Shape<ResumeParameters> = object<ResumeParameters>(
  {
    session_id: optional(text({ min: 1, max: 128 })),
    workflow_id: optional(text({ min: 1, max: 128 })),
    resumption_nonce: text({ min: 1, max: 128 }),
  },
  OPEN,
);

/** OPEN /sessions/{id}/media. */
export interface OpenParameters {
  /** Rises with every attachment of this end: the highest wins. */
  readonly attach_seq: number;
  /** Certificate of a media key of the next generation, from a process that does not have the one in force. */
  readonly media_key?: string;
  /** This machine's clock against the server's, where it is another one than before. */
  readonly clock?: ClockStatement;
  /** Answer with everything that a process needs which knows nothing of the session. */
  readonly take_up?: boolean;
  /** Of each reliable stream that this end hears: the least number of the frame that it wants next. */
  readonly received?: readonly ReceivedStream[];
}

/** How far an end has heard a reliable stream. */
export type ReceivedStream = { readonly stream: number; readonly next_sequence: number };
export const OPEN_MEDIA: Shape<OpenParameters> = object<OpenParameters>(
  {
    attach_seq: integer(1, Number.MAX_SAFE_INTEGER),
    media_key: optional(JWS),
    clock: optional(CLOCK),
    take_up: optional(boolean()),
    received: optional(
      list(object<ReceivedStream>({ stream: STREAM_ID, next_sequence: integer(0, 2 ** 48) }), {
        max: MAX_STREAMS,
      }),
    ),
  },
  OPEN,
);

/** QUERY /sessions/{id}/records: those behind this `session_seq`. */
interface RecordsParameters {
  readonly after?: number;
}
export const RECORDS: Shape<RecordsParameters> = object<RecordsParameters>(
  { after: optional(integer(0, Number.MAX_SAFE_INTEGER)) },
  OPEN,
);

/** NOTIFY: what is told stands in `content`. */
interface SessionNotice {
  readonly content: { readonly event: "closing-statement" | "interrupt" | SessionNoticeEvent };
}
export const SESSION_NOTICE: Shape<SessionNotice> = object<SessionNotice>(
  {
    content: object<SessionNotice["content"]>(
      { event: oneOf("closing-statement", "interrupt", ...SESSION_NOTICE_EVENTS) },
      OPEN,
    ),
  },
  OPEN,
);

/** What NOTIFY of an interrupt tells. */
export interface InterruptContent {
  readonly event: "interrupt";
  readonly stream: number;
  readonly epoch: number;
  /** The signed interrupt, base64url. */
  readonly interrupt: string;
}
export const INTERRUPT_NOTICE: Shape<{ readonly content: InterruptContent }> = object<{
  readonly content: InterruptContent;
}>(
  {
    content: object<InterruptContent>(
      {
        event: oneOf("interrupt"),
        stream: integer(0, 2 ** 32 - 1),
        epoch: integer(1, 2 ** 32 - 1),
        interrupt: text({ min: 1, max: 1_024 }),
      },
      OPEN,
    ),
  },
  OPEN,
);

interface ClosingNotice {
  readonly content: { readonly event: "closing-statement"; readonly closing: string };
}
export const CLOSING_NOTICE: Shape<ClosingNotice> = object<ClosingNotice>(
  { content: object<ClosingNotice["content"]>({ event: oneOf("closing-statement"), closing: JWS }, OPEN) },
  OPEN,
);
