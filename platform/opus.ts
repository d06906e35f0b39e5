import {
  Application,
  createDecoder,
  createEncoder,
  type EncoderOptions,
  isOpusError,
  type OpusDecoderHandle,
  type OpusEncoderHandle,
  Signal,
} from "libopus-wasm";
import type { AudioCodec, AudioFormat, CodecTuning } from "../codecs/audio-codec.ts";
import { OPUS_CLOCK_RATE, opusCarriesFec, parseOpusPacket } from "../codecs/opus.ts";
import { ParleyError } from "../codecs/parley-error.ts";

/** Milliseconds of one frame: what the encoder makes of the lengths RTP can name in whole numbers. */
export type OpusFrameMs = 5 | 10 | 20 | 40 | 60;

/** How an Opus stream is made. What is decoded depends on `frameMs` and `channels` alone. */
export interface OpusOptions {
  /** Default 20. */
  readonly frameMs?: OpusFrameMs;
  /** Default 1. */
  readonly channels?: 1 | 2;
  /** Bits per second of payload, 6,000 to 510,000, variable around this mean. Default 32,000 a channel. */
  readonly bitrate?: number;
  /**
   * - `voice` (default): tuned for speech.
   * - `music`: waveform coding, as far as FEC does not ask for another.
   * - `low-delay`: waveform coding with 2.5 ms of lookahead; no FEC.
   */
  readonly application?: "voice" | "music" | "low-delay";
  /** Each payload also carries the one before it, coarsely (RFC 6716 2.1.7). Default true; frames under 10 ms have none. */
  readonly fec?: boolean;
  /** Share of payloads expected to be lost, 0 to 1: how much of the bitrate FEC takes. Default 0.1. */
  readonly expectedLoss?: number;
  /** Silence becomes payloads of one or two bytes, which need not all be sent. Default false. */
  readonly dtx?: boolean;
  /** What the encoder may cost, 0 to 10; at 0 half of what the default of 5 does, and speech sounds a little rougher. */
  readonly complexity?: number;
}

/**
 * An Opus codec (RFC 6716) at 48 kHz. Every codec holds about 60 KB of wasm memory until `close()`.
 *
 * Throws `ParleyError`: `field-invalid` for an option out of range or PCM of another length than a frame,
 * `payload-malformed` from `decode` (the codec stays usable), `closed` after `close()`.
 */
export async function createOpusCodec(options: OpusOptions = {}): Promise<AudioCodec> {
  const { channels = 1, frameMs = 20 } = options;
  const settings = encoderSettings(options, frameMs, channels);
  const format: AudioFormat = {
    name: "opus",
    clockRate: OPUS_CLOCK_RATE,
    rtpClockRate: OPUS_CLOCK_RATE,
    channels,
    frameSamples: (OPUS_CLOCK_RATE / 1000) * frameMs,
  };
  const lookahead = await measureLookahead(settings, format);
  const encoder = await createEncoder(settings);
  try {
    const decoder = await createDecoder({
      channels,
      sampleRate: OPUS_CLOCK_RATE,
      maxFrameSize: format.frameSamples,
    });
    return new OpusCodec(format, lookahead, encoder, decoder);
  } catch (error) {
    encoder.free();
    throw error;
  }
}

class OpusCodec implements AudioCodec {
  readonly format: AudioFormat;
  readonly lookahead: number;
  readonly #encoder: OpusEncoderHandle;
  readonly #decoder: OpusDecoderHandle;
  #closed = false;

  constructor(
    format: AudioFormat,
    lookahead: number,
    encoder: OpusEncoderHandle,
    decoder: OpusDecoderHandle,
  ) {
    this.format = format;
    this.lookahead = lookahead;
    this.#encoder = encoder;
    this.#decoder = decoder;
  }

  encode(pcm: Int16Array): Uint8Array {
    this.#assertOpen();
    const expected = this.format.frameSamples * this.format.channels;
    if (pcm.length !== expected) {
      throw new ParleyError({
        code: "field-invalid",
        message: `A frame has ${expected} samples, not ${pcm.length}.`,
        at: "pcm",
      });
    }
    return this.#encoder.encode(pcm);
  }

  decode(payload: Uint8Array): Int16Array {
    this.#assertOpen();
    if (!this.#isOneFrame(payload)) throw malformed(this.format);
    try {
      return this.#decoder.decode(payload);
    } catch (error) {
      throw isOpusError(error) ? malformed(this.format, error) : error;
    }
  }

  conceal(next?: Uint8Array): Int16Array {
    this.#assertOpen();
    const frameSize = this.format.frameSamples;
    if (next !== undefined && this.#isOneFrame(next)) {
      try {
        return this.#decoder.decode(next, { decodeFec: true, frameSize });
      } catch (error) {
        // Broken beyond its first bytes: decode() will say so when its turn comes.
        if (!isOpusError(error)) throw error;
      }
    }
    return this.#decoder.decodePacketLoss(frameSize);
  }

  tune({ bitrate, dtx, expectedLoss }: CodecTuning): void {
    this.#assertOpen();
    if (bitrate !== undefined) requireBitrate(bitrate);
    if (expectedLoss !== undefined) requireLoss(expectedLoss);
    if (bitrate !== undefined) this.#encoder.setBitrate(bitrate);
    if (dtx !== undefined) this.#encoder.setDtx(dtx);
    if (expectedLoss !== undefined) this.#encoder.setPacketLossPercent(Math.round(expectedLoss * 100));
  }

  carriesEarlier(next: Uint8Array): boolean {
    return this.#isOneFrame(next) && opusCarriesFec(next);
  }

  isPause(payload: Uint8Array): boolean {
    return payload.length > 0 && payload.length <= LONGEST_PAUSE_BYTES;
  }

  comfort(): Int16Array {
    this.#assertOpen();
    return this.#decoder.decodePacketLoss(this.format.frameSamples);
  }

  /** The library resets nothing, but after silence there is only silence to remember: in lookahead, prediction and error correction. */
  forget(): void {
    this.#assertOpen();
    const silence = new Int16Array(this.format.frameSamples * this.format.channels);
    const frames = Math.ceil((FORGOTTEN_MS * OPUS_CLOCK_RATE) / 1000 / this.format.frameSamples);
    for (let frame = 0; frame < frames; frame += 1) this.#decoder.decode(this.#encoder.encode(silence));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#encoder.free();
    this.#decoder.free();
  }

  /** Checked before the decoder sees it: libopus would play a payload of any duration, and keep its state from it. */
  #isOneFrame(payload: Uint8Array): boolean {
    if (payload.length > MAX_PAYLOAD_BYTES) return false;
    const packet = parseOpusPacket(payload);
    return packet.ok && packet.value.samples === this.format.frameSamples;
  }

  #assertOpen(): void {
    if (this.#closed) throw new ParleyError({ code: "closed", message: "The Opus codec is closed." });
  }
}

/** Silence after which nothing of what was before can be heard, ms. */
const FORGOTTEN_MS = 60;

function encoderSettings(options: OpusOptions, frameMs: OpusFrameMs, channels: 1 | 2): EncoderOptions {
  const { application = "voice", bitrate = VOICE_BITRATE * channels, expectedLoss = 0.1 } = options;
  if (!FRAME_MS.includes(frameMs))
    throw invalid("frameMs", "An Opus frame here lasts 5, 10, 20, 40 or 60 ms.");
  if (channels !== 1 && channels !== 2) throw invalid("channels", "Opus has one channel or two.");
  requireBitrate(bitrate);
  requireLoss(expectedLoss);
  requireComplexity(options.complexity ?? COMPLEXITY);
  const mode = MODES[application];
  if (mode === undefined) throw invalid("application", "The application is `voice`, `music` or `low-delay`.");
  return {
    ...mode,
    bitrate,
    channels,
    complexity: options.complexity ?? COMPLEXITY,
    dtx: options.dtx ?? false,
    fec: options.fec ?? true,
    frameSize: (OPUS_CLOCK_RATE / 1000) * frameMs,
    packetLossPercent: Math.round(expectedLoss * 100),
    sampleRate: OPUS_CLOCK_RATE,
  };
}

function requireBitrate(bitrate: number): void {
  if (Number.isInteger(bitrate) && bitrate >= 6_000 && bitrate <= 510_000) return;
  throw invalid("bitrate", "The bitrate is a whole number from 6,000 to 510,000.");
}

function requireLoss(expectedLoss: number): void {
  if (expectedLoss >= 0 && expectedLoss <= 1) return;
  throw invalid("expectedLoss", "The loss is a share from 0 to 1.");
}

function requireComplexity(complexity: number): void {
  if (Number.isInteger(complexity) && complexity >= 0 && complexity <= 10) return;
  throw invalid("complexity", "The complexity is a whole number from 0 to 10.");
}

/** libopus reports CELT's delay for every mode; the SILK path, alone or in hybrid, comes out two samples earlier. */
async function measureLookahead(settings: EncoderOptions, format: AudioFormat): Promise<number> {
  using encoder = await createEncoder(settings);
  const first = encoder.encode(new Int16Array(format.frameSamples * format.channels));
  const packet = parseOpusPacket(first);
  const celt = packet.ok && packet.value.mode === "celt";
  return encoder.getLookahead() - (celt ? 0 : SILK_LEAD);
}

function malformed(format: AudioFormat, cause?: unknown): ParleyError {
  const ms = format.frameSamples / (OPUS_CLOCK_RATE / 1000);
  return new ParleyError(
    { code: "payload-malformed", message: `The payload is not one Opus frame of ${ms} ms.` },
    cause === undefined ? undefined : { cause },
  );
}

function invalid(at: string, message: string): ParleyError {
  return new ParleyError({ code: "field-invalid", message, at });
}

const FRAME_MS: readonly OpusFrameMs[] = [5, 10, 20, 40, 60];
const VOICE_BITRATE = 32_000;
/** Waveform kept as well as at 10, for half the time (`docs/audio-codecs.md`). */
const COMPLEXITY = 5;
/** What DTX makes of a frame: its first byte, and one more where it is several frames in one. */
const LONGEST_PAUSE_BYTES = 2;
/** 60 ms at 510 kbit/s; a longer payload is refused. */
const MAX_PAYLOAD_BYTES = 3_900;
/** Samples; measured, see `docs/audio-codecs.md`. */
const SILK_LEAD = 2;
/** libopus's own VOIP mode cuts low frequencies and turns their phase: speech then correlates under 0.95 with its source. */
const MODES = {
  voice: { application: Application.Audio, signal: Signal.Voice },
  music: { application: Application.Audio, signal: Signal.Music },
  "low-delay": { application: Application.RestrictedLowDelay, signal: Signal.Auto },
} as const;
