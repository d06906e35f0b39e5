/** The calls that ring at this page, and at every other tab of the same agent. */
import { type IncomingCall, ParleyError } from "@parley-rt/parley/agent";
import { isBusy, type PageState } from "../model/page-state.ts";
import type { Store } from "../model/store.ts";
import { declinedElsewhere } from "../model/words.ts";

/** How long the page says that a call was declined in another tab, ms. */
const SAID_FOR_MS = 6_000;

interface RingingCall {
  readonly call: IncomingCall;
  readonly decided: () => void;
  /** What became of it, once it rings no longer. */
  gone: string | undefined;
}

export class RingingCalls {
  readonly #store: Store<PageState>;
  readonly #isAnotherFree: () => Promise<boolean>;
  readonly #takenElsewhere: (call: IncomingCall) => void;
  readonly #ringing = new Map<string, RingingCall>();

  constructor(
    store: Store<PageState>,
    others: {
      /** Whether another tab of this agent could take a call now. */
      readonly isAnotherFree: () => Promise<boolean>;
      /** Another tab took a call that rang here. */
      readonly takenElsewhere: (call: IncomingCall) => void;
    },
  ) {
    this.#store = store;
    this.#isAnotherFree = others.isAnotherFree;
    this.#takenElsewhere = others.takenElsewhere;
  }

  /** Rings until it is decided, here or elsewhere, or taken back. */
  async offered(call: IncomingCall): Promise<void> {
    if (isBusy(this.#store.state)) {
      // Declined here it would ring nowhere any more.
      if (!(await this.#isAnotherFree())) await call.decline("busy");
      return;
    }
    const { promise: isDecided, resolve: decided } = Promise.withResolvers<void>();
    this.#ringing.set(call.sessionId, { call, decided, gone: undefined });
    this.#show();
    call.cancelled.addEventListener("abort", () => this.#cancelled(call));
    await isDecided;
  }

  get(sessionId: string): IncomingCall | undefined {
    return this.#ringing.get(sessionId)?.call;
  }

  /** It is decided here, and no longer shown. */
  stop(sessionId: string): void {
    this.#ringing.get(sessionId)?.decided();
    this.#ringing.delete(sessionId);
    this.#show();
  }

  stopAll(): void {
    for (const sessionId of [...this.#ringing.keys()]) this.stop(sessionId);
  }

  #cancelled(call: IncomingCall): void {
    const { sessionId, caller } = call;
    const ringing = this.#ringing.get(sessionId);
    const reason: unknown = call.cancelled.reason;
    if (ringing === undefined) return;
    const answer =
      reason instanceof ParleyError && reason.code === "answered-elsewhere" ? reason.details : {};
    if (answer.status === "accepted") this.#takenElsewhere(call);
    if (answer.status !== "rejected") {
      this.stop(sessionId);
      return;
    }
    ringing.gone = declinedElsewhere(caller.name);
    ringing.decided();
    this.#show();
    setTimeout(() => this.stop(sessionId), SAID_FOR_MS);
  }

  #show(): void {
    const incoming = [...this.#ringing.values()].map(({ call, gone }) => ({
      sessionId: call.sessionId,
      name: call.caller.name,
      agentId: call.caller.agentId,
      gone,
    }));
    this.#store.set({ incoming });
  }
}
