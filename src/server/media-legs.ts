import type { Clock } from "../../codecs/clock.ts";
import type { ArrivedPiece } from "../../codecs/unit-stream.ts";
import { varintSize, writeVarint } from "../../codecs/varint.ts";
import type { Connection, DatagramFate } from "../../sfu/carrier.ts";
import type { HopDrop, HopPacket } from "../../sfu/congestion/hop-packet.ts";
import type { PieceSource } from "../../sfu/congestion/piece-turns.ts";
import { stillTakes } from "../../sfu/jammed-way.ts";
import { LegQuality } from "../../sfu/leg-quality.ts";
import {
  type FeedbackCounters,
  legBitrate,
  MAX_LIVE_WAIT_MS,
  MediaLeg,
  noFeedback,
} from "../../sfu/media-leg.ts";
import type { Relay } from "../../sfu/relay.ts";
import type { Egress, RelayEvent, Verdict } from "../../sfu/relay-io.ts";
import type { UnitWriter } from "../../sfu/unit-writer.ts";
import { hasRoom, isLittleTried } from "../../sfu/untried-way.ts";
import type { AdmissionRow, ConnectionId, EgressLeg } from "../../signaling/admission.ts";
import type { Instruments } from "./instruments.ts";
import { ItemPaces, type PacedFlow } from "./item-paces.ts";
import type { ItemPace } from "./outgoing-items.ts";
import { bitsOf } from "./row-bits.ts";
import type { FlowPlace, HeldTag, ServerLeg } from "./server-leg.ts";

/** Milliseconds between looks at the legs that have something due; while pieces wait for their turn. */
const SWEEP_MS = 20;
const PIECE_SWEEP_MS = 5;
/** Bits a second that are kept for each voice that goes to a listener beside a picture. */
const VOICE_BITS = 100_000;
export interface MediaLegsOptions {
  readonly clock: Clock;
  readonly connection: (id: ConnectionId) => Connection | undefined;
  readonly instruments: Instruments;
  readonly onEvent: (event: RelayEvent) => void;
  /** The listener on this connection needs a key frame of a row. */
  readonly keyFrameWanted: (row: AdmissionRow, connection: ConnectionId) => void;
}

/** What is told of all legs together. */
export interface LegsOverview {
  readonly legs: number;
  /** Whose listeners are badly served now. */
  readonly degraded: number;
  /** Packets that wait for their turn. */
  readonly held: number;
  readonly feedback: Readonly<FeedbackCounters>;
  /** RTCP of flows that nothing is sent on. */
  readonly strayFeedback: number;
}

/**
 * The server's ends of all legs: one for each session on each connection that carries media of it. Live copies leave through them, and they
 * report to speakers what came. Of everything that a peer can say here, nothing makes the server send it more than was agreed.
 */
export class MediaLegs {
  readonly #options: MediaLegsOptions;
  readonly #legs = new Map<ConnectionId, Map<string, ServerLeg>>();
  readonly #flows = new Map<ConnectionId, Map<number, FlowPlace>>();
  /** By session: its streams as they are laid. */
  readonly #laid = new Map<string, Map<string, AdmissionRow>>();
  readonly #paces: ItemPaces;
  readonly #active = new Set<ServerLeg>();
  readonly #counters = noFeedback();
  #strays = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(options: MediaLegsOptions) {
    this.#options = options;
    this.#paces = new ItemPaces({
      clock: options.clock,
      leg: (connection, sessionId) => this.#legs.get(connection)?.get(sessionId)?.leg,
      changed: (connection, sessionId) => {
        const server = this.#legs.get(connection)?.get(sessionId);
        if (server !== undefined) this.#bound(server);
      },
      wake: (connection, sessionId) => this.#wake(this.#legs.get(connection)?.get(sessionId)),
    });
  }

  overview(): LegsOverview {
    const all = [...this.#legs.values()].flatMap((legs) => [...legs.values()]);
    return {
      legs: all.length,
      degraded: all.filter(({ quality }) => quality.trouble !== undefined).length,
      held: all.reduce((sum, { leg }) => sum + leg.held, 0),
      feedback: this.#counters,
      strayFeedback: this.#strays,
    };
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const flows = [...this.#flows.values()].reduce((sum, places) => sum + places.size, 0);
    const [legs, laid, activeLegs] = [this.#legs.size, this.#laid.size, this.#active.size];
    return { legs, legFlows: flows, laid, activeLegs, itemPaces: this.#paces.size };
  }

  /** The stream flows so from now on, wherever it did before. Of reliable ones each listener's has a {@link pace} instead. */
  lay(row: AdmissionRow): void {
    if (row.reliable === true) return;
    const streams = this.#laid.get(row.sessionId) ?? new Map<string, AdmissionRow>();
    this.#laid.set(row.sessionId, streams);
    const key = `${row.leg} ${row.stream}`;
    const before = streams.get(key);
    streams.set(key, row);
    this.#place({ ...row, role: "speaker" }, row);
    for (const egress of row.egress) this.#place({ ...egress, role: "listener" }, row);
    if (before === undefined) return;
    const stays = [row, ...row.egress];
    for (const old of [before, ...before.egress])
      if (!stays.some(({ connection, flow }) => connection === old.connection && flow === old.flow))
        this.#unplace(old);
  }

  /** A leg's stream is over, and its session goes on. */
  lift({ sessionId, leg, stream }: Pick<AdmissionRow, "sessionId" | "leg" | "stream">): void {
    const streams = this.#laid.get(sessionId);
    const row = streams?.get(`${leg} ${stream}`);
    if (streams === undefined || row === undefined) return;
    streams.delete(`${leg} ${stream}`);
    if (streams.size === 0) this.#laid.delete(sessionId);
    for (const place of [row, ...row.egress]) this.#unplace(place);
  }

  /** The session is over. */
  remove(sessionId: string): void {
    for (const row of this.#laid.get(sessionId)?.values() ?? [])
      for (const place of [row, ...row.egress]) this.#unplace(place);
    this.#laid.delete(sessionId);
  }

  /** The connection is closed. */
  forget(connection: ConnectionId): void {
    for (const leg of this.#legs.get(connection)?.values() ?? []) this.#close(leg);
    this.#legs.delete(connection);
    this.#paces.forget(connection);
    this.#flows.delete(connection);
  }

  /**
   * A copy of the frame just admitted: sent, or held for its turn, until `captured`, when it was captured by the clock of `now`, is too long ago. `later` counts a
   * held one. Of latest values the newest alone is held.
   */
  send(
    egress: Egress,
    verdict: Verdict,
    now: number,
    captured: number,
    later: Pick<Relay, "accountLater">,
  ): DatagramFate | "held" {
    const place = this.#flows.get(egress.connection)?.get(egress.flow);
    if (place === undefined) return this.#transmit(egress.connection, egress.bytes);
    const { server } = place;
    server.offered += 1;
    const packet: HopPacket = {
      ssrc: place.ssrc,
      sequence: verdict.sequence,
      bytes: egress.bytes,
      kind: place.kind,
      deadline: place.deadlineMs === undefined ? now + MAX_LIVE_WAIT_MS : captured + place.deadlineMs,
    };
    if (server.quality.isDue(now)) this.#look(server, now);
    const fate = server.leg.trySend(packet, now);
    if (fate !== undefined) return fate;
    const { flow } = egress;
    if (place.kind === "data") server.leg.drop(({ tag }) => (tag as HeldTag).flow === flow, "replaced");
    const tag: HeldTag = { flow, account: later.accountLater() };
    server.leg.hold({ ...packet, bytes: egress.bytes.slice(), tag }, now);
    this.#activate(server);
    return "held";
  }

  /** A piece of a unit came on this flow. */
  pieceArrived(
    connection: ConnectionId,
    flow: number,
    piece: ArrivedPiece,
    now: number,
    isTimed: boolean,
  ): void {
    const place = this.#flows.get(connection)?.get(flow);
    if (place?.role !== "speaker") return;
    this.#pieceArrived(place.server, place.ssrc, piece, now, isTimed);
  }

  /** A piece of a reliable stream came, which is told where the session has live streams on the connection: else nothing paces it. */
  itemPieceArrived(row: AdmissionRow, piece: ArrivedPiece, now: number, isTimed: boolean): void {
    const server = this.#legs.get(row.connection)?.get(row.sessionId);
    if (server === undefined) return;
    server.streamFlow = row.flow;
    // Numbers begin anew with each stream.
    if (piece.number === 0) server.leg.forget(row.ssrc);
    this.#pieceArrived(server, row.ssrc, piece, now, isTimed);
  }

  #pieceArrived(
    server: ServerLeg,
    ssrc: number,
    { number, bytes }: ArrivedPiece,
    now: number,
    isTimed: boolean,
  ): void {
    const { leg } = server;
    leg.pieceArrived(ssrc, number, bytes, now, isTimed);
    const due = leg.nextTimeout();
    if (due !== undefined && due <= now) leg.tick(now);
    this.#activate(server);
  }

  /** Pieces leave to a listener in their turn. False where the flow is not here. */
  addSource({ connection, flow }: EgressLeg, source: PieceSource): boolean {
    const server = this.#flows.get(connection)?.get(flow)?.server;
    server?.leg.addSource(source);
    return server !== undefined;
  }

  removeSource({ connection, flow }: EgressLeg, source: PieceSource): void {
    const server = this.#flows.get(connection)?.get(flow)?.server;
    server?.leg.removeSource(source, this.#options.clock.now());
  }

  /** How the items of a flow leave, whose bytes `write` hands to the carrier. */
  pace(flow: PacedFlow, write: (bytes: Uint8Array) => Promise<boolean>): ItemPace {
    return this.#paces.open(flow, write);
  }

  /** A source of this flow's leg has something that it had not before. */
  wake({ connection, flow }: EgressLeg): void {
    this.#wake(this.#flows.get(connection)?.get(flow)?.server);
  }

  #wake(server: ServerLeg | undefined): void {
    if (server === undefined || server.isClosed) return;
    server.leg.wake(this.#options.clock.now());
    this.#activate(server);
  }

  abandon({ connection, flow }: EgressLeg, ssrc: number, first: number, count: number): void {
    this.#flows.get(connection)?.get(flow)?.server.leg.abandon(ssrc, first, count);
  }

  /** Bits a second that a listener has room for beside its voices; without bound while it has not reported. `limited` as in `HopEstimate`. */
  roomForVideo({ connection, flow }: EgressLeg): { bitsPerSecond: number; limited: boolean } {
    const server = this.#flows.get(connection)?.get(flow)?.server;
    const estimate = server?.leg.estimate;
    if (server === undefined || estimate === undefined)
      return { bitsPerSecond: Number.POSITIVE_INFINITY, limited: true };
    let voices = 0;
    for (const { video } of server.heard.values()) if (video === undefined) voices += 1;
    const { bitsPerSecond, behind = bitsPerSecond } = estimate;
    return {
      bitsPerSecond: Math.max(0, Math.min(bitsPerSecond, behind) - voices * VOICE_BITS),
      limited: hasRoom(estimate) && behind >= bitsPerSecond,
    };
  }

  /** Streams of video that go the same way as this flow, its own among them. */
  videosBeside({ connection, flow }: EgressLeg): AdmissionRow[] {
    const heard = this.#flows.get(connection)?.get(flow)?.server.heard.values() ?? [];
    return [...heard].filter(({ video }) => video !== undefined);
  }

  /** To the peer on this flow and back, ms, as far as it is known. */
  roundTrip({ connection, flow }: EgressLeg): number | undefined {
    const { estimate } = this.#flows.get(connection)?.get(flow)?.server.leg ?? {};
    return estimate?.roundTrip ?? this.#options.connection(connection)?.roundTrip;
  }

  /** As in {@link MediaLeg.isAnswered}. */
  isAnswered({ connection, flow }: EgressLeg, ssrc: number, key: UnitWriter["keyLeft"]): boolean {
    const server = this.#flows.get(connection)?.get(flow)?.server;
    return server?.leg.isAnswered(ssrc, key, this.#options.clock.now()) ?? false;
  }

  /** Asks the speaker of a row for a key frame. */
  askKeyFrame({ connection, flow, ssrc }: AdmissionRow): void {
    this.#flows.get(connection)?.get(flow)?.server.leg.askKeyFrame(ssrc, this.#options.clock.now());
  }

  /** A media datagram came on this flow, whatever became of it, and named its place. */
  arrived(connection: ConnectionId, { row, view, sequence }: Verdict, bytes: number, now: number): void {
    if (row === undefined || sequence < 0 || view.ssrc !== row.ssrc) return;
    const place = this.#flows.get(connection)?.get(row.flow);
    if (place === undefined) return;
    const { leg } = place.server;
    leg.arrived(row.ssrc, sequence, bytes, now, view.captureMs);
    const due = leg.nextTimeout();
    if (due !== undefined && due <= now) leg.tick(now);
    this.#activate(place.server);
  }

  /** RTCP that came on a flow: about what goes out on it. False where the peer's frames are to come: judge it as one. */
  takeFeedback(connection: ConnectionId, flow: number, rtcp: Uint8Array, now: number): boolean {
    const place = this.#flows.get(connection)?.get(flow);
    if (place?.role === "speaker") return false;
    const paced = this.#paces.sessionOf(connection, flow) ?? "";
    const server = place?.server ?? this.#legs.get(connection)?.get(paced);
    if (server === undefined) this.#strays += 1;
    else this.#takeFeedback(server, rtcp, now);
    return true;
  }

  #takeFeedback(server: ServerLeg, rtcp: Uint8Array, now: number): void {
    const { leg } = server;
    const taken = leg.takeFeedback(rtcp, now);
    if (taken?.ok !== true || taken.value.acknowledged === 0) return;
    const { roundTrip, queueDelay } = leg.estimate ?? {};
    if (roundTrip !== undefined && queueDelay !== undefined)
      this.#options.instruments.reported(roundTrip, queueDelay);
    this.#look(server, now);
  }

  /** What is held of a stream is not to leave any more. */
  discard({ egress }: AdmissionRow, reason: HopDrop): void {
    for (const { connection, flow } of egress) {
      const place = this.#flows.get(connection)?.get(flow);
      place?.server.leg.drop(({ tag }) => (tag as HeldTag).flow === flow, reason);
    }
  }

  /** Stops the timer. */
  close(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
  }

  #place(at: EgressLeg & { readonly role: FlowPlace["role"] }, row: AdmissionRow): void {
    const server = this.#leg(at.connection, row);
    const flows = this.#flows.get(at.connection) ?? new Map<number, FlowPlace>();
    this.#flows.set(at.connection, flows);
    const { ssrc, deadlineMs } = row;
    const kind = deadlineMs === undefined ? "audio" : "data";
    flows.set(at.flow, { server, role: at.role, ssrc, kind, deadlineMs });
    if (at.role === "speaker") server.spoken.set(at.flow, row);
    else server.heard.set(at.flow, row);
    this.#bound(server);
  }

  /** A leg that nothing goes out on, before its first stream or while that moves, keeps its bounds. */
  #bound({ leg, heard, connection, sessionId }: ServerLeg): void {
    const rows = [...heard.values(), ...this.#paces.rows(connection, sessionId)];
    if (rows.length > 0) leg.useStreams(bitsOf(rows));
  }

  #unplace({ connection, flow }: EgressLeg): void {
    const flows = this.#flows.get(connection);
    const place = flows?.get(flow);
    if (flows === undefined || place === undefined) return;
    flows.delete(flow);
    if (flows.size === 0) this.#flows.delete(connection);
    const { server } = place;
    server.leg.drop(({ tag }) => (tag as HeldTag).flow === flow, "session-state");
    server.leg.forget(place.ssrc);
    server.spoken.delete(flow);
    server.heard.delete(flow);
    this.#bound(server);
    if (server.spoken.size + server.heard.size > 0) return;
    this.#close(server);
    const legs = this.#legs.get(connection);
    legs?.delete(server.sessionId);
    if (legs?.size === 0) this.#legs.delete(connection);
  }

  #leg(connection: ConnectionId, row: AdmissionRow): ServerLeg {
    const legs = this.#legs.get(connection) ?? new Map<string, ServerLeg>();
    this.#legs.set(connection, legs);
    const present = legs.get(row.sessionId);
    if (present !== undefined) return present;
    const start = this.#options.clock.now();
    const server: ServerLeg = {
      sessionId: row.sessionId,
      connection,
      spoken: new Map(),
      heard: new Map(),
      quality: new LegQuality(start),
      streamFlow: undefined,
      offered: 0,
      isActive: false,
      isClosed: false,
      leg: new MediaLeg({
        ssrc: SERVER_SSRC,
        start,
        bitrate: legBitrate(bitsOf([row])),
        transmit: ({ bytes }) => this.#transmit(connection, bytes),
        report: (rtcp) => this.#report(server, rtcp),
        settled: ({ tag }, fate) => (tag as HeldTag).account(server.isClosed ? "closed" : fate),
        behind: () => this.#behind(server),
        keyFrameWanted: (ssrc) => {
          for (const row of server.heard.values())
            if (row.ssrc === ssrc && row.video !== undefined) this.#options.keyFrameWanted(row, connection);
        },
        counters: this.#counters,
      }),
    };
    legs.set(row.sessionId, server);
    this.#paces.legOpened(connection, row.sessionId, server.leg);
    return server;
  }

  #close(server: ServerLeg): void {
    server.isClosed = true;
    server.isActive = false;
    this.#paces.legClosed(server.connection, server.sessionId);
    server.leg.drop(() => true, "session-state");
    this.#active.delete(server);
  }

  /** The least that is known of the hops that lead on from here, and of those behind them. How much one takes that little of a picture was tried on is not known. */
  #behind({ spoken }: ServerLeg): number | undefined {
    const hasPictures = [...spoken.values()].some(({ video }) => video !== undefined);
    let least: number | undefined;
    for (const { egress } of spoken.values())
      for (const { connection, flow } of egress) {
        const estimate = this.#flows.get(connection)?.get(flow)?.server.leg.estimate;
        if (estimate === undefined) continue;
        const { bitsPerSecond, behind = Number.POSITIVE_INFINITY } = estimate;
        const isUnknown = hasPictures && isLittleTried(estimate);
        const known = hasPictures ? stillTakes(estimate) : bitsPerSecond;
        const takes = Math.min(behind, isUnknown ? Number.POSITIVE_INFINITY : known);
        if (takes !== Number.POSITIVE_INFINITY) least = Math.min(least ?? takes, takes);
      }
    return least;
  }

  #report({ connection, spoken, streamFlow }: ServerLeg, rtcp: Uint8Array): void {
    for (const flow of [...spoken.keys(), ...(streamFlow === undefined ? [] : [streamFlow])]) {
      const size = varintSize(flow);
      const bytes = new Uint8Array(size + rtcp.length);
      writeVarint(bytes, 0, flow);
      bytes.set(rtcp, size);
      this.#transmit(connection, bytes);
      return;
    }
  }

  #transmit(connection: ConnectionId, bytes: Uint8Array): DatagramFate {
    return this.#options.connection(connection)?.sendDatagram(bytes) ?? "closed";
  }

  #look(server: ServerLeg, now: number): void {
    const { leg, quality, offered, sessionId, connection } = server;
    if (!quality.isDue(now)) return;
    const { stale, "queue-full": full } = leg.drops;
    const { estimate, reportedAt } = leg;
    const change = quality.look(
      { offered, late: stale + full, lossShare: estimate?.lossShare ?? 0, reportedAt },
      now,
    );
    if (change === undefined) return;
    const { trouble } = change;
    this.#options.onEvent({ kind: "leg-quality", sessionId, connection, trouble, estimate });
  }

  #activate(server: ServerLeg): void {
    if (server.isActive) return;
    server.isActive = true;
    this.#active.add(server);
    this.#arm();
  }

  #arm(): void {
    if (this.#cancelSweep !== undefined || this.#active.size === 0) return;
    const { clock } = this.#options;
    const arePiecesWaiting = [...this.#active].some(({ leg }) => leg.arePiecesWaiting);
    this.#cancelSweep = clock.at(clock.now() + (arePiecesWaiting ? PIECE_SWEEP_MS : SWEEP_MS), () => {
      this.#cancelSweep = undefined;
      this.#sweep(clock.now());
      this.#arm();
    });
  }

  #sweep(now: number): void {
    for (const server of this.#active) {
      const { leg } = server;
      const due = leg.nextTimeout();
      if (due === undefined) {
        server.isActive = false;
        this.#active.delete(server);
      } else if (due <= now) leg.tick(now);
    }
  }
}

/** Who reports, for a server: it is no source of the session's. */
const SERVER_SSRC = 0;
