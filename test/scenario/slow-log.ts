import type { LogEntry, RecordLog } from "../../signaling/record-log.ts";
import { createMemoryLog } from "../../store/memory-log.ts";

/** A log whose appends become durable only when told, or fail. */
export class SlowLog implements RecordLog {
  readonly #log = createMemoryLog();
  #waiting: (() => void)[] = [];
  #failure: Error | undefined;
  held = false;

  async append(entries: readonly LogEntry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    await this.#log.append(entries);
  }

  release(): void {
    this.held = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  fail(error: Error): void {
    this.#failure = error;
  }

  head = () => this.#log.head();
  record = (auditId: string) => this.#log.record(auditId);
  session = (sessionId: string) => this.#log.session(sessionId);
  sessionRecords = (sessionId: string, from: number, count: number) =>
    this.#log.sessionRecords(sessionId, from, count);
  openSessions = () => this.#log.openSessions();
  landmarks = (sessionId: string) => this.#log.landmarks(sessionId);
  agents = () => this.#log.agents();
  revocations = () => this.#log.revocations();
  lifecycle: RecordLog["lifecycle"] = (...what) => this.#log.lifecycle(...what);
  events = (after: number, count: number) => this.#log.events(after, count);
  lastEvent = () => this.#log.lastEvent();
  sessionsOf = (agentId: string, before: number, count: number) =>
    this.#log.sessionsOf(agentId, before, count);
  chain = (from: number, count: number) => this.#log.chain(from, count);
  erase: RecordLog["erase"] = (...how) => this.#log.erase(...how);
  pendingErasures = () => this.#log.pendingErasures();
  forgotten = () => this.#log.forgotten();
  close = () => this.#log.close();
}
