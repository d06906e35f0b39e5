import type { JsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { agentOf } from "../signaling/gateway.ts";
import { checkIncomingOffer, type OwnIdentity } from "../signaling/peer-check.ts";
import { type AgentContext, ownIdentity } from "./agent-context.ts";
import { answerCall, declineCall } from "./answering.ts";
import type { Call } from "./call.ts";
import { documentsOf, objectOf, textOf } from "./call-assembly.ts";
import type { CallOptions } from "./call-options.ts";
import { IncomingCall } from "./incoming-call.ts";
import { answeredElsewhere, endOfOffer } from "./incoming-ends.ts";
import type { Withdrawal } from "./withdrawal.ts";

/** How often, and how long in all, the surviving offer of a glare is looked for, ms: the refusal may overtake the inbox. */
const SURVIVOR_POLL_MS = 20;
const SURVIVOR_WAIT_MS = 5_000;
/** How long a call waits for somebody who decides on calls, ms: one may ring as soon as the inbox is up. Then it is declined. */
const HANDLER_WAIT_MS = 1_000;

/** Decides on a call that rings. A rejection declines the call. */
export type CallHandler = (call: IncomingCall) => void | Promise<void>;

/** Brings a call up and makes it one of the agent's, unless it is withdrawn before. */
export type BringUp = (
  options: CallOptions,
  begin: (withdrawal: Withdrawal) => Promise<Call>,
) => Promise<Call>;

interface Ringing {
  readonly call: IncomingCall;
  readonly cancel: AbortController;
}

/** The calls that ring at one agent: checked, handed to the application, held back while a call to the same agent is placed. */
export class IncomingCalls {
  readonly #context: AgentContext;
  readonly #me: OwnIdentity;
  readonly #bringUp: BringUp;
  readonly #ringing = new Map<string, Ringing>();
  /** Calls being placed, by callee: an offer from that callee waits until ours is decided. */
  readonly #placing = new Map<string, number>();
  readonly #held = new Set<IncomingCall>();
  /** Calls that rang before anybody decided on calls. */
  readonly #unheard = new Set<IncomingCall>();
  readonly #handler: () => CallHandler | undefined;

  /** `handler` says who decides now; every call that is answered goes through `bringUp`. */
  constructor(context: AgentContext, handler: () => CallHandler | undefined, bringUp: BringUp) {
    this.#handler = handler;
    this.#context = context;
    this.#me = ownIdentity(context);
    this.#bringUp = bringUp;
  }

  /** An offer from the inbox. */
  offered(fields: JsonObject): void {
    const sessionId = textOf(fields, "session_id");
    const checked = checkIncomingOffer(
      {
        me: this.#me,
        offer: textOf(fields, "offer"),
        caller: documentsOf(objectOf(fields, "caller")),
        anchors: this.#context.anchors,
        now: this.#context.platform.clock.wall(),
      },
      this.#context.platform.verifier,
    );
    if (!checked.ok) {
      this.#context.report(new ParleyError(checked.fault));
      this.#declineQuietly(sessionId);
      return;
    }
    const cancel = new AbortController();
    const ringing = { sessionId, checked: checked.value };
    const call = new IncomingCall({
      sessionId,
      checked: checked.value,
      // On the wire it is in seconds, as all signed times are.
      ringUntil: typeof fields.ring_until === "number" ? fields.ring_until * 1000 : 0,
      cancelled: cancel.signal,
      answer: async (options) => {
        try {
          return await this.#bringUp(options, (withdrawal) =>
            answerCall(this.#context, ringing, options, withdrawal),
          );
        } catch (error) {
          cancel.abort(error);
          throw error;
        } finally {
          this.#ringing.delete(sessionId);
        }
      },
      decline: async (reason) => {
        this.#ringing.delete(sessionId);
        await declineCall(this.#context, sessionId, reason);
      },
    });
    this.#ringing.set(sessionId, { call, cancel });
    if (this.#placing.has(agentOf(call.caller))) this.#held.add(call);
    else this.#dispatch(call);
  }

  /** An offer rings no longer: an event of the inbox says why. */
  over(sessionId: string, event: "offer-cancelled" | "offer-answered", fields: JsonObject): void {
    const error = event === "offer-cancelled" ? endOfOffer(fields) : answeredElsewhere(fields);
    this.#ringing.get(sessionId)?.cancel.abort(error);
    this.#ringing.delete(sessionId);
  }

  /** There is somebody now who decides on calls. */
  handlerSet(): void {
    for (const call of this.#unheard) this.#dispatch(call);
    this.#unheard.clear();
  }

  /** A call to `agentId` is being placed: what that agent offers meanwhile waits. */
  holdFor(agentId: string): void {
    this.#placing.set(agentId, (this.#placing.get(agentId) ?? 0) + 1);
  }

  /** The call is decided: what waited rings. */
  release(agentId: string): void {
    const left = (this.#placing.get(agentId) ?? 1) - 1;
    if (left > 0) {
      this.#placing.set(agentId, left);
      return;
    }
    this.#placing.delete(agentId);
    for (const call of this.#held) {
      if (agentOf(call.caller) !== agentId) continue;
      this.#held.delete(call);
      if (isOpen(call)) this.#dispatch(call);
    }
  }

  /**
   * The offer of `agentId` that survived a glare, once it is here; `undefined` when it is decided already or never comes. Throws what
   * ended it when it rings no longer.
   */
  async survivor(agentId: string, offerId: unknown): Promise<IncomingCall | undefined> {
    const { clock } = this.#context.platform;
    const until = clock.now() + SURVIVOR_WAIT_MS;
    while (clock.now() < until) {
      const here = [...this.#held, ...[...this.#ringing.values()].map(({ call }) => call)];
      const call = here.find((one) => one.offerId === offerId && agentOf(one.caller) === agentId);
      call?.cancelled.throwIfAborted();
      if (call !== undefined) return call.decided ? undefined : call;
      await new Promise<void>((resolve) => clock.at(clock.now() + SURVIVOR_POLL_MS, resolve));
    }
    return undefined;
  }

  /** The connection is gone. */
  lost(): void {
    const error = new ParleyError({
      code: "connection-lost",
      message: "The connection ended while it rang.",
    });
    for (const { cancel } of this.#ringing.values()) cancel.abort(error);
    this.#ringing.clear();
    this.#held.clear();
    this.#unheard.clear();
  }

  #dispatch(call: IncomingCall): void {
    const handler = this.#handler();
    if (handler === undefined) {
      this.#waitForHandler(call);
      return;
    }
    if (!isOpen(call)) return;
    Promise.resolve()
      .then(() => handler(call))
      .catch(async (error: unknown) => {
        this.#context.report(error);
        if (isOpen(call)) await call.decline();
      })
      .catch(this.#context.report);
  }

  #waitForHandler(call: IncomingCall): void {
    const { clock } = this.#context.platform;
    this.#unheard.add(call);
    clock.at(clock.now() + HANDLER_WAIT_MS, () => {
      if (this.#unheard.delete(call) && isOpen(call)) this.#declineQuietly(call.sessionId);
    });
  }

  #declineQuietly(sessionId: string): void {
    this.#ringing.delete(sessionId);
    declineCall(this.#context, sessionId, "declined").catch(this.#context.report);
  }
}

function isOpen(call: IncomingCall): boolean {
  return !call.decided && !call.cancelled.aborted;
}
