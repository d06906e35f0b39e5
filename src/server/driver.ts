import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Sha256 } from "../../codecs/sha256.ts";
import type { Verifier } from "../../codecs/signer.ts";
import {
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectionHandlers,
  type ReceiveStream,
} from "../../sfu/carrier.ts";
import type { RelayEvent } from "../../sfu/relay-io.ts";
import type { ConnectionId, Refusal } from "../../signaling/admission.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import type {
  EvidenceFile,
  ExchangeId,
  SwitchboardInput,
  SwitchboardOutput,
} from "../../signaling/switchboard/io.ts";
import type { Switchboard } from "../../signaling/switchboard/switchboard.ts";
import type { ErasedRecord } from "../../signaling/tombstone.ts";
import type { PeerDesk } from "../gateway/desk.ts";
import { DeskExchanges } from "../gateway/desk-exchanges.ts";
import { networkOfPeer } from "../http/address-limits.ts";
import type { TokenJudge } from "../tokens/token-judge.ts";
import { addDrops, type DropsByCarrier } from "./datagram-drops.ts";
import { DurableReads } from "./durable-reads.ts";
import { Erasures } from "./erasures.ts";
import type { EventLog } from "./event-log.ts";
import { EvidenceCache } from "./evidence-cache.ts";
import type { Instruments } from "./instruments.ts";
import { LeftSessions, loggedSessions } from "./left-sessions.ts";
import { MediaPlane } from "./media-plane.ts";
import { OutgoingItems } from "./outgoing-items.ts";
import { overviewOf, type ServerOverview } from "./overview.ts";
import { PeerExchanges } from "./peer-exchanges.ts";
import { RequestTurns } from "./request-turns.ts";
import { ServerTime } from "./server-time.ts";
import { readStream } from "./stream-reading.ts";

/** How long answers queued before a close may take to leave, ms. */
const LAST_ANSWERS_MS = 1_000;
/** What the ends are told of trouble on the way to one of them. */
const QUALITY_REASON = { slow: "slow-receiver", loss: "loss", silent: "gap" } as const;

interface Peer {
  readonly connection: Connection;
  readonly items: OutgoingItems;
  readonly exchanges: PeerExchanges;
  /** Methods of requests that have no final answer yet. */
  readonly methods: Map<ExchangeId, string>;
  /** To be called when a connection that carried requests carries media; the others carry both from the start. */
  readonly mediaBegan: (() => void) | undefined;
  /** The server closes it. */
  isExpelled: boolean;
}

/**
 * Drives the switchboard and the media plane: bytes, time and durability in, bytes out. One turn at a time: every input is
 * handled, its outputs are carried out in order, and answers wait until the records before them are durable.
 */
export class Driver {
  readonly #switchboard: Switchboard;
  readonly #media: MediaPlane;
  readonly #log: RecordLog;
  readonly #clock: Clock;
  readonly #time: ServerTime;
  readonly #events: EventLog;
  readonly #instruments: Instruments;
  readonly #judgeToken: TokenJudge["judge"];
  readonly #evidenceFiles: EvidenceCache;
  readonly #reads: DurableReads;
  readonly #peerRequests: DeskExchanges;
  readonly #onDrained: () => void;
  readonly #onFatal: (error: unknown) => void;
  readonly #onLifeEvents: () => void;
  readonly #erasures: Erasures;
  readonly #left: LeftSessions;
  readonly #peers = new Map<ConnectionId, Peer>();
  readonly #inputs: SwitchboardInput[] = [];
  #turning = false;
  #nextConnection: ConnectionId = 1;
  #nextExchange: ExchangeId = 1;
  readonly #requests: RequestTurns;
  /** Datagrams dropped by connections that are over. */
  readonly #pastDrops: DropsByCarrier = {};
  /** Settles when everything appended so far is durable; later appends are never durable before earlier ones. */
  #durable: Promise<void> = Promise.resolve();
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #closed = false;

  constructor(options: {
    readonly switchboard: Switchboard;
    readonly log: RecordLog;
    readonly clock: Clock;
    readonly verifier: Verifier;
    /** For the digests of frames. */
    readonly sha256: Sha256;
    readonly events: EventLog;
    readonly instruments: Instruments;
    /** What the access token of a request grants, on this connection, whose client may have dialled these origins. */
    readonly judgeToken: TokenJudge["judge"];
    /** Builds the evidence file of a session that has its final record. */
    readonly buildEvidence: (sessionId: string) => EvidenceFile | "erased" | undefined;
    /** Where WebRTC peers are opened that agents ask for. */
    readonly desk: () => PeerDesk;
    /** Signs what takes an erased record's place. */
    readonly tombstone: (record: ErasedRecord) => string;
    /** Sessions that the log holds open are not taken up: neither judged nor ended, but for those of an agent that is stopped. */
    readonly leavesSessions?: boolean | undefined;
    /** A shutdown has ended every session. */
    readonly onDrained: () => void;
    /** The log cannot be written: nothing can be acknowledged any more. */
    readonly onFatal: (error: unknown) => void;
    /** Records became durable that tell of a session's or an agent's life. */
    readonly onLifeEvents: () => void;
  }) {
    this.#switchboard = options.switchboard;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#requests = new RequestTurns(options.clock);
    this.#time = new ServerTime(options.clock);
    this.#events = options.events;
    this.#instruments = options.instruments;
    this.#judgeToken = options.judgeToken;
    this.#evidenceFiles = new EvidenceCache(options.buildEvidence);
    this.#reads = new DurableReads({
      ...options,
      evidence: this.#evidenceFiles,
      input: (input) => this.#input(input),
    });
    this.#peerRequests = new DeskExchanges({
      desk: options.desk,
      input: (input) => this.#input(input),
    });
    this.#onDrained = options.onDrained;
    this.#onFatal = options.onFatal;
    this.#onLifeEvents = options.onLifeEvents;
    this.#erasures = new Erasures({
      ...options,
      isLeft: (sessionId) => this.#left.has(sessionId),
      durable: () => (this.#closed ? undefined : this.#durable),
      begun: (input) => this.#input(input),
      done: (input) => {
        this.#evidenceFiles.clear();
        this.#input(input);
      },
    });
    this.#media = new MediaPlane({
      verifier: options.verifier,
      sha256: options.sha256,
      clock: options.clock,
      time: this.#time,
      egresses: {
        connection: (id) => this.#peers.get(id)?.connection,
        items: (id) => this.#peers.get(id)?.items,
      },
      onEvent: (event) => this.#relayEvent(event),
      instruments: options.instruments,
    });
    // Before anything else: what an earlier process left.
    const { leavesSessions = false } = options;
    this.#left = new LeftSessions(options.log, leavesSessions ? options.log.openSessions() : []);
    const failed = (error: unknown) => this.#failed("interrupted", error);
    for (const session of leavesSessions ? [] : loggedSessions(options.log, failed))
      this.#input({ kind: "interrupted", session });
    for (const { target, number } of options.log.pendingErasures())
      this.#erasures.begin(target, undefined, number);
    this.#input({ kind: "tick" });
  }

  /** Connections that are up. */
  get connections(): number {
    return this.#peers.size;
  }

  /** Calls that are up, being set up, ringing or ending. */
  get calls(): number {
    return this.#switchboard.calls;
  }

  /** Requests taken since the start. */
  get requests(): number {
    return this.#nextExchange - 1;
  }

  /** What is going on now. */
  overview(): ServerOverview {
    return overviewOf(this.#peers.values(), this.#switchboard.overview(), this.#media, this.#pastDrops);
  }

  /** The server's signed manifest. */
  manifest(): Uint8Array {
    return this.#switchboard.manifest(this.#time.wallAt(this.#time.now()));
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const [inputs, evidence] = [this.#inputs.length, this.#evidenceFiles.size];
    return {
      ...this.#switchboard.sizes(),
      media: this.#media.sizes(),
      peers: this.#peers.size,
      inputs,
      evidence,
    };
  }

  /** Takes a connection that a listener accepted; `origins`: what its client may have dialled to come there. */
  accept(connection: Connection, origins: readonly string[]): ConnectionHandlers {
    const id = this.#nextConnection++;
    const media = connection.beginMedia === undefined ? undefined : Promise.withResolvers<void>();
    const items = new OutgoingItems(connection, media?.promise);
    const exchanges = new PeerExchanges({
      connection: id,
      clock: this.#clock,
      nextId: () => this.#nextExchange++,
      judgeToken: async (request) => await this.#judgeToken(request, origins, id),
      turns: this.#requests,
      input: (input) => this.#input(input),
    });
    this.#peers.set(id, {
      connection,
      items,
      exchanges,
      methods: new Map(),
      mediaBegan: media?.resolve,
      isExpelled: false,
    });
    this.#instruments.connected(connection.carrier);
    const { carrier, channelBinding, peerKey, peerCertificates } = connection;
    const network = networkOfPeer(connection.peerAddress);
    this.#input({
      ...{ kind: "opened", connection: id, carrier, origins },
      ...{ channelBinding, peerKey, peerCertificates, network },
    });
    const failed = (error: unknown) => this.#failed("stream", error);
    const flowsRead = new Set<number>();
    return {
      datagram: (bytes) => this.#media.datagram(id, bytes),
      stream: (stream) => void this.#readItems(id, stream, flowsRead).catch(failed),
      exchange: (stream) => void exchanges.read(stream).catch(failed),
      closed: (info) => this.#connectionClosed(id, info),
    };
  }

  /** Drains: no new sessions; what lives after `grace` milliseconds is ended. */
  shutDown(grace: number): void {
    this.#input({ kind: "shutdown", grace });
  }

  /** Stops timers; resolves when what was appended is durable. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#media.close();
    await this.#durable.catch(() => undefined);
  }

  #input(input: SwitchboardInput): void {
    if (this.#closed) return;
    this.#inputs.push(input);
    if (this.#turning) return;
    this.#turning = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#turn(next);
    this.#turning = false;
    this.#schedule();
  }

  /** After a step of the machine's clock the switchboard's times go by the new one. */
  #turn(input: SwitchboardInput): void {
    const by = this.#time.follow();
    if (by !== 0) this.#handle({ kind: "stepped", by });
    this.#handle(input);
    for (let out = this.#switchboard.poll(); out !== undefined; out = this.#switchboard.poll()) {
      try {
        this.#act(out);
      } catch (error) {
        this.#failed(out.kind, error);
      }
    }
  }

  /** One input that fails is one input that fails: the others' calls go on. */
  #handle(input: SwitchboardInput): void {
    const now = this.#time.now();
    if (input.kind === "request" && input.isCounted !== true)
      this.#peers.get(input.connection)?.methods.set(input.exchange, input.request.method);
    if (input.kind === "abandoned" && input.exchange !== undefined)
      this.#peers.get(input.connection)?.methods.delete(input.exchange);
    try {
      this.#switchboard.handle(input, this.#time.wallAt(now), this.#time.mediaAt(now));
    } catch (error) {
      this.#failed(input.kind, error);
    }
  }

  #failed(at: string, error: unknown): void {
    this.#events.log("error", "turn-failed", { at, error: String(error) });
  }

  #act(output: SwitchboardOutput): void {
    switch (output.kind) {
      case "respond":
        this.#respond(output);
        return;
      case "token-wanted":
        void this.#peers.get(output.connection)?.exchanges.judge(output);
        return;
      case "append":
        this.#append(output.entries);
        return;
      case "admission":
        this.#media.apply(output.message);
        return;
      case "item":
        this.#media.state(output);
        return;
      case "finish":
        this.#peers.get(output.connection)?.items.finish(output.flow);
        return;
      case "counters-wanted": {
        const counters = this.#media.counters(output.sessionId);
        this.#inputs.push({ kind: "counters", sessionId: output.sessionId, counters });
        return;
      }
      case "records-wanted":
      case "look-up-wanted":
      case "evidence-wanted":
        this.#reads.read(output, this.#durable).catch((error: unknown) => this.#failed(output.kind, error));
        return;
      case "peer-wanted":
        this.#peerRequests.ask(output).catch((error: unknown) => this.#failed(output.kind, error));
        return;
      case "peer-unwanted":
        this.#peerRequests.drop(output.exchange);
        return;
      case "erase-wanted":
        this.#erasures.begin(output.target, output.exchange);
        return;
      case "left-wanted":
        for (const session of this.#left.takeOf(output.agentId))
          this.#inputs.push({ kind: "left", session, reason: output.reason });
        return;
      case "media": {
        const peer = this.#peers.get(output.connection);
        void peer?.exchanges.answered.then(() => {
          peer.connection.beginMedia?.();
          peer.mediaBegan?.();
        });
        return;
      }
      case "close":
        this.#close(output.connection, output.code, output.reason);
        return;
      case "log":
        this.#instruments.told(output.event, output.fields);
        this.#events.log(output.level, output.event, output.fields);
        return;
      case "drained":
        this.#onDrained();
        return;
    }
  }

  #append(entries: Parameters<RecordLog["append"]>[0]): void {
    const began = this.#clock.now();
    const appended = this.#log.append(entries);
    this.#durable = appended;
    const tellsOfLife = entries.some((entry) => entry.kind === "record" && entry.isLifeEvent === true);
    appended.then(
      () => {
        this.#instruments.committed(entries.length, this.#clock.now() - began);
        if (tellsOfLife) this.#onLifeEvents();
      },
      (error: unknown) => this.#onFatal(error),
    );
  }

  #respond(output: Extract<SwitchboardOutput, { kind: "respond" }>): void {
    const { connection, exchange, response, final } = output;
    const peer = this.#peers.get(connection);
    if (peer === undefined) return;
    this.#instruments.answered(peer.methods.get(exchange), response.status);
    if (final) peer.methods.delete(exchange);
    peer.exchanges.respond(exchange, response, final, this.#durable);
  }

  #close(id: ConnectionId, code: number, reason: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    peer.isExpelled = true;
    const late = new Promise<void>((resolve) => this.#clock.at(this.#clock.now() + LAST_ANSWERS_MS, resolve));
    // Answers on other connections that say why wait for the disk: they go first.
    const answered = Promise.all([peer.exchanges.answered, this.#durable.catch(() => undefined)]);
    Promise.race([answered, late])
      .then(() => peer.connection.close(code, reason))
      .catch((error: unknown) => this.#failed("close", error));
  }

  #connectionClosed(id: ConnectionId, info: CloseInfo): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    addDrops(this.#pastDrops, peer.connection);
    peer.exchanges.end();
    peer.mediaBegan?.();
    const { malformed, unknownFlow } = this.#media.strays(id);
    if (malformed + unknownFlow > 0)
      this.#events.log("warn", "stray-frames", { connection: id, malformed, unknownFlow });
    this.#media.forget(id);
    this.#events.log("debug", "connection-closed", { connection: id, code: info.code, reason: info.reason });
    const orderly = info.code === CLOSE_CODES.normal && info.isLost !== true;
    this.#input({ kind: "closed", connection: id, orderly, expelled: peer.isExpelled });
  }

  /** Media frames of a flow come on one stream at a time: what waits for a slow listener is bounded by that. Further streams are stopped. */
  async #readItems(connection: ConnectionId, stream: ReceiveStream, flowsRead: Set<number>): Promise<void> {
    let own: number | undefined;
    const take = (flow: number, bytes: Uint8Array) => {
      if (own === undefined && this.#media.carriesMedia(connection, flow)) {
        if (flowsRead.has(flow))
          throw new ParleyError({ code: "capacity", message: "The flow has a stream already." });
        flowsRead.add(flow);
        own = flow;
      }
      return this.#item(connection, flow, bytes);
    };
    try {
      const unit = (flow: number, stop: () => void) => this.#media.unit(connection, flow, stop);
      const fault = await readStream(stream, {
        await: (stop) => this.#media.await(connection, stop),
        item: take,
        unit,
        piece: (flow, piece, isTimed) => this.#media.piece(connection, flow, piece, isTimed),
        now: () => this.#clock.now(),
      });
      if (fault !== undefined) this.#events.log("warn", "stream-malformed", { connection, at: fault.at });
    } finally {
      if (own !== undefined) flowsRead.delete(own);
    }
  }

  /** Statements may be read after their connection is gone: what arrived before counts. */
  #item(connection: ConnectionId, flow: number, bytes: Uint8Array): Promise<void> | undefined {
    if (this.#media.carriesMedia(connection, flow)) return this.#media.item(connection, flow, bytes);
    this.#input({ kind: "item", connection, flow, bytes: bytes.slice() });
    return undefined;
  }

  #relayEvent(event: RelayEvent): void {
    if (event.kind === "close-connection") {
      this.#close(event.connection, event.code, event.reason);
      return;
    }
    if (event.kind === "leg-quality") {
      const { sessionId, connection, trouble } = event;
      const name = trouble === undefined ? "quality-restored" : "quality-degraded";
      this.#events.log("info", name, { session: sessionId, connection, trouble });
      const reason = trouble === undefined ? undefined : QUALITY_REASON[trouble];
      this.#input({ kind: "quality", sessionId, connection, reason });
      return;
    }
    const { sessionId, connection, flow, first, last, count } = event;
    const reason: Refusal | "contradicted" = event.kind === "frames-refused" ? event.reason : "contradicted";
    const frames = { first, last, reason, count };
    this.#input({ kind: "refused", sessionId, connection, flow, ...frames });
  }

  #schedule(): void {
    const due = this.#switchboard.nextTimeout();
    if (due === undefined || this.#closed) return;
    const at = this.#time.monotonicAt(due);
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = this.#clock.at(at, () => {
      this.#timer = undefined;
      this.#input({ kind: "tick" });
    });
    this.#timer = { at, cancel };
  }
}
