import type { EncodedDrop } from "../../agent/encoded-sender.ts";
import type { EncodedVoice } from "../../agent/encoded-voice.ts";
import { LoudnessDetector } from "../../agent/turns/loudness-detector.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { readAudioLevel } from "../../codecs/rtp-extensions.ts";
import type { RtpPacket } from "../../codecs/rtp-packet.ts";
import { type OrderedPacket, RtpOrder, type RtpOrderCounters } from "../../sfu/rtp-order.ts";
import {
  OutgoingVoice,
  type OutgoingVoiceCounters,
  type OutgoingVoiceOptions,
} from "../../sfu/rtp-outgoing-voice.ts";
import type { CaptureTimes, PeerMedia } from "./peer-media.ts";
import { PeerRtp } from "./peer-rtp.ts";

/** So long a packet that is missing is waited for, ms: none of a voice is sent again, so only as long as packets overtake each other. */
const OVERTAKING_MS = 20;

export interface VoiceBridgeOptions {
  readonly voice: EncodedVoice;
  readonly clock: Clock;
  readonly media: Pick<PeerMedia, "write" | "report">;
  /** The stream to the peer; undefined: nothing of the call goes there. */
  readonly toPeer?: Omit<OutgoingVoiceOptions, "clockRate" | "frameTicks"> | undefined;
  /** Of the peer's timestamps. */
  readonly times: CaptureTimes;
  /** Identifier of the header extension by which the peer's packets say how loud they are. */
  readonly levelId: number;
  readonly told: {
    /** Whoever speaks in the call has come to the end of a turn: the peer, or the other end. */
    readonly turnEnded: (who: "me" | "peer") => void;
    /** Something that should not happen. */
    readonly report: (error: unknown) => void;
  };
}

export interface VoiceBridgeCounters {
  /** Of the peer's packets: those that are no RTP, and those that are no frame of what the call agreed on. */
  readonly malformed: number;
  readonly unfit: number;
  /** What became of the rest, as `EncodedVoice.send` says. */
  readonly fates: Readonly<Record<"sent" | EncodedDrop, number>>;
  readonly order: RtpOrderCounters;
  /** Frames of the call as they went to the peer. */
  readonly toPeer: OutgoingVoiceCounters | undefined;
}

/**
 * One voice of a call and the same voice as RTP of a WebRTC peer: verified frames go to the peer at once, its payloads are signed at once, neither is decoded. Where the peer
 * says how loud its packets are, a detector tells where its turns begin and end.
 */
export class VoiceBridge {
  readonly #options: VoiceBridgeOptions;
  readonly #rtp: PeerRtp;
  readonly #order = new RtpOrder<RtpPacket>(OVERTAKING_MS);
  readonly #turns = new LoudnessDetector();
  readonly #out: OutgoingVoice | undefined;
  readonly #fates = {
    ...{ sent: 0, muted: 0, suspended: 0, forbidden: 0, absent: 0, unstated: 0, late: 0 },
    ...{ rate: 0, limit: 0 },
  };
  #unfit = 0;
  #lastLevelAt: number | undefined;
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  constructor(options: VoiceBridgeOptions) {
    this.#options = options;
    const { clock, media, toPeer, voice, told } = options;
    this.#rtp = new PeerRtp("audio", clock, media);
    const { hears } = voice;
    if (toPeer === undefined || hears === undefined) return;
    const { clockRate, frameTicks } = hears;
    this.#out = new OutgoingVoice({ ...toPeer, clockRate, frameTicks });
    this.#read(this.#out).catch(told.report);
  }

  get counters(): VoiceBridgeCounters {
    return {
      malformed: this.#rtp.malformed,
      unfit: this.#unfit,
      fates: { ...this.#fates },
      order: this.#order.counters,
      toPeer: this.#out?.counters,
    };
  }

  /** An RTP packet of the peer, which is the bridge's from now on. */
  packet(bytes: Uint8Array): void {
    if (this.#isClosed || this.#options.voice.sends === undefined) return;
    const packet = this.#rtp.read(bytes);
    if (packet === undefined) return;
    this.#order.insert(packet, this.#options.clock.now());
    this.#drain();
  }

  /** The peer says that its turn is over: its next frame is the last. */
  endTurn(): void {
    const { voice, told } = this.#options;
    if (voice.sends === undefined) return;
    voice.endTurn();
    this.#turns.reset();
    told.turnEnded("me");
  }

  /** Nothing is passed on any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #drain(): void {
    const { clock } = this.#options;
    const now = clock.now();
    for (let next = this.#order.next(now); next !== undefined; next = this.#order.next(now)) this.#say(next);
    this.#cancelTimer();
    const due = this.#order.nextTimeout();
    this.#cancelTimer = due === undefined || this.#isClosed ? () => {} : clock.at(due, () => this.#drain());
  }

  #say({ packet, missing, arrivedAt }: OrderedPacket<RtpPacket>): void {
    const { clock, levelId, times, told, voice } = this.#options;
    // Padding alone.
    if (packet.payload.length === 0) return;
    const { payload, timestamp } = packet;
    const element = packet.extensions.find(({ id }) => id === levelId);
    const heard = element && readAudioLevel(element.data);
    const arrived = clock.wall() - (clock.now() - arrivedAt);
    try {
      const marks = heard && this.#marks(heard.level, arrivedAt);
      const capturedAt = times.at(timestamp, arrived);
      const fate = voice.send({ payload, timestamp, capturedAt, isAfterLoss: missing > 0, ...marks });
      this.#fates[fate] += 1;
      if (marks?.endOfTurn === true) told.turnEnded("me");
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#unfit += 1;
    }
  }

  #marks(level: number, at: number) {
    const usual = this.#options.voice.sends?.frameMs ?? 0;
    const since = this.#lastLevelAt === undefined ? usual : Math.min(at - this.#lastLevelAt, 3 * usual);
    this.#lastLevelAt = at;
    const change = this.#turns.push(level, since);
    return {
      level,
      voice: this.#turns.speaking,
      startOfTurn: change === "begun",
      endOfTurn: change === "ended",
    };
  }

  async #read(out: OutgoingVoice): Promise<void> {
    const { told, voice } = this.#options;
    for await (const frame of voice) {
      if (this.#isClosed) return;
      const packet = out.send(frame);
      if (packet === undefined) continue;
      this.#rtp.write([packet], out);
      if (frame.endOfTurn) told.turnEnded("peer");
    }
  }
}
