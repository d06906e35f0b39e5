/** G.722 (ITU-T G.722 at 64 kbit/s) as RTP carries it (RFC 3551 section 4.5.2): wideband speech, one byte for two samples. */
import type { AudioFormat } from "./audio-codec.ts";
import { G722Decoder, G722Encoder } from "./g722-coder.ts";
import { ParleyError } from "./parley-error.ts";
import { WaveformCodec } from "./waveform-codec.ts";

/** Samples a second. */
export const G722_SAMPLE_RATE = 16_000;
/** RTP clock rate: half of that, by an old mistake that RFC 3551 keeps. */
export const G722_RTP_CLOCK_RATE = 8000;
/** Static RTP payload type (RFC 3551 table 4). */
export const G722_PAYLOAD_TYPE = 9;

/** A mono codec for one stream. */
export class G722Codec extends WaveformCodec {
  #encoder = new G722Encoder();
  #decoder = new G722Decoder();

  /** Throws `field-invalid` unless `frameSamples` is even, 2 to 1,920 (120 ms). Default 320 (20 ms). */
  constructor(frameSamples: number = 320) {
    if (!Number.isInteger(frameSamples / 2) || frameSamples < 2 || frameSamples > MAX_FRAME_SAMPLES) {
      throw new ParleyError({
        code: "field-invalid",
        message: `must be even, 2 to ${MAX_FRAME_SAMPLES}`,
        at: "frameSamples",
      });
    }
    super(formatOf(frameSamples), frameSamples / 2, FILTER_DELAY);
  }

  protected write(pcm: Int16Array, payload: Uint8Array): void {
    this.#encoder.encode(pcm, payload);
  }

  protected override restart(): void {
    this.#encoder = new G722Encoder();
    this.#decoder = new G722Decoder();
  }

  protected read(payload: Uint8Array, pcm: Int16Array): void {
    this.#decoder.decode(payload, pcm);
  }
}

function formatOf(frameSamples: number): AudioFormat {
  return {
    name: "g722",
    clockRate: G722_SAMPLE_RATE,
    rtpClockRate: G722_RTP_CLOCK_RATE,
    channels: 1,
    frameSamples,
  };
}

const MAX_FRAME_SAMPLES = 1920;
/** Samples of delay of both filters together. */
const FILTER_DELAY = 22;
