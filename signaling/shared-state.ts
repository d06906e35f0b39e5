import { ok, type Result, refuse } from "../codecs/result.ts";

/** Proof identifiers kept at once. One host cannot verify so many proofs while one lives; beyond: 503 `capacity`, for forgetting one would let it in again. */
export const MAX_PROOF_IDS = 1_048_576;
/** Names whose rates are kept at once; beyond, names are forgotten and start with a full burst again. */
export const MAX_RATED_NAMES = 262_144;

/** A rate with a burst. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** One thing of `name`, under `rate`. Names of different kinds differ by how they begin: `agent …`, `owner …`, `address …`. */
export interface RateClaim {
  readonly name: string;
  readonly rate: Rate;
}

/** The proofs that were used, for as long as they would hold. */
export interface ProofMemory {
  /**
   * Notes that an agent used this proof, which holds until `expiresAt` (Unix milliseconds). Faults: `proof-replayed` for one noted
   * before, `capacity`, `shared-state-unavailable`.
   */
  take(agentId: string, jti: string, expiresAt: number, now: number): Result<void>;
}

/** Who has asked how much lately. */
export interface RateMemory {
  /**
   * Takes one of each claim, or none where one is spent. Faults: `rate-limited` with `details.retry_after_ms`,
   * `shared-state-unavailable`.
   */
  take(claims: readonly RateClaim[], now: number): Result<void>;
  /** Names that are kept. */
  readonly size: number;
}

/** What the connections of a server, and the servers of a host where they share it, remember together. */
export interface SharedState {
  readonly proofs: ProofMemory;
  readonly rates: RateMemory;
}

/** What is left of a rate: when it will be whole again, or how long to wait where nothing is left. */
type Drawn = { readonly fullAt: number } | { readonly wait: number };

/**
 * Draws one from a rate that would be whole again at `fullAt` (`undefined`: it is), all in milliseconds. What lies further ahead than
 * any rate takes to become whole was noted before the clock was set back: it says nothing, and would lock out until that time comes again.
 */
function draw(fullAt: number | undefined, { perSecond, burst }: Rate, now: number): Drawn {
  const each = 1_000 / perSecond;
  const whole = burst * each;
  const isOfAnotherTime = fullAt !== undefined && fullAt > now + whole + each;
  const before = fullAt === undefined || isOfAnotherTime ? now : Math.max(fullAt, now);
  const wait = before + each - whole - now;
  return wait > GRAIN * each ? { wait } : { fullAt: before + each };
}

/** The refusal of who asks too much. */
export function tooMany(wait: number) {
  return refuse("rate-limited", "Too many requests.", undefined, { retry_after_ms: Math.ceil(wait) });
}

/** The refusal of a proof that was used. */
export function replayed() {
  return refuse("proof-replayed", "This proof was used before.", "proof.jti");
}

/** The refusal where no further proofs fit until some have expired. */
export function tooManyProofs() {
  return refuse("capacity", "The server remembers as many proofs as it can.", "proof.jti", {
    retry_after_ms: PROOFS_RETRY_MS,
  });
}

/** The two memories of one process: for tests, and servers embedded in a program. Nothing survives the process. */
export class MemoryState implements SharedState {
  readonly proofs = new MemoryProofs();
  readonly rates = new MemoryRates();
}

class MemoryProofs implements ProofMemory {
  /** The oldest first. */
  readonly #expiries = new Map<string, number>();

  take(agentId: string, jti: string, expiresAt: number, now: number): Result<void> {
    const name = `${agentId} ${jti}`;
    if (this.#expiries.has(name)) return replayed();
    for (const [oldest, until] of this.#expiries) {
      if (until >= now) break;
      this.#expiries.delete(oldest);
    }
    if (this.#expiries.size >= MAX_PROOF_IDS) return tooManyProofs();
    this.#expiries.set(name, expiresAt);
    return ok(undefined);
  }
}

/** Rates in this process's memory; beyond `cap` names, those that asked longest ago are forgotten. */
export class MemoryRates implements RateMemory {
  readonly #cap: number;
  /** Who asked longest ago first. */
  readonly #fullAt = new Map<string, number>();

  constructor(cap = MAX_RATED_NAMES) {
    this.#cap = cap;
  }

  get size(): number {
    return this.#fullAt.size;
  }

  take(claims: readonly RateClaim[], now: number): Result<void> {
    const drawn = drawAll(claims, (name) => this.#fullAt.get(name), now);
    if (!drawn.ok) return drawn;
    for (const [name, fullAt] of drawn.value) {
      this.#fullAt.delete(name);
      this.#fullAt.set(name, fullAt);
    }
    for (const [name, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= this.#cap) break;
      this.#fullAt.delete(name);
    }
    return ok(undefined);
  }
}

/** What all claims leave behind, by name; a refusal with the longest wait where one is spent. */
export function drawAll(
  claims: readonly RateClaim[],
  kept: (name: string) => number | undefined,
  now: number,
): Result<readonly (readonly [name: string, fullAt: number])[]> {
  const left: [string, number][] = [];
  let longest: number | undefined;
  for (const { name, rate } of claims) {
    const drawn = draw(kept(name), rate, now);
    if ("wait" in drawn) longest = Math.max(longest ?? 0, drawn.wait);
    else left.push([name, drawn.fullAt]);
  }
  return longest === undefined ? ok(left) : tooMany(longest);
}

/**
 * Part of one that may be missing: time since the epoch in milliseconds has a grain, and who waits as long as told must not be
 * refused for it.
 */
const GRAIN = 1e-3;
/** After so long the proofs of now have expired. */
const PROOFS_RETRY_MS = 90_000;
