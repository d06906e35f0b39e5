/** The calls that ring at this page, and at every other tab of the same agent. */
import { type IncomingCall, ParleyError } from "@parley-rt/parley/agent";
import { shortFingerprint } from "../model/fingerprint.ts";
import { isBusy, type PageState, type PeerGateway } from "../model/page-state.ts";
import type { Store } from "../model/store.ts";
import { declinedElsewhere } from "../model/words.ts";

/** How long the page says that a call was declined in another tab, ms. */
const SAID_FOR_MS = 6_000;

/** A call that rings here. */
export interface Offered {
  readonly call: IncomingCall;
  /** Who calls: where a gateway signs for the caller, the one that it signs for. */
  readonly caller: { readonly agentId: string; readonly name: string };
  readonly gateway: PeerGateway | undefined;
  /** Whether the caller takes an answer by a gateway. */
  readonly takesGateway: boolean;
}

interface RingingCall extends Offered {
  readonly decided: () => void;
  /** What became of it, once it rings no longer. */
  gone: string | undefined;
}

export class RingingCalls {
  readonly #store: Store<PageState>;
  readonly #isAnotherFree: () => Promise<boolean>;
  readonly #takenElsewhere: (call: Offered) => void;
  readonly #ringing = new Map<string, RingingCall>();

  constructor(
    store: Store<PageState>,
    others: {
      /** Whether another tab of this agent could take a call now. */
      readonly isAnotherFree: () => Promise<boolean>;
      /** Another tab took a call that rang here. */
      readonly takenElsewhere: (call: Offered) => void;
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
    this.#ringing.set(call.sessionId, { ...this.#offerOf(call), decided, gone: undefined });
    this.#show();
    call.cancelled.addEventListener("abort", () => this.#cancelled(call));
    await isDecided;
  }

  get(sessionId: string): Offered | undefined {
    return this.#ringing.get(sessionId);
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
    const { sessionId } = call;
    const ringing = this.#ringing.get(sessionId);
    const reason: unknown = call.cancelled.reason;
    if (ringing === undefined) return;
    const answer =
      reason instanceof ParleyError && reason.code === "answered-elsewhere" ? reason.details : {};
    if (answer.status === "accepted") this.#takenElsewhere(ringing);
    if (answer.status !== "rejected") {
      this.stop(sessionId);
      return;
    }
    ringing.gone = declinedElsewhere(ringing.caller.name);
    ringing.decided();
    this.#show();
    setTimeout(() => this.stop(sessionId), SAID_FOR_MS);
  }

  #offerOf(call: IncomingCall): Offered {
    const { gateway, agentId, name } = call.caller;
    const takesGateway = call.offer.payload.gateways === true;
    if (gateway === undefined) return { call, caller: { agentId, name }, gateway: undefined, takesGateway };
    const { subject, issuer } = gateway;
    const known = this.#store.state.dial.find((entry) => entry.agentId === subject);
    return {
      call,
      caller: { agentId: subject, name: known?.name ?? shortFingerprint(subject) },
      gateway: { agentId: gateway.agentId, issuer },
      takesGateway,
    };
  }

  #show(): void {
    const incoming = [...this.#ringing.values()].map(({ call, caller, gateway, takesGateway, gone }) => ({
      sessionId: call.sessionId,
      ...caller,
      gateway,
      takesGateway,
      gone,
    }));
    this.#store.set({ incoming });
  }
}
