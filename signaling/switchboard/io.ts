import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { AgtpRequest, AgtpResponse, Dialect } from "../../codecs/message.ts";
import type { Fault, Result } from "../../codecs/result.ts";
import type { AdmissionMessage, ConnectionId, FlowCounters, Refusal } from "../admission.ts";
import type { AccessGrant } from "../authority.ts";
import type { ErasureOutcome, ErasureTarget, LogEntry, OpenSession } from "../record-log.ts";
import type { QualityReason } from "../session-notice.ts";
import type { LoggedSession } from "./left-session.ts";
import type { PeerWish } from "./peer-requests.ts";

/** Names one exchange (a request and its answers) inside one server process. The driver mints it and never uses it twice. */
export type ExchangeId = number;

/** What the driver tells the switchboard. Every `handle` is followed by draining `poll` until `undefined`. */
export type SwitchboardInput =
  /**
   * A connection is up. Before anything else of that connection. `origins`: what its client may have dialled to come to where
   * it was accepted, e.g. `https://127.0.0.1:4480`: the only audiences that proofs on it may name.
   */
  | {
      readonly kind: "opened";
      readonly connection: ConnectionId;
      readonly carrier: string;
      readonly origins: readonly string[];
      /** As `Connection.channelBinding` and `Connection.peerKey` say. */
      readonly channelBinding?: Uint8Array | undefined;
      readonly peerKey?: Uint8Array | undefined;
      /** As `Connection.peerCertificates` says. */
      readonly peerCertificates?: readonly Uint8Array[] | undefined;
      /** Whose network it comes from, where that is known and does not stand for many: what is anonymous on it has a share of its own. */
      readonly network?: string | undefined;
    }
  /** A whole request arrived. */
  | {
      readonly kind: "request";
      readonly connection: ConnectionId;
      readonly exchange: ExchangeId;
      readonly request: AgtpRequest;
      /** It came in early data (0-RTT), where it may be a replay. */
      readonly early?: boolean;
      /**
       * What its access token grants, or why it does not hold; absent where it brings none. `unjudged` where it may bring one: what follows is an
       * answer, or `token-wanted`.
       */
      readonly token?: Result<AccessGrant> | "unjudged";
      /** It answers `token-wanted`: the request was counted when it came. */
      readonly isCounted?: true;
    }
  /** What arrived on an exchange is not a request. Answered once by name; the connection stays. */
  | {
      readonly kind: "malformed";
      readonly connection: ConnectionId;
      readonly exchange: ExchangeId;
      readonly fault: Fault;
      readonly dialect: Dialect;
    }
  /** The carrier took an answer that is not the final one of its exchange. */
  | { readonly kind: "taken"; readonly connection: ConnectionId; readonly exchange: ExchangeId }
  /** The client reset the exchange or its answers can no longer be delivered; the connection lives. */
  | { readonly kind: "abandoned"; readonly connection: ConnectionId; readonly exchange: ExchangeId }
  /**
   * The connection is over, `orderly` when the client closed it so, `expelled` when the server closed it. After it nothing may name that connection but `item`:
   * statements that had arrived are still taken.
   */
  | {
      readonly kind: "closed";
      readonly connection: ConnectionId;
      readonly orderly: boolean;
      readonly expelled?: boolean;
    }
  /** One checkpoint or receipt arrived on a reliable stream of this flow. The bytes are kept: do not reuse them. */
  | {
      readonly kind: "item";
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly bytes: Uint8Array;
    }
  /** The relay refused frames of a session, or let them through and found checkpoints that list others (`contradicted`). `connection` and `flow` are the sender's. Sequence numbers: 48-bit, absent when unread. */
  | {
      readonly kind: "refused";
      readonly sessionId: string;
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly first: number | undefined;
      readonly last: number | undefined;
      readonly reason: Refusal | "contradicted";
      readonly count: number;
    }
  /** Live media to a participant's connection comes badly from the relay, for this reason, or well again: both ends are to be told. */
  | {
      readonly kind: "quality";
      readonly sessionId: string;
      readonly connection: ConnectionId;
      readonly reason: QualityReason | undefined;
    }
  /** Answers `counters-wanted`. */
  | { readonly kind: "counters"; readonly sessionId: string; readonly counters: readonly FlowCounters[] }
  /** Answers `records-wanted`. */
  | {
      readonly kind: "records";
      readonly exchange: ExchangeId;
      readonly records: readonly string[] | undefined;
    }
  /** Answers `look-up-wanted`. */
  | {
      readonly kind: "looked-up";
      readonly exchange: ExchangeId;
      readonly found: LookedUp | undefined;
    }
  /** Answers `evidence-wanted`. */
  | {
      readonly kind: "evidence";
      readonly exchange: ExchangeId;
      readonly evidence: EvidenceFile | "erased" | undefined;
    }
  /** Answers `peer-wanted`. */
  | { readonly kind: "peer"; readonly exchange: ExchangeId; readonly outcome: Result<JsonObject> }
  /** What `erase-wanted` asked for is about to begin: nothing stands against it. What this makes to append is durable before. */
  | { readonly kind: "erasing"; readonly target: ErasureTarget }
  /**
   * Answers `erase-wanted`, or tells that an erasure of an earlier process was gone on with. `undefined`: the log failed in the middle,
   * and goes on with it at the next start; `no-room`: the disk has no room for it, and nothing of it was begun; `session-open`: an earlier
   * process left the session, which is not over.
   */
  | {
      readonly kind: "erased";
      readonly exchange: ExchangeId | undefined;
      readonly target: ErasureTarget;
      readonly outcome: ErasureOutcome | "session-open" | "no-room" | undefined;
    }
  /** Answers `left-wanted`. */
  | { readonly kind: "left"; readonly session: OpenSession; readonly reason: string }
  /** Time passed: at least `nextTimeout()`. Harmless when early. */
  | { readonly kind: "tick" }
  /**
   * A session that the log holds open from an earlier process of the server. Before all other inputs, one for each; none where sessions
   * are left to the server's next start.
   */
  | { readonly kind: "interrupted"; readonly session: LoggedSession }
  /** The wall clock was set: from this input on `now` goes by the new one, `by` milliseconds from the old, back below zero. */
  | { readonly kind: "stepped"; readonly by: number }
  /** Drain: no new sessions; what lives after `grace` milliseconds is ended. Ends with the output `drained`. */
  | { readonly kind: "shutdown"; readonly grace: number };

/** A session's evidence as the driver built it from the log. */
export interface EvidenceFile {
  /** UTF-8 text of the whole file. */
  readonly bytes: Uint8Array;
  /** Agent-IDs of the legs of its session core: who may read it. */
  readonly participants: readonly string[];
}

/** What is looked up in the log. */
export type LookUpTarget =
  /** The record of this name; nothing where there is none. */
  | { readonly kind: "record"; readonly auditId: string }
  /** At most `count` records of changes of an agent's status before a place of the chain, the newest first. */
  | {
      readonly kind: "lifecycle";
      readonly agentId: string;
      readonly count: number;
      readonly before: number;
    }
  /** At most `count` sessions an agent took part in, begun before a place of the chain, the newest first. */
  | { readonly kind: "sessions"; readonly agentId: string; readonly count: number; readonly before: number }
  /** At most `count` records of a session from number `from` on. */
  | { readonly kind: "session"; readonly sessionId: string; readonly from: number; readonly count: number }
  /** At most `count` records of the server's chain from place `from` on. */
  | { readonly kind: "chain"; readonly from: number; readonly count: number };

/** What was found in the log. Where records were erased, tombstones stand in their place. */
export interface LookedUp {
  readonly records: readonly string[];
  /** The first `ROOT_RECORDS` of the session that they are of. */
  readonly roots?: readonly string[];
  readonly sessions?: readonly { readonly sessionId: string; readonly chainSeq: number }[];
}

/** What the driver must do, in this order. */
export type SwitchboardOutput =
  /** Send this message on the exchange; `final` says no other follows. Only after every earlier `append` is durable. */
  | {
      readonly kind: "respond";
      readonly connection: ConnectionId;
      readonly exchange: ExchangeId;
      readonly response: AgtpResponse;
      readonly final: boolean;
    }
  /** Judge the token of this request, and hand the request in once more with what came of it, for as long as its connection is up. */
  | {
      readonly kind: "token-wanted";
      readonly connection: ConnectionId;
      readonly exchange: ExchangeId;
      readonly request: AgtpRequest;
      readonly early?: boolean;
    }
  /**
   * Ask whoever carries WebRTC peers, and hand in `peer` with the same exchange. `agentId` proved itself on the connection, whose client may have
   * dialled `origins`; `token` is the access token of the request as it came, if any.
   */
  | {
      readonly kind: "peer-wanted";
      readonly exchange: ExchangeId;
      readonly agentId: string;
      readonly origins: readonly string[];
      readonly token: string | undefined;
      readonly wish: PeerWish;
    }
  /** Nobody waits for the outcome of that `peer-wanted` any more. */
  | { readonly kind: "peer-unwanted"; readonly exchange: ExchangeId }
  /** Append these together. Nothing but `respond` and what is wanted out of the log waits for it. */
  | { readonly kind: "append"; readonly entries: readonly LogEntry[] }
  /** Apply at once. */
  | { readonly kind: "admission"; readonly message: AdmissionMessage }
  /** Write this checkpoint, receipt or interrupt to the reliable stream of this flow, opening it with the flow identifier if need be. */
  | {
      readonly kind: "item";
      readonly sessionId: string;
      readonly connection: ConnectionId;
      readonly flow: number;
      readonly bytes: Uint8Array;
      /** It goes at once, with what waits before it. */
      readonly isUrgent?: boolean;
    }
  /** No item follows on this flow: end its stream after what waits. Nothing for a flow without a stream. */
  | { readonly kind: "finish"; readonly connection: ConnectionId; readonly flow: number }
  /** Hand in `counters` for the session (an empty list when the relay knows none). */
  | { readonly kind: "counters-wanted"; readonly sessionId: string }
  /**
   * Build the session's evidence file from the log once every earlier `append` is durable and hand in `evidence` with the
   * same exchange; `undefined` when the log holds no such session, `erased` when it no longer holds what one is made of.
   */
  | { readonly kind: "evidence-wanted"; readonly exchange: ExchangeId; readonly sessionId: string }
  /**
   * Read at most `count` of the session's records from number `from` on out of the log, once every earlier `append` is
   * durable, and hand in `records` with the same exchange; `undefined` when they cannot be read.
   */
  | {
      readonly kind: "records-wanted";
      readonly exchange: ExchangeId;
      readonly sessionId: string;
      readonly from: number;
      readonly count: number;
    }
  /**
   * Look something up in the log, once every earlier `append` is durable, and hand in `looked-up` with the same exchange;
   * `undefined` when it cannot be read.
   */
  | { readonly kind: "look-up-wanted"; readonly exchange: ExchangeId; readonly what: LookUpTarget }
  /**
   * Have the log erase this, once every earlier `append` is durable, one erasure after the other, and hand in `erased` with the same
   * exchange.
   */
  | {
      readonly kind: "erase-wanted";
      readonly exchange: ExchangeId | undefined;
      readonly target: ErasureTarget;
    }
  /**
   * An agent takes part in nothing any more. Hand in `left`, with the same reason, for each of its sessions that was left to the server's next
   * start: never twice for one.
   */
  | { readonly kind: "left-wanted"; readonly agentId: string; readonly reason: string }
  /** The final answer given last on this connection turns it into one for media: `Connection.beginMedia` once it is sent. */
  | { readonly kind: "media"; readonly connection: ConnectionId }
  /** Close the connection with an application code (`CLOSE_CODES`). `closed` is expected afterwards. */
  | {
      readonly kind: "close";
      readonly connection: ConnectionId;
      readonly code: number;
      readonly reason: string;
    }
  | {
      readonly kind: "log";
      readonly level: LogLevel;
      /** Stable kebab-case name. */
      readonly event: string;
      readonly fields: Readonly<Record<string, string | number | boolean | undefined>>;
    }
  /** After `shutdown`: no session is left and every connection was told to close. */
  | { readonly kind: "drained" };

export type LogLevel = "debug" | "info" | "warn" | "error";
