/** What a server that was killed left in its data folder, judged whole. */
import { join } from "node:path";
import { expect } from "vitest";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { type AttributionPayload, readRecord, ZERO_AUDIT_ID } from "../../signaling/attribution.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import type { TrustAnchors } from "../../signaling/evidence/parties.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { isLifeEvent } from "../../signaling/life-events.ts";
import { verifyServerChain, verifySessionChain } from "../../signaling/record-chain.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { readEvents } from "../../src/events/read-events.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { must } from "../signed-call.ts";

export interface LeftLog {
  /** Audit-IDs of all records. */
  readonly auditIds: ReadonlySet<string>;
  /** Places of the records that tell of a life, in order. */
  readonly lifeEvents: readonly number[];
  /** How each session ended, by its id. */
  readonly endings: ReadonlyMap<string, SessionEnding>;
}

export interface SessionEnding {
  readonly reason: string;
  readonly by: string;
  /** Legs that signed a closing statement. */
  readonly closedBy: readonly (number | undefined)[];
  /** How often its server was started anew and went on with it. */
  readonly restarts: number;
}

/** Opens the log of a server that does not run. Every chain holds, every session is over, and its evidence verifies: or it throws. */
export async function readLeftLog(data: string, anchors: TrustAnchors): Promise<LeftLog> {
  const server = await loadIdentity(join(data, "server-identity.json"));
  const { agentKey: publicKey } = must(readGenesis(server.genesis, verifier));
  const log = await openLmdbLog(data);
  try {
    expect([...log.openSessions()].map(({ sessionId }) => sessionId)).toEqual([]);
    const chain = readChain(log);
    must(
      verifyServerChain(
        chain.map(({ jws }) => jws),
        { publicKey },
        verifier,
      ),
    );
    const endings = new Map<string, SessionEnding>();
    for (const sessionId of new Set(
      chain.flatMap(({ record }) => (record.session_seq === undefined ? [] : (record.session_id ?? []))),
    )) {
      const session = log.session(sessionId);
      if (session === undefined) throw new Error(`${sessionId} is lost`);
      must(verifySessionChain(session.records, { publicKey, sessionId }, verifier));
      const records = session.records.map((jws) => must(readRecord(jws)));
      const { event, extra = {} } = records.at(-1) as AttributionPayload;
      expect(event, sessionId).toMatch(/^session-(terminated|expired)$/);
      expect(String(extra.reason ?? ""), sessionId).not.toBe("");
      const { report } = verifyEvidence(
        buildEvidence({ session, server, now: Date.now() }, verifier).bytes,
        anchors,
        verifier,
      );
      expect(report, sessionId).toMatchObject({ verdict: "verified", faults: [] });
      endings.set(sessionId, {
        reason: String(extra.reason),
        by: String(extra.by),
        closedBy: session.artifacts.flatMap(({ artifact, leg }) => (artifact === "closing" ? [leg] : [])),
        restarts: records.filter((record) => record.event === "session-restored").length,
      });
    }
    return {
      auditIds: new Set(chain.map(({ auditId }) => auditId)),
      lifeEvents: chain.flatMap(({ record }, at) =>
        isLifeEvent({ event: record.event, sessionSeq: record.session_seq }) ? [at] : [],
      ),
      endings,
    };
  } finally {
    await log.close();
  }
}

/** Every event at least once, and in order where those that came again are passed over. */
export async function readTold(data: string, bodies: readonly string[]): Promise<number[]> {
  const { agentId, genesis } = await loadIdentity(join(data, "server-identity.json"));
  const source = { agentId, genesis: new TextDecoder().decode(genesis) };
  const told: number[] = [];
  let last = -1;
  for (const { seq, previous_seq } of bodies.flatMap((body) => readEvents(body, source))) {
    if (seq <= last) continue;
    expect(previous_seq, `what comes before ${seq}`).toBe(last);
    told.push(seq);
    last = seq;
  }
  return told;
}

interface ChainLink {
  readonly auditId: string;
  readonly jws: string;
  readonly record: AttributionPayload;
}

/** Back from the head, each record by the name the one after it gives. */
function readChain(log: RecordLog): ChainLink[] {
  const chain: ChainLink[] = [];
  const head = log.head();
  for (let auditId = head?.auditId ?? ZERO_AUDIT_ID; auditId !== ZERO_AUDIT_ID; ) {
    const jws = log.record(auditId);
    if (jws === undefined) throw new Error(`the chain breaks at ${auditId}`);
    const record = must(readRecord(jws));
    chain.push({ auditId, jws, record });
    auditId = record.previous_audit_id;
  }
  expect(chain).toHaveLength((head?.chainSeq ?? -1) + 1);
  return chain.reverse();
}
