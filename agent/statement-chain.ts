import { encodeHex } from "../codecs/hex.ts";

/**
 * Statements of one chain that are kept to be sent again. While a connection is up the oldest goes for one more: it arrived long ago.
 * While there is none and as many wait, nothing more is said or heard that would have to be stated.
 */
const KEPT_STATEMENTS = 128;

/** How far the server has a chain: what it says in its answer to `OPEN`. */
export interface ChainState {
  readonly nextIndex: number;
  /** Digest of the last one it took, 64 hex digits; zeros before the first. */
  readonly previous: string;
  readonly state: "open" | "final" | "broken";
}

/**
 * The signed statements about one stream, on their way to the server over whichever connection there is. Each names the one before
 * it, so that none may be left out: what was lost with a connection is sent again, unchanged, over the next.
 */
export class StatementChain {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #digest: (bytes: Uint8Array) => Uint8Array;
  /** In order; the first has index `#first`. */
  readonly #kept: Uint8Array[] = [];
  #first: number;
  #isUp = true;

  /** `first`: index of the first statement that comes. `digest` is what the next statement names it by. */
  constructor(options: {
    readonly first: number;
    readonly digest: (bytes: Uint8Array) => Uint8Array;
    readonly send: (bytes: Uint8Array) => void;
  }) {
    this.#first = options.first;
    this.#digest = options.digest;
    this.#send = options.send;
  }

  /** Whether another one may be made: see `KEPT_STATEMENTS`. */
  get hasRoom(): boolean {
    return this.#isUp || this.#kept.length < KEPT_STATEMENTS;
  }

  /** The next statement. */
  add(bytes: Uint8Array): void {
    this.#kept.push(bytes);
    if (this.#isUp && this.#kept.length > KEPT_STATEMENTS) {
      this.#kept.shift();
      this.#first += 1;
    }
    if (this.#isUp) this.#send(bytes);
  }

  /** There is no connection: what is added waits. */
  detach(): void {
    this.#isUp = false;
  }

  /**
   * There is a connection, and the server has the chain as far as `state` says: the rest goes there. False when that cannot be: the
   * server took a statement that this end did not make, or one that it lacks is kept no longer.
   */
  resume({ nextIndex, previous, state }: ChainState): boolean {
    this.#isUp = true;
    if (state === "final") return true;
    const from = nextIndex - this.#first;
    const last = this.#kept[from - 1];
    const isMine = last === undefined || encodeHex(this.#digest(last)) === previous;
    if (state === "broken" || from < 0 || from > this.#kept.length || !isMine) return false;
    for (const bytes of this.#kept.slice(from)) this.#send(bytes);
    this.#kept.splice(0, from);
    this.#first = nextIndex;
    return true;
  }
}
