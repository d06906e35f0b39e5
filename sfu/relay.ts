import type { FrameMac } from "../codecs/chain-key.ts";
import { FrameView, frameDigest, parseFrame } from "../codecs/frame.ts";
import { portableSha256, type Sha256 } from "../codecs/sha256.ts";
import type { Verifier } from "../codecs/signer.ts";
import { MAX_VARINT_BYTES, readVarint, varintLength, varintSize, writeVarint } from "../codecs/varint.ts";
import type { AdmissionMessage, AdmissionRow, ConnectionId, FlowCounters } from "../signaling/admission.ts";
import { AdmissionTable, type FlowEntry } from "./admission-table.ts";
import { MAX_DATAGRAM_BYTES } from "./carrier.ts";
import { type Carriage, FrameGate, type PictureReader } from "./frame-gate.ts";
import type { FrameTotals } from "./frame-totals.ts";
import { HeldFrames, HOLD_MS } from "./held-frames.ts";
import type { Egress, EgressFate, RelayEvent, Verdict } from "./relay-io.ts";
import { RelayNews } from "./relay-news.ts";
import { type StrayCounters, StrayFrames } from "./stray-frames.ts";

/**
 * Admits media frames and routes them (`design` 5), steered by admission messages alone. Does no I/O and reads no clock:
 * `now` is monotonic milliseconds; `wall` and `date` are milliseconds since the Unix epoch, `wall` from a clock that never
 * steps, which capture times are held against, and `date` the time of day, which keys and terms expire by. After each packet, send what `egress` gives
 * and `account` for it; then call `poll` until it has nothing more and again at `nextTimeout`.
 *
 * A listener admits what it receives by the same rules: a `Relay` of its own, with rows that have no egress legs.
 */
export class Relay {
  readonly #table = new AdmissionTable();
  readonly #gate: FrameGate;
  readonly #compares: boolean;
  readonly #sha256: Sha256;
  readonly #strays = new StrayFrames();
  readonly #held = new HeldFrames();
  readonly #news = new RelayNews();
  readonly #view = new FrameView();
  readonly #verdict: { -readonly [K in keyof Verdict]: Verdict[K] };
  readonly #egress: { -readonly [K in keyof Egress]: Egress[K] };
  /** The packet stands at `MAX_VARINT_BYTES`, so that any flow identifier fits right before it. */
  readonly #output = new Uint8Array(MAX_VARINT_BYTES + MAX_DATAGRAM_BYTES);
  #outputLength = 0;
  /** The view on it that was given out last: a voice's frames have one length for long. */
  #datagram: Uint8Array = EMPTY;
  #admitted: FlowEntry | undefined;
  #bytes: Uint8Array = EMPTY;

  /**
   * `mac`: of a listener; its rows have `tagKeys`. Without one, frames of profile `chain` are compared with their checkpoints.
   * `sha256`: default, one in JavaScript. `readPicture`: of a relay that holds pictures against their bounds.
   */
  constructor(options: {
    readonly verifier: Verifier;
    readonly mac?: FrameMac;
    readonly sha256?: Sha256;
    readonly readPicture?: PictureReader;
  }) {
    this.#gate = new FrameGate(options.verifier, options.mac, options.readPicture);
    this.#compares = options.mac === undefined;
    this.#sha256 = options.sha256 ?? portableSha256;
    this.#verdict = {
      outcome: "malformed",
      row: undefined,
      sequence: -1,
      packetOffset: 0,
      egressCount: 0,
      view: this.#view,
    };
    this.#egress = { connection: 0, flow: 0, bytes: EMPTY, carriage: "datagram" };
  }

  /**
   * Applies one message. `install` of a leg's stream that is already here moves it to the new connection and flow, its
   * window and counters going on. `ended` is final. Messages for what is not here, and terms older than those in force,
   * change nothing.
   */
  apply(message: AdmissionMessage, now: number): void {
    if (message.kind === "remove") {
      const session = this.#table.session(message.sessionId);
      if (session !== undefined) this.#news.forget(session);
      this.#held.forget(({ entry }) => entry.session === session);
    } else if (message.kind === "lift") {
      const lifted = this.#table.stream(message);
      this.#held.forget(({ entry }) => entry === lifted);
    } else if (message.kind === "move") {
      const entry = this.#table.stream(message.row);
      if (entry !== undefined) this.#held.move(entry, message.row.connection);
    }
    if (message.kind === "checkpoint") this.#compare(message);
    else this.#table.apply(message, now);
  }

  /** Judges one datagram: flow identifier, then packet. The bytes must stay as they are while `egress` is used. */
  admit(connection: ConnectionId, datagram: Uint8Array, now: number, wall: number, date = wall): Verdict {
    const flow = readVarint(datagram, 0);
    if (Number.isNaN(flow)) return this.#refuseStray(connection, "malformed", 0);
    return this.#admit(
      connection,
      flow,
      datagram,
      varintLength(datagram[0] ?? 0),
      "datagram",
      now,
      wall,
      date,
    );
  }

  /** Judges one item of a stream that carries `flow`: a packet without flow identifier, of any size a frame may have. */
  admitItem(
    connection: ConnectionId,
    flow: number,
    packet: Uint8Array,
    now: number,
    wall: number,
    date = wall,
  ): Verdict {
    return this.#admit(connection, flow, packet, 0, "stream", now, wall, date);
  }

  /**
   * Judges the next frame that waited for its media epoch, once that has come or the wait was too long; `undefined` when
   * there is none. Ask until then after each `apply` and at `nextTimeout`. `bytes` are those that `verdict` is about.
   */
  release(
    now: number,
    wall: number,
    date = wall,
  ): { readonly verdict: Verdict; readonly bytes: Uint8Array } | undefined {
    const held = this.#held.take(now);
    if (held === undefined) return undefined;
    const { entry, connection, bytes, offset, carriage } = held;
    parseFrame(bytes, offset, this.#view);
    const verdict = this.#judge(entry, connection, bytes, offset, carriage, "judge", now, wall, date);
    return { verdict, bytes };
  }

  /** The frame just admitted, as it goes out to leg `index` of `verdict.egressCount`. Datagrams are copied once, not per leg. */
  egress(index: number): Egress {
    const out = this.#egress;
    const leg = this.#admitted?.row.egress[index];
    if (leg === undefined) throw new RangeError("no such egress leg");
    out.connection = leg.connection;
    out.flow = leg.flow;
    if (out.carriage === "stream") {
      out.bytes = this.#bytes;
      return out;
    }
    if (this.#outputLength === 0) {
      this.#output.set(this.#bytes.subarray(this.#verdict.packetOffset), MAX_VARINT_BYTES);
      this.#outputLength = this.#bytes.length - this.#verdict.packetOffset;
    }
    const start = MAX_VARINT_BYTES - varintSize(leg.flow);
    writeVarint(this.#output, start, leg.flow);
    const end = MAX_VARINT_BYTES + this.#outputLength;
    const before = this.#datagram;
    if (before.byteOffset !== start || before.length !== end - start)
      this.#datagram = this.#output.subarray(start, end);
    out.bytes = this.#datagram;
    return out;
  }

  /** The frame just admitted, without a flow identifier: a view on what was handed in. Empty where none was. */
  get admittedPacket(): Uint8Array {
    return this.#bytes.subarray(this.#verdict.packetOffset);
  }

  /** The 16 bytes by which checkpoints name the frame just admitted, new. */
  digest(): Uint8Array {
    return frameDigest(this.#gate.signed, this.#sha256);
  }

  /** Counts what the carrier did with the last `egress`. */
  account(fate: EgressFate): void {
    this.#admitted?.tally.left(fate);
  }

  /** For an `egress` that waits in a queue: call what this returns, once, with what became of it. */
  accountLater(): (fate: EgressFate) => void {
    const tally = this.#admitted?.tally;
    return (fate) => tally?.left(fate);
  }

  /** The row in force on a flow. */
  row(connection: ConnectionId, flow: number): AdmissionRow | undefined {
    return this.#table.find(connection, flow)?.row;
  }

  /** The row in force of a leg's stream, whichever flow carries it. */
  rowOf(place: Pick<AdmissionRow, "sessionId" | "leg" | "stream">): AdmissionRow | undefined {
    return this.#table.stream(place)?.row;
  }

  /** Of a session that is here. */
  stateOf(sessionId: string): "active" | "held" | "ended" | undefined {
    return this.#table.session(sessionId)?.state;
  }

  /** The rows of a session, lost connections' included; empty for a session that is not here. */
  rows(sessionId: string): AdmissionRow[] {
    return [...(this.#table.session(sessionId)?.flows.values() ?? [])].map((entry) => entry.row);
  }

  /** The next event, or `undefined`. Reports are held back to ten a second for each session, merging meanwhile. */
  poll(now: number): RelayEvent | undefined {
    return this.#news.poll(now);
  }

  /** When `poll` or `release` has something next, possibly in the past; `undefined` while there is nothing to wait for. */
  nextTimeout(): number | undefined {
    const held = this.#held.nextTimeout();
    const news = this.#news.nextTimeout();
    return held === undefined || (news !== undefined && news < held) ? news : held;
  }

  /** Counters of each of a session's streams, whichever connections carried them; empty for a session that is not here. */
  counters(sessionId: string): FlowCounters[] {
    const session = this.#table.session(sessionId);
    return session === undefined ? [] : [...session.flows.values()].map((entry) => entry.tally.snapshot());
  }

  /** Packets of a connection that belong to none of its flows; without argument, of all connections ever. */
  strays(connection?: ConnectionId): StrayCounters {
    return connection === undefined ? this.#strays.total() : this.#strays.of(connection);
  }

  /** Counts of all flows that ever were: counted on, do not keep it. */
  totals(): Readonly<FrameTotals> {
    return this.#table.totals;
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const [held, strays] = [this.#held.size, this.#strays.size];
    return { ...this.#table.sizes(), ...this.#news.sizes(), held, strays };
  }

  /** Tells that a connection is gone: its flows lead nowhere until they are installed on another one. */
  forget(connection: ConnectionId): void {
    this.#held.forget((frame) => frame.connection === connection);
    this.#table.forget(connection);
    this.#strays.forget(connection);
  }

  #admit(
    connection: ConnectionId,
    flow: number,
    bytes: Uint8Array,
    offset: number,
    carriage: Carriage,
    now: number,
    wall: number,
    date: number,
  ): Verdict {
    const entry = this.#table.find(connection, flow);
    const fault = parseFrame(bytes, offset, this.#view);
    if (entry === undefined) {
      return this.#refuseStray(connection, fault === undefined ? "unknown-flow" : "malformed", offset);
    }
    entry.tally.received();
    return this.#judge(
      entry,
      connection,
      bytes,
      offset,
      carriage,
      fault === undefined ? "judge-or-hold" : "malformed",
      now,
      wall,
      date,
    );
  }

  #hold(entry: FlowEntry, offset: number): Verdict {
    this.#nothingAdmitted();
    this.#verdict.outcome = "held";
    this.#verdict.row = entry.row;
    this.#verdict.sequence = this.#view.sequence;
    this.#verdict.packetOffset = offset;
    return this.#verdict;
  }

  #judge(
    entry: FlowEntry,
    connection: ConnectionId,
    bytes: Uint8Array,
    offset: number,
    carriage: Carriage,
    how: "judge" | "judge-or-hold" | "malformed",
    now: number,
    wall: number,
    date: number,
  ): Verdict {
    const isMalformed = how === "malformed";
    const refusal = isMalformed
      ? "malformed"
      : this.#gate.judge(entry, bytes, this.#view, carriage, now, wall, date);
    const mayWait = how === "judge-or-hold" && entry.row.reliable !== true;
    if (refusal === "epoch" && mayWait && this.#view.epoch > entry.epoch) {
      const frame = { entry, connection, bytes: bytes.slice(), offset, carriage, epoch: this.#view.epoch };
      if (this.#held.add({ ...frame, until: now + HOLD_MS })) return this.#hold(entry, offset);
    }
    const verdict = this.#verdict;
    verdict.outcome = refusal ?? "admitted";
    verdict.row = entry.row;
    verdict.sequence = isMalformed ? -1 : this.#view.sequence;
    verdict.packetOffset = offset;
    this.#outputLength = 0;
    if (refusal === undefined) {
      entry.tally.admitted(this.#view.sequence, bytes.length - offset);
      verdict.egressCount = entry.row.held === true ? 0 : entry.row.egress.length;
      if (this.#compares && this.#view.profile === "chain") this.#note(entry, now);
      this.#egress.carriage = carriage;
      this.#admitted = entry;
      this.#bytes = bytes;
    } else {
      const sequence = isMalformed ? undefined : this.#view.sequence;
      this.#nothingAdmitted();
      const carrier = refusal === "signature" ? this.#table.connection(connection) : undefined;
      this.#news.refused(connection, carrier, entry, refusal, sequence, now);
    }
    return verdict;
  }

  #note(entry: FlowEntry, now: number): void {
    const { sequence } = this.#view;
    const noted = entry.listed.note(sequence, this.digest(), now);
    if (noted === "contradicted") this.#news.contradicted(entry, [sequence]);
  }

  #compare(listing: Extract<AdmissionMessage, { kind: "checkpoint" }>): void {
    const entry = this.#table.stream(listing);
    if (entry === undefined || !this.#compares) return;
    const { contradicted } = entry.listed.settle(listing, listing.hasGap ? "gap" : "nothing");
    if (contradicted.length > 0) this.#news.contradicted(entry, contradicted);
  }

  #refuseStray(connection: ConnectionId, reason: "malformed" | "unknown-flow", offset: number): Verdict {
    this.#nothingAdmitted();
    this.#strays.add(connection, reason);
    this.#verdict.outcome = reason;
    this.#verdict.row = undefined;
    this.#verdict.sequence = reason === "unknown-flow" ? this.#view.sequence : -1;
    this.#verdict.packetOffset = offset;
    return this.#verdict;
  }

  #nothingAdmitted(): void {
    this.#admitted = undefined;
    this.#bytes = EMPTY;
    this.#verdict.egressCount = 0;
  }
}

const EMPTY = new Uint8Array(0);
