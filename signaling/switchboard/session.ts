import type { JsonObject, JsonValue } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId, FlowCounters } from "../admission.ts";
import type { Answer } from "../answer.ts";
import type { Authority } from "../authority.ts";
import type { MediaKey } from "../media-key.ts";
import type { Offer } from "../offer.ts";
import type { SessionLink } from "../record-chain.ts";
import type { ArtifactKind, LogEntry } from "../record-log.ts";
import type { ScopeSet } from "../scope.ts";
import type { SessionCore } from "../session-core.ts";
import type { SessionState } from "../session-machine.ts";
import type { QualityReason } from "../session-notice.ts";
import type { ClockStatement } from "../stream-fields.ts";
import type { Terms } from "../terms.ts";
import type { Allowance } from "./allowance.ts";
import type { AskedChange } from "./asked-changes.ts";
import type { Attachment } from "./attach-checks.ts";
import type { AuthorityChange } from "./authorities.ts";
import type { CommittedChange } from "./changes.ts";
import type { MediaFlow } from "./flows.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Exchange } from "./replies.ts";
import type { StatementRoom } from "./statement-room.ts";
import type { SteeringChange } from "./steering.ts";

/** 0 is the caller, 1 the callee. */
export type LegNumber = 0 | 1;

/** One end of a session. */
export interface SessionLeg {
  readonly leg: LegNumber;
  readonly agent: RegisteredAgent;
  /** Whose identity key all is checked with that this end signs: its agent, or the gateway that acts for it. */
  readonly signer: RegisteredAgent;
  /** What its agent showed beside its documents on the connection that it came in on last. */
  authority: Authority;
  /** Its media keys by generation; the last one is in force ({@link keyInForce}). */
  mediaKeys: readonly [MediaKey, ...MediaKey[]];
  /** Its clock against the server's, as it stated it last. */
  clock: ClockStatement;
  /** Scope in force. */
  scope: ScopeSet;
  /** Where its flows are; `undefined` once that connection is lost. */
  connection: ConnectionId | undefined;
  /** `connection` is one of a carrier whose requests and media have connections of their own. */
  overTls: boolean;
  /** Media flows on `connection`. False over TLS until it has a connection for media, and once that is lost. */
  attached: boolean;
  /** Of its latest attachment; 0 is the one that establishing it made. */
  attachSeq: number;
  /** When its connection for media was lost; `undefined` while it has one, or never had. */
  detachedAt: number | undefined;
  /** When its agent last asked something in this session. */
  heardAt: number;
  /** For what it steers, suspends, resumes and opens: what one end uses up is not the other's. */
  readonly steeringAllowance: Allowance;
  /** For what it tells of how the media comes. */
  readonly noticeAllowance: Allowance;
  /** Why live media comes badly to it, by the relay's word. */
  degraded?: QualityReason | undefined;
  /** For its checkpoints, receipts, interrupts and narrowings, and for changes that it asked for. */
  readonly statementRoom: StatementRoom;
  /** Its closing statement is in the evidence. */
  hasClosed: boolean;
  /** The statement itself, while what it counts is on its way and it is not in the log. */
  closing?: string | undefined;
  /** Requests of this end that are answered once its last statements are there. */
  waiting: Exchange[];
}

/** Why and by whom a session ended. */
export interface Ending {
  readonly reason: string;
  /** Agent-ID, or `server`. */
  readonly by: string;
  readonly at: number;
}

/** A pause of a session, and what ends it. */
export interface Suspension {
  readonly id: string;
  /** Agent-ID of the end that asked for it. */
  readonly by: string;
  readonly reason: string | undefined;
  /** What RESUME must bring, base64url; `undefined` once it was used, and in a process that did not issue it. */
  nonce: string | undefined;
  /** SHA-256 of it, hex, and of the one that was used. */
  nonceDigest: string | undefined;
  usedDigest: string | undefined;
  readonly suspendedAt: number;
  /** When the session expires unless it was resumed. */
  readonly resumeBy: number;
  /** Kept for whoever resumes it. */
  readonly checkpoint: JsonValue | undefined;
}

/** A narrowing in force. */
export interface KeptNarrowing {
  readonly jws: string;
  /** Of the terms that it made. */
  readonly number: number;
}

/** The last change that both ends signed. */
export interface KeptChange {
  readonly change: string;
  readonly acceptance: string;
  /** Of the terms that it made. */
  readonly number: number;
}

/** Frames the relay refused since the last report, of one flow and reason. */
export interface RefusalReport {
  readonly flow: MediaFlow;
  readonly reason: string;
  first: number | undefined;
  last: number | undefined;
  count: number;
}

/** One session from its establishment to its final record. */
export interface Session {
  readonly id: string;
  readonly model: "bounded" | "persistent";
  readonly legs: readonly [SessionLeg, SessionLeg];
  readonly offer: Offer;
  readonly answer: Answer;
  readonly core: SessionCore;
  readonly witness: string;
  /** In force. */
  terms: Terms;
  /** Of the terms' streams, and of those that were closed a moment ago. */
  flows: readonly MediaFlow[];
  /** What the relay had counted for flows of streams that were closed. */
  readonly pastCounters: JsonObject[];
  /** Media epochs in force; a flow that is not there is in epoch 0. */
  readonly epochs: Map<MediaFlow, number>;
  /** The least sequence number that the speaker may use; a flow that is not there has none. */
  readonly leastSequences: Map<MediaFlow, number>;
  /** Reliable streams of which an earlier process may have handed on more than this one knows, until their listener says what it has. */
  readonly unsettled: Set<MediaFlow>;
  /** By leg: the narrowing that its scope in the terms comes from. */
  readonly narrowings: [KeptNarrowing | undefined, KeptNarrowing | undefined];
  /** Where the settings in the terms come from. */
  change: KeptChange | undefined;
  /** By leg: what it wants changed, while the other end has not answered. */
  readonly asked: [AskedChange | undefined, AskedChange | undefined];
  readonly link: SessionLink;
  readonly establishedAt: number;
  /** Lifetime in seconds as accepted, and when it is over (ms). */
  readonly ttl: number;
  expiresAt: number;
  readonly reportAllowance: Allowance;
  /** At most flows times reasons. */
  readonly reports: Map<string, RefusalReport>;
  state: SessionState;
  /** Artifacts in the log so far. */
  artifacts: number;
  /** Checkpoints and receipts dropped, by reason. */
  readonly statementsDropped: Record<string, number>;
  lastActivity: number;
  /** Frames the relay had let through when it was last asked. */
  admittedFrames: number;
  counters: readonly FlowCounters[];
  ending: Ending | undefined;
  /** The latest, also after its end. */
  suspension: Suspension | undefined;
  /** RESUMEs with a nonce that was wrong or used. */
  noncesRefused: number;
  /** When this process took it over from one that is gone, in media time; what the relay had counted and seen until then is lost. */
  resumedAt: number | undefined;
  /** What waits for `counters`. */
  awaitingCounters: {
    idle: boolean;
    final: boolean;
    readonly queries: Exchange[];
    readonly steering: SteeringChange[];
    readonly changes: CommittedChange[];
    /** Streams that are over and gone from the relay, each direction. */
    readonly closed: Pick<MediaFlow, "speaker" | "stream">[];
    readonly authority: AuthorityChange[];
    readonly attaching: Attachment[];
  };
}

/** The media key that this end signs with now. */
export function keyInForce({ mediaKeys }: SessionLeg): MediaKey {
  return mediaKeys.at(-1) ?? mediaKeys[0];
}

/** How long the session may last by the scopes of its ends, seconds; `undefined` where they do not say. */
export function durationCap({ legs }: Session): number | undefined {
  const caps = legs.flatMap(({ scope }) => scope.limits["duration-s"] ?? []);
  return caps.length === 0 ? undefined : Math.min(...caps);
}

/** True for an end that has, or had, media: without it none of its statements can come. */
export function hasHadMedia({ attached, detachedAt }: SessionLeg): boolean {
  return attached || detachedAt !== undefined;
}

/** Takes one of the changes an end may ask for in a time. Fault: `rate-limited`. */
export function takeChange({ steeringAllowance }: SessionLeg, now: number): Result<void> {
  if (steeringAllowance.take(now)) return ok(undefined);
  const wait = Math.ceil(steeringAllowance.nextAt(now) - now);
  return refuse("rate-limited", "Too many changes.", undefined, { retry_after_ms: wait });
}

/** The leg of that agent, if it takes part. */
export function legOf(session: Session, agentId: string): SessionLeg | undefined {
  return session.legs.find((leg) => leg.agent.agentId === agentId);
}

/** The gateway that acts for the agent of this leg, where one does. */
export function gatewayOf({
  agent,
  signer,
}: Pick<SessionLeg, "agent" | "signer">): RegisteredAgent | undefined {
  return signer.agentId === agent.agentId ? undefined : signer;
}

/** The other end. */
export function peerOf(session: Session, leg: SessionLeg): SessionLeg {
  return session.legs[leg.leg === 0 ? 1 : 0];
}

/** A flow by the leg that speaks and the stream. */
type FlowPlace = Pick<MediaFlow, "speaker" | "stream">;

/**
 * The log entry of the session's next artifact. `about`: the flow that a statement is about, or the session itself, of which the newest
 * tells as much as all of them when the session is to go on after a restart.
 */
export function artifact(
  session: Session,
  kind: ArtifactKind,
  leg: LegNumber | undefined,
  bytes: Uint8Array,
  about?: FlowPlace | "session",
): LogEntry {
  const index = session.artifacts++;
  const landmark =
    about === undefined
      ? String(index)
      : about === "session"
        ? kind
        : `${kind} ${about.speaker}/${about.stream}`;
  return {
    ...{ kind: "artifact", sessionId: session.id, index, artifact: kind, leg, bytes },
    ...(session.model === "persistent" ? { landmark } : {}),
  };
}
