import { ParleyError } from "../codecs/parley-error.ts";
import { CLOSE_CODES, type CloseInfo, type Connection, type DatagramDrops } from "../sfu/carrier.ts";
import type { AgentContext } from "./agent-context.ts";
import type { BackOff } from "./back-off.ts";
import type { Call } from "./call.ts";
import type { CallOptions, OutgoingCallOptions } from "./call-options.ts";
import { resolveCallee } from "./callee.ts";
import { Calls } from "./calls.ts";
import type { OtherWay } from "./carrier-change.ts";
import { type AgentListing, listAgents } from "./directory.ts";
import type { InboxCursor } from "./inbox.ts";
import type { CallHandler } from "./incoming-calls.ts";
import { type Offline, Online } from "./online.ts";
import type { AgentPlatform } from "./platform.ts";
import type { Presence, PresenceOwner } from "./presence.ts";
import { listSessions, type SessionListing } from "./session-listing.ts";
import { TypedEvents } from "./typed-events.ts";

/** What an agent's connection runs on. */
export interface AgentCarrier {
  readonly kind: Connection["carrier"];
  /** One sentence: why this one, where there was a choice. */
  readonly reason: string | undefined;
  /** Smoothed round trip of the carrier's own pings, milliseconds, once known. */
  readonly roundTrip: number | undefined;
  /** Datagrams that this end dropped before they reached the network, by reason; WebTransport's stack does not tell. */
  readonly drops: Readonly<DatagramDrops> | undefined;
}

export type AgentEvents = {
  /** The connection is gone, its calls are detached, and the agent will try again; also told after each try that fails. */
  offline: Offline;
  /** Online again. */
  online: { readonly carrier: AgentCarrier };
  /**
   * Online over another connection, without having been offline: pings had no answer on the one before, or it stood in for a better one
   * that works again. Calls go on over it; each says so by `detached` and `reattached`.
   */
  "carrier-changed": { readonly carrier: AgentCarrier; readonly before: AgentCarrier };
  /** Over for good: by `close()`, by the server, because the agent came online at the same inbox again (code `replaced`, 5), or lost. */
  closed: CloseInfo;
  /** The server will stop; calls go on until its deadline (Unix milliseconds, its clock). */
  "server-shutdown": { readonly deadline: number | undefined };
};

/**
 * An agent at one server: it calls and is called while it is online. It outlives its connections where it was told to
 * reconnect. Any number fit in a process.
 */
export class Agent {
  /** Agent-ID: 64 hex. */
  readonly id: string;
  /** Name of the inbox it is online at: see `ConnectOptions.inbox`. */
  readonly inbox: string;
  readonly #clock: AgentPlatform["clock"];
  readonly #events: TypedEvents<AgentEvents>;
  readonly #online: Online;
  readonly #inboxCursor: InboxCursor = { seen: 0 };
  readonly #calls: Calls;
  /** The newest one, over or not. */
  #last: Presence | undefined;
  #callHandler: CallHandler | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Agents come from `Agent.connect` of the Node or browser entry. */
  constructor(options: {
    readonly id: string;
    readonly inbox: string;
    readonly platform: AgentPlatform;
    readonly backOff: Required<BackOff> | undefined;
    readonly report: (error: unknown) => void;
    /** Comes online once. */
    readonly attempt: (owner: PresenceOwner, way?: OtherWay) => Promise<Presence>;
  }) {
    this.id = options.id;
    this.inbox = options.inbox;
    this.#clock = options.platform.clock;
    this.#events = new TypedEvents(options.report);
    this.#calls = new Calls(options.report);
    this.#online = new Online({
      attempt: async (way) => {
        const presence = await options.attempt(this.#owner(), way);
        if (way === undefined) this.#last = presence;
        return presence;
      },
      carrier: options.platform.carrier,
      isIdle: () => this.#isIdle,
      backOff: options.backOff,
      clock: options.platform.clock,
      random: (length) => options.platform.random(length),
      events: {
        offline: (offline) => {
          this.#calls.offline();
          this.#events.emit("offline", offline);
        },
        online: (presence) => this.#events.emit("online", { carrier: carrierOf(presence) }),
        carrierChanged: (presence, before) => {
          this.#last = presence;
          const [carrier, from] = [carrierOf(presence), carrierOf(before)];
          this.#events.emit("carrier-changed", { carrier, before: from });
        },
        closed: (info) => {
          this.#calls.closed(info);
          this.#events.emit("closed", info);
        },
      },
    });
  }

  /** @internal Comes online for the first time. */
  async start(): Promise<void> {
    await this.#online.start();
  }

  /** Agent-ID of the server, the one last connected to. */
  get serverId(): string {
    return this.#newest().context.server.agentId;
  }

  /** What the connection runs on, the last one while offline. */
  get carrier(): AgentCarrier {
    return carrierOf(this.#newest());
  }

  /** Whether the agent can call and be called now. */
  get isOnline(): boolean {
    return this.#online.presence !== undefined;
  }

  /** Round trip to the server, ms; undefined while it is not known, and offline. */
  get roundTrip(): number | undefined {
    return this.#online.presence?.connection.roundTrip;
  }

  /** Calls that are up, the detached ones among them. */
  get calls(): readonly Call[] {
    return this.#calls.up;
  }

  /** @internal What the calls over its connection share. Throws `offline`, `closed`. */
  get context(): AgentContext {
    return this.#present().context;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof AgentEvents>(name: Name, listener: (event: AgentEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Who decides on incoming calls, over this connection and later ones; the last one set does. Without one every call is declined, a second
   * after it rang: for all inboxes of the agent.
   */
  onCall(handler: CallHandler): void {
    this.#callHandler = handler;
    this.#online.presence?.callHandlerSet();
  }

  /**
   * Calls an agent, by its Agent-ID or an `agtp://` URI, and resolves when it has answered and both ends' signatures are checked. The
   * host of `agtp://ID@host` is a hint that nothing depends on; `agtp://domain/agents/NAME` is looked up in the directory of the server
   * connected to, which must be that domain's. Throws by code: `uri-invalid`, `agent-name-ambiguous`,
   * `agent-not-found`, `callee-unreachable`, `callee-busy`, `declined`, `no-answer`, `cancelled`, `proposal-rejected`,
   * `scope-violation`, `peer-untrusted`, `session-core-mismatch` …; `offline` while there is no connection, with
   * `details.retry_at` (Unix milliseconds) for when the next try is.
   */
  async call(callee: string, options: OutgoingCallOptions = {}): Promise<Call> {
    const { context, connection } = this.#present();
    const agentId = await resolveCallee(callee, context.control, connection.url);
    return await this.#present().call(agentId, options);
  }

  /** The agent's sessions that are not over, those of other processes and of earlier ones among them. Throws `offline`. */
  async sessions(): Promise<SessionListing[]> {
    return await listSessions(this.#present().context.control);
  }

  /**
   * Takes up a session that another process of this agent has, or had: what both ends signed is checked as when it was established, and the
   * call goes on here, with a media key of its own. In the other process it ends as `moved`. The other end hears this one from then on; what
   * it said meanwhile is not heard here. Throws `session-not-found`, `session-terminated`, `peer-untrusted`, `session-core-mismatch`,
   * `signature-invalid`, `certificate-invalid`, `cancelled`, `closed`; `offline` while there is no connection.
   */
  async takeUp(sessionId: string, options: CallOptions = {}): Promise<Call> {
    return this.#calls.get(sessionId) ?? (await this.#present().takeUp(sessionId, options));
  }

  /** The agents that the server knows, by ascending Agent-ID; who is online can be called. Throws `offline`. */
  async directory(): Promise<AgentListing[]> {
    return await listAgents(this.#present().context.control);
  }

  /** Ends every call and the connection, and tries no more. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#online.stop({ code: CLOSE_CODES.normal, reason: "agent closed" });
    return this.#closing;
  }

  #owner(): PresenceOwner {
    return {
      calls: this.#calls,
      callHandler: () => this.#callHandler,
      control: () => this.#present().context.control,
      inboxCursor: this.#inboxCursor,
      callsChanged: () => this.#online.attend(!this.#isIdle),
      shutdownAnnounced: (deadline) => this.#events.emit("server-shutdown", { deadline }),
    };
  }

  /** Whether no call is up or coming. */
  get #isIdle(): boolean {
    return this.#calls.up.length === 0 && this.#online.presence?.isIdle !== false;
  }

  #newest(): Presence {
    if (this.#last !== undefined) return this.#last;
    throw new ParleyError({ code: "offline", message: "The agent was never online." });
  }

  #present(): Presence {
    if (this.#online.isOver || this.#closing !== undefined) {
      throw new ParleyError({ code: "closed", message: "The agent is closed." });
    }
    const { presence } = this.#online;
    if (presence !== undefined) return presence;
    throw new ParleyError({
      code: "offline",
      message: "The agent is not connected now.",
      details: { retry_at: this.#online.retryAt ?? this.#clock.wall() },
    });
  }
}

function carrierOf({ connection }: Presence): AgentCarrier {
  const { carrier, choice, roundTrip, drops } = connection;
  return { kind: carrier, reason: choice, roundTrip, drops: drops && { ...drops } };
}
