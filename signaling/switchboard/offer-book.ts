import type { Fault } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import type { Offer } from "../offer.ts";
import type { ScopeSet } from "../scope.ts";
import { FadingMap } from "./fading-map.ts";
import { type Loads, loadOfOffer } from "./load.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Exchange } from "./replies.ts";

/** How long the outcome of an offer is remembered, milliseconds, and of how many; the oldest goes first. */
const REMEMBER_MS = 600_000;
const REMEMBER_OFFERS = 16_384;

/** An offer that rings. */
export interface RingingOffer {
  /** Caller and offer id: ids of different callers never meet. */
  readonly key: string;
  readonly offer: Offer;
  /** Told to the callee only until the call is established. */
  readonly sessionId: string;
  readonly caller: RegisteredAgent;
  /** Who signed it: the caller, or the gateway that acts for it. */
  readonly signer: RegisteredAgent;
  readonly callee: RegisteredAgent;
  /** What it may do by what its last request was judged by, or by what changed since. */
  callerScope: ScopeSet;
  /** Seconds. */
  readonly ttl: number;
  readonly ringUntil: number;
  /** Exchanges that wait for the answer, at most {@link MAX_WAITERS}; media goes to the connection of the last. */
  waiters: Exchange[];
  /** Those of them that are told now and then that it still rings. */
  readonly told: Set<Exchange>;
}

/** Exchanges that may wait for one offer; the oldest gives way and is answered `idempotency-conflict`. */
export const MAX_WAITERS = 4;

/** Which of the callee's inboxes decided, and how. */
export interface OfferAnswer {
  readonly inbox: string;
  readonly status: "accepted" | "rejected";
}

/** How an offer ended. */
export interface SettledOffer {
  readonly digest: string;
  readonly sessionId: string;
  readonly caller: string;
  readonly callee: string;
  /** Absent: the session was established. */
  readonly fault: Fault | undefined;
  /** Absent: not by the callee. */
  readonly answer?: OfferAnswer | undefined;
}

export function offerKey(caller: string, offerId: string): string {
  return `${caller}/${offerId}`;
}

/** Offers that ring, found by key, session, agent and waiting exchange, and what became of the others. */
export class OfferBook {
  /** Bounded by `limits.sessions` together with the live sessions. */
  readonly #ringing = new Map<string, RingingOffer>();
  readonly #bySession = new Map<string, RingingOffer>();
  readonly #byCaller = new Map<string, Set<RingingOffer>>();
  readonly #byCallee = new Map<string, Set<RingingOffer>>();
  readonly #loads: Loads;
  readonly #settled = new FadingMap<string, SettledOffer>(REMEMBER_OFFERS, REMEMBER_MS);
  readonly #settledSessions = new FadingMap<string, SettledOffer>(REMEMBER_OFFERS, REMEMBER_MS);

  /** `loads` is told what offers may come to while they ring. */
  constructor(loads: Loads) {
    this.#loads = loads;
  }

  get size(): number {
    return this.#ringing.size;
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const indexed = this.#bySession.size + this.#byCaller.size + this.#byCallee.size;
    const settled = this.#settled.size + this.#settledSessions.size;
    return { ringing: this.size, indexed, settled };
  }

  all(): RingingOffer[] {
    return [...this.#ringing.values()];
  }

  get(key: string): RingingOffer | undefined {
    return this.#ringing.get(key);
  }

  forSession(sessionId: string): RingingOffer | undefined {
    return this.#bySession.get(sessionId);
  }

  from(caller: string): RingingOffer[] {
    return [...(this.#byCaller.get(caller) ?? [])];
  }

  to(callee: string): RingingOffer[] {
    return [...(this.#byCallee.get(callee) ?? [])];
  }

  settled(key: string, now: number): SettledOffer | undefined {
    return this.#settled.get(key, now);
  }

  settledSession(sessionId: string, now: number): SettledOffer | undefined {
    return this.#settledSessions.get(sessionId, now);
  }

  add(ringing: RingingOffer): void {
    this.#ringing.set(ringing.key, ringing);
    this.#bySession.set(ringing.sessionId, ringing);
    this.#loads.set(ringing.sessionId, loadOfOffer(ringing.offer));
    index(this.#byCaller, ringing.caller.agentId).add(ringing);
    index(this.#byCallee, ringing.callee.agentId).add(ringing);
  }

  /** Takes an offer out and remembers how it ended. */
  settle(ringing: RingingOffer, fault: Fault | undefined, now: number, answer?: OfferAnswer): void {
    this.#ringing.delete(ringing.key);
    this.#bySession.delete(ringing.sessionId);
    this.#loads.delete(ringing.sessionId);
    unindex(this.#byCaller, ringing.caller.agentId, ringing);
    unindex(this.#byCallee, ringing.callee.agentId, ringing);
    this.remember(
      ringing.key,
      {
        digest: ringing.offer.digest,
        sessionId: ringing.sessionId,
        caller: ringing.caller.agentId,
        callee: ringing.callee.agentId,
        fault,
        answer,
      },
      now,
    );
  }

  remember(key: string, settled: SettledOffer, now: number): void {
    this.#settled.set(key, settled, now);
    this.#settledSessions.set(settled.sessionId, settled, now);
  }

  /** Takes the exchanges of a connection (or the one named) off every offer of that caller. Returns offers nobody waits for now. */
  dropWaiters(caller: string, connection: ConnectionId, exchange?: number): RingingOffer[] {
    const abandoned: RingingOffer[] = [];
    for (const ringing of this.from(caller)) {
      const before = ringing.waiters.length;
      ringing.waiters = ringing.waiters.filter(
        (waiter) => waiter.connection !== connection || (exchange !== undefined && waiter.id !== exchange),
      );
      if (before > 0 && ringing.waiters.length === 0) abandoned.push(ringing);
    }
    return abandoned;
  }
}

function index(map: Map<string, Set<RingingOffer>>, agentId: string): Set<RingingOffer> {
  const existing = map.get(agentId);
  if (existing !== undefined) return existing;
  const fresh = new Set<RingingOffer>();
  map.set(agentId, fresh);
  return fresh;
}

function unindex(map: Map<string, Set<RingingOffer>>, agentId: string, ringing: RingingOffer): void {
  const offers = map.get(agentId);
  offers?.delete(ringing);
  if (offers?.size === 0) map.delete(agentId);
}
