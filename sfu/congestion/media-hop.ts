import { ok, type Result } from "../../codecs/result.ts";
import { parseRtcp, RTCP_TYPES } from "../../codecs/rtcp.ts";
import {
  ARRIVALS_FORMAT,
  type ArrivalReport,
  hasArrived,
  parseArrivalReport,
  REPORT_TIMES_PER_SECOND,
} from "../../codecs/rtcp-arrivals.ts";
import { PLI_FORMAT, parsePictureLoss } from "../../codecs/rtcp-pli.ts";
import { parseRemb, REMB_FORMAT } from "../../codecs/rtcp-remb.ts";
import { CalmWindow } from "./calm-window.ts";
import { HeldPackets } from "./held-packets.ts";
import { type HopDrop, type HopPacket, PACKET_OVERHEAD, type PacketKind } from "./hop-packet.ts";
import { HopReports } from "./hop-reports.ts";
import { RateControl } from "./rate-control.ts";
import { RateMeter } from "./rate-meter.ts";
import { SentPackets } from "./sent-packets.ts";

/** Sources whose packets are told apart; those of further ones go unclocked. */
const MAX_SOURCES = 16;

export interface HopBitrate {
  /** Bits a second, {@link PACKET_OVERHEAD} of each packet included, below which the hop never goes. */
  readonly least: number;
  readonly most: number;
  readonly first: number;
}

/** How a hop stands. */
export interface HopEstimate {
  /** What may be sent, {@link PACKET_OVERHEAD} of each packet included. */
  readonly bitsPerSecond: number;
  /** Milliseconds, smoothed; `undefined` before the first feedback. */
  readonly roundTrip: number | undefined;
  /** The least seen, milliseconds. */
  readonly leastRoundTrip: number | undefined;
  /** Milliseconds that packets wait in queues on the way. */
  readonly queueDelay: number;
  /** Share of packets lost lately, 0 to 1. */
  readonly lossShare: number;
  /** Bytes on their way, nothing heard of them yet. */
  readonly inFlight: number;
  /** Of these, those that were to be heard of for so long that a carrier's repeating them does not explain it. */
  readonly standing: number;
  /** Bits a second that voices take, lately. */
  readonly voices: number;
  /** Less is offered than may be sent: how much the hop takes is not known beyond that. */
  readonly limited: boolean;
  /** Little was sent so far and none of it has waited: the way takes at least what was found out. */
  readonly beginning: boolean;
  /** What the other end says that hops behind it take; `undefined` where it says nothing. */
  readonly behind: number | undefined;
}

/** What one datagram of feedback brought. */
export interface HopFeedback {
  /** Packets acknowledged, and taken for lost, that were on their way until now. */
  readonly acknowledged: number;
  readonly lost: number;
  /** What the other end says that hops behind it take, where it says so. */
  readonly behind: number | undefined;
  /** Sources of which the other end needs a key frame. */
  readonly keyFrames: readonly number[];
}

/**
 * The sending side of one hop of one leg: says what may go when, so that queues on the way stay short. Self-clocked: what is on
 * its way is bounded by the rate and the round trip, and goes on with the feedback of the other side's `FeedbackWriter`.
 */
export class MediaHop {
  readonly #sources = new Map<number, SentPackets>();
  /** Sources of reliable streams. */
  readonly #streams = new Set<number>();
  /** Sources of which pieces are sent, each unit's on a stream of its own. */
  readonly #pieces = new Set<number>();
  /** When a report last spoke of something else. */
  #liveHeardAt: number;
  readonly #held: HeldPackets;
  readonly #control: RateControl;
  readonly #least: number;
  readonly #reports: HopReports;
  readonly #offered = new RateMeter();
  readonly #voices = new RateMeter();
  #inFlight = 0;
  #now: number;
  /** When the pacer lets the next packet go that is no audio. */
  #paceAt: number;
  /** Milliseconds in which there was something to send since feedback last told of a packet: pauses are no time without an answer. */
  #unanswered = 0;
  /** A report came since, and told of none of what was to arrive before it was made. */
  #isNoneTold = false;
  /** When something last wanted to go. */
  #wantedAt = Number.NEGATIVE_INFINITY;
  #expiredAt: number;
  #sentAt = Number.NEGATIVE_INFINITY;
  /** The same of a packet that is no audio. */
  #otherSentAt = Number.NEGATIVE_INFINITY;
  /** Audio alone makes a queue that a conversation suffers from. */
  #isOverfull = false;
  /** When a packet last had to wait. */
  #waitedAt = Number.NEGATIVE_INFINITY;
  /** A packet that its sender keeps until its turn comes. */
  #awaiting: HopPacket | undefined;
  #behind: number | undefined;
  #hasPictures = false;
  readonly #calm = new CalmWindow();

  constructor(options: {
    readonly start: number;
    readonly bitrate: HopBitrate;
    /** Told of each held packet that does not leave. */
    readonly dropped?: (packet: HopPacket, reason: HopDrop) => void;
  }) {
    this.#held = new HeldPackets(options.dropped);
    this.#least = options.bitrate.least;
    this.#control = new RateControl(options.bitrate, options.start);
    this.#reports = new HopReports();
    this.#paceAt = options.start;
    this.#now = options.start;
    this.#liveHeardAt = options.start;
    this.#expiredAt = options.start;
  }

  /** Held packets that were dropped, by reason. */
  get drops(): Readonly<Record<HopDrop, number>> {
    return this.#held.drops;
  }

  /** Packets that wait for their turn. */
  get held(): number {
    return this.#held.length;
  }

  /** A packet awaits its turn at its sender. */
  get isAwaited(): boolean {
    return this.#awaiting !== undefined;
  }

  /** What was found out so far. */
  get estimate(): HopEstimate {
    return {
      bitsPerSecond: Math.max(
        this.#least,
        this.#control.bitsPerSecond * this.#control.share(this.#now) - (this.#held.bytes * 8_000) / CATCH_UP,
      ),
      roundTrip: this.#reports.roundTrip,
      leastRoundTrip: this.#reports.leastRoundTrip,
      queueDelay: this.#reports.queueDelay,
      lossShare: this.#reports.lossShare,
      inFlight: this.#inFlight,
      standing: this.#standing(),
      voices: this.#voices.rate(this.#now, VOICES_WINDOW),
      limited: this.#reports.isLimited,
      beginning: this.#control.isBeginning,
      behind: this.#behind,
    };
  }

  /** Takes the packet as sent and returns true when it may go now; otherwise nothing happened, and it can be held. */
  trySend(packet: HopPacket, now: number): boolean {
    if ((this.#held.length > 0 && this.#held.isBehind(packet.kind)) || !this.#mayGo(packet, now))
      return false;
    this.#send(packet, now);
    return true;
  }

  /** Pieces of this source wait at their reader's pace: that none is acknowledged says nothing of the way. */
  isReadAtLeisure(ssrc: number): void {
    this.#streams.add(ssrc);
  }

  /** Takes the packet as sent, whatever is on its way. */
  sendAnyway(packet: HopPacket, now: number): void {
    this.#send(packet, now);
  }

  /** Something of a source that was sent was heard of. */
  isHeard(ssrc: number): boolean {
    return this.#sources.get(ssrc)?.isHeard ?? false;
  }

  /** A report said that this packet arrived; `false` also once it is forgotten. */
  hasArrived(ssrc: number, sequence: number): boolean {
    return this.#sources.get(ssrc)?.hasArrived(sequence) ?? false;
  }

  /** A reliable stream has its part of the room beside pictures: what its peer does not read must not take all of it. */
  isStreamFull(ssrc: number, now: number): boolean {
    const source = this.#sources.get(ssrc);
    if (source === undefined || !this.#hasPictures) return false;
    const room = STREAM_SHARE * this.#window("video", now);
    if (source.inFlight > room) this.#expire(now);
    return source.inFlight > room;
  }

  /** A packet that may not go yet, which its sender keeps until `nextTimeout`; `undefined` when none does. */
  await(packet: HopPacket | undefined, now: number): void {
    if (packet !== undefined && this.#awaiting === undefined && this.#held.length === 0)
      this.#offered.add(0, now);
    this.#awaiting = packet;
  }

  /** Takes back packets that were sent, or have numbers and will not be: they are not lost, and nothing is concluded from them. */
  abandon(ssrc: number, first: number, count: number): void {
    const source = this.#sources.get(ssrc);
    if (source === undefined) return;
    let freed = 0;
    for (let sequence = first; sequence < first + count; sequence += 1) freed += source.abandon(sequence);
    this.#inFlight = Math.max(0, this.#inFlight - freed);
  }

  /** Nothing more is sent of a source, or its numbers begin anew. */
  forget(ssrc: number): void {
    const freed = this.#sources.get(ssrc)?.abandonAll() ?? 0;
    this.#sources.delete(ssrc);
    this.#streams.delete(ssrc);
    this.#pieces.delete(ssrc);
    this.#inFlight = Math.max(0, this.#inFlight - freed);
  }

  /** Keeps a packet until it may go, or its deadline comes. */
  hold(packet: HopPacket, now: number): void {
    this.#waitedAt = now;
    if (this.#held.length === 0) this.#offered.add(0, now);
    this.#held.push(packet);
  }

  /** Pictures go here, whose encoders follow the estimate. */
  carriesPictures(): void {
    this.#hasPictures = true;
  }

  /** What is sent may take so many bits a second from now on: streams came, or went. */
  useMost(bitsPerSecond: number): void {
    this.#control.useMost(Math.max(this.#least, bitsPerSecond));
  }

  /** A held packet that may go now: it counts as sent. Call until `undefined`. */
  next(now: number): HopPacket | undefined {
    const packet = this.#held.first(now);
    if (packet === undefined || !this.#mayGo(packet, now)) return undefined;
    this.#held.take(packet);
    this.#send(packet, now);
    return packet;
  }

  /** When `next` may have something, or what awaits its turn may go, though no feedback came; `undefined` while nothing waits. */
  nextTimeout(): number | undefined {
    const awaited = this.#awaiting === undefined ? undefined : this.#turnOf(this.#awaiting);
    const first = this.#held.peek();
    const deadline = this.#held.nextDeadline();
    if (first === undefined || deadline === undefined) return awaited;
    return Math.min(deadline, this.#turnOf(first), awaited ?? Number.POSITIVE_INFINITY);
  }

  /** Takes a datagram of RTCP, its flow identifier left out. What it does not know in it is passed over. */
  feedback(bytes: Uint8Array, now: number): Result<HopFeedback> {
    const packets = parseRtcp(bytes);
    if (!packets.ok) return packets;
    const arrivals: ArrivalReport[] = [];
    const keyFrames: number[] = [];
    let behind: number | undefined;
    for (const packet of packets.value) {
      if (packet.type === RTCP_TYPES.transportFeedback && packet.count === ARRIVALS_FORMAT) {
        const report = parseArrivalReport(bytes, packet);
        if (!report.ok) return report;
        arrivals.push(report.value);
      } else if (packet.type === RTCP_TYPES.payloadFeedback && packet.count === REMB_FORMAT) {
        const remb = parseRemb(bytes, packet);
        if (!remb.ok) return remb;
        behind = remb.value.bitsPerSecond;
      } else if (packet.type === RTCP_TYPES.payloadFeedback && packet.count === PLI_FORMAT) {
        const loss = parsePictureLoss(bytes, packet);
        if (!loss.ok) return loss;
        keyFrames.push(loss.value.ssrc);
      }
    }
    let [acknowledged, lost] = [0, 0];
    for (const report of arrivals) {
      const settled = this.#take(report, now);
      acknowledged += settled.acknowledged;
      lost += settled.lost;
    }
    if (arrivals.length > 0) this.#behind = behind;
    return ok({ acknowledged, lost, behind, keyFrames });
  }

  /** Drops what is held and matches, counted under `reason`. */
  drop(match: (packet: HopPacket) => boolean, reason: HopDrop): void {
    this.#held.drop(match, reason);
  }

  #turnOf({ bytes, kind }: HopPacket): number {
    const size = bytes.length + PACKET_OVERHEAD;
    const isFull = this.#inFlight > 0 && this.#inFlight + size > this.#window(kind, this.#now);
    return isFull ? this.#expiredAt + EXPIRY_INTERVAL : kind === "audio" ? this.#now : this.#paceAt;
  }

  #mayGo(packet: HopPacket, now: number): boolean {
    const size = packet.bytes.length + PACKET_OVERHEAD;
    // What was sent last before a pause may be lost with nothing after it that could show it: only time with something to say counts.
    if (this.#inFlight > this.#streamsInFlight())
      this.#unanswered += Math.min(now - this.#wantedAt, LONGEST_GAP);
    this.#wantedAt = now;
    if (this.#unanswered >= SILENCE) this.#silence(now);
    // Whatever waits, a packet now and then shows whether the way is open again.
    if (now - this.#sentAt >= PROBE_INTERVAL && this.#isStill(now)) return true;
    const window = this.#window(packet.kind, now);
    if (this.#inFlight > 0 && this.#inFlight + size > window) {
      this.#expire(now);
      if (this.#inFlight > 0 && this.#inFlight + size > window) {
        if (packet.kind === "video") this.#calm.heldBack(now);
        return false;
      }
    }
    return packet.kind === "audio" || now >= this.#paceAt;
  }

  #send(packet: HopPacket, now: number): void {
    const size = packet.bytes.length + PACKET_OVERHEAD;
    let source = this.#sources.get(packet.ssrc);
    if (source === undefined && this.#sources.size < MAX_SOURCES) {
      source = new SentPackets();
      this.#sources.set(packet.ssrc, source);
      if (packet.kind === "video" && !this.#streams.has(packet.ssrc)) this.#pieces.add(packet.ssrc);
    }
    if (source !== undefined) this.#inFlight += size - source.record(packet.sequence, size, now);
    this.#offered.add(size, now);
    this.#now = now;
    this.#sentAt = now;
    if (packet.kind === "audio") this.#voices.add(size, now);
    else this.#otherSentAt = now;
    if (packet.kind === "video") this.#calm.left();
    const gap = (size * 8_000) / (this.#control.bitsPerSecond * this.#control.share(now) * PACING_FACTOR);
    this.#paceAt = Math.max(this.#paceAt, now - PACING_BURST) + gap;
  }

  /**
   * Bytes that may be on their way at once. Audio may have more of them: the other kinds give way first. Where its own queue grows long
   * all the same, or nothing comes back, it may have no more than gets through in time: what is heard late is of no use.
   */
  #window(kind: PacketKind, now: number): number {
    const { leastRoundTrip, interval, received } = this.#reports;
    const isCompeting = this.#control.isCompeting(now);
    const queue = isCompeting ? COMPETING_MARGIN : WINDOW_MARGIN;
    const time = leastRoundTrip === undefined ? FIRST_WINDOW : leastRoundTrip + interval + queue;
    const window = Math.max(LEAST_WINDOW, (this.#control.bitsPerSecond * time) / 8_000);
    if (kind !== "audio") return this.#hasPictures ? this.#pictureWindow(window, time, now) : window;
    if (this.#isStill(now)) return LEAST_AUDIO_WINDOW;
    if (this.#isOverfull && !isCompeting && leastRoundTrip !== undefined)
      return Math.max(LEAST_AUDIO_WINDOW, (OVERFULL_GAIN * received * time) / 8_000);
    return AUDIO_SHARE * window;
  }

  #standing(): number {
    const { leastRoundTrip, reportedAt = 0, longInterval } = this.#reports;
    if (leastRoundTrip === undefined) return 0;
    const untold = Math.min(this.#now - reportedAt, 2 * longInterval);
    const before = this.#now - REPEATED_ROUND_TRIPS * leastRoundTrip - STANDING - untold;
    let bytes = 0;
    for (const [ssrc, source] of this.#sources)
      if (!this.#streams.has(ssrc)) bytes += source.inFlightSince(before);
    return bytes;
  }

  #streamsInFlight(): number {
    let bytes = 0;
    for (const ssrc of this.#streams) bytes += this.#sources.get(ssrc)?.inFlight ?? 0;
    return bytes;
  }

  #pictureWindow(window: number, time: number, now: number): number {
    const { leastRoundTrip, interval, lostAt } = this.#reports;
    if (leastRoundTrip === undefined) return window;
    const offered = this.#offered.rate(now, OFFERED_WINDOW);
    const rate = this.#control.bitsPerSecond;
    const calm = this.#calm.bytes({ rate, offered, time, interval, lostAt }, now);
    return Math.max(LEAST_WINDOW, Math.min(window, calm));
  }

  /** Reports on what is on its way are overdue: it stands still, or all of it is lost. */
  #isStill(now: number): boolean {
    if (this.#reports.leastRoundTrip === undefined || this.#unanswered === 0) return false;
    if (this.#isNoneTold) return true;
    return this.#unanswered + Math.min(now - this.#wantedAt, LONGEST_GAP) > this.#reports.overdueAfter;
  }

  /** Less comes out of the queue than audio alone puts in: it will be long before the reports say so. */
  #isFilling(now: number): boolean {
    if (now - this.#otherSentAt < ROOMY_FOR) return false;
    const { queueDelay, received, lossShare } = this.#reports;
    const comesIn = this.#offered.rate(now, OFFERED_WINDOW) * (1 - lossShare);
    return queueDelay > FILLING_QUEUE && received < FILLING_SHARE * comesIn;
  }

  /** Nothing was heard for long: on at the lowest rate. */
  #silence(now: number): void {
    this.#control.silence();
    this.#expire(now);
  }

  #expire(now: number): void {
    if (now < this.#expiredAt + EXPIRY_INTERVAL) return;
    this.#expiredAt = now;
    const patience = Math.max(LEAST_PATIENCE, 2 * (this.#reports.roundTrip ?? 0) + this.#reports.interval);
    const settled = this.#reports.begin(now);
    for (const source of this.#sources.values()) source.expire(now - patience, settled);
    this.#inFlight = Math.max(0, this.#inFlight - settled.freed);
  }

  #take(report: ArrivalReport, now: number): { acknowledged: number; lost: number } {
    this.#now = now;
    const settled = this.#reports.begin(now, (report.time * 1_000) / REPORT_TIMES_PER_SECOND);
    for (const { ssrc, begin, packets } of report.streams) {
      const source = this.#sources.get(ssrc);
      if (source === undefined || source.newest < 0) continue;
      const first = source.extend(begin);
      const isStream = this.#streams.has(ssrc);
      // One piece that is sent again delays those behind it: what is live tells the queue, where there is any.
      settled.isDelayTaken = !isStream || now - this.#liveHeardAt > LIVE_HEARD;
      settled.arePieces = this.#pieces.has(ssrc);
      const before = settled.acknowledgedCount;
      for (let index = 0; index < packets.length; index += 1) {
        const entry = packets[index] as number;
        if (hasArrived(entry)) source.acknowledge(first + index, entry, settled);
      }
      for (let index = 0; index < packets.length; index += 1)
        if (!hasArrived(packets[index] as number)) source.missing(first + index, settled);
      source.passed(first, settled);
      if (!isStream && settled.acknowledgedCount > before) this.#liveHeardAt = now;
    }
    this.#inFlight = Math.max(0, this.#inFlight - settled.freed);
    if (settled.acknowledgedCount > 0) {
      this.#unanswered = 0;
      this.#isNoneTold = false;
      const isWaiting = this.#held.length > 0 || this.#awaiting !== undefined;
      this.#reports.end(this.#control, this.#offered.rate(now, OFFERED_WINDOW), isWaiting, this.#hasPictures);
      this.#calm.reported(this.#reports.queueDelay, this.#reports.interval, isWaiting, now);
      if (this.#reports.queueDelay > LONG_QUEUE || this.#isFilling(now)) this.#isOverfull = true;
      else if (now - this.#waitedAt > ROOMY_FOR) this.#isOverfull = false;
    } else if (settled.isNewest && this.#unanswered > (this.#reports.roundTrip ?? 0) + NONE_TOLD)
      this.#isNoneTold = true;
    return { acknowledged: settled.acknowledgedCount, lost: settled.lostCount };
  }
}

/** Milliseconds of sending without feedback after which the rate is the lowest. */
const SILENCE = 2_000;
/** How much faster than the rate packets may follow each other. */
const PACING_FACTOR = 1.2;
/** Milliseconds of rest that the pacer makes up for. */
const PACING_BURST = 10;
/** Milliseconds beyond round trip and feedback interval that the window allows for, so that video's uneven frames fit. */
const WINDOW_MARGIN = 60;
/** The same while somebody else keeps the queue full. */
const COMPETING_MARGIN = 300;
/** Milliseconds of the rate that may be on their way before the round trip is known. */
const FIRST_WINDOW = 2_500;
/** Bytes that may be on their way whatever the rate. */
const LEAST_WINDOW = 6_000;
const AUDIO_SHARE = 2;
/** Of the window, what a reliable stream may have on its way beside pictures. */
const STREAM_SHARE = 0.5;
/** Milliseconds after which live packets no longer tell the queue for the pieces of streams. */
const LIVE_HEARD = 1_000;
/** Bytes that audio may have on its way in any case: some frames. */
const LEAST_AUDIO_WINDOW = 1_500;
/** Milliseconds of queue from which on audio has to give way too. */
const LONG_QUEUE = 300;
/** The same where no more than this share of what was sent comes out of it. */
const FILLING_QUEUE = 100;
const FILLING_SHARE = 0.85;
/** It may then have this much of what gets through, so that it finds out when more does; and all again when none waited for so many milliseconds. */
const OVERFULL_GAIN = 1.25;
const ROOMY_FOR = 2_000;
/** Milliseconds of sending, beyond the round trip, of which a report tells nothing where it shows that nothing arrives. */
const NONE_TOLD = 200;
/** Milliseconds between two packets that want to go which are a pause, as far as they are more. */
const LONGEST_GAP = 60;
/** Milliseconds between packets while they are. */
const PROBE_INTERVAL = 200;
/** Milliseconds between looks for packets that nothing was ever heard of. */
const EXPIRY_INTERVAL = 50;
/** Milliseconds after which a packet that nothing was heard of counts as no longer on its way. */
const LEAST_PATIENCE = 1_000;
/** Milliseconds in which the encoder is asked to give what is held time to leave. */
const CATCH_UP = 500;
const OFFERED_WINDOW = 500;
const VOICES_WINDOW = 900;
/** Round trips, and milliseconds, after which a packet that a carrier sent once more was heard of. */
const REPEATED_ROUND_TRIPS = 2.5;
const STANDING = 60;
