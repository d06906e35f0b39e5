import type { JsonObject } from "../../codecs/canonical-json.ts";
import { END_REASON } from "../closing.ts";
import {
  AGENT_ID,
  anyObject,
  boolean,
  bounded,
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
/** Longest text that explains what was declined, characters. */
export const MAX_EXPLANATION_CHARACTERS = 200;

/** A signed object in compact form. */
export const JWS = text({ min: 1, max: 65_536 });
const DOCUMENT = text({ min: 1, max: MAX_DOCUMENT_CHARACTERS });

/** Members nobody here knows are passed over: a request's parameters are not signed objects, and later ones have more. */
export const OPEN = { open: true } as const;

/** What any request may carry to prove whose it is. */
interface CredentialParameters {
  readonly proof?: string;
  /** Byte-exact documents, for open registration. */
  readonly genesis?: string;
  readonly identity_document?: string;
  /** Of a gateway: Agent-ID of the agent that it acts for on this connection. */
  readonly on_behalf_of?: string;
}
export const CREDENTIALS: Shape<CredentialParameters> = object<CredentialParameters>(
  {
    proof: optional(JWS),
    genesis: optional(DOCUMENT),
    identity_document: optional(DOCUMENT),
    on_behalf_of: optional(AGENT_ID),
  },
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
  readonly target:
    | "audit"
    | "chain_head"
    | "lifecycle"
    | "sessions"
    | "session"
    | "chain"
    | "contract"
    | "rcns-attempt";
  readonly audit_id?: string;
  /** Default: the server; of `sessions`, the asker. */
  readonly agent_id?: string;
  readonly session_id?: string;
  readonly limit?: number;
  /** The page before this place of the server's chain: of what comes newest first. */
  readonly before?: number;
  /** The page behind this place: of a chain. */
  readonly after?: number;
}
export const INSPECT: Shape<InspectParameters> = object<InspectParameters>(
  {
    target: oneOf(
      "audit",
      "chain_head",
      "lifecycle",
      "sessions",
      "session",
      "chain",
      "contract",
      "rcns-attempt",
    ),
    audit_id: optional(DIGEST),
    agent_id: optional(AGENT_ID),
    session_id: optional(text({ min: 1, max: 128 })),
    limit: optional(integer(1, 64)),
    before: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    after: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  },
  OPEN,
);

/** ACTIVATE, DEACTIVATE, REINSTATE, REVOKE, DEPRECATE /agents/{id}. */
export interface LifecycleParameters {
  readonly reason?: string;
  /** Refused: a session is ended by TERMINATE. */
  readonly session_id?: string;
  /** With ACTIVATE, the operator's: the agent to register, or its newer identity document. Byte-exact. */
  readonly genesis?: string;
  readonly identity_document?: string;
}
export const LIFECYCLE: Shape<LifecycleParameters> = object<LifecycleParameters>(
  {
    reason: optional(END_REASON),
    session_id: optional(text({ max: 128 })),
    genesis: optional(DOCUMENT),
    identity_document: optional(DOCUMENT),
  },
  OPEN,
);

/** REDACT /records: one of them. */
export interface RedactParameters {
  readonly agent_id?: string;
  readonly session_id?: string;
}
export const REDACT: Shape<RedactParameters> = object<RedactParameters>(
  { agent_id: optional(AGENT_ID), session_id: optional(text({ min: 1, max: 128 })) },
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
    recipient: text({ max: 64, pattern: /^(?:[0-9a-f]{64}|infrastructure:broadcast)$/ }),
    content: optional(CONTENT),
    event: optional(CONTENT),
    urgency: optional(oneOf("critical", "informational", "background")),
    delivery_guarantee: optional(text({ max: 32 })),
    expiry: optional(text({ max: 40 })),
  },
  OPEN,
);

/** Names one of an agent's inboxes. */
export const INBOX: Shape<string> = text({ min: 1, max: 64, pattern: /^[A-Za-z0-9._-]+$/ });
/** NOTIFY / to `infrastructure:broadcast`: what is made of a certificate. */
export interface RevocationNotice {
  readonly content: {
    readonly event_type: "certificate_revoked";
    readonly agent_id: string;
    /** Hex. */
    readonly certificate_serial: string;
    readonly revocation_reason?: string;
    /** RFC 3339, UTC. Default: now. */
    readonly effective_at?: string;
  };
}
export const REVOCATION: Shape<RevocationNotice> = object<RevocationNotice>(
  {
    content: object<RevocationNotice["content"]>(
      {
        event_type: oneOf("certificate_revoked"),
        agent_id: AGENT_ID,
        certificate_serial: text({ min: 1, max: 64, pattern: /^[0-9A-Fa-f:]+$/ }),
        revocation_reason: optional(text({ min: 1, max: 64, pattern: /^[A-Za-z0-9_. -]+$/ })),
        effective_at: optional(text({ max: 40 })),
      },
      OPEN,
    ),
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

export interface AckNotice {
  readonly content: { readonly event: "ack"; readonly inbox_seq: number };
  /** Default: the inbox on the same connection, else `main`. */
  readonly inbox?: string;
}
export const ACK_NOTICE: Shape<AckNotice> = object<AckNotice>(
  {
    content: object<AckNotice["content"]>(
      { event: oneOf("ack"), inbox_seq: integer(0, Number.MAX_SAFE_INTEGER) },
      OPEN,
    ),
    inbox: optional(INBOX),
  },
  OPEN,
);

/** SUBSCRIBE /agents/{id}/inbox. */
export interface SubscribeParameters {
  readonly after?: number;
  /** Default `main`. */
  readonly inbox?: string;
  /** False: for who only calls, and is not online by it. Default true. */
  readonly calls?: boolean;
}
export const SUBSCRIBE: Shape<SubscribeParameters> = object<SubscribeParameters>(
  {
    after: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    inbox: optional(INBOX),
    calls: optional(boolean()),
  },
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
