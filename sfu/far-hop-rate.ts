import { PACKET_OVERHEAD } from "./congestion/hop-packet.ts";

/** A change of less than this share is not told. */
const CHANGE = 0.15;
/** Between two changes, ms. */
const BETWEEN_MS = 1_000;
/** More is told once there was room for it for so long, ms. */
const ROOM_MS = 2_000;
/** Share of an estimate that is used: the rest is for packets that are sent again, and for its own error. */
const USED = 0.95;
/** Bytes around the payload of a voice's frame in Parley, with its signature, and on the WebRTC hop: RTP and its extensions, SRTP's tag. */
const AROUND_FRAME = 106;
const AROUND_PACKET = 32;
/** Of an agreed bit rate so much more may come: encoders overshoot, and lost packets come again. */
const OVERSHOOT = 1.15;
/** Without any media there is still what asks and answers, bits a second. */
const LEAST_INCOMING = 30_000;

/** A voice on a hop. */
export interface HopVoice {
  /** Bits of payload a second. */
  readonly bitrate: number;
  readonly frameMs: number;
}

/**
 * Makes of what the congestion control of a WebRTC hop estimates (transport-wide feedback or REMB, bits a second) what is told of it to the Parley side, by `Call.limit`: the server hears of it
 * with the next report (REMB) and tells who sends, which sends less at once and has it agreed on (`ADJUST`, `CONFIRM`); `NOTIFY` with `bandwidth_estimate` never tells more.
 * So an estimate that swings does not have terms agreed on each second: less is told at once, more after there was room for it for a while, either only by a sixth and more, once a second, and
 * never so little that the voice at its least would not go through. Give it every estimate; times are milliseconds of any one clock.
 */
export class FarHopRate {
  readonly #voice: HopVoice | undefined;
  #wanted: number | undefined;
  #told: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Since when there is room for more, and the least that there was since. */
  #room: { readonly since: number; least: number } | undefined;

  /** `voice`: what goes over the hop at its least, if a voice does. */
  constructor(voice?: HopVoice) {
    this.#voice = voice;
  }

  /** What was told last, bits a second as Parley's hops count them; `undefined` before the first estimate. */
  get limit(): number | undefined {
    return this.#told;
  }

  /** Takes an estimate; returns what to tell now, where that is another limit. */
  observe(bitsPerSecond: number, now: number): number | undefined {
    const voice = this.#voice;
    const frames = voice === undefined ? 0 : 1_000 / voice.frameMs;
    // What signs a frame stays on this side, and every hop counts the headers below RTP.
    const around = frames * (AROUND_FRAME - AROUND_PACKET) * 8;
    const least = voice === undefined ? 0 : voice.bitrate + frames * (AROUND_FRAME + PACKET_OVERHEAD) * 8;
    const wanted = Math.round(Math.max(least, bitsPerSecond * USED + around, 1));
    this.#wanted = wanted;
    if (this.#told === undefined || wanted < this.#told * (1 + CHANGE)) this.#room = undefined;
    else if (this.#room === undefined) this.#room = { since: now, least: wanted };
    else this.#room.least = Math.min(this.#room.least, wanted);
    return this.poll(now);
  }

  /** What to tell now, though no estimate came. */
  poll(now: number): number | undefined {
    const due = this.nextTimeout();
    if (due === undefined || now < due) return undefined;
    const limit = this.#room?.least ?? this.#wanted;
    this.#told = limit;
    this.#toldAt = now;
    this.#room = undefined;
    return limit;
  }

  /** When to `poll`, where something is to be told. */
  nextTimeout(): number | undefined {
    if (this.#wanted === undefined) return undefined;
    if (this.#told === undefined) return this.#toldAt;
    const next = this.#toldAt + BETWEEN_MS;
    if (this.#room !== undefined) return Math.max(next, this.#room.since + ROOM_MS);
    return this.#wanted <= this.#told * (1 - CHANGE) ? next : undefined;
  }
}

/**
 * The other way: the most that a WebRTC peer is to send, bits a second with what is around it, so that what comes of it is no more than was agreed. What its transport takes at most is set to it
 * whenever other terms are in force; its congestion control then has it encode less.
 */
export function mostIncoming({
  voices,
  videos,
}: {
  readonly voices: readonly HopVoice[];
  /** Bits a second of each, as agreed. */
  readonly videos: readonly number[];
}): number {
  const ofVoices = voices.reduce(
    (sum, { bitrate, frameMs }) => sum + bitrate + (AROUND_PACKET * 8 * 1_000) / frameMs,
    0,
  );
  const ofVideos = videos.reduce((sum, bitrate) => sum + bitrate, 0);
  return Math.round(Math.max(LEAST_INCOMING, (ofVoices + ofVideos) * OVERSHOOT));
}
