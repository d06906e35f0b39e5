import { unixMsToNtp } from "../codecs/ntp.ts";
import type { SenderReport } from "../codecs/rtcp-report.ts";
import { type AudioLevel, audioLevelBytes, captureTimeBytes } from "../codecs/rtp-extensions.ts";
import { type RtpExtension, writeRtpPacket } from "../codecs/rtp-packet.ts";

/** Capture times are told so often, ms: between two of them whoever reads them reckons by the timestamps. */
const CAPTURE_TIME_EVERY_MS = 1_000;

/** One RTP stream that is sent. Source and first numbers are random ones, so that nobody guesses them. */
export interface RtpStreamOptions {
  readonly ssrc: number;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly first: {
    /** 16 bits. */
    readonly sequence: number;
    /** 32 bits. */
    readonly timestamp: number;
  };
  /** Identifiers of the header extensions that were agreed on. */
  readonly extensions?: { readonly audioLevel?: number; readonly captureTime?: number };
}

/** What one packet of a stream is to be. */
export interface OutgoingPacket {
  /** Places from the stream's first number on; may go back for what was overtaken. */
  readonly place: number;
  /** Ticks from the stream's first timestamp on. */
  readonly ticks: number;
  /** Unix milliseconds. */
  readonly capturedAt: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
  readonly level?: AudioLevel | undefined;
}

/** Writes the packets of one RTP stream, and the reports that say what time its timestamps are of. */
export class RtpOutgoing {
  readonly #options: RtpStreamOptions;
  #toldAt = Number.NEGATIVE_INFINITY;
  #newest: { readonly ticks: number; readonly capturedAt: number } | undefined;
  #packets = 0;
  #octets = 0;

  constructor(options: RtpStreamOptions) {
    this.#options = options;
  }

  get ssrc(): number {
    return this.#options.ssrc;
  }

  /** Packets written, and octets of payload in them. */
  get sent(): { readonly packets: number; readonly octets: number } {
    return { packets: this.#packets, octets: this.#octets };
  }

  /** The bytes of a packet, a new array. */
  write({ place, ticks, capturedAt, marker, payload, level }: OutgoingPacket): Uint8Array {
    const { ssrc, payloadType, first, extensions: ids = {} } = this.#options;
    const extensions: RtpExtension[] = [];
    if (ids.audioLevel !== undefined && level !== undefined)
      extensions.push({ id: ids.audioLevel, data: audioLevelBytes(level) });
    if (ids.captureTime !== undefined && Math.abs(capturedAt - this.#toldAt) >= CAPTURE_TIME_EVERY_MS) {
      this.#toldAt = capturedAt;
      extensions.push({ id: ids.captureTime, data: captureTimeBytes(unixMsToNtp(capturedAt)) });
    }
    if (this.#newest === undefined || ticks > this.#newest.ticks) this.#newest = { ticks, capturedAt };
    this.#packets += 1;
    this.#octets += payload.length;
    return writeRtpPacket({
      marker,
      payloadType,
      sequence: modulo(first.sequence + place, 0x10000),
      timestamp: modulo(first.timestamp + ticks, TWO_32),
      ssrc,
      extensions,
      payload,
    });
  }

  /** What to report at `wall`, Unix milliseconds by the clock that captures are told by; `undefined` before the first packet. */
  report(wall: number): SenderReport | undefined {
    const newest = this.#newest;
    if (newest === undefined) return undefined;
    const { ssrc, clockRate, first } = this.#options;
    const ticks = newest.ticks + Math.round(((wall - newest.capturedAt) * clockRate) / 1_000);
    return {
      sender: ssrc,
      blocks: [],
      time: unixMsToNtp(wall),
      timestamp: modulo(first.timestamp + ticks, TWO_32),
      packets: this.#packets % TWO_32,
      octets: this.#octets % TWO_32,
    };
  }
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

const TWO_32 = 0x100000000;
