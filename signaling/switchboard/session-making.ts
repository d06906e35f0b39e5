import { DOCUMENTS_ALONE } from "../authority.ts";
import { Allowance } from "./allowance.ts";
import type { Session, SessionLeg } from "./session.ts";
import { StatementRoom } from "./statement-room.ts";

/** `frames_refused` events a second of one session; further refusals are added to the next one. */
const REPORT_RATE = { perSecond: 10, burst: 10 };
/** Narrowings, interrupts, suspensions, resumptions and connections for media a second of one end of a session, many times what people do; beyond: 429 `rate-limited`. */
const STEERING_RATE = { perSecond: 10, burst: 40 };

/** What one end tells of how the media comes, a second; beyond: 429 `rate-limited`. */
const NOTICE_RATE = { perSecond: 2, burst: 8 };

/** What an end brings into a session. */
interface LegFacts extends Pick<SessionLeg, "leg" | "agent" | "signer" | "scope" | "mediaKeys" | "clock"> {
  /** Streams of its session. */
  readonly streams: number;
  /** Of its room for statements, in use already. */
  readonly statementBytes?: number;
}

/** What was agreed, by whom, and where the session stands. */
type SessionFacts = Pick<
  Session,
  | "legs"
  | "offer"
  | "answer"
  | "core"
  | "witness"
  | "terms"
  | "flows"
  | "link"
  | "establishedAt"
  | "ttl"
  | "state"
>;

/** An end that has no connection yet and did nothing yet. */
export function newLeg({ streams, statementBytes = 0, ...facts }: LegFacts, now: number): SessionLeg {
  return {
    ...facts,
    authority: DOCUMENTS_ALONE,
    connection: undefined,
    overTls: false,
    attached: false,
    attachSeq: 0,
    detachedAt: undefined,
    heardAt: now,
    steeringAllowance: new Allowance(STEERING_RATE, now),
    noticeAllowance: new Allowance(NOTICE_RATE, now),
    statementRoom: new StatementRoom(streams, statementBytes, now),
    hasClosed: false,
    waiting: [],
  };
}

/** A session in which nothing happened yet. */
export function newSession(facts: SessionFacts, now: number): Session {
  const { offer, answer, establishedAt, ttl } = facts;
  return {
    ...facts,
    id: answer.payload.session_id,
    model: offer.payload.session.model,
    pastCounters: [],
    epochs: new Map(),
    leastSequences: new Map(),
    unsettled: new Set(),
    resumedAt: undefined,
    narrowings: [undefined, undefined],
    change: undefined,
    asked: [undefined, undefined],
    expiresAt: establishedAt + ttl * 1000,
    reportAllowance: new Allowance(REPORT_RATE, now),
    reports: new Map(),
    artifacts: 0,
    statementsDropped: {},
    lastActivity: now,
    admittedFrames: 0,
    counters: [],
    ending: undefined,
    suspension: undefined,
    noncesRefused: 0,
    awaitingCounters: {
      ...{ idle: false, final: false, queries: [], steering: [], changes: [] },
      ...{ closed: [], attaching: [], authority: [] },
    },
  };
}
