import { ParleyError } from "../codecs/parley-error.ts";
import type { IncomingOffer } from "../signaling/peer-check.ts";
import type { Call } from "./call.ts";
import type { CallOptions } from "./call-options.ts";
import { type CallPeer, callPeer } from "./call-peer.ts";

/** Why a call is not taken. */
export type DeclineReason = "declined" | "busy";

/** A call that rings here. Its caller's signatures were checked; accept or decline it. */
export class IncomingCall {
  readonly sessionId: string;
  readonly offerId: string;
  readonly caller: CallPeer;
  /** The signed offer. */
  readonly offer: IncomingOffer["offer"];
  /** Unix milliseconds by the server's clock until which it rings. */
  readonly ringUntil: number;
  /**
   * Aborted when the call rings no longer though it was not decided here. Its `reason` is a `ParleyError` that says why: `cancelled`,
   * `no-answer`, `answered-elsewhere` (another inbox of this agent took or declined it: `details.inbox`, `details.status`), `glare`,
   * `callee-unreachable`, `draining`, `connection-lost` …
   */
  readonly cancelled: AbortSignal;
  readonly #answer: (options: CallOptions) => Promise<Call>;
  readonly #decline: (reason: DeclineReason) => Promise<void>;
  #decided: Promise<unknown> | undefined;

  /** @internal */
  constructor(options: {
    readonly sessionId: string;
    readonly checked: IncomingOffer;
    readonly ringUntil: number;
    readonly cancelled: AbortSignal;
    readonly answer: (options: CallOptions) => Promise<Call>;
    readonly decline: (reason: DeclineReason) => Promise<void>;
  }) {
    const { offer, caller } = options.checked;
    this.sessionId = options.sessionId;
    this.offerId = offer.payload.offer_id;
    this.caller = callPeer(caller);
    this.offer = offer;
    this.ringUntil = options.ringUntil;
    this.cancelled = options.cancelled;
    this.#answer = options.answer;
    this.#decline = options.decline;
  }

  /** Whether `accept` or `decline` was called. */
  get decided(): boolean {
    return this.#decided !== undefined;
  }

  /**
   * Takes the call. Throws `offer-dead` when it was taken back or rang out meanwhile, `answered-elsewhere` when another inbox of this
   * agent was faster, `proposal-rejected` when nothing in the offer fits (the caller is told what would), `session-core-mismatch` when
   * the server presents something else.
   */
  accept(options: CallOptions = {}): Promise<Call> {
    this.#decideOnce();
    const call = this.#answer(options);
    this.#decided = call;
    return call;
  }

  /** Refuses the call, for all inboxes of this agent. Resolves also when it is gone already. */
  decline(reason: DeclineReason = "declined"): Promise<void> {
    this.#decideOnce();
    const declined = this.#decline(reason);
    this.#decided = declined;
    return declined;
  }

  /** @internal Takes the call in another way, which the server knows of. */
  decideThrough<Value>(answer: () => Promise<Value>): Promise<Value> {
    this.#decideOnce();
    const call = answer();
    this.#decided = call;
    return call;
  }

  #decideOnce(): void {
    if (this.#decided === undefined) return;
    throw new ParleyError({ code: "closed", message: "This call was already accepted or declined." });
  }
}
