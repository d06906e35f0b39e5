import type { ResumedFlow } from "../admission.ts";
import type { Answer } from "../answer.ts";
import type { MediaKey } from "../media-key.ts";
import type { Offer } from "../offer.ts";
import type { SessionLink } from "../record-chain.ts";
import type { ScopeSet } from "../scope.ts";
import { buildSessionCore } from "../session-core.ts";
import type { ClockStatement } from "../stream-fields.ts";
import type { Terms } from "../terms.ts";
import type { Desk } from "./desk.ts";
import { admissionRow, layFlows } from "./flows.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { LegNumber, Session, Suspension } from "./session.ts";
import { newLeg, newSession } from "./session-making.ts";

/** One end of a session as the log knows it. */
export interface LeftLeg {
  readonly agent: RegisteredAgent;
  /** In force. */
  readonly scope: ScopeSet;
  /** By generation, the last one in force. */
  readonly mediaKeys: readonly [MediaKey, ...MediaKey[]];
  readonly clock: ClockStatement;
  /** Of its latest attachment on record. */
  readonly attachSeq: number;
  readonly hasClosed?: boolean;
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
  readonly resumed: ResumedFlow;
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
  readonly legs: readonly [LeftLeg, LeftLeg];
  readonly flows: readonly LeftFlow[];
  /** Carries the session's chain on. */
  readonly link: SessionLink;
  /** Artifacts in the log so far. */
  readonly artifacts: number;
  readonly establishedAt: number;
  /** Seconds, as accepted. */
  readonly ttl: number;
  /** In force when the process stopped. */
  readonly suspension: Suspension | undefined;
}

/**
 * Makes a session anew, `detached` or `suspended`, both ends without a connection since `now`; its rows are in the relay, which is held.
 * `place` names where its flows were: a connection that there is not, below zero and never given twice. Hand it to `Detaching.restore`.
 */
export function restoreSession(desk: Desk, left: LeftSession, place: number, now: number): Session {
  const { offer, answer, witness, terms, establishedAt, ttl, link, suspension } = left;
  const { signer, agentId } = desk.identity;
  const core = buildSessionCore({ agentId, key: signer.publicKey }, offer, answer);
  const nowhere = { id: place, nextFlow: 2 };
  const flows = layFlows(terms, [nowhere, nowhere]);
  if (!flows.ok) throw new RangeError("a session of more flows than a connection has");
  const leg = (number: LegNumber) => {
    const {
      agent,
      scope,
      mediaKeys,
      clock,
      attachSeq,
      statementBytes,
      hasClosed = false,
    } = left.legs[number];
    const fresh = newLeg({ leg: number, agent, scope, mediaKeys, clock }, now);
    return { ...fresh, attachSeq, statementBytes, hasClosed, detachedAt: now };
  };
  const state = suspension === undefined ? "detached" : "suspended";
  const session: Session = {
    ...newSession(
      {
        ...{ offer, answer, core, witness, terms, link, establishedAt, ttl, state },
        ...{ legs: [leg(0), leg(1)], flows: flows.value },
      },
      now,
    ),
    artifacts: left.artifacts,
    narrowings: left.narrowings,
    suspension,
  };
  for (const flow of session.flows) {
    const known = left.flows.find(
      ({ speaker, stream }) => speaker === flow.speaker && stream === flow.stream,
    );
    if (known === undefined) continue;
    if (known.epoch > 0) session.epochs.set(flow, known.epoch);
    if (known.leastSequence !== undefined) session.leastSequences.set(flow, known.leastSequence);
    session.resumed.set(flow, known.resumed);
  }
  for (const flow of session.flows) {
    const row = admissionRow(session, flow);
    desk.outputs.push({ kind: "admission", message: { kind: "install", row } });
    const epoch = session.epochs.get(flow) ?? 0;
    desk.outputs.push({ kind: "admission", message: { kind: "move", row, epoch } });
  }
  desk.outputs.push({ kind: "admission", message: { kind: "state", sessionId: session.id, state: "held" } });
  return session;
}
