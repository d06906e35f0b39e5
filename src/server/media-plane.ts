import type { Clock } from "../../codecs/clock.ts";
import { isRtcp } from "../../codecs/rtcp.ts";
import type { Sha256 } from "../../codecs/sha256.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { ArrivedPiece } from "../../codecs/unit-stream.ts";
import { readVarint, varintLength } from "../../codecs/varint.ts";
import { readPayloadFacts } from "../../codecs/video-payload.ts";
import type { Connection } from "../../sfu/carrier.ts";
import type { FrameTotals } from "../../sfu/frame-totals.ts";
import { Relay } from "../../sfu/relay.ts";
import type { Egress, RelayEvent, Verdict } from "../../sfu/relay-io.ts";
import type { StrayCounters } from "../../sfu/stray-frames.ts";
import type { UnitInlet } from "../../sfu/unit-reader.ts";
import type {
  AdmissionMessage,
  AdmissionRow,
  ConnectionId,
  EgressLeg,
  FlowCounters,
} from "../../signaling/admission.ts";
import type { SwitchboardOutput } from "../../signaling/switchboard/io.ts";
import { type Instruments, timed } from "./instruments.ts";
import { KeptFrames } from "./kept-frames.ts";
import { ListenerRoom } from "./listener-room.ts";
import { type LegsOverview, MediaLegs } from "./media-legs.ts";
import type { OutgoingItems, TakenBack } from "./outgoing-items.ts";
import type { ServerTime } from "./server-time.ts";
import { UnitFlows } from "./unit-flows.ts";
import { UnitReading, type UnitReadingCounts } from "./unit-reading.ts";

/** A checkpoint, receipt or interrupt that goes to whoever it is for. */
export type Statement = Omit<Extract<SwitchboardOutput, { kind: "item" }>, "kind">;

/** Where the media plane finds the connections its egress names. */
export interface Egresses {
  connection(id: ConnectionId): Connection | undefined;
  items(id: ConnectionId): OutgoingItems | undefined;
}

/** Drives the relay: every datagram in, its copies out, its timers and its events. Steered only by admission messages. */
export class MediaPlane {
  readonly #relay: Relay;
  readonly #clock: Clock;
  readonly #time: ServerTime;
  readonly #egresses: Egresses;
  readonly #onEvent: (event: RelayEvent) => void;
  readonly #instruments: Instruments;
  /** Flows on whose streams media frames come; all other flows' items are the switchboard's. */
  readonly #mediaFlows = new Map<ConnectionId, Set<number>>();
  readonly #kept = new KeptFrames();
  readonly #legs: MediaLegs;
  readonly #units: UnitFlows;
  readonly #unitReading: UnitReading;
  readonly #room: ListenerRoom;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(options: {
    readonly verifier: Verifier;
    /** For the digests of frames. */
    readonly sha256: Sha256;
    readonly clock: Clock;
    readonly time: ServerTime;
    readonly egresses: Egresses;
    readonly onEvent: (event: RelayEvent) => void;
    readonly instruments: Instruments;
  }) {
    this.#instruments = options.instruments;
    const { clock, instruments, onEvent } = options;
    const connection = (id: ConnectionId) => options.egresses.connection(id);
    const keyFrameWanted = (row: AdmissionRow, listener: ConnectionId) =>
      this.#units.keyFrameWanted(this.#relay.rowOf(row) ?? row, listener);
    this.#legs = new MediaLegs({ clock, connection, instruments, onEvent, keyFrameWanted });
    this.#unitReading = new UnitReading({
      clock,
      taken: (id, flow, packet) => this.#unit(id, flow, packet),
      arrived: (id, flow, piece) => this.#legs.pieceArrived(id, flow, piece, clock.now(), true),
      close: (id, code, reason) => onEvent({ kind: "close-connection", connection: id, code, reason }),
    });
    this.#units = new UnitFlows({ clock, legs: this.#legs, items: (id) => options.egresses.items(id) });
    this.#relay = new Relay({
      verifier: timed(options.verifier, options.clock, options.instruments),
      sha256: options.sha256,
      readPicture: readPayloadFacts,
    });
    this.#room = new ListenerRoom({
      clock,
      relay: this.#relay,
      items: (id) => options.egresses.items(id),
    });
    this.#clock = options.clock;
    this.#time = options.time;
    this.#egresses = options.egresses;
    this.#onEvent = options.onEvent;
  }

  apply(message: AdmissionMessage): void {
    if (message.kind === "install") {
      this.#note(message.row);
      this.#legs.lay(message.row);
    } else if (message.kind === "move") this.#leave(message.row);
    else if (message.kind === "hold") this.#hold(message);
    else if (message.kind === "lift") this.#lift(message);
    else if (changesWhatMayLeave(message)) {
      this.#recheckQueued(message);
      if (message.kind === "remove") this.#finishFlows(message.sessionId);
    }
    this.#relay.apply(message, this.#clock.now());
    if (message.kind === "move") {
      this.#note(message.row);
      this.#legs.lay(message.row);
      if (message.resend !== undefined) this.#resend(message.row, message.resend);
    }
    this.#room.take(message);
    this.#releaseHeld();
    this.#schedule();
  }

  /** Writes a statement of the other end, which goes no faster than what is live beside it bears, unless it is urgent. */
  state({ connection, flow, sessionId, bytes, isUrgent = false }: Statement): void {
    const items = this.#egresses.items(connection);
    if (items === undefined) return;
    items.pace(flow, (write) => this.#legs.pace({ connection, flow, sessionId }, write));
    if (isUrgent) items.hurry(flow);
    items.send(flow, bytes);
  }

  /** A stream begins of which the flow is not known yet, `stop` ends the reading of it: what is to be called when it is, as in `UnitReader.await`. */
  await(connection: ConnectionId, stop: () => void): () => boolean {
    return this.#unitReading.await(connection, stop);
  }

  /** Where a stream of video units is read; `undefined` where the flow carries something else. */
  unit(connection: ConnectionId, flow: number, stop: () => void): UnitInlet | undefined {
    if (this.#relay.row(connection, flow)?.video === undefined) return undefined;
    return this.#unitReading.begin(connection, flow, stop);
  }

  /** A piece of a long stream came: of a reliable one the speaker is told. */
  piece(connection: ConnectionId, flow: number, piece: ArrivedPiece, isTimed: boolean): void {
    const row = this.#relay.row(connection, flow);
    if (row?.reliable === true) this.#legs.itemPieceArrived(row, piece, this.#clock.now(), isTimed);
  }

  /** What became of streams of units, and how many are open. */
  unitCounts(): UnitReadingCounts & { readonly pending: number; readonly keyFramesAsked: number } {
    const { pending, keyFramesAsked } = this.#units;
    return { ...this.#unitReading.counts, pending, keyFramesAsked };
  }

  /** Whether a stream of this flow carries media frames. */
  carriesMedia(connection: ConnectionId, flow: number): boolean {
    return this.#mediaFlows.get(connection)?.has(flow) ?? false;
  }

  counters(sessionId: string): FlowCounters[] {
    return this.#relay.counters(sessionId);
  }

  /** Packets of the connection that no flow could be charged with; without argument, of all connections ever. */
  strays(connection?: ConnectionId): StrayCounters {
    return this.#relay.strays(connection);
  }

  /** Counts of all flows that ever were. */
  totals(): Readonly<FrameTotals> {
    return this.#relay.totals();
  }

  /** How all legs stand. */
  legs(): LegsOverview {
    return this.#legs.overview();
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return {
      ...this.#relay.sizes(),
      ...this.#legs.sizes(),
      ...this.#units.sizes(),
      ...this.#unitReading.sizes(),
      mediaFlows: this.#mediaFlows.size,
      unread: this.#room.size,
      kept: this.#kept.size,
    };
  }

  /** The connection is closed: its rows go, the sessions' counters stay. */
  forget(connection: ConnectionId): void {
    this.#relay.forget(connection);
    this.#units.forget(connection);
    this.#unitReading.forget(connection);
    this.#legs.forget(connection);
    this.#mediaFlows.delete(connection);
  }

  /** One datagram: media is judged, and handed to every egress as soon as that takes it; feedback is for the hop it is about. */
  datagram(connection: ConnectionId, bytes: Uint8Array): void {
    const now = this.#clock.now();
    const offset = varintLength(bytes[0] ?? 0);
    const isTaken =
      isRtcp(bytes, offset) &&
      this.#legs.takeFeedback(connection, readVarint(bytes, 0), bytes.subarray(offset), now);
    if (isTaken) return;
    const verdict = this.#relay.admit(
      connection,
      bytes,
      now,
      this.#time.mediaAt(now),
      this.#time.wallAt(now),
    );
    this.#legs.arrived(connection, verdict, bytes.length, now);
    this.#forward(verdict, now);
    if (verdict.egressCount > 0) this.#instruments.relayed(this.#clock.now() - now);
    if (verdict.outcome !== "admitted") this.#schedule();
  }

  /**
   * One media frame that came on a stream; leaves on streams. On a reliable one it returns a promise while a listener takes less
   * than comes, or is not there yet: the stream is not to be read on until that resolves. Throws `data-stalled` when a listener takes no
   * more at all.
   */
  item(connection: ConnectionId, flow: number, bytes: Uint8Array): Promise<void> | undefined {
    const wait = this.#room.before(connection, flow);
    if (wait !== undefined) {
      const kept = bytes.slice();
      const row = this.#relay.row(connection, flow);
      return this.#after(wait, row).then(() => this.item(connection, flow, kept));
    }
    const now = this.#clock.now();
    const [captured, date] = [this.#time.mediaAt(now), this.#time.wallAt(now)];
    const verdict = this.#relay.admitItem(connection, flow, bytes, now, captured, date);
    this.#forward(verdict, now);
    if (verdict.outcome !== "admitted") this.#schedule();
    const { row } = verdict;
    const room = row?.reliable === true ? this.#room.after(row) : undefined;
    return room && this.#after(room, row);
  }

  /** Stops the timers. */
  close(): void {
    this.#legs.close();
    this.#units.close();
    this.#unitReading.close();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The stream is not read on until `wait` is over. */
  async #after(wait: Promise<void>, row: AdmissionRow | undefined): Promise<void> {
    const since = this.#clock.now();
    await wait;
    if (row === undefined) return;
    const { sessionId, leg, stream } = row;
    this.#relay.apply({ kind: "stood-still", sessionId, leg, stream, since }, this.#clock.now());
  }

  #note({ connection, flow }: AdmissionRow): void {
    const flows = this.#mediaFlows.get(connection) ?? new Set();
    this.#mediaFlows.set(connection, flows.add(flow));
  }

  /** What the stream leaves behind as it moves: flows that are not used again. */
  #leave(next: AdmissionRow): void {
    const row = this.#relay.rowOf(next);
    if (row === undefined) return;
    this.#forgetFlow(row);
    this.#units.leave(row, next);
    for (const { connection, flow } of row.egress) {
      const stays = next.egress.some((leg) => leg.connection === connection && leg.flow === flow);
      if (!stays) this.#egresses.items(connection)?.finish(flow);
    }
  }

  #forgetFlow({ connection, flow }: AdmissionRow): void {
    const flows = this.#mediaFlows.get(connection);
    flows?.delete(flow);
    if (flows?.size === 0) this.#mediaFlows.delete(connection);
  }

  /** A unit that came whole: judged, and handed to the writers of its listeners. */
  #unit(connection: ConnectionId, flow: number, packet: Uint8Array): void {
    const now = this.#clock.now();
    const [captured, date] = [this.#time.mediaAt(now), this.#time.wallAt(now)];
    const verdict = this.#relay.admitItem(connection, flow, packet, now, captured, date);
    this.#forward(verdict, now);
    if (verdict.outcome !== "admitted") this.#schedule();
  }

  /** Every copy of the frame just admitted: datagrams leave as soon as their hop takes them, stream items wait for their turn. */
  #forward(verdict: Verdict, now: number): void {
    if (verdict.row?.video !== undefined) {
      this.#forwardUnit(verdict.row, verdict);
      return;
    }
    if (verdict.outcome === "admitted" && verdict.egressCount === 0)
      this.#relay.account(verdict.row?.held === true ? "held" : "detached");
    for (let index = 0; index < verdict.egressCount; index += 1) {
      const egress = this.#relay.egress(index);
      if (egress.carriage === "stream") {
        const { row } = verdict;
        if (row?.reliable === true) {
          this.#kept.add(row, verdict.sequence, egress.bytes);
          this.#pace(egress, row);
        }
        this.#enqueue(egress, row?.reliable === true);
        continue;
      }
      const { row, view } = verdict;
      const age = this.#time.mediaAt(now) - (view.captureMs + (row?.clockOffset ?? 0));
      const fate = this.#legs.send(egress, verdict, now, now - age, this.#relay);
      if (fate !== "held") this.#relay.account(fate);
    }
  }

  #forwardUnit(row: AdmissionRow, { outcome, sequence, view }: Verdict): void {
    if (outcome === "admitted")
      this.#units.forward(row, view, this.#relay.admittedPacket, () => this.#relay.accountLater());
    else if (outcome !== "held" && sequence >= 0) this.#units.passOver(row, view);
  }

  /** A listener is back and lacks what was on its way to it: that goes first, as it was admitted. */
  #resend(row: AdmissionRow, sequence: number): void {
    const packets = this.#kept.from(row, sequence);
    if (packets.length === 0) return;
    for (const leg of row.egress) {
      this.#pace(leg, row);
      this.#egresses.items(leg.connection)?.sendAgain(leg.flow, packets);
    }
  }

  /** What is reliable goes no faster than what is live beside it bears. */
  #pace({ connection, flow }: EgressLeg, row: AdmissionRow): void {
    const items = this.#egresses.items(connection);
    if (items === undefined || items.isBroken(flow)) return;
    const { sessionId } = row;
    items.pace(flow, (write) => this.#legs.pace({ connection, flow, sessionId, row }, write));
  }

  /** Frames whose media epoch has come go on; those that waited too long are refused. */
  #releaseHeld(): void {
    const now = this.#clock.now();
    const [captured, date] = [this.#time.mediaAt(now), this.#time.wallAt(now)];
    for (;;) {
      const released = this.#relay.release(now, captured, date);
      if (released === undefined) return;
      this.#forward(released.verdict, now);
    }
  }

  #enqueue({ connection, flow, bytes }: Egress, isReliable: boolean): void {
    const account = this.#relay.accountLater();
    const items = this.#egresses.items(connection);
    // What is reliable has no gaps: after a broken stream nothing follows on another one.
    if (items === undefined || (isReliable && items.isBroken(flow))) account("closed");
    else if (!items.send(flow, bytes, account)) account("congested");
  }

  /** Frames were admitted by the rules of their moment: those that still wait when the rules change do not leave. */
  #recheckQueued(message: RuleMessage): void {
    if (message.kind === "terms") {
      const row = this.#relay.row(message.connection, message.flow);
      const isNarrowed = row !== undefined && message.termsNumber >= row.termsNumber;
      if (isNarrowed && !message.transmitAllowed) {
        this.#discard(row, "scope");
        this.#kept.drop(row);
      }
    } else if (message.kind === "epoch") {
      const row = this.#relay.row(message.connection, message.flow);
      if (row !== undefined) this.#discard(row, "epoch");
    } else if (message.kind === "remove" || message.state !== "active") {
      const isHeld = message.kind === "state" && message.state === "held";
      for (const row of this.#relay.rows(message.sessionId)) {
        // What is reliable has no gaps: who holds a session does not take back what was said in it.
        if (!isHeld || row.reliable !== true) this.#discard(row, "session-state");
      }
    }
  }

  /** What is live and held by its listener does not leave, nor does what waits of it already. */
  #hold({ isHeld, ...place }: Extract<AdmissionMessage, { kind: "hold" }>): void {
    const row = this.#relay.rowOf(place);
    if (row === undefined || row.reliable === true) return;
    if (isHeld) this.#discard(row, "held");
    else if (row.video !== undefined) this.#units.keyFrameWanted({ ...row, held: false });
  }

  /** One stream is over: its flows are not used again. */
  #lift(place: Extract<AdmissionMessage, { kind: "lift" }>): void {
    const row = this.#relay.rowOf(place);
    if (row === undefined) return;
    this.#discard(row, "session-state");
    this.#kept.drop(row);
    this.#units.leave(row);
    this.#legs.lift(row);
    this.#finishFlow(row);
  }

  #finishFlow(row: AdmissionRow): void {
    this.#forgetFlow(row);
    for (const { connection, flow } of row.egress) this.#egresses.items(connection)?.finish(flow);
  }

  #discard(row: AdmissionRow, reason: TakenBack): void {
    this.#units.discard(row, reason);
    this.#legs.discard(row, reason);
    for (const { connection, flow } of row.egress) this.#egresses.items(connection)?.discard(flow, reason);
  }

  /** The session is over for good: none of its flows is used again. */
  #finishFlows(sessionId: string): void {
    this.#kept.forget(sessionId);
    for (const row of this.#relay.rows(sessionId)) this.#units.leave(row);
    this.#legs.remove(sessionId);
    for (const row of this.#relay.rows(sessionId)) this.#finishFlow(row);
  }

  #schedule(): void {
    const at = this.#relay.nextTimeout();
    if (at === undefined || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.at(at, () => {
      this.#timer = undefined;
      this.#releaseHeld();
      const now = this.#clock.now();
      for (let event = this.#relay.poll(now); event !== undefined; event = this.#relay.poll(now))
        this.#onEvent(event);
      this.#schedule();
    });
    this.#timer = { at, cancel };
  }
}

/** What may take back the right to leave of frames that wait. */
type RuleMessage = Extract<AdmissionMessage, { kind: "terms" | "epoch" | "state" | "remove" }>;

function changesWhatMayLeave(message: AdmissionMessage): message is RuleMessage {
  const { kind } = message;
  return kind === "terms" || kind === "epoch" || kind === "state" || kind === "remove";
}
