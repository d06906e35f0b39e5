import type { ConnectionId } from "../signaling/admission.ts";

/** Connections whose stray packets are counted apart. One more, and the one that began first is merged into `others`. */
export const MAX_STRAY_CONNECTIONS = 1024;

/** Packets that no flow could be charged with. */
export interface StrayCounters {
  /** No flow identifier could be read. */
  readonly malformed: number;
  /** The flow identifier is not one this connection owns. */
  readonly unknownFlow: number;
}

/** Counts what arrives outside every known flow, per connection, in bounded memory. */
export class StrayFrames {
  readonly #byConnection = new Map<ConnectionId, { malformed: number; unknownFlow: number }>();
  readonly #others = { malformed: 0, unknownFlow: 0 };

  /** Connections counted apart. */
  get size(): number {
    return this.#byConnection.size;
  }

  add(connection: ConnectionId, reason: "malformed" | "unknown-flow"): void {
    let counters = this.#byConnection.get(connection);
    if (counters === undefined) {
      if (this.#byConnection.size === MAX_STRAY_CONNECTIONS) this.#mergeOldest();
      counters = { malformed: 0, unknownFlow: 0 };
      this.#byConnection.set(connection, counters);
    }
    if (reason === "malformed") counters.malformed++;
    else counters.unknownFlow++;
  }

  /** Counts of one connection; zeros when it had none or was merged. */
  of(connection: ConnectionId): StrayCounters {
    return { malformed: 0, unknownFlow: 0, ...this.#byConnection.get(connection) };
  }

  /** Counts of all connections that ever were. */
  total(): StrayCounters {
    const sum = { ...this.#others };
    for (const counters of this.#byConnection.values()) {
      sum.malformed += counters.malformed;
      sum.unknownFlow += counters.unknownFlow;
    }
    return sum;
  }

  /** Merges a connection that is gone. */
  forget(connection: ConnectionId): void {
    const counters = this.#byConnection.get(connection);
    if (counters === undefined) return;
    this.#others.malformed += counters.malformed;
    this.#others.unknownFlow += counters.unknownFlow;
    this.#byConnection.delete(connection);
  }

  #mergeOldest(): void {
    for (const oldest of this.#byConnection.keys()) {
      this.forget(oldest);
      return;
    }
  }
}
