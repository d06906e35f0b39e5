/**
 * Agents that registered themselves, whom nobody vouches for and of whose status nobody has said anything: by how long ago they were here last.
 * At most `most`; where there is no room the one that was not here for longest goes, unless it is busy.
 */
export class SelfRegistered {
  readonly #most: number;
  /** When each registered, Unix milliseconds; the one that was not here for longest first. */
  readonly #since = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#since.size;
  }

  get isFull(): boolean {
    return this.size >= this.#most;
  }

  /** When this agent registered; `undefined` for one that did not do so itself. */
  since(agentId: string): number | undefined {
    return this.#since.get(agentId);
  }

  /** Takes those of an earlier process: when they were here last nobody knows, so that they go by when they registered. */
  load(agents: Iterable<readonly [agentId: string, since: number]>): void {
    for (const [agentId, since] of [...agents].sort((a, b) => a[1] - b[1])) this.#since.set(agentId, since);
  }

  add(agentId: string, now: number): void {
    this.#since.set(agentId, Math.floor(now));
  }

  /** It is here. */
  seen(agentId: string): void {
    const since = this.#since.get(agentId);
    if (since === undefined) return;
    this.#since.delete(agentId);
    this.#since.set(agentId, since);
  }

  /** It goes no more for lack of room: somebody has said something of it, or it is gone. */
  delete(agentId: string): void {
    this.#since.delete(agentId);
  }

  /** Takes out the one that was not here for longest among those that are not busy, who count as seen; `undefined` where all are. */
  takeEldest(isBusy: (agentId: string) => boolean): string | undefined {
    // Each once: who is busy stands behind all others then.
    for (let left = this.size; left > 0; left -= 1) {
      const agentId = this.#since.keys().next().value as string;
      if (!isBusy(agentId)) {
        this.#since.delete(agentId);
        return agentId;
      }
      this.seen(agentId);
    }
    return undefined;
  }
}
