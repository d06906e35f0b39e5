import type { Clock } from "../codecs/clock.ts";
import { FrameView, parseFrame } from "../codecs/frame.ts";
import { isRtcp } from "../codecs/rtcp.ts";
import { encodeStreamItems } from "../codecs/stream-items.ts";
import type { ArrivedPiece } from "../codecs/unit-stream.ts";
import { varintLength, varintSize, writeVarint } from "../codecs/varint.ts";
import { ArrivalEstimator } from "../sfu/arrival-estimator.ts";
import type { DatagramFate } from "../sfu/carrier.ts";
import type { HopDrop, HopPacket } from "../sfu/congestion/hop-packet.ts";
import type { HopBitrate, HopEstimate } from "../sfu/congestion/media-hop.ts";
import type { SentFrame } from "../sfu/frame-sender.ts";
import { ItemPacer } from "../sfu/item-pacer.ts";
import {
  type FeedbackCounters,
  legBitrate,
  MAX_LIVE_WAIT_MS,
  MediaLeg,
  noFeedback,
} from "../sfu/media-leg.ts";
import { type UnitDrop, type UnitFate, UnitWriter } from "../sfu/unit-writer.ts";
import type { StreamLine } from "./stream-line.ts";

/** Least milliseconds between two looks at what is due. */
const LOOK_MS = 5;

/** How live media gets from this end to the server, and what the server said of the way. */
export interface HopStats {
  /** What is known of the way; undefined until the server reported, after each connection anew. */
  readonly estimate: HopEstimate | undefined;
  /** Frames that wait for their turn. */
  readonly waiting: number;
  /** Video units that wait or are on open streams. */
  readonly units: number;
  /** Frames that had to wait and did not leave, and units that did not leave whole, by reason. */
  readonly dropped: Readonly<Record<HopDrop | UnitDrop, number>>;
  /** Reports to and from the server. */
  readonly feedback: Readonly<FeedbackCounters>;
}

export interface CallHopOptions {
  readonly clock: Clock;
  /** Says in the reports who made them. */
  readonly ssrc: number;
  readonly bitrate: HopBitrate;
  /** A frame waited, and then no datagram took it: it goes on the stream. */
  readonly tooLarge: (line: StreamLine, packet: Uint8Array) => void;
}

/**
 * A call's hop to the server: its live frames leave no faster than the way takes them, what comes is reported to the server, and what the
 * server reports is told to whoever watches. Each connection is a new way of which nothing is known yet.
 */
export class CallHop {
  readonly #options: CallHopOptions;
  #bitrate: HopBitrate;
  readonly #counters = noFeedback();
  readonly #dropped: Record<HopDrop | UnitDrop, number> = noDrops();
  readonly #units = new Map<StreamLine, LineUnits>();
  readonly #watchers = new Set<(estimate: HopEstimate) => void>();
  readonly #view = new FrameView();
  /** What is made of how the other end's voice comes. */
  readonly arrivals = new ArrivalEstimator();
  /** Lines whose frames come here: reports go back on one of them. */
  readonly #heard: StreamLine[] = [];
  /** Lines on which something live leaves. */
  readonly #spoken = new Set<StreamLine>();
  readonly #items = new Map<StreamLine, LineItems>();
  /** Lines of reliable frames that come here: reports go back on one of them where there is no other. */
  readonly #itemsHeard = new Set<StreamLine>();
  #leg: MediaLeg | undefined;
  #limit: number | undefined;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(options: CallHopOptions) {
    this.#options = options;
    this.#bitrate = options.bitrate;
    this.attach();
  }

  get stats(): HopStats {
    return {
      estimate: this.#leg?.estimate,
      waiting: this.#leg?.held ?? 0,
      units: [...this.#units.values()].reduce((sum, { writer }) => sum + (writer?.pending ?? 0), 0),
      dropped: { ...this.#dropped },
      feedback: { ...this.#counters },
    };
  }

  /** Calls `watch` with each new estimate; the returned function ends that. */
  onEstimate(watch: (estimate: HopEstimate) => void): () => void {
    this.#watchers.add(watch);
    return () => void this.#watchers.delete(watch);
  }

  /** Takes what the server reports about the frames that leave on this line. */
  sends(line: StreamLine): void {
    this.#spoken.add(line);
    this.#listen(line);
  }

  #listen(line: StreamLine): void {
    line.listen("frames", { datagram: (bytes) => this.#feedback(bytes), item: () => {} });
  }

  /** Reports go back on this line; {@link arrived} tells what came on it. */
  hears(line: StreamLine): void {
    this.#heard.push(line);
  }

  /** Sends a frame on its line, now or when its turn comes: then, `later` is told whether it left. */
  send(
    line: StreamLine,
    ssrc: number,
    frame: SentFrame,
    later: (isSent: boolean) => void = () => {},
  ): DatagramFate | "held" {
    const leg = this.#leg;
    if (leg === undefined) return line.sendDatagram(frame.datagram);
    const now = this.#options.clock.now();
    const tag: HeldTag = { line, packet: frame.packet, later };
    const { datagram: bytes, sequence } = frame;
    const packet: HopPacket = { ssrc, sequence, bytes, kind: "audio", deadline: now + MAX_LIVE_WAIT_MS, tag };
    const fate = leg.trySend(packet, now);
    if (fate !== undefined) return fate;
    leg.hold(packet, now);
    this.#schedule();
    // Feedback on those before it is missing: the way is full, or dark.
    line.doubt();
    return "held";
  }

  /**
   * The same for a value that a newer one of its line may take the place of: kept until `deadline` (monotonic milliseconds), behind voices. Where there is no connection
   * it goes nowhere.
   */
  sendLatest(
    line: StreamLine,
    ssrc: number,
    frame: SentFrame,
    deadline: number,
    later: (isSent: boolean) => void,
  ): DatagramFate | "held" {
    const leg = this.#leg;
    if (leg === undefined) return "closed";
    const now = this.#options.clock.now();
    const tag: HeldTag = { line, packet: frame.packet, later };
    const { datagram: bytes, sequence } = frame;
    const packet: HopPacket = { ssrc, sequence, bytes, kind: "data", deadline, tag };
    const fate = leg.trySend(packet, now);
    if (fate !== undefined) return fate;
    leg.hold(packet, now);
    this.#schedule();
    return "held";
  }

  /** The units of a line leave through this hop, each on a stream of its own; `keyFrameWanted`: the server, or a listener, needs a key frame, which one that left may answer. */
  sendsUnits(line: StreamLine, ssrc: number, keyFrameWanted: (isAnswered: boolean) => void): void {
    this.sends(line);
    this.#units.set(line, { line, ssrc, keyFrameWanted, writer: undefined });
  }

  /** Sends a unit in its turn; `settled` is told whether it left whole. False: there is no connection, and it goes nowhere. */
  sendUnit(line: StreamLine, { packet, sequence }: SentFrame, settled: (isSent: boolean) => void): boolean {
    const writer = this.#writerOf(line);
    const view = this.#view;
    if (writer === undefined || parseFrame(packet, 0, view) !== undefined) return false;
    const { keyFrame: key, layer, needs } = view;
    const now = this.#options.clock.now();
    let isAdding = true;
    const told = (fate: UnitFate<HopDrop>) => {
      if (fate !== "sent" && fate !== "closed") this.#dropped[fate] += 1;
      // Whoever sends it is told after it knows that the unit is in hand.
      if (isAdding) queueMicrotask(() => settled(false));
      else settled(fate === "sent");
    };
    writer.add({ packet, sequence, key, layer, needs, settled: told }, now);
    isAdding = false;
    this.#wake();
    // Where nothing comes out of the way any more nothing is reported either.
    const { estimate } = this.#leg ?? {};
    if (estimate !== undefined && estimate.standing > 0) this.#tell(estimate);
    return true;
  }

  /** The frames of this line, which are reliable, leave through this hop in pieces of its one long stream. */
  sendsItems(line: StreamLine, ssrc: number): void {
    this.#listen(line);
    this.#items.set(line, { line, ssrc, pacer: undefined });
  }

  /**
   * Sends a frame on its line's stream after those before it, as turns come: resolves true once the carrier took it, false when it cannot. A call with nothing
   * live has no turns: there it goes at once.
   */
  async sendItem(line: StreamLine, packet: Uint8Array): Promise<boolean> {
    const pacer = this.#pacerOf(line);
    if (pacer === undefined) return await line.writeFrame(packet);
    const fate = pacer.add(encodeStreamItems([packet]), this.#options.clock.now(), this.#isLive);
    this.#wake();
    return (await fate) === "sent";
  }

  /** What waits on this line leaves at once, and nothing after it. */
  finishItems(line: StreamLine): void {
    const items = this.#items.get(line);
    this.#items.delete(line);
    items?.pacer?.flush();
    if (items?.pacer !== undefined) this.#leg?.removeItems(items.pacer, this.#options.clock.now());
  }

  /** What waits on this line goes nowhere, nor does anything after it on this connection. */
  dropItems(line: StreamLine): void {
    this.#items.get(line)?.pacer?.drop();
  }

  /** Reliable frames of a source come on this line: what is to be told of each piece of its stream. */
  hearsItems(line: StreamLine, ssrc: number): (piece: ArrivedPiece, isTimed: boolean) => void {
    this.#itemsHeard.add(line);
    return (piece, isTimed) => {
      const leg = this.#leg;
      // Where nothing is live, nothing is paced.
      if (leg === undefined || !this.#isLive) return;
      // Numbers begin anew with each stream.
      if (piece.number === 0) leg.forget(ssrc);
      this.#pieceArrived(leg, ssrc, piece, isTimed);
    };
  }

  /** Units of a source come on this line: what is to be told of each piece. Reports go back on it. */
  hearsUnits(line: StreamLine, ssrc: number): (piece: ArrivedPiece) => void {
    this.hears(line);
    return (piece) => {
      if (this.#leg !== undefined) this.#pieceArrived(this.#leg, ssrc, piece, true);
    };
  }

  /** Tells the server that a key frame of this source is needed. */
  askKeyFrame(ssrc: number): void {
    this.#leg?.askKeyFrame(ssrc, this.#options.clock.now());
  }

  /** A line is over: nothing more goes or comes there. */
  closes(line: StreamLine, ssrc: number): void {
    const units = this.#units.get(line);
    this.#units.delete(line);
    units?.writer?.drop("session-state");
    const now = this.#options.clock.now();
    if (units?.writer !== undefined) this.#leg?.removeSource(units.writer, now);
    this.#leg?.forget(ssrc);
    this.#spoken.delete(line);
    this.#itemsHeard.delete(line);
    const at = this.#heard.indexOf(line);
    if (at >= 0) this.#heard.splice(at, 1);
  }

  /** What is sent may take so many bits a second from now on: streams were opened, or closed. */
  useStreams(bitsPerSecond: number): void {
    this.#bitrate = legBitrate(bitsPerSecond);
    this.#leg?.useStreams(bitsPerSecond);
  }

  /** What comes here goes on over a way that takes so many bits a second: the server is told with each report, and tells who sends it. `undefined`: no bound. */
  limit(bitsPerSecond: number | undefined): void {
    this.#limit = bitsPerSecond;
  }

  /** Takes back what waits for its turn on this line. */
  discard(line: StreamLine, reason: HopDrop): void {
    this.#units.get(line)?.writer?.drop(reason);
    this.#leg?.drop(({ tag }) => (tag as HeldTag).line === line, reason);
  }

  /** A datagram came on a line; `held` as in `FlowSink`. */
  arrived(bytes: Uint8Array, held = 0): void {
    const leg = this.#leg;
    const view = this.#view;
    if (leg === undefined || parseFrame(bytes, varintLength(bytes[0] ?? 0), view) !== undefined) return;
    const now = this.#options.clock.now();
    const came = now - held;
    leg.arrived(view.ssrc, view.sequence, bytes.length, came, view.captureMs);
    this.arrivals.arrived(bytes.length, view.sequence, view.captureMs, came);
    const due = leg.nextTimeout();
    if (due !== undefined && due <= now) leg.tick(now);
    this.#schedule();
  }

  /** The call has a connection. */
  attach(): void {
    this.detach();
    this.arrivals.restart();
    const { clock, ssrc, tooLarge } = this.#options;
    this.#leg = new MediaLeg({
      ssrc,
      bitrate: this.#bitrate,
      start: clock.now(),
      transmit: ({ bytes, tag }) => (tag as HeldTag).line.sendDatagram(bytes),
      report: (rtcp) => this.#report(rtcp),
      settled: ({ kind, tag }, fate) => {
        const { line, packet, later } = tag as HeldTag;
        if (fate === "too-large" && kind === "audio") tooLarge(line, packet);
        else if (fate !== "sent" && fate !== "too-large" && fate !== "closed") this.#dropped[fate] += 1;
        later(fate === "sent" || (fate === "too-large" && kind === "audio"));
      },
      keyFrameWanted: (source) => {
        for (const { ssrc: sent, keyFrameWanted, writer } of this.#units.values())
          if (sent === source)
            keyFrameWanted(this.#leg?.isAnswered(source, writer?.keyLeft, clock.now()) ?? false);
      },
      behind: () => this.#limit,
      counters: this.#counters,
    });
  }

  /** It has none any more, or has ended: what waits goes nowhere. */
  detach(): void {
    this.#leg?.drop(() => true, "session-state");
    this.#leg = undefined;
    for (const units of this.#units.values()) {
      units.writer?.drop("session-state");
      units.writer = undefined;
    }
    for (const items of this.#items.values()) {
      items.pacer?.drop();
      items.pacer = undefined;
    }
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Something goes or comes that must not wait behind reliable frames. */
  get #isLive(): boolean {
    return this.#spoken.size + this.#heard.length > 0;
  }

  #pieceArrived(leg: MediaLeg, ssrc: number, { number, bytes }: ArrivedPiece, isTimed: boolean): void {
    const now = this.#options.clock.now();
    leg.pieceArrived(ssrc, number, bytes, now, isTimed);
    const due = leg.nextTimeout();
    if (due !== undefined && due <= now) leg.tick(now);
    this.#schedule();
  }

  #feedback(bytes: Uint8Array): void {
    const offset = varintLength(bytes[0] ?? 0);
    const leg = this.#leg;
    if (leg === undefined || !isRtcp(bytes, offset)) return;
    const taken = leg.takeFeedback(bytes.subarray(offset), this.#options.clock.now());
    this.#schedule();
    if (taken?.ok === true && leg.estimate !== undefined) this.#tell(leg.estimate);
  }

  #tell(estimate: HopEstimate): void {
    for (const watch of this.#watchers) watch(estimate);
  }

  #report(rtcp: Uint8Array): void {
    const [stream] = this.#itemsHeard;
    const line = this.#heard[0] ?? stream;
    if (line === undefined) return;
    const size = varintSize(line.flow);
    const bytes = new Uint8Array(size + rtcp.length);
    writeVarint(bytes, 0, line.flow);
    bytes.set(rtcp, size);
    line.sendDatagram(bytes);
  }

  #writerOf(line: StreamLine): UnitWriter<HopDrop> | undefined {
    const units = this.#units.get(line);
    const [leg, caps] = [this.#leg, line.unitCaps];
    if (units === undefined || leg === undefined || caps === undefined) return undefined;
    if (units.writer !== undefined) return units.writer;
    const { ssrc } = units;
    units.writer = new UnitWriter<HopDrop>({
      flow: line.flow,
      ssrc,
      call: this,
      caps,
      open: () => line.openStream(),
      // Layers are left out before they are signed.
      rate: () => undefined,
      abandon: (first, count) => leg.abandon(ssrc, first, count),
      wake: () => this.#wake(),
    });
    leg.addSource(units.writer);
    return units.writer;
  }

  #pacerOf(line: StreamLine): ItemPacer | undefined {
    const items = this.#items.get(line);
    const leg = this.#leg;
    if (items === undefined || leg === undefined || !line.isAttached) return undefined;
    if (items.pacer !== undefined) return items.pacer;
    const { ssrc } = items;
    items.pacer = new ItemPacer({
      ssrc,
      write: (bytes) => line.writePart(bytes),
      isReported: () => leg.isReported(ssrc),
      isFull: (now) => leg.isStreamFull(ssrc, now),
      abandon: (first, count) => leg.abandon(ssrc, first, count),
      wake: () => this.#wake(),
    });
    leg.addItems(items.pacer, ssrc);
    return items.pacer;
  }

  #wake(): void {
    this.#leg?.wake(this.#options.clock.now());
    this.#schedule();
  }

  /** When something is due here; `undefined` while there is nothing to wait for. */
  #nextTimeout(): number | undefined {
    let earliest = this.#leg?.nextTimeout();
    for (const { writer } of this.#units.values()) {
      const due = writer?.nextTimeout();
      if (due !== undefined && (earliest === undefined || due < earliest)) earliest = due;
    }
    return earliest;
  }

  #schedule(): void {
    const { clock } = this.#options;
    const due = this.#nextTimeout();
    if (due === undefined || (this.#timer !== undefined && this.#timer.at <= due)) return;
    this.#timer?.cancel();
    const at = Math.max(due, clock.now() + LOOK_MS);
    const cancel = clock.at(at, () => {
      this.#timer = undefined;
      for (const { writer } of this.#units.values()) writer?.tick(clock.now());
      this.#leg?.tick(clock.now());
      this.#schedule();
    });
    this.#timer = { at, cancel };
  }
}

interface HeldTag {
  readonly line: StreamLine;
  readonly packet: Uint8Array;
  readonly later: (isSent: boolean) => void;
}

/** The reliable frames of one line. */
interface LineItems {
  readonly line: StreamLine;
  readonly ssrc: number;
  /** On the present connection, once something was sent. */
  pacer: ItemPacer | undefined;
}

/** The units of one line. */
interface LineUnits {
  readonly line: StreamLine;
  readonly ssrc: number;
  readonly keyFrameWanted: (isAnswered: boolean) => void;
  /** On the present connection, once something was sent. */
  writer: UnitWriter<HopDrop> | undefined;
}

function noDrops(): Record<HopDrop | UnitDrop, number> {
  return {
    ...{ "unit-cap": 0, "unit-stalled": 0, dependency: 0, layer: 0 },
    ...{ stale: 0, "queue-full": 0, replaced: 0 },
    ...{ epoch: 0, scope: 0, held: 0, "session-state": 0 },
  };
}
