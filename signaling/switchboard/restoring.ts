import { ok, type Result } from "../../codecs/result.ts";
import type { Answer } from "../answer.ts";
import type { Authority } from "../authority.ts";
import type { MediaKey } from "../media-key.ts";
import type { Offer } from "../offer.ts";
import type { SessionLink } from "../record-chain.ts";
import type { ScopeSet } from "../scope.ts";
import { buildSessionCore } from "../session-core.ts";
import type { SessionState } from "../session-machine.ts";
import type { ClockStatement } from "../stream-fields.ts";
import type { Terms, TermsStream } from "../terms.ts";
import type { Desk } from "./desk.ts";
import { admissionRow, type FlowHolder, layFlows } from "./flows.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Ending, LegNumber, Session, SessionLeg, Suspension } from "./session.ts";
import { newLeg, newSession } from "./session-making.ts";

/** One end of a session as the log knows it. */
export interface LeftLeg {
  readonly agent: RegisteredAgent;
  /** As `SessionLeg.signer`. */
  readonly signer: RegisteredAgent;
  /** What it had shown beside its documents. */
  readonly authority: Authority;
  /** In force. */
  readonly scope: ScopeSet;
  /** By generation, the last one in force. */
  readonly mediaKeys: readonly [MediaKey, ...MediaKey[]];
  readonly clock: ClockStatement;
  /** Of its latest attachment on record. */
  readonly attachSeq: number;
  /** It has, or had, a connection for media. */
  readonly hasHadMedia: boolean;
  readonly hasClosed: boolean;
  /** Bytes kept of its checkpoints, receipts and interrupts. */
  readonly statementBytes: number;
}

/** One stream in one direction as the log knows it. */
export interface LeftFlow {
  readonly speaker: LegNumber;
  readonly stream: number;
  /** Media epoch in force. */
  readonly epoch: number;
  /** The least sequence number its speaker may use from now on, where there is one. */
  readonly leastSequence?: number;
  /** Its listener wants nothing of it for now. */
  readonly isHeld: boolean;
  /** It was closed, and waits for its last words: when, and what was agreed of it. */
  readonly closed?: { readonly at: number; readonly agreed: TermsStream };
  /** Where the chains of statements about it stand. */
  readonly checkpoints: LeftStatements;
  readonly receipts: LeftStatements;
}

/** How far a chain of statements had come. */
export interface LeftStatements {
  readonly nextIndex: number;
  /** Digest of the last one taken, 32 bytes; zeros before the first. */
  readonly previous: Uint8Array;
  readonly isFinal: boolean;
}

/** A persistent session that an earlier process of this server left, as the log knows it: everything judged already. */
export interface LeftSession {
  readonly offer: Offer;
  readonly answer: Answer;
  readonly witness: string;
  /** In force. */
  readonly terms: Terms;
  /** By leg: the narrowing its scope in the terms comes from. */
  readonly narrowings: Session["narrowings"];
  /** Where the settings in the terms come from. */
  readonly change: Session["change"];
  readonly legs: readonly [LeftLeg, LeftLeg];
  readonly flows: readonly LeftFlow[];
  /** Carries the session's chain on. */
  readonly link: SessionLink;
  /** Artifacts in the log so far. */
  readonly artifacts: number;
  readonly establishedAt: number;
  /** Seconds, as accepted. */
  readonly ttl: number;
  /** When its lifetime is over, which may have been shortened. */
  readonly expiresAt: number;
  /** As it was when the process stopped. */
  readonly state: SessionState;
  /** The latest, also after its end. */
  readonly suspension: Suspension | undefined;
  /** It had ended, and lacks its final record. */
  readonly ending: Ending | undefined;
  readonly noncesRefused: number;
  readonly statementsDropped: Readonly<Record<string, number>>;
}

/**
 * Makes a session anew, both ends without a connection since `now`: `suspended` or ended as it was, otherwise `detached`. Its rows are in the
 * relay, which is held. `nowhere`: where its flows are, see `SessionTable.nowhere`. Hand it to
 * `Detaching.restore`. Fault: `capacity` for more flows than a connection has.
 */
export function restoreSession(
  desk: Desk,
  left: LeftSession,
  nowhere: FlowHolder,
  { now, mediaTime }: { readonly now: number; readonly mediaTime: number },
): Result<Session> {
  const { offer, answer, witness, terms, establishedAt, ttl, link } = left;
  const { signer, agentId } = desk.identity;
  const core = buildSessionCore({ agentId, key: signer.publicKey }, offer, answer);
  const closed = left.flows.flatMap((flow) => flow.closed?.agreed ?? []);
  const flows = layFlows({ streams: [...terms.streams, ...closed] }, [nowhere, nowhere]);
  if (!flows.ok) return flows;
  const isPaused = left.state === "suspended" || left.ending !== undefined;
  const session: Session = {
    ...newSession(
      {
        ...{ offer, answer, core, witness, terms, link, establishedAt, ttl },
        ...{ legs: [restoreLeg(left, 0, now), restoreLeg(left, 1, now)], flows: flows.value },
        state: isPaused ? left.state : "detached",
      },
      now,
    ),
    artifacts: left.artifacts,
    expiresAt: left.expiresAt,
    narrowings: left.narrowings,
    change: left.change,
    suspension: left.suspension,
    ending: left.ending,
    noncesRefused: left.noncesRefused,
    statementsDropped: { ...left.statementsDropped },
    resumedAt: mediaTime,
  };
  for (const flow of session.flows) {
    if (flow.agreed.modality === "data") session.unsettled.add(flow);
    const known = left.flows.find(
      ({ speaker, stream }) => speaker === flow.speaker && stream === flow.stream,
    );
    if (known === undefined) continue;
    flow.isHeld = known.isHeld;
    flow.closedAt = known.closed?.at;
    if (known.epoch > 0) session.epochs.set(flow, known.epoch);
    if (known.leastSequence !== undefined) session.leastSequences.set(flow, known.leastSequence);
  }
  install(desk, session);
  return ok(session);
}

function restoreLeg({ legs, terms }: LeftSession, number: LegNumber, now: number): SessionLeg {
  const { agent, signer, scope, mediaKeys, clock, attachSeq, statementBytes, hasClosed, ...left } =
    legs[number];
  return {
    ...newLeg(
      {
        ...{ leg: number, agent, signer, scope, mediaKeys, clock, statementBytes },
        streams: terms.streams.length,
      },
      now,
    ),
    ...{ attachSeq, hasClosed, authority: left.authority },
    detachedAt: left.hasHadMedia ? now : undefined,
  };
}

function install({ outputs }: Desk, session: Session): void {
  const sessionId = session.id;
  for (const flow of session.flows) {
    const row = admissionRow(session, flow);
    const epoch = session.epochs.get(flow) ?? 0;
    outputs.push({ kind: "admission", message: { kind: "install", row } });
    outputs.push({ kind: "admission", message: { kind: "move", row, epoch } });
  }
  const state = session.ending === undefined ? "held" : "ended";
  outputs.push({ kind: "admission", message: { kind: "state", sessionId, state } });
}
