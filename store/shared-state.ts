import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import {
  drawAll,
  MAX_PROOF_IDS,
  MAX_RATED_NAMES,
  type ProofMemory,
  type RateClaim,
  type RateMemory,
  replayed,
  type SharedState,
  tooManyProofs,
} from "../signaling/shared-state.ts";
import { broken, prepareFolder, unwritable } from "./data-folder.ts";

/** What is kept at once. */
interface Caps {
  readonly proofs: number;
  readonly names: number;
}

const CAPS: Caps = { proofs: MAX_PROOF_IDS, names: MAX_RATED_NAMES };

/** {@link SharedState} on disk. */
export interface StoredState extends SharedState {
  close(): Promise<void>;
}

/**
 * Opens, or makes, the replay memory and the shared rates in `folder`, for any number of processes of this host at once. Each `take`
 * is one synchronous transaction that the others see when it returns. What a process noted survives its end, kill -9 included.
 *
 * Nothing is flushed to disk: a host that goes down may leave any bytes behind, so each of its boots begins a memory of its own.
 * Proofs end with the connections of a boot anyway. Where the boot cannot be told, everything is flushed, which is slow.
 *
 * `onFailure` is told what the disk says when a `take` fails; it then refuses with `shared-state-unavailable`, as does everything
 * while it goes on. Throws `data-folder-unwritable` and `data-folder-broken` as `openLmdbLog` does.
 */
export async function openSharedState(
  folder: string,
  onFailure: (error: unknown) => void = () => {},
  caps = CAPS,
): Promise<StoredState> {
  const boot = bootOf();
  const present = join(folder, boot ?? ANY_BOOT);
  prepareFolder(folder);
  prepareFolder(present);
  forgetOthers(folder, present);
  let root: RootDatabase | undefined;
  try {
    root = open({
      path: present,
      noSubdir: false,
      overlappingSync: false,
      noSync: boot !== undefined,
      maxDbs: 4,
      mapSize: MAP_BYTES,
    });
    return new LmdbState(root, onFailure, caps);
  } catch (cause) {
    await root?.close();
    if (DENIED.test(cause instanceof Error ? cause.message : "")) throw unwritable(folder, cause);
    throw broken(`The shared state in ${present} cannot be opened.`, cause);
  }
}

class LmdbState implements StoredState {
  readonly proofs: ProofMemory;
  readonly rates: RateMemory;
  readonly #root: RootDatabase;
  #closing: Promise<void> | undefined;

  constructor(root: RootDatabase, onFailure: (error: unknown) => void, caps: Caps) {
    this.#root = root;
    const guarded = (work: () => Result<void>): Result<void> => {
      try {
        if (this.#closing !== undefined) throw new ParleyError({ code: "closed", message: "It is closed." });
        return root.transactionSync(work);
      } catch (error) {
        onFailure(error);
        return refuse("shared-state-unavailable", "Proofs and rates cannot be looked up now.", undefined, {
          retry_after_ms: RETRY_MS,
        });
      }
    };
    this.proofs = new LmdbProofs(root, guarded, caps.proofs);
    this.rates = new LmdbRates(root, guarded, caps.names);
  }

  close(): Promise<void> {
    this.#closing ??= this.#root.close();
    return this.#closing;
  }
}

type Guarded = (work: () => Result<void>) => Result<void>;

class LmdbProofs implements ProofMemory {
  readonly #guarded: Guarded;
  /** Digest of Agent-ID and `jti`, to nothing. */
  readonly #used: Database<Uint8Array, Uint8Array>;
  /** Expiry and that digest, to nothing: the next to expire first. */
  readonly #expiries: Database<Uint8Array, Uint8Array>;
  readonly #cap: number;
  readonly #countEvery: number;
  #untilCounted = 0;
  #isFull = false;

  constructor(root: RootDatabase, guarded: Guarded, cap: number) {
    this.#guarded = guarded;
    this.#cap = cap;
    this.#countEvery = countingOf(cap);
    this.#used = root.openDB({ name: "proofs", encoding: "binary", keyEncoding: "binary" });
    this.#expiries = root.openDB({ name: "proof-expiries", encoding: "binary", keyEncoding: "binary" });
  }

  take(agentId: string, jti: string, expiresAt: number, now: number): Result<void> {
    const digest = createHash("sha256").update(`${agentId} ${jti}`).digest().subarray(0, DIGEST_BYTES);
    return this.#guarded(() => {
      if (this.#used.doesExist(digest)) return replayed();
      this.#forget(now);
      if (this.#full()) return tooManyProofs();
      this.#used.putSync(digest, NOTHING);
      this.#expiries.putSync(Buffer.concat([timeKey(expiresAt), digest]), NOTHING);
      return ok(undefined);
    });
  }

  /** More than comes in with one proof, so that what has expired goes. */
  #forget(now: number): void {
    const expired = [...this.#expiries.getKeys({ end: timeKey(now), limit: SWEEP })];
    for (const key of expired) {
      this.#expiries.removeSync(key);
      this.#used.removeSync(key.subarray(TIME_BYTES));
    }
  }

  /** Counting costs as much as the rest: it is done now and then, always while there is no room. */
  #full(): boolean {
    if (!this.#isFull && this.#untilCounted-- > 0) return false;
    this.#untilCounted = this.#countEvery - 1;
    this.#isFull = countOf(this.#used) + this.#countEvery > this.#cap;
    return this.#isFull;
  }
}

class LmdbRates implements RateMemory {
  readonly #guarded: Guarded;
  /** Name to when its rate is whole again, milliseconds. */
  readonly #fullAt: Database<Uint8Array, string>;
  /** Where the next sweep begins. */
  #cursor = "";
  /** Times that something was taken since the last sweep. */
  #unswept = 0;
  readonly #cap: number;
  readonly #countEvery: number;
  #untilCounted = 0;
  #isFull = false;

  constructor(root: RootDatabase, guarded: Guarded, cap: number) {
    this.#guarded = guarded;
    this.#cap = cap;
    this.#countEvery = countingOf(cap);
    this.#fullAt = root.openDB({ name: "rates", encoding: "binary" });
  }

  get size(): number {
    return countOf(this.#fullAt);
  }

  take(claims: readonly RateClaim[], now: number): Result<void> {
    return this.#guarded(() => {
      const drawn = drawAll(claims, (name) => this.#read(name), now);
      if (!drawn.ok) return drawn;
      for (const [name, fullAt] of drawn.value) this.#fullAt.putSync(name, timeKey(fullAt));
      this.#forget(now);
      return ok(undefined);
    });
  }

  #read(name: string): number | undefined {
    const bytes = this.#fullAt.get(name);
    return bytes === undefined ? undefined : timeOf(bytes);
  }

  /** Goes round through all names; those whose rate is whole go, and while there is no room any that it meets. */
  #forget(now: number): void {
    if (this.#untilCounted-- <= 0) {
      this.#untilCounted = this.#countEvery - 1;
      this.#isFull = countOf(this.#fullAt) + this.#countEvery > this.#cap;
    }
    this.#unswept += 1;
    if (!this.#isFull && this.#unswept < SWEEP_EVERY) return;
    const limit = SWEEP * this.#unswept;
    this.#unswept = 0;
    const names = [...this.#fullAt.getRange({ start: this.#cursor, limit })];
    this.#cursor = names.length < limit ? "" : `${names.at(-1)?.key}\0`;
    for (const { key, value } of names)
      if (this.#isFull || timeOf(value) <= now) this.#fullAt.removeSync(key);
  }
}

function countOf(
  database: Database<unknown, never> | Database<unknown, string> | Database<unknown, Uint8Array>,
) {
  return (database.getStats() as { readonly entryCount: number }).entryCount;
}

function countingOf(cap: number): number {
  return Math.min(COUNT_EVERY, Math.ceil(cap / 16));
}

/** Milliseconds, so that earlier ones sort first. */
function timeKey(time: number): Buffer {
  const bytes = Buffer.alloc(TIME_BYTES);
  // Doubles that are not negative sort as their bits do.
  bytes.writeDoubleBE(time);
  return bytes;
}

function timeOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(0);
}

/** Names this boot of the host; `undefined` where it does not tell. */
function bootOf(): string | undefined {
  try {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return BOOT_ID.test(id) ? `boot-${id}` : undefined;
  } catch {
    return undefined;
  }
}

function forgetOthers(folder: string, present: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (OLD_BOOT.test(name) && path !== present) rmSync(path, { recursive: true, force: true });
  }
}

const ANY_BOOT = "any-boot";
const BOOT_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const OLD_BOOT = /^boot-[0-9a-f-]{36}$/;
/** Address space for the file from the start, enough for both memories when they are full. */
const MAP_BYTES = 2 ** 29;
const DIGEST_BYTES = 16;
const TIME_BYTES = 8;
const NOTHING = Buffer.of(0);
/** Entries looked at for their expiry with each `take`. */
const SWEEP = 4;
/** Rates are swept so seldom while there is room: to begin a look costs as much as what is looked at. */
const SWEEP_EVERY = 8;
/** Entries are counted anew after so many `take`s, or a sixteenth of their cap; several processes may each add as many meanwhile. */
const COUNT_EVERY = 1_024;
/** What who is refused for a failing disk is told to wait, milliseconds. */
const RETRY_MS = 1_000;
const DENIED = /permission denied|read-only file system|no space left/i;
