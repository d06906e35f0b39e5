import { ok, type Result } from "../codecs/result.ts";
import type { SenderReport } from "../codecs/rtcp-report.ts";
import { splitVideoPayload } from "../codecs/rtp-fragment.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { VIDEO_CLOCK_RATE } from "../codecs/video-formats.ts";
import { VideoPayloadWriter } from "../codecs/video-payload.ts";
import { RtpOutgoing, type RtpStreamOptions } from "./rtp-outgoing.ts";

/** Bytes of an RTP packet at most, its header included: what goes through every network with what SRTP, UDP and IP add. */
export const MOST_PACKET_BYTES = 1_200;
/** Of these, the fixed header and what extensions may take: those that are written here, and a block's own header and padding. */
const HEADER_BYTES = 12 + 20;

/** A unit that can be decoded: what `VideoStream.heard()` hands out. */
export interface PictureUnit {
  readonly data: Uint8Array;
  readonly key: boolean;
  /** Unix milliseconds. */
  readonly capturedAt: number;
}

export interface OutgoingVideoOptions extends Omit<RtpStreamOptions, "clockRate"> {
  readonly format: VideoFormatName;
  /** Number of the first picture, 0 to 32,767: a random one. */
  readonly firstPicture: number;
}

export interface OutgoingVideoCounters {
  readonly units: number;
  readonly keyFrames: number;
  readonly packets: number;
  /** Units that were not sent, by reason: nothing can be decoded before a key frame; they are no units of the format. */
  readonly dropped: Readonly<Record<"awaiting-key" | "malformed", number>>;
}

/**
 * One video of a call as an RTP stream. Units come as they can be decoded, so nothing is missing in the numbers of packets and pictures, whatever was left out on the way
 * here: each refers to the one before it as far as the receiver need know, and layers are not told. The stream begins with a key frame, and goes on with one where another rendition or
 * stream takes its place; timestamps go by capture times throughout.
 */
export class OutgoingVideo {
  readonly #format: VideoFormatName;
  readonly #stream: RtpOutgoing;
  readonly #payloads: VideoPayloadWriter;
  #awaitsKey = true;
  #place = 0;
  #first: number | undefined;
  #ticks = 0;
  #units = 0;
  #keyFrames = 0;
  readonly #dropped = { "awaiting-key": 0, malformed: 0 };

  constructor(options: OutgoingVideoOptions) {
    this.#format = options.format;
    this.#stream = new RtpOutgoing({ ...options, clockRate: VIDEO_CLOCK_RATE });
    this.#payloads = new VideoPayloadWriter(options.format, { picture: options.firstPicture, base: 0 });
  }

  /** The unit's RTP packets, none where it cannot be decoded. Refuses with `payload-malformed` what is no unit of the format. */
  send(unit: PictureUnit): Result<readonly Uint8Array[]> {
    if (this.#awaitsKey && !unit.key) {
      this.#dropped["awaiting-key"] += 1;
      return ok([]);
    }
    const made = this.#payloads.write(unit.data);
    const pieces = made.ok
      ? splitVideoPayload(this.#format, made.value.payload, MOST_PACKET_BYTES - HEADER_BYTES)
      : made;
    if (!pieces.ok) {
      this.#dropped.malformed += 1;
      this.#awaitsKey = true;
      return pieces;
    }
    this.#awaitsKey = false;
    const { capturedAt } = unit;
    this.#first ??= capturedAt;
    const passed = Math.round(((capturedAt - this.#first) * VIDEO_CLOCK_RATE) / 1_000);
    this.#ticks = this.#units === 0 ? 0 : Math.max(this.#ticks + 1, passed);
    this.#units += 1;
    if (unit.key) this.#keyFrames += 1;
    const last = pieces.value.length - 1;
    return ok(
      pieces.value.map((payload, index) =>
        this.#stream.write({
          ...{ place: this.#place++, ticks: this.#ticks, capturedAt, payload },
          marker: index === last,
        }),
      ),
    );
  }

  /** What follows is of another stream, or something before it was not handed over: the next unit that goes is a key frame. */
  replaced(): void {
    this.#awaitsKey = true;
  }

  /** Nothing goes before a key frame: it has to be asked for. */
  get awaitsKey(): boolean {
    return this.#awaitsKey;
  }

  /** What to report at `wall`, Unix milliseconds; `undefined` before the first packet. */
  report(wall: number): SenderReport | undefined {
    return this.#stream.report(wall);
  }

  get counters(): OutgoingVideoCounters {
    const { packets } = this.#stream.sent;
    const [units, keyFrames] = [this.#units, this.#keyFrames];
    return { units, keyFrames, packets, dropped: { ...this.#dropped } };
  }
}
