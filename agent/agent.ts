import { ParleyError } from "../codecs/parley-error.ts";
import { CLOSE_CODES, type CloseInfo, type Connection } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { Call } from "./call.ts";
import { textOf } from "./call-assembly.ts";
import type { CallOptions, OutgoingCallOptions } from "./call-options.ts";
import { type AgentListing, listAgents } from "./directory.ts";
import type { InboxEvent } from "./inbox.ts";
import { type CallHandler, IncomingCalls } from "./incoming-calls.ts";
import { placeCall } from "./outgoing-call.ts";
import { TypedEvents } from "./typed-events.ts";

/** Longest wait for the calls of an agent to hang up when it closes, ms: more than a server takes to gather statements. */
const CLOSE_CALLS_MS = 8_000;
/** Events of sessions whose call is still being assembled that are kept; the oldest goes. */
const EARLY_EVENTS = 256;

export type AgentEvents = {
  /** The connection is over: by `close()`, by the server, or lost. */
  closed: CloseInfo;
  /** The server will stop; calls go on until its deadline (Unix milliseconds, its clock). */
  "server-shutdown": { readonly deadline: number | undefined };
};

/** An agent that is online at one server: it calls and is called. Any number fit in a process. */
export class Agent {
  /** Agent-ID: 64 hex. */
  readonly id: string;
  /** Agent-ID of the server. */
  readonly serverId: string;
  readonly #context: AgentContext;
  readonly #connection: Connection;
  readonly #events: TypedEvents<AgentEvents>;
  readonly #calls = new Map<string, Call>();
  /** Calls that are over, while their last statements are still on the way. */
  readonly #leaving = new Set<Call>();
  readonly #incoming: IncomingCalls;
  #earlyEvents: { readonly sessionId: string; readonly event: InboxEvent }[] = [];
  #closing: Promise<void> | undefined;
  #isOver = false;

  /** @internal Agents come from `Agent.connect` of the Node or browser entry. */
  constructor(context: AgentContext, connection: Connection) {
    this.id = context.identity.agentId;
    this.serverId = context.server.agentId;
    this.#context = context;
    this.#connection = connection;
    this.#events = new TypedEvents(context.report);
    this.#incoming = new IncomingCalls(context, (call) => this.#adopt(call));
  }

  /** Round trip to the server, ms, once known. */
  get roundTrip(): number | undefined {
    return this.#connection.roundTrip;
  }

  /** Calls that are up. */
  get calls(): readonly Call[] {
    return [...this.#calls.values()];
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof AgentEvents>(name: Name, listener: (event: AgentEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Who decides on incoming calls; the last one set does. Without one every call is declined. */
  onCall(handler: CallHandler): void {
    this.#incoming.handler = handler;
  }

  /**
   * Calls an agent and resolves when it has answered and both ends' signatures are checked. Throws by code:
   * `agent-not-found`, `callee-unreachable`, `callee-busy`, `declined`, `no-answer`, `cancelled`, `proposal-rejected`,
   * `scope-violation`, `peer-untrusted`, `session-core-mismatch` …
   */
  async call(agentId: string, options: OutgoingCallOptions = {}): Promise<Call> {
    this.#requireOpen();
    this.#incoming.holdFor(agentId);
    try {
      return this.#adopt(await placeCall(this.#context, agentId, options));
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== "glare") throw error;
      // Both ends called at once: the offer that survives is the other's, and this end answers it.
      return await this.#answerSurvivor(agentId, error, options);
    } finally {
      this.#incoming.release(agentId);
    }
  }

  /** The agents that the server knows, by ascending Agent-ID; who is online can be called. */
  async directory(): Promise<AgentListing[]> {
    this.#requireOpen();
    return await listAgents(this.#context.control);
  }

  /** Ends every call and the connection. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** @internal */
  inboxEvent({ event, fields }: InboxEvent): void {
    try {
      if (event === "offer") this.#incoming.offered(fields);
      else if (event === "offer-cancelled") this.#incoming.cancelled(textOf(fields, "session_id"));
      else if (event === "shutdown") {
        const deadline = fields.deadline;
        this.#events.emit("server-shutdown", {
          deadline: typeof deadline === "number" ? deadline : undefined,
        });
      } else if (event === "session-ended" || event === "frames_refused") {
        this.#sessionEvent(textOf(fields, "session_id"), { event, fields });
      }
    } catch (error) {
      this.#context.report(error);
    }
  }

  /** @internal */
  connectionClosed(info: CloseInfo): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const call of this.#calls.values()) call.connectionLost();
    this.#incoming.lost();
    this.#events.emit("closed", info);
  }

  #requireOpen(): void {
    if (this.#isOver || this.#closing !== undefined) {
      throw new ParleyError({ code: "closed", message: "The agent is closed." });
    }
  }

  #adopt(call: Call): Call {
    this.#calls.set(call.id, call);
    this.#leaving.add(call);
    call.settled.catch(this.#context.report).finally(() => this.#leaving.delete(call));
    void call.ended.then(() => this.#calls.delete(call.id));
    const early = this.#earlyEvents.filter(({ sessionId }) => sessionId === call.id);
    this.#earlyEvents = this.#earlyEvents.filter(({ sessionId }) => sessionId !== call.id);
    for (const { event } of early) deliverTo(call, event);
    if (this.#isOver) call.connectionLost();
    return call;
  }

  #sessionEvent(sessionId: string, event: InboxEvent): void {
    const call = this.#calls.get(sessionId);
    if (call !== undefined) {
      deliverTo(call, event);
      return;
    }
    if (this.#earlyEvents.length >= EARLY_EVENTS) this.#earlyEvents.shift();
    this.#earlyEvents.push({ sessionId, event });
  }

  async #answerSurvivor(agentId: string, glare: ParleyError, options: CallOptions): Promise<Call> {
    const survivor = await this.#incoming.survivor(agentId, glare.details.offer_id);
    if (survivor === undefined) throw glare;
    return await survivor.accept(options);
  }

  async #shutDown(): Promise<void> {
    if (this.#isOver) return;
    const { clock } = this.#context.platform;
    const leaving = [...this.#leaving].map((call) => call.end("agent-closed"));
    const late = new Promise<void>((resolve) => clock.at(clock.now() + CLOSE_CALLS_MS, resolve));
    await Promise.race([Promise.allSettled(leaving), late]);
    this.#connection.close(CLOSE_CODES.normal, "agent closed");
    this.connectionClosed({ code: CLOSE_CODES.normal, reason: "agent closed" });
  }
}

function deliverTo(call: Call, { event, fields }: InboxEvent): void {
  if (event === "session-ended") call.sessionEnded(fields);
  else if (event === "frames_refused") call.framesRefused(fields);
}
