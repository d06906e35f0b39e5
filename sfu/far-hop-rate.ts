import { PACKET_OVERHEAD } from "./congestion/hop-packet.ts";
import { RateMeter } from "./congestion/rate-meter.ts";

/** A change of less than this share is not told. */
const CHANGE = 0.15;
/** Between two changes, ms. */
const BETWEEN_MS = 1_000;
/** More is told once there was room for it for so long, ms. */
const ROOM_MS = 2_000;
/**
 * An estimate of more than so many times the pictures that are sent, or where there are none of all that is, tells what is offered, not what the way takes: congestion control never estimates more
 * than about half as much again as what arrives (draft-ietf-rmcat-gcc-02, 5.5; mediasoup 1.35 times the pictures). Over how long that is measured, ms.
 */
const OFFERED = 1.3;
const OFFERED_MS = 900;
/** While nothing more is known so much more is told after so long, ms: whoever offers no more never learns that there is room. Up to so many times the estimate. */
const GROW = 1.5;
const GROW_MS = 5_000;
const MOST_GROWN = 4;
/** Share of an estimate that is used: the rest is for packets that are sent again, and for its own error. */
const USED = 0.95;
/** Bytes around the payload of a voice's frame in Parley, with its signature, and on the WebRTC hop: RTP and its extensions, SRTP's tag. */
const AROUND_FRAME = 106;
const AROUND_PACKET = 32;
/** A voice may take so much more than it lately did: it is louder at times, and lost packets come again. */
const VOICE_MARGIN = 1.15;
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
 * never so little that the voice at its least would not go through. An estimate that only tells how little is offered lowers nothing. Give it every estimate and everything that is sent; times are
 * milliseconds of any one clock.
 */
export class FarHopRate {
  readonly #voice: HopVoice | undefined;
  #wanted: number | undefined;
  #told: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Since when there is room for more, and the least that there was since. */
  #room: { readonly since: number; least: number } | undefined;
  /** Since when the way is known to take what is sent, and no more is known. */
  #idleSince: number | undefined;
  readonly #sent = { audio: new RateMeter(), video: new RateMeter() };
  #estimate = 0;

  /** `voice`: what goes over the hop at its least, if a voice does. */
  constructor(voice?: HopVoice) {
    this.#voice = voice;
  }

  /** What was told last, bits a second as Parley's hops count them; `undefined` before the first estimate. */
  get limit(): number | undefined {
    return this.#told;
  }

  /** So many bytes went over the hop. */
  sent(kind: "audio" | "video", bytes: number, now: number): void {
    this.#sent[kind].add(bytes, now);
  }

  /** Takes an estimate; returns what to tell now, where that is another limit. */
  observe(bitsPerSecond: number, now: number): number | undefined {
    const voice = this.#voice;
    const frames = voice === undefined ? 0 : 1_000 / voice.frameMs;
    // What signs a frame stays on this side, and every hop counts the headers below RTP.
    const around = frames * (AROUND_FRAME - AROUND_PACKET) * 8;
    const least = voice === undefined ? 0 : voice.bitrate + frames * (AROUND_FRAME + PACKET_OVERHEAD) * 8;
    const wanted = Math.round(Math.max(least, bitsPerSecond * USED + around, 1));
    const told = this.#told;
    this.#estimate = bitsPerSecond;
    if (told !== undefined && this.#isOffered(now) && wanted < told * (1 + CHANGE)) {
      this.#wanted = told;
      this.#room = undefined;
      this.#idleSince ??= now;
      return this.poll(now);
    }
    this.#wanted = wanted;
    this.#idleSince = undefined;
    if (this.#told === undefined || wanted < this.#told * (1 + CHANGE)) this.#room = undefined;
    else if (this.#room === undefined) this.#room = { since: now, least: wanted };
    else this.#room.least = Math.min(this.#room.least, wanted);
    return this.poll(now);
  }

  /** What to tell now, though no estimate came. */
  poll(now: number): number | undefined {
    const due = this.nextTimeout();
    if (due === undefined || now < due) return undefined;
    const isGrown = this.#idleSince !== undefined && this.#told !== undefined;
    if (isGrown && !this.#isOffered(now)) {
      // More is sent since: the next estimate tells whether the way takes it.
      this.#idleSince = undefined;
      return undefined;
    }
    const limit = isGrown ? Math.round((this.#told as number) * GROW) : (this.#room?.least ?? this.#wanted);
    this.#told = limit;
    this.#toldAt = now;
    this.#room = undefined;
    if (isGrown) {
      this.#wanted = limit;
      this.#idleSince = now;
    }
    return limit;
  }

  /** When to `poll`, where something is to be told. */
  nextTimeout(): number | undefined {
    if (this.#wanted === undefined) return undefined;
    if (this.#told === undefined) return this.#toldAt;
    const next = this.#toldAt + BETWEEN_MS;
    if (this.#room !== undefined) return Math.max(next, this.#room.since + ROOM_MS);
    if (this.#idleSince !== undefined)
      return this.#told < MOST_GROWN * this.#estimate ? Math.max(next, this.#idleSince + GROW_MS) : undefined;
    return this.#wanted <= this.#told * (1 - CHANGE) ? next : undefined;
  }

  /** The last estimate only follows what is sent. */
  #isOffered(now: number): boolean {
    const pictures = this.#sent.video.rate(now, OFFERED_MS);
    const sent = pictures > 0 ? pictures : this.#sent.audio.rate(now, OFFERED_MS);
    return this.#estimate > OFFERED * sent;
  }
}

/**
 * The other way: the most that a WebRTC peer is to send, bits a second with what is around it. What its transport takes at most is set to it whenever that is another; its congestion control then has
 * it encode less. A bound of all media together: what a voice does not use its encoder gives to pictures, and what these have beyond what was agreed is left out on this side.
 */
export function mostIncoming({
  voices,
  videos,
}: {
  /** What each takes, or where that is not known may take. */
  readonly voices: readonly HopVoice[];
  /** Bits of payload a second of each, as agreed. */
  readonly videos: readonly number[];
}): number {
  const ofVoices = voices.reduce(
    (sum, { bitrate, frameMs }) => sum + bitrate + (AROUND_PACKET * 8 * 1_000) / frameMs,
    0,
  );
  const ofVideos = videos.reduce((sum, bitrate) => sum + bitrate, 0);
  return Math.round(Math.max(LEAST_INCOMING, ofVoices * VOICE_MARGIN + ofVideos));
}
