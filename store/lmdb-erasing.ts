import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { readRecord } from "../signaling/attribution.ts";
import { forgottenMark } from "../signaling/forgotten.ts";
import type { Erasure, ErasureOutcome, ErasureTarget } from "../signaling/record-log.ts";
import type { ErasedRecord } from "../signaling/tombstone.ts";
import { decide, revocationKey, Tally, timeOf, withoutName } from "./erasure-rules.ts";
import { HOLDS_ERASED, type LogTables, NEWEST_ERASURE } from "./lmdb-tables.ts";
import { decodeRecord, decodeRevocation, encodeRevocation } from "./log-values.ts";

/** Places of the chain, and artifacts, that one commit takes: tombstones are signed in between, and others' turns come. */
const PIECE = 64;

type Writes = readonly (() => void)[];

/** Erasing in a log on disk: piece by piece, each piece durable before the next is looked at. */
export class LmdbErasing {
  readonly #tables: () => LogTables;
  readonly #write: (writes: Writes) => Promise<void>;

  /** `write` resolves when the writes are durable, all or none of them. */
  constructor(tables: () => LogTables, write: (writes: Writes) => Promise<void>) {
    this.#tables = tables;
    this.#write = write;
  }

  pending(): readonly Erasure[] {
    return [...this.#tables().erasures.getRange()].map(({ key, value }) => ({
      number: key,
      target: decodeJob(value).target,
    }));
  }

  /** Part of a commit: the erasure is in the chain. */
  end(number: number): void {
    void this.#tables().erasures.remove(number);
  }

  async run(
    target: ErasureTarget,
    tombstone: (record: ErasedRecord) => string,
    begun: number | undefined,
  ): Promise<ErasureOutcome> {
    const number = begun ?? (await this.#begin(target));
    if (target.kind === "agent") {
      for (const sessionId of this.#sessionsOf(target.agentId)) await this.#takeArtifacts(sessionId, number);
    } else if (target.kind === "session") await this.#takeArtifacts(target.sessionId, number);
    const tally = await this.#takeRecords(target, number, tombstone);
    if (target.kind === "agent") await this.#takeTraces(target.agentId);
    const { artifacts } = decodeJob(this.#tables().erasures.get(number) ?? "");
    return { number, records: tally.records, artifacts, digest: tally.digest() };
  }

  /** What makes it an erasure under way; an agent is unknown from here on. */
  async #begin(target: ErasureTarget): Promise<number> {
    const { format } = this.#tables();
    const number = (format.get(NEWEST_ERASURE) ?? 0) + 1;
    await this.#write([
      () => {
        const { format, erasures, agents, forgotten } = this.#tables();
        void format.put(NEWEST_ERASURE, number);
        void erasures.put(number, encodeJob({ target, artifacts: 0 }));
        if (target.kind !== "agent") return;
        void agents.remove(target.agentId);
        void forgotten.put(forgottenMark(target.agentId), 1);
        void format.put(HOLDS_ERASED, 1);
      },
    ]);
    return number;
  }

  async #takeArtifacts(sessionId: string, number: number): Promise<void> {
    const all = {
      start: [sessionId, 0] as [string, number],
      end: [sessionId, Number.MAX_SAFE_INTEGER] as [string, number],
    };
    for (;;) {
      const { artifacts, erasures } = this.#tables();
      const keys = [...artifacts.getKeys({ ...all, limit: PIECE })];
      if (keys.length === 0) return;
      const job = decodeJob(erasures.get(number) ?? "");
      await this.#write([
        () => {
          const tables = this.#tables();
          for (const key of keys) void tables.artifacts.remove(key);
          void tables.erasures.put(number, encodeJob({ ...job, artifacts: job.artifacts + keys.length }));
          void tables.format.put(HOLDS_ERASED, 1);
        },
      ]);
    }
  }

  /** Goes through the chain up to its end, which may move meanwhile. */
  async #takeRecords(
    target: ErasureTarget,
    number: number,
    tombstone: (record: ErasedRecord) => string,
  ): Promise<Tally> {
    const tally = new Tally();
    const isOver = this.#endTimes();
    for (let from = 0; ; ) {
      const piece = [...this.#tables().records.getRange({ start: from, limit: PIECE })];
      const last = piece.at(-1);
      if (last === undefined) return tally;
      const writes: (() => void)[] = [];
      const over = new Set<string>();
      let isDone = false;
      for (const { key: chainSeq, value } of piece) {
        const { auditId, jws } = decodeRecord(value);
        const decision = decide(jws, target, isOver);
        isDone = decision.kind === "stop";
        if (isDone) break;
        if (decision.kind === "erased" && decision.erasure === number) tally.add(chainSeq, auditId);
        if (decision.kind !== "erase") continue;
        const { payload } = decision;
        tally.add(chainSeq, auditId);
        const stands = auditId + tombstone({ auditId, chainSeq, payload, erasure: number });
        const { counterparty_agent_id: agentId, session_id: sessionId } = payload;
        if (target.kind === "age" && sessionId !== undefined) over.add(sessionId);
        writes.push(() => {
          const tables = this.#tables();
          void tables.records.put(chainSeq, stands);
          void tables.events.remove(chainSeq);
          if (agentId !== undefined) void tables.participants.remove([agentId, chainSeq]);
        });
      }
      for (const sessionId of over) await this.#takeArtifacts(sessionId, number);
      if (writes.length > 0) {
        await this.#write([...writes, () => void this.#tables().format.put(HOLDS_ERASED, 1)]);
      } else await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return tally;
      from = last.key + 1;
    }
  }

  /** What still leads from an agent's name to somewhere. */
  async #takeTraces(agentId: string): Promise<void> {
    await this.#write([
      () => {
        const { lifecycle, participants, revocations } = this.#tables();
        for (const key of [...lifecycle.getKeys(rangeOf(agentId))]) void lifecycle.remove(key);
        for (const key of [...participants.getKeys(rangeOf(agentId))]) void participants.remove(key);
        for (const { key, value } of [...revocations.getRange()]) {
          const revocation = decodeRevocation(value);
          if (revocation.agentId !== agentId) continue;
          const nameless = withoutName(revocation);
          void revocations.remove(key);
          void revocations.put(revocationKey(nameless), encodeRevocation(nameless));
        }
      },
    ]);
  }

  #sessionsOf(agentId: string): string[] {
    return [
      ...new Set([...this.#tables().participants.getRange(rangeOf(agentId))].map(({ value }) => value)),
    ];
  }

  /** Whether sessions are over since before a time; each is looked up once. */
  #endTimes(): (sessionId: string, before: number) => boolean {
    const known = new Map<string, boolean>();
    return (sessionId, before) => {
      const found = known.get(sessionId) ?? this.#endedBefore(sessionId, before);
      known.set(sessionId, found);
      return found;
    };
  }

  #endedBefore(sessionId: string, before: number): boolean {
    const { open, sessions, records } = this.#tables();
    if (open.doesExist(sessionId)) return false;
    const [newest] = [...sessions.getRange({ ...reversed(sessionId), limit: 1 })];
    if (newest === undefined) return true;
    const read = readRecord(decodeRecord(records.get(newest.value) ?? "").jws);
    return !read.ok || timeOf(read.value) < before;
  }
}

interface Job {
  readonly target: ErasureTarget;
  readonly artifacts: number;
}

function encodeJob(job: Job): string {
  return JSON.stringify(job);
}

function decodeJob(stored: string): Job {
  const parsed = parseJson(new TextEncoder().encode(stored));
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value as unknown as Job;
  throw new ParleyError({
    code: "data-folder-broken",
    message: "The record log has an erasure that cannot be read.",
  });
}

function rangeOf(name: string) {
  return { start: [name, 0] as [string, number], end: [name, Number.MAX_SAFE_INTEGER] as [string, number] };
}

function reversed(name: string) {
  const { start, end } = rangeOf(name);
  return { start: end, end: start, reverse: true };
}
