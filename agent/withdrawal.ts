import { ParleyError } from "../codecs/parley-error.ts";

/** Whether a call that is being placed, answered or set up is still wanted: it may be taken back, and its agent may close. */
export class Withdrawal {
  readonly #given: AbortSignal | undefined;
  readonly #closing = new AbortController();

  /** `given` is the application's, who takes the call back by it. */
  constructor(given?: AbortSignal) {
    this.#given = given;
  }

  /** The agent closes: it wants no call any more. */
  agentCloses(): void {
    this.#closing.abort();
  }

  get isWithdrawn(): boolean {
    return this.#closing.signal.aborted || this.#given?.aborted === true;
  }

  /** What the other end is told of a session that was up by then. */
  get reason(): string {
    return this.#closing.signal.aborted ? "agent-closed" : "cancelled";
  }

  /** What whoever waits for the call is told. */
  get error(): ParleyError {
    if (this.#closing.signal.aborted) {
      return new ParleyError({ code: "closed", message: "The agent was closed before the call was up." });
    }
    return new ParleyError({ code: "cancelled", message: "The call was taken back." });
  }

  /** Calls `listener` when the call is withdrawn from now on. The returned function removes it. */
  on(listener: () => void): () => void {
    const signals = [this.#closing.signal, ...(this.#given === undefined ? [] : [this.#given])];
    for (const signal of signals) signal.addEventListener("abort", listener, { once: true });
    return () => {
      for (const signal of signals) signal.removeEventListener("abort", listener);
    };
  }

  /**
   * What the work comes to, unless the call is withdrawn before: then it throws `error` at once, and `drop` takes what still comes. Does
   * not begin for a call that is withdrawn already.
   */
  async unless<Value>(work: () => Promise<Value>, drop: (late: Value) => void = () => {}): Promise<Value> {
    if (this.isWithdrawn) throw this.error;
    const { promise: withdrawn, reject } = Promise.withResolvers<never>();
    const remove = this.on(() => reject(this.error));
    const coming = work();
    try {
      return await Promise.race([coming, withdrawn]);
    } catch (error) {
      coming.then(drop).catch(() => undefined);
      throw error;
    } finally {
      remove();
    }
  }
}
