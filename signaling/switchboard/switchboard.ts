import type { FlowCounters } from "../admission.ts";
import type { SessionState } from "../session-machine.ts";
import { AgentRoom } from "./agent-room.ts";
import { Answering } from "./answering.ts";
import { Attaching } from "./attaching.ts";
import { Authorities } from "./authorities.ts";
import { Changes } from "./changes.ts";
import type { SwitchboardOptions } from "./config.ts";
import type { ConnectionState } from "./connections.ts";
import { type Desk, makeDesk } from "./desk.ts";
import { type Departure, Detaching } from "./detaching.ts";
import { CLOSE_SHUTDOWN, Draining } from "./draining.ts";
import { Endings } from "./endings.ts";
import { Erasing } from "./erasing.ts";
import { EvidenceReading } from "./evidence-reading.ts";
import { Identification } from "./identification.ts";
import { Inspection } from "./inspection.ts";
import type { SwitchboardInput, SwitchboardOutput } from "./io.ts";
import { LastWords } from "./last-words.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Notices } from "./notices.ts";
import { OfferBook } from "./offer-book.ts";
import { PeerRequests } from "./peer-requests.ts";
import { Reception } from "./reception.ts";
import { RecordReading } from "./record-reading.ts";
import { Recovery } from "./recovery.ts";
import { RefusalReports } from "./refusal-reports.ts";
import { vouchedOwner } from "./registry.ts";
import { Revoking } from "./revoking.ts";
import { type LostConnection, Ringing } from "./ringing.ts";
import type { Session } from "./session.ts";
import { SessionNotices } from "./session-notices.ts";
import { SessionRequests } from "./session-requests.ts";
import { SessionTable } from "./session-table.ts";
import { Steering } from "./steering.ts";
import { StreamEnds } from "./stream-ends.ts";
import { Suspending } from "./suspending.ts";
import type { Timer } from "./timers.ts";

// Codes of `sfu/carrier`, which this room cannot see.
const CLOSE_FORBIDDEN = 6;
const CLOSE_OVERLOADED = 7;

/** Counts for whoever watches over a server. */
export interface SwitchboardOverview {
  /** Sessions without their final record, by state. */
  readonly sessions: Readonly<Partial<Record<SessionState, number>>>;
  /** Offers that nobody answered yet. */
  readonly ringing: number;
  /** Registered agents. */
  readonly agents: number;
  /** Agents with a live inbox: who can be called. */
  readonly online: number;
  /** Events that no agent has acknowledged yet. */
  readonly inboxEvents: number;
}

/**
 * The server's call control, without I/O: agents, inboxes, offers, sessions and records. Drive it so: after every
 * `handle`, call `poll` until it says `undefined` and do what it says in that order; then wait for the next input, or
 * until `nextTimeout()` and hand in a `tick`. `now` is milliseconds since the Unix epoch: the wall clock, carried on by a
 * monotonic one between `stepped` inputs.
 */
export class Switchboard {
  readonly #desk: Desk;
  readonly #identification: Identification;
  readonly #table = new SessionTable();
  readonly #endings: Endings;
  readonly #authorities: Authorities;
  readonly #detaching: Detaching;
  readonly #attaching: Attaching;
  readonly #suspending: Suspending;
  readonly #ringing: Ringing;
  readonly #book: OfferBook;
  readonly #requests: SessionRequests;
  readonly #changes: Changes;
  readonly #steering: Steering;
  readonly #streamEnds: StreamEnds;
  readonly #sessionNotices: SessionNotices;
  readonly #records: RecordReading;
  readonly #peers: PeerRequests;
  readonly #reports: RefusalReports;
  readonly #evidence: EvidenceReading;
  readonly #inspection: Inspection;
  readonly #revoking: Revoking;
  readonly #erasing: Erasing;
  readonly #reception: Reception;
  readonly #draining: Draining;
  readonly #recovery: Recovery;

  /** Throws `ParleyError` for a server Genesis or policy scope that cannot be read. */
  constructor(options: SwitchboardOptions) {
    this.#desk = makeDesk(options);
    const book = new OfferBook(this.#table.loads);
    this.#book = book;
    const room = new AgentRoom(this.#desk, this.#table, book);
    this.#identification = new Identification(this.#desk, room);
    const lastWords = new LastWords(this.#desk, this.#table);
    this.#endings = new Endings(this.#desk, this.#table, lastWords);
    this.#streamEnds = new StreamEnds(this.#desk, this.#table, this.#endings);
    this.#detaching = new Detaching(this.#desk, this.#table, this.#endings, this.#streamEnds);
    this.#suspending = new Suspending(this.#desk, this.#table, this.#endings, this.#detaching);
    this.#ringing = new Ringing(this.#desk, this.#table, book);
    this.#authorities = new Authorities(this.#desk, this.#table, this.#endings, this.#ringing);
    this.#attaching = new Attaching(
      this.#desk,
      this.#table,
      this.#endings,
      this.#detaching,
      this.#authorities,
    );
    this.#recovery = new Recovery(this.#desk, this.#table, book, this.#detaching, this.#authorities);
    this.#draining = new Draining(this.#desk, this.#table, {
      ringing: this.#ringing,
      endings: this.#endings,
      detaching: this.#detaching,
    });
    this.#requests = new SessionRequests(this.#desk, this.#table, this.#endings, lastWords, this.#streamEnds);
    this.#changes = new Changes(this.#desk, this.#table, this.#endings);
    this.#steering = new Steering(this.#desk, this.#table, this.#endings, this.#changes, this.#streamEnds);
    this.#sessionNotices = new SessionNotices(this.#desk, this.#table, this.#streamEnds);
    this.#records = new RecordReading(this.#desk, this.#table);
    this.#peers = new PeerRequests(this.#desk);
    this.#reports = new RefusalReports(this.#desk, this.#table);
    this.#evidence = new EvidenceReading(this.#desk, this.#table);
    this.#inspection = new Inspection(this.#desk);
    this.#revoking = new Revoking(this.#desk, this.#authorities);
    this.#erasing = new Erasing(this.#desk, this.#table, this.#endings, this.#authorities);
    this.#reception = new Reception(this.#desk, this.#identification, {
      ringing: this.#ringing,
      answering: new Answering(this.#desk, this.#table, book, this.#ringing, this.#endings, this.#detaching),
      attaching: this.#attaching,
      suspending: this.#suspending,
      requests: this.#requests,
      evidence: this.#evidence,
      changes: this.#changes,
      steering: this.#steering,
      sessionNotices: this.#sessionNotices,
      records: this.#records,
      inspection: this.#inspection,
      notices: new Notices(this.#desk, this.#table),
      lifecycle: new Lifecycle(this.#desk, room),
      erasing: this.#erasing,
      authorities: this.#authorities,
      revoking: this.#revoking,
      peers: this.#peers,
    });
  }

  /**
   * Takes one input. What follows from it, deadlines that have passed included, is then there to `poll`. `mediaTime` is what
   * the relay holds capture times against, Unix milliseconds from a clock that never steps: clients compare theirs with it.
   */
  handle(input: SwitchboardInput, now: number, mediaTime = now): void {
    const { timers, states } = this.#desk;
    states.mediaAhead = mediaTime - now;
    if (input.kind === "stepped") {
      timers.shift(input.by);
      this.#desk.inboxes.clockStepped(input.by);
      this.#endings.clockStepped(input.by);
      this.#detaching.clockStepped(input.by);
      this.#streamEnds.clockStepped(input.by);
    }
    for (let timer = timers.due(now); timer !== undefined; timer = timers.due(now)) this.#fire(timer, now);
    this.#take(input, now, mediaTime);
    this.#erasing.begin(now);
    this.#authorities.followChanges(now);
    this.#draining.finishIfEmpty(now);
  }

  /** The next thing to do, `undefined` when that was all. */
  poll(): SwitchboardOutput | undefined {
    return this.#desk.outputs.shift();
  }

  /** Calls that are up, being set up or ending, and offers that ring. */
  get calls(): number {
    return this.#table.size + this.#book.size;
  }

  /** What is here now. */
  overview(): SwitchboardOverview {
    const sessions: Partial<Record<SessionState, number>> = {};
    for (const { state } of this.#table.all()) sessions[state] = (sessions[state] ?? 0) + 1;
    const { registry, inboxes } = this.#desk;
    return { sessions, ringing: this.#book.size, agents: registry.size, ...inboxes.overview() };
  }

  /** The identity key of a registered agent, raw; `undefined` for one that is not known here. */
  identityKey(agentId: string): Uint8Array | undefined {
    return this.#desk.registry.get(agentId)?.genesis.agentKey;
  }

  /** The name by which an agent's owner is counted, as its issuer vouches; `undefined` for an agent that is not known here. */
  ownerOf(agentId: string): string | undefined {
    const agent = this.#desk.registry.get(agentId);
    return agent && vouchedOwner(agent);
  }

  /** The server's signed manifest: what `DISCOVER /` without an Agent-ID answers. */
  manifest(now: number): Uint8Array {
    return this.#desk.manifest.body(now).bytes;
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const { connections, inboxes, registry, timers } = this.#desk;
    return {
      sessions: this.#table.sizes(),
      offers: this.#book.sizes(),
      connections: connections.sizes(),
      inboxes: inboxes.sizes(),
      agents: registry.size,
      timers: timers.size,
      readings: this.#evidence.size + this.#records.size + this.#inspection.size + this.#peers.size,
      repeats: this.#reception.repeats,
      rates: this.#desk.shared.rates.size,
    };
  }

  /** When a `tick` is due at the latest, in the time of `now`; `undefined` when nothing waits. */
  nextTimeout(): number | undefined {
    return this.#desk.timers.next();
  }

  #take(input: SwitchboardInput, now: number, mediaTime: number): void {
    switch (input.kind) {
      case "opened":
        this.#opened(input, now);
        return;
      case "request": {
        const connection = this.#connection(input.connection);
        if (connection === undefined) return;
        this.#reception.request(connection, input, now, mediaTime);
        return;
      }
      case "malformed": {
        const connection = this.#connection(input.connection);
        if (connection !== undefined) {
          this.#reception.malformed(connection, input.exchange, input.fault, input.dialect, now);
        }
        return;
      }
      case "taken":
        this.#evidence.taken(input.exchange, now);
        return;
      case "abandoned":
        this.#lost({ ...input, orderly: false }, now);
        return;
      case "closed":
        this.#lost(input, now);
        return;
      case "item":
        this.#requests.item(input.connection, input.flow, input.bytes, now);
        return;
      case "refused":
        this.#reports.add(input, now);
        return;
      case "quality":
        this.#sessionNotices.quality(input, now);
        return;
      case "counters": {
        const session = this.#table.get(input.sessionId);
        if (session !== undefined) this.#counters(session, input.counters, now);
        return;
      }
      case "records":
        this.#records.deliver(input.exchange, input.records, now);
        return;
      case "peer":
        this.#peers.deliver(input.exchange, input.outcome, now);
        return;
      case "looked-up":
        this.#inspection.deliver(input.exchange, input.found, now);
        return;
      case "erasing":
        this.#erasing.prepare(input.target, now);
        return;
      case "erased":
        this.#erasing.deliver(input, now);
        return;
      case "evidence":
        this.#evidence.deliver(input.exchange, input.evidence, now);
        return;
      case "interrupted":
        this.#recovery.take(input.session, now, mediaTime);
        return;
      case "left":
        this.#recovery.end(input.session, input.reason, now);
        return;
      case "tick":
      case "stepped":
        return;
      case "shutdown":
        this.#draining.begin(now + input.grace, now);
        return;
    }
  }

  #fire(timer: Timer, now: number): void {
    const session = this.#table.get(timer.id);
    switch (timer.kind) {
      case "ring":
        this.#ringing.ringTimeOver(timer.id, now);
        return;
      case "still-ringing":
        this.#ringing.stillRinging(timer.id, now);
        return;
      case "callee-gone":
        this.#ringing.calleeGone(timer.id, now);
        return;
      case "caller-gone":
        this.#ringing.callerGone(timer.id, now);
        return;
      case "heartbeat":
        this.#desk.inboxes.heartbeat(timer.id, now);
        return;
      case "inbox-expiry":
        this.#desk.inboxes.expire(timer.id, now);
        return;
      case "retention":
        this.#erasing.round(now);
        return;
      case "drain":
        this.#draining.overdue(now);
        return;
      case "certificates":
        this.#revoking.due(now);
        return;
      case "unbound":
        this.#closeUnbound(Number(timer.id));
        return;
      case "evidence":
        this.#evidence.stalled(Number(timer.id), now);
        return;
      case "ttl":
        if (session !== undefined) this.#endings.lifetimeOver(session, now);
        return;
      case "change-caller":
      case "change-callee":
        if (session !== undefined)
          this.#changes.overdue(session, timer.kind === "change-caller" ? 0 : 1, now);
        return;
      case "resume-by":
        if (session !== undefined) this.#suspending.overdue(session, now);
        return;
      case "attach-caller":
      case "attach-callee":
        if (session !== undefined)
          this.#detaching.overdue(session, timer.kind === "attach-caller" ? 0 : 1, now);
        return;
      case "streams":
        if (session !== undefined) this.#streamEnds.settle(session, now);
        return;
      case "authority":
        if (session !== undefined) this.#authorities.due(session, now);
        return;
      case "idle":
        if (session !== undefined) this.#endings.idleCheck(session, now);
        return;
      case "closing":
        if (session !== undefined) this.#endings.closingWindowOver(session, now);
        return;
      case "counters":
        if (session !== undefined) this.#counters(session, undefined, now);
        return;
      case "reports":
        if (session !== undefined) this.#reports.flush(session, now);
        return;
    }
  }

  /** Changes first: the session's last record may be written next, and nothing follows that. */
  #counters(session: Session, counters: readonly FlowCounters[] | undefined, now: number): void {
    this.#steering.counted(session, counters, now);
    this.#streamEnds.counted(session, counters, now);
    this.#changes.counted(session, counters, now);
    this.#authorities.counted(session, counters, now);
    this.#attaching.counted(session, counters, now);
    this.#endings.counters(session, counters, now);
  }

  #opened(opened: Extract<SwitchboardInput, { kind: "opened" }>, now: number): void {
    const { connection: id, carrier, origins, channelBinding, peerKey, network } = opened;
    const { peerCertificates = [] } = opened;
    if (this.#draining.isOver) {
      this.#refuseConnection(id, CLOSE_SHUTDOWN, "server-shutdown");
      return;
    }
    const connection = this.#desk.connections.open(
      { id, carrier, origins, channelBinding, peerKey, peerCertificates, network },
      now,
    );
    if (connection === undefined) this.#refuseConnection(id, CLOSE_OVERLOADED, "connections-cap");
    else this.#desk.timers.set("unbound", String(id), now + this.#desk.connections.bindWithin);
  }

  /** Who never says who it is costs a place that somebody else could use. */
  #closeUnbound(id: number): void {
    const connection = this.#connection(id);
    if (connection === undefined || connection.agentId !== undefined) return;
    connection.closing = true;
    this.#refuseConnection(id, CLOSE_FORBIDDEN, "nobody-proved");
  }

  #refuseConnection(connection: number, code: number, reason: string): void {
    this.#desk.outputs.push({ kind: "close", connection, code, reason });
    this.#desk.outputs.log("warn", "connection-refused", { connection, reason });
  }

  #connection(id: number): ConnectionState | undefined {
    const connection = this.#desk.connections.get(id);
    return connection === undefined || connection.closing ? undefined : connection;
  }

  #lost(lost: LostConnection & Departure, now: number): void {
    const { connection: id, exchange } = lost;
    const connection = this.#desk.connections.get(id);
    if (connection === undefined) return;
    const { agentId } = connection;
    if (agentId !== undefined) this.#desk.registry.seen(agentId);
    // The inbox first: what follows is news for it, and must not be sent to where nobody is.
    const offline = this.#desk.inboxes.lost(agentId, lost, now);
    if (exchange === undefined) {
      this.#desk.connections.close(id);
      this.#desk.timers.clear("unbound", String(id));
    }
    if (offline !== undefined) this.#ringing.calleeLost(offline, now);
    if (agentId !== undefined) this.#ringing.callerLost(agentId, lost, now);
    this.#evidence.drop(id, exchange);
    this.#records.drop(id, exchange);
    this.#peers.drop(id, exchange);
    this.#inspection.drop(id, exchange);
    if (exchange === undefined) this.#detaching.connectionLost(id, lost, now);
    else this.#endings.exchangeLost(id, exchange);
  }
}
