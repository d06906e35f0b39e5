import type { Result } from "../codecs/result.ts";
import { encodePictureLoss } from "../codecs/rtcp-pli.ts";
import type { DatagramFate } from "./carrier.ts";
import { FeedbackWriter } from "./congestion/feedback-writer.ts";
import type { HopDrop, HopPacket } from "./congestion/hop-packet.ts";
import { type HopBitrate, type HopEstimate, type HopFeedback, MediaHop } from "./congestion/media-hop.ts";
import { type PieceSource, PieceTurns } from "./congestion/piece-turns.ts";
import type { ItemPacer } from "./item-pacer.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { UnitWriter } from "./unit-writer.ts";
import { isCrossing } from "./video-keyframes.ts";

/** RTCP datagrams that one leg takes from its peer each second, and at once: several times what a peer has reason to send. */
const FEEDBACK_PER_SECOND = 60;
const FEEDBACK_BURST = 30;
/** How long pieces are kept to the least that is known while a peer does not report, ms: it may be about to. */
const REPORTS_EXPECTED_MS = 2_000;
/** How long a live packet may wait for its turn at a hop, ms: what is older is of no use in a conversation. */
export const MAX_LIVE_WAIT_MS = 200;
/** Bits a second that a leg with voices alone begins with: more than any voice takes. */
const FIRST_BITRATE = 300_000;
/** Below this no leg goes: where nothing comes back, one frame in three or so of a voice shows that the way is open again. */
const LEAST_BITRATE = 32_000;

/**
 * Bounds of a leg whose streams take so many bits a second together at the most, whatever is agreed at present: a leg that was held to what
 * is agreed could never find out that there is room to agree on more.
 */
export function legBitrate(streams: number): HopBitrate {
  const most = Math.max(streams, LEAST_BITRATE);
  return { least: LEAST_BITRATE, most, first: Math.min(most, FIRST_BITRATE) };
}

/** Bits a second below which a way has to be spared what goes beside the voice: 8 KB at once would stop it for a third of a second. */
const THIN_WAY = 200_000;

/** Whether a way, or one behind it, takes so little. */
export function isThin({ bitsPerSecond, behind = bitsPerSecond }: HopEstimate): boolean {
  return Math.min(bitsPerSecond, behind) < THIN_WAY;
}

/** A reliable stream that goes in pieces. */
export type StreamSource = PieceSource & Pick<ItemPacer, "overdueAt" | "overdue">;

export interface MediaLegOptions {
  /** Says in the reports who made them. */
  readonly ssrc: number;
  /** Now, milliseconds of the clock of all later calls. */
  readonly start: number;
  readonly bitrate: HopBitrate;
  /** Hands a media datagram to the carrier. */
  readonly transmit: (packet: HopPacket) => DatagramFate;
  /** Hands a report, without its flow identifier, to the carrier. */
  readonly report: (rtcp: Uint8Array) => void;
  /** What became of a packet that was held: what the carrier did with it, or why it did not leave. Once for each. */
  readonly settled: (packet: HopPacket, fate: DatagramFate | HopDrop) => void;
  /** What further hops take of what comes here, bits a second, where that is to be told. */
  readonly behind?: () => number | undefined;
  /** The peer needs a key frame of this source. */
  readonly keyFrameWanted?: (ssrc: number) => void;
  /** Counts along, for all legs that are given the same. */
  readonly counters: FeedbackCounters;
}

/** RTCP datagrams, counted. */
export interface FeedbackCounters {
  sent: number;
  /** Of the peer's: those that were read. */
  taken: number;
  malformed: number;
  /** Beyond {@link FEEDBACK_PER_SECOND}. */
  tooMany: number;
}

export function noFeedback(): FeedbackCounters {
  return { sent: 0, taken: 0, malformed: 0, tooMany: 0 };
}

/**
 * One end of one leg of a session, on the connection that carries it: its live packets leave through one hop no faster than that takes
 * them, and what comes is answered with reports. A peer that never reported anything is not waited for: the carrier's own bounds
 * hold then. Time is an argument; `nextTimeout` says when to come back.
 */
export class MediaLeg {
  readonly #options: MediaLegOptions;
  readonly #hop: MediaHop;
  readonly #writer: FeedbackWriter;
  readonly #allowed: TokenBucket;
  #reportedAt: number | undefined;
  readonly #turns = new PieceTurns();
  readonly #streams: StreamSource[] = [];
  #firstPieceAt: number | undefined;

  constructor(options: MediaLegOptions) {
    this.#options = options;
    const { start, bitrate, ssrc, settled } = options;
    this.#hop = new MediaHop({ start, bitrate, dropped: settled });
    this.#writer = new FeedbackWriter({ ssrc, start });
    this.#allowed = new TokenBucket(FEEDBACK_PER_SECOND, FEEDBACK_BURST, start);
  }

  /** What is known of the way to the peer; `undefined` while it has not said anything. */
  get estimate(): HopEstimate | undefined {
    return this.#reportedAt === undefined ? undefined : this.#hop.estimate;
  }

  /** When the peer last reported. */
  get reportedAt(): number | undefined {
    return this.#reportedAt;
  }

  /** Packets that wait for their turn. */
  get held(): number {
    return this.#hop.held;
  }

  /** A piece waits for its turn. */
  get arePiecesWaiting(): boolean {
    return this.#hop.isAwaited;
  }

  /** Held packets that did not leave, by reason. */
  get drops(): Readonly<Record<HopDrop, number>> {
    return this.#hop.drops;
  }

  /** Its streams take so many bits a second from now on, as in {@link legBitrate}. */
  useStreams(bitsPerSecond: number): void {
    this.#hop.useMost(legBitrate(bitsPerSecond).most);
  }

  /** Sends a packet if its turn is now; `undefined` when it is not: `hold` it, or let it go. */
  trySend(packet: HopPacket, now: number): DatagramFate | undefined {
    if (this.#hop.held > 0) this.#sendPackets(now);
    const mayGo = this.#hop.trySend(packet, now) || this.#reportedAt === undefined;
    return mayGo ? this.#options.transmit(packet) : undefined;
  }

  /** Keeps a packet, whose bytes are its own, for at most as long as it is of use. */
  hold(packet: HopPacket, now: number): void {
    this.#hop.hold(packet, now);
  }

  /** Its pieces leave in their turn from now on: after voices, and after what `hold` keeps. */
  addSource(source: PieceSource): void {
    this.#hop.carriesPictures();
    this.#turns.add(source);
  }

  removeSource(source: PieceSource, now: number): void {
    this.#turns.remove(source);
    this.#sendPieces(now);
  }

  /** The items of a reliable stream leave in their turn from now on: after base layers of video, before layers that can be spared. */
  addItems(stream: StreamSource, ssrc: number): void {
    this.#hop.isReadAtLeisure(ssrc);
    this.#streams.push(stream);
    this.#turns.add(stream);
  }

  removeItems(stream: StreamSource, now: number): void {
    const at = this.#streams.indexOf(stream);
    if (at >= 0) this.#streams.splice(at, 1);
    this.removeSource(stream, now);
  }

  /** The peer has reported on something of this source. */
  isReported(ssrc: number): boolean {
    return this.#hop.isHeard(ssrc);
  }

  /** As in {@link MediaHop.isStreamFull}. */
  isStreamFull(ssrc: number, now: number): boolean {
    return this.#hop.isStreamFull(ssrc, now);
  }

  /** Pieces were sent, or given numbers, and will not arrive: as in {@link MediaHop.abandon}. */
  abandon(ssrc: number, first: number, count: number): void {
    this.#hop.abandon(ssrc, first, count);
  }

  /** Nothing more of a source goes or comes, or its numbers begin anew. */
  forget(ssrc: number): void {
    this.#hop.forget(ssrc);
    this.#writer.forget(ssrc);
  }

  /** A source has something that it had not before. */
  wake(now: number): void {
    this.#sendHeld(now);
  }

  /** Whether the newest key frame of this source, as its writer says when it left, answers a request of the peer's that comes now. */
  isAnswered(ssrc: number, key: UnitWriter["keyLeft"], now: number): boolean {
    if (key === undefined || this.#hop.hasArrived(ssrc, key.lastPiece)) return false;
    return isCrossing(key.at, now, this.estimate?.roundTrip);
  }

  /** Tells the peer that a key frame of what it sends from this source is needed, and what came of it first: whether one is there. */
  askKeyFrame(ssrc: number, now: number): void {
    this.#writer.hurry(now);
    this.#report(now);
    this.#options.report(encodePictureLoss({ sender: this.#options.ssrc, ssrc }));
  }

  /** Takes back what is held and is not to leave any more. */
  drop(match: (packet: HopPacket) => boolean, reason: HopDrop): void {
    if (this.#hop.held > 0) this.#hop.drop(match, reason);
  }

  /** A media packet of the peer's came; `sentAt` is its capture time. */
  arrived(ssrc: number, sequence: number, bytes: number, now: number, sentAt: number): void {
    this.#writer.arrived(ssrc, sequence, bytes, now, sentAt);
  }

  /** A piece of a stream of the peer's came; not `isTimed`: it may have come long before it was read. */
  pieceArrived(ssrc: number, number: number, bytes: number, now: number, isTimed: boolean): void {
    this.#writer.arrived(ssrc, number, bytes, now, undefined, isTimed);
  }

  /** RTCP of the peer's about what this end sends; `undefined` when it is one too many, and was not read. */
  takeFeedback(rtcp: Uint8Array, now: number): Result<HopFeedback> | undefined {
    const { counters } = this.#options;
    if (!this.#allowed.has(1, now)) {
      counters.tooMany += 1;
      return undefined;
    }
    this.#allowed.take(1);
    const taken = this.#hop.feedback(rtcp, now);
    if (!taken.ok) {
      counters.malformed += 1;
      return taken;
    }
    counters.taken += 1;
    // Reports on nothing that this end sent prove nothing.
    if (taken.value.acknowledged + taken.value.lost > 0) this.#reportedAt = now;
    // One says as much as a hundred of them.
    for (const ssrc of new Set(taken.value.keyFrames)) this.#options.keyFrameWanted?.(ssrc);
    this.#sendHeld(now);
    return taken;
  }

  /** Does what is due. */
  tick(now: number): void {
    const due = this.#writer.nextTimeout();
    if (due !== undefined && due <= now) this.#report(now);
    this.#sendHeld(now);
  }

  /** When `tick` has something to do; `undefined` while there is nothing to wait for. */
  nextTimeout(): number | undefined {
    const report = this.#writer.nextTimeout();
    const packet = this.#hop.nextTimeout();
    let earliest = report === undefined || (packet !== undefined && packet < report) ? packet : report;
    for (const { overdueAt } of this.#streams)
      if (overdueAt !== undefined && (earliest === undefined || overdueAt < earliest)) earliest = overdueAt;
    return earliest;
  }

  #report(now: number): void {
    const { counters, behind, report } = this.#options;
    this.#writer.takes(behind?.());
    for (let rtcp = this.#writer.report(now); rtcp !== undefined; rtcp = this.#writer.report(now)) {
      counters.sent += 1;
      report(rtcp);
    }
  }

  #sendHeld(now: number): void {
    if (this.#hop.held > 0) this.#sendPackets(now);
    this.#sendPieces(now);
  }

  #sendPieces(now: number): void {
    if (this.#turns.size === 0) {
      this.#hop.await(undefined, now);
      return;
    }
    let next = this.#turns.next(now);
    for (; next !== undefined; next = this.#turns.next(now)) {
      const { source, piece } = next;
      this.#firstPieceAt ??= now;
      const isUnpaced = this.#reportedAt === undefined && now - this.#firstPieceAt > REPORTS_EXPECTED_MS;
      if (!this.#hop.trySend(piece.packet, now) && !isUnpaced) break;
      this.#turns.went(source, piece);
      source.send(now);
    }
    for (const stream of this.#streams) {
      const late = stream.overdue(now);
      if (late === undefined) continue;
      this.#hop.sendAnyway(late.packet, now);
      stream.send(now);
    }
    this.#hop.await(next?.piece.packet, now);
  }

  #sendPackets(now: number): void {
    for (let packet = this.#hop.next(now); packet !== undefined; packet = this.#hop.next(now))
      this.#options.settled(packet, this.#options.transmit(packet));
  }
}
