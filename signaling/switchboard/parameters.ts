import { canonicalBytes, type JsonObject, type JsonValue } from "../../codecs/canonical-json.ts";
import { END_REASON } from "../closing.ts";
import { COUNTER_PROPOSAL, type CounterProposal } from "../negotiation.ts";
import {
  AGENT_ID,
  anyObject,
  boolean,
  DIGEST,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  type Shape,
  text,
} from "../shape.ts";

/** Longest document (Genesis, identity document) taken in a request, characters. */
const MAX_DOCUMENT_CHARACTERS = 65_536;
/** Longest text that explains a declined offer, characters. */
const MAX_EXPLANATION_CHARACTERS = 200;

/** Longest checkpoint kept of a suspended session, bytes of canonical JSON. */
const MAX_CHECKPOINT_BYTES = 4_096;

/** Longest counter-proposal taken from a callee, bytes of canonical JSON: it is handed on and remembered with the offer. */
const MAX_COUNTER_PROPOSAL_BYTES = 4_096;

const JWS = text({ min: 1, max: 65_536 });
const DOCUMENT = text({ min: 1, max: MAX_DOCUMENT_CHARACTERS });

/** Any JSON: kept for the client, never read. */
const ANYTHING: Shape<JsonValue> = { schema: {}, check: () => undefined };

// Members nobody here knows are passed over: a request's parameters are not signed objects, and later ones have more.
const OPEN = { open: true } as const;

/** What any request may carry to prove whose it is. */
interface CredentialParameters {
  readonly proof?: string;
  /** Byte-exact documents, for open registration. */
  readonly genesis?: string;
  readonly identity_document?: string;
}
export const CREDENTIALS: Shape<CredentialParameters> = object<CredentialParameters>(
  { proof: optional(JWS), genesis: optional(DOCUMENT), identity_document: optional(DOCUMENT) },
  OPEN,
);

/** Exchanges that take no parameters of their own. */
export const NOTHING: Shape<object> = object<object>({}, OPEN);

/** Parts of the capability document that DESCRIBE can be asked for. */
export const CAPABILITY_DOMAINS = ["methods", "modalities", "tools", "version", "budget", "zones"] as const;

/** DESCRIBE /: all of the document, or these parts of it. */
export interface DescribeParameters {
  readonly capability_domains?: readonly (typeof CAPABILITY_DOMAINS)[number][];
  readonly version_min?: string;
}
export const DESCRIBE: Shape<DescribeParameters> = object<DescribeParameters>(
  {
    capability_domains: optional(list(oneOf(...CAPABILITY_DOMAINS), { max: CAPABILITY_DOMAINS.length })),
    version_min: optional(text({ min: 1, max: 16, pattern: /^[0-9]{1,4}(?:\.[0-9]{1,4}){0,2}$/ })),
  },
  OPEN,
);

/** INSPECT /: what to look up. */
export interface InspectParameters {
  readonly target: "audit" | "chain_head" | "lifecycle" | "contract" | "rcns-attempt";
  readonly audit_id?: string;
  /** Default: the server. */
  readonly agent_id?: string;
  readonly limit?: number;
}
export const INSPECT: Shape<InspectParameters> = object<InspectParameters>(
  {
    target: oneOf("audit", "chain_head", "lifecycle", "contract", "rcns-attempt"),
    audit_id: optional(DIGEST),
    agent_id: optional(AGENT_ID),
    limit: optional(integer(1, 64)),
  },
  OPEN,
);

/** ACTIVATE, DEACTIVATE, REINSTATE, REVOKE, DEPRECATE /agents/{id}. */
export interface LifecycleParameters {
  readonly reason?: string;
  /** Refused: a session is ended by TERMINATE. */
  readonly session_id?: string;
}
export const LIFECYCLE: Shape<LifecycleParameters> = object<LifecycleParameters>(
  { reason: optional(END_REASON), session_id: optional(text({ max: 128 })) },
  OPEN,
);

/** Longest content of a notification, and attestation of a confirmation, bytes of canonical JSON. */
const MAX_CONTENT_BYTES = 4_096;
const CONTENT: Shape<JsonObject | string> = bounded(
  {
    schema: { type: ["object", "string"] },
    check: (value, at) => (typeof value === "string" ? undefined : anyObject().check(value, at)),
  },
  MAX_CONTENT_BYTES,
);

/** NOTIFY /: `content`, or `event` as the reference implementation calls it. */
export interface NotifyParameters {
  readonly recipient: string;
  readonly content?: JsonObject | string;
  readonly event?: JsonObject | string;
  readonly urgency?: "critical" | "informational" | "background";
  readonly delivery_guarantee?: string;
  /** RFC 3339, UTC. */
  readonly expiry?: string;
}
export const NOTIFY: Shape<NotifyParameters> = object<NotifyParameters>(
  {
    recipient: AGENT_ID,
    content: optional(CONTENT),
    event: optional(CONTENT),
    urgency: optional(oneOf("critical", "informational", "background")),
    delivery_guarantee: optional(text({ max: 32 })),
    expiry: optional(text({ max: 40 })),
  },
  OPEN,
);

/** CONFIRM /: of a notification. */
export interface ConfirmTargetParameters {
  readonly target_id: string;
  readonly status: "accepted" | "rejected" | "deferred";
  readonly reason?: string;
  readonly attestation?: JsonObject | string;
}
export const CONFIRM_TARGET: Shape<ConfirmTargetParameters> = object<ConfirmTargetParameters>(
  {
    target_id: text({ min: 1, max: 128 }),
    status: oneOf("accepted", "rejected", "deferred"),
    reason: optional(text({ max: MAX_EXPLANATION_CHARACTERS })),
    attestation: optional(CONTENT),
  },
  OPEN,
);

/** QUERY /. */
export interface QueryParameters {
  readonly intent?: string;
}
export const QUERY: Shape<QueryParameters> = object<QueryParameters>(
  { intent: optional(text({ max: 256 })) },
  OPEN,
);

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
  readonly reason?: "declined" | "busy" | "proposal-rejected";
  readonly explanation?: string;
  /** With `proposal-rejected`: what the callee would take instead. */
  readonly counter_proposal?: CounterProposal;
}
export const CONFIRM: Shape<ConfirmParameters> = object<ConfirmParameters>(
  {
    target_id: text({ min: 1, max: 128 }),
    status: oneOf("accepted", "rejected"),
    answer: optional(JWS),
    reason: optional(oneOf("declined", "busy", "proposal-rejected")),
    explanation: optional(text({ max: MAX_EXPLANATION_CHARACTERS })),
    counter_proposal: optional(bounded(COUNTER_PROPOSAL, MAX_COUNTER_PROPOSAL_BYTES)),
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

/** ADJUST /sessions/{id}. */
interface AdjustParameters {
  readonly narrowing: string;
}
export const ADJUST: Shape<AdjustParameters> = object<AdjustParameters>({ narrowing: JWS }, OPEN);

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
}
export const OPEN_MEDIA: Shape<OpenParameters> = object<OpenParameters>(
  { attach_seq: integer(1, Number.MAX_SAFE_INTEGER) },
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
  readonly content: { readonly event: "closing-statement" | "interrupt" };
}
export const SESSION_NOTICE: Shape<SessionNotice> = object<SessionNotice>(
  {
    content: object<SessionNotice["content"]>({ event: oneOf("closing-statement", "interrupt") }, OPEN),
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

interface AckNotice {
  readonly content: { readonly event: "ack"; readonly inbox_seq: number };
}
export const ACK_NOTICE: Shape<AckNotice> = object<AckNotice>(
  {
    content: object<AckNotice["content"]>(
      { event: oneOf("ack"), inbox_seq: integer(0, Number.MAX_SAFE_INTEGER) },
      OPEN,
    ),
  },
  OPEN,
);

/** SUBSCRIBE /agents/{id}/inbox. */
interface SubscribeParameters {
  readonly after?: number;
}
export const SUBSCRIBE: Shape<SubscribeParameters> = object<SubscribeParameters>(
  { after: optional(integer(0, Number.MAX_SAFE_INTEGER)) },
  OPEN,
);

/** QUERY /clock. */
interface ClockParameters {
  readonly t0: number;
}
export const CLOCK: Shape<ClockParameters> = object<ClockParameters>({ t0: number(0, 2 ** 53) }, OPEN);

/** DISCOVER /agents: the page behind this Agent-ID. */
interface AgentsParameters {
  readonly after?: string;
}
export const AGENTS: Shape<AgentsParameters> = object<AgentsParameters>({ after: optional(AGENT_ID) }, OPEN);

function bounded<T>(shape: Shape<T>, bytes: number): Shape<T> {
  return {
    schema: shape.schema,
    check: (value, at) =>
      shape.check(value, at) ??
      (canonicalBytes(value).length <= bytes
        ? undefined
        : { code: "field-invalid", message: `This must be at most ${bytes} bytes.`, at }),
  };
}
