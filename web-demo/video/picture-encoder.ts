/** One rendition of a source: pictures in, units out. */
import { type Encoding, isWorthChanging, type Size } from "../model/picture-plan.ts";
import { codecString, type VideoCodecName } from "../model/video-codec.ts";

/** Pictures that an encoder may have before it; a further one is left out. */
const BACKLOG = 2;
/** Times kept of pictures that are being encoded; the oldest goes. */
const TIMES = 32;

/** One unit as it came out of the encoder. */
export interface MadeUnit extends Size {
  readonly data: Uint8Array;
  readonly key: boolean;
  /** Temporal layer; 0 is the base. */
  readonly layer: number;
  /** Monotonic milliseconds. */
  readonly capturedAt: number;
}

/** What became of pictures. */
export interface EncoderCounters {
  encoded: number;
  keys: number;
  /** Left out because the encoder was behind. */
  behind: number;
  /** Encoders that broke and were made anew. */
  broken: number;
}

export class PictureEncoder {
  readonly counters: EncoderCounters = { encoded: 0, keys: 0, behind: 0, broken: 0 };
  readonly #codec: VideoCodecName;
  readonly #made: (unit: MadeUnit) => void;
  readonly #report: (error: unknown) => void;
  readonly #capturedAt = new Map<number, number>();
  #encoder: VideoEncoder | undefined;
  #encoding: Encoding | undefined;
  /** Undefined until it is known. */
  #hasLayers: boolean | undefined;
  #isAsking = false;
  #wantsKey = true;

  constructor(
    codec: VideoCodecName,
    options: { readonly made: (unit: MadeUnit) => void; readonly report: (error: unknown) => void },
  ) {
    this.#codec = codec;
    this.#made = options.made;
    this.#report = options.report;
  }

  /** How it is set; undefined while it pauses. */
  get encoding(): Encoding | undefined {
    return this.#encoding;
  }

  /** Sets it for the pictures to come; `undefined`: it pauses. */
  set(encoding: Encoding | undefined): void {
    const present = this.#encoding;
    if (encoding === undefined) {
      this.#encoding = undefined;
      this.#discard();
      return;
    }
    if (present !== undefined && !isWorthChanging(present, encoding)) return;
    this.#encoding = encoding;
    const { width, height } = present ?? encoding;
    if (width !== encoding.width || height !== encoding.height) this.#wantsKey = true;
    if (this.#encoder !== undefined) this.#configure(this.#encoder, encoding);
  }

  /** The next unit can be decoded alone. */
  wantKey(): void {
    this.#wantsKey = true;
  }

  /** Takes a picture, which stays the caller's. It is left out while the encoder is behind. */
  encode(frame: VideoFrame, capturedAt: number): void {
    const encoding = this.#encoding;
    if (encoding === undefined || !this.#isReady(encoding)) return;
    this.#encoder ??= this.#start(encoding);
    if (this.#encoder.encodeQueueSize >= BACKLOG) {
      this.counters.behind += 1;
      return;
    }
    this.#capturedAt.set(frame.timestamp, capturedAt);
    const [oldest] = this.#capturedAt.keys();
    if (this.#capturedAt.size > TIMES && oldest !== undefined) this.#capturedAt.delete(oldest);
    this.#encoder.encode(frame, { keyFrame: this.#wantsKey });
    this.#wantsKey = false;
  }

  /** Encodes nothing more. Idempotent. */
  close(): void {
    this.#encoding = undefined;
    this.#discard();
  }

  /** Whether the browser's encoder makes temporal layers has to be asked for once. */
  #isReady(encoding: Encoding): boolean {
    if (this.#hasLayers !== undefined) return true;
    if (this.#isAsking) return false;
    this.#isAsking = true;
    VideoEncoder.isConfigSupported(this.#config(encoding, true))
      .then(({ supported }) => {
        this.#hasLayers = supported === true;
      })
      .catch(this.#report);
    return false;
  }

  #config({ width, height, bitsPerSecond, frameRate }: Encoding, hasLayers: boolean): VideoEncoderConfig {
    return {
      codec: codecString(this.#codec, { width, height }),
      width,
      height,
      bitrate: bitsPerSecond,
      framerate: frameRate,
      latencyMode: "realtime",
      ...(hasLayers ? { scalabilityMode: "L1T2" } : {}),
    };
  }

  #configure(encoder: VideoEncoder, encoding: Encoding): void {
    encoder.configure(this.#config(encoding, this.#hasLayers === true));
  }

  #start(encoding: Encoding): VideoEncoder {
    const encoder = new VideoEncoder({
      output: (chunk, metadata) => {
        if (encoder === this.#encoder) this.#output(chunk, metadata);
      },
      error: (error) => {
        if (encoder !== this.#encoder) return;
        this.#report(error);
        this.counters.broken += 1;
        this.#discard();
      },
    });
    this.#configure(encoder, encoding);
    this.#wantsKey = true;
    return encoder;
  }

  #output(chunk: EncodedVideoChunk, metadata: EncodedVideoChunkMetadata | undefined): void {
    const capturedAt = this.#capturedAt.get(chunk.timestamp) ?? performance.now();
    this.#capturedAt.delete(chunk.timestamp);
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    const key = chunk.type === "key";
    this.counters.encoded += 1;
    if (key) this.counters.keys += 1;
    const { width = 0, height = 0 } = this.#encoding ?? {};
    this.#made({ data, key, layer: metadata?.svc?.temporalLayerId ?? 0, capturedAt, width, height });
  }

  #discard(): void {
    const encoder = this.#encoder;
    this.#encoder = undefined;
    this.#wantsKey = true;
    this.#capturedAt.clear();
    if (encoder !== undefined && encoder.state !== "closed") encoder.close();
  }
}
