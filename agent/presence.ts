import { ParleyError } from "../codecs/parley-error.ts";
import { CLOSE_CODES, type CloseInfo, type Connection } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Call } from "./call.ts";
import { textOf } from "./call-assembly.ts";
import type { CallOptions, OutgoingCallOptions } from "./call-options.ts";
import type { Calls } from "./calls.ts";
import type { ControlChannel } from "./control.ts";
import type { InboxCursor, InboxEvent } from "./inbox.ts";
import { type CallHandler, IncomingCalls } from "./incoming-calls.ts";
import { placeCall } from "./outgoing-call.ts";
import { takeUpSession } from "./taking-up.ts";
import { Withdrawal } from "./withdrawal.ts";

/** Longest wait for the calls of an agent to hang up when it closes, ms: more than a server takes to gather statements. */
const CLOSE_CALLS_MS = 8_000;

/** What outlives one connection of an agent. */
export interface PresenceOwner {
  /** The agent's calls, over this connection and others. */
  readonly calls: Calls;
  /** Who decides on incoming calls now. */
  callHandler(): CallHandler | undefined;
  /** How to ask the server now, whichever connection that takes. Throws `offline`, or `closed` after the agent's end. */
  control(): ControlChannel;
  /** A call is coming up, came up, or ended. */
  callsChanged(): void;
  /** What of its inbox the agent has seen. */
  readonly inboxCursor: InboxCursor;
  /** The server says that it will stop, by when on its own clock. */
  shutdownAnnounced(deadline: number | undefined): void;
}

/** An agent's being online: one connection, its inbox, and the calls that come up over it. */
export class Presence {
  readonly context: AgentContext;
  readonly connection: Connection;
  /** Resolves when the connection is over. Never rejects. */
  readonly ended: Promise<CloseInfo>;
  readonly #owner: PresenceOwner;
  readonly #resolveEnded: (info: CloseInfo) => void;
  /** Calls that are being placed, answered or set up. */
  readonly #coming = new Map<Withdrawal, Promise<Call>>();
  readonly #incoming: IncomingCalls;
  #isClosing = false;
  #isOver = false;

  constructor(context: AgentContext, connection: Connection, owner: PresenceOwner) {
    this.context = context;
    this.connection = connection;
    this.#owner = owner;
    const { promise, resolve } = Promise.withResolvers<CloseInfo>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#incoming = new IncomingCalls(
      context,
      () => owner.callHandler(),
      (options, begin) => this.#bringUp(options, begin),
    );
  }

  /** See `Agent.call`. */
  async call(agentId: string, options: OutgoingCallOptions): Promise<Call> {
    this.#incoming.holdFor(agentId);
    try {
      return await this.#bringUp(options, (withdrawal) =>
        placeCall(this.context, agentId, options, withdrawal),
      );
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== "glare") throw error;
      // Both ends called at once: the offer that survives is the other's, and this end answers it.
      return await this.#answerSurvivor(agentId, error, options);
    } finally {
      this.#incoming.release(agentId);
    }
  }

  /** Somebody decides on incoming calls from now on. */
  callHandlerSet(): void {
    this.#incoming.handlerSet();
  }

  /** See `Agent.takeUp`. */
  async takeUp(sessionId: string, options: CallOptions): Promise<Call> {
    return await this.#bringUp(options, (withdrawal) =>
      takeUpSession(this.context, sessionId, options, withdrawal),
    );
  }

  /** One event of the inbox. */
  inboxEvent(told: InboxEvent): void {
    const { event, fields } = told;
    try {
      if (event === "offer") this.#incoming.offered(fields);
      else if (event === "offer-cancelled" || event === "offer-answered")
        this.#incoming.over(textOf(fields, "session_id"), event, fields);
      else if (event === "unsubscribed" && fields.reason === "replaced") this.#replaced();
      else if (event === "shutdown") {
        const { deadline } = fields;
        this.#owner.shutdownAnnounced(typeof deadline === "number" ? deadline : undefined);
      } else if (this.#owner.calls.takes(told)) {
        this.#owner.calls.deliver(textOf(fields, "session_id"), told);
      }
    } catch (error) {
      this.context.report(error);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether no call is being placed, answered or set up over it. */
  get isIdle(): boolean {
    return this.#coming.size === 0;
  }

  /** Another connection has taken over: this one ends without a word, and what was asked over it is asked again over that. */
  retire(): void {
    this.#leave(CLOSE_CODES.livenessTimeout, "the agent goes on over another connection");
  }

  /** The connection is over. The first call counts. */
  connectionClosed(info: CloseInfo): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#incoming.lost();
    this.#resolveEnded(info);
  }

  /** Hangs up every call, takes back those that are not up yet, waits a while for their last statements, and closes the connection. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isClosing = true;
    const { clock } = this.context.platform;
    const coming = [...this.#coming.values()];
    for (const withdrawal of this.#coming.keys()) withdrawal.agentCloses();
    const hangUp = () => this.#owner.calls.hangUp("agent-closed");
    // One that came up at that moment is hung up then.
    const left = Promise.all([hangUp(), Promise.allSettled(coming).then(hangUp)]);
    const late = new Promise<void>((resolve) => clock.at(clock.now() + CLOSE_CALLS_MS, resolve));
    await Promise.race([left, late]);
    this.#leave(CLOSE_CODES.normal, "agent closed");
  }

  #replaced(): void {
    this.#leave(CLOSE_CODES.replaced, "the agent came online at this inbox again");
  }

  #leave(code: number, reason: string): void {
    this.connection.close(code, reason);
    this.connectionClosed({ code, reason });
  }

  async #bringUp({ signal }: CallOptions, begin: (withdrawal: Withdrawal) => Promise<Call>): Promise<Call> {
    const withdrawal = new Withdrawal(signal);
    if (this.#isClosing) withdrawal.agentCloses();
    const coming = begin(withdrawal);
    this.#coming.set(withdrawal, coming);
    this.#owner.callsChanged();
    try {
      const call = this.#owner.calls.adopt(await coming, this.context);
      void call.ended.then(() => this.#owner.callsChanged());
      return call;
    } finally {
      this.#coming.delete(withdrawal);
      this.#owner.callsChanged();
    }
  }

  async #answerSurvivor(agentId: string, glare: ParleyError, options: CallOptions): Promise<Call> {
    const survivor = await this.#incoming.survivor(agentId, glare.details.offer_id);
    if (survivor === undefined) throw glare;
    return await survivor.accept(options);
  }
}
