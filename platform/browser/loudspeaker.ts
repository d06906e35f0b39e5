import { ParleyError } from "../../codecs/parley-error.ts";
import { createContext } from "./audio-context.ts";
import {
  LOUDSPEAKER_PROCESSOR,
  type LoudspeakerProcessorOptions,
  type LoudspeakerReport,
  loudspeakerProcessor,
} from "./loudspeaker-processor.ts";

/** Most PCM that waits to be played, ms; when more comes the oldest goes, counted in `dropped`. */
const WAITING_MS = 400;
const START_MS = 40;
const FADE_MS = 10;
const REPORT_MS = 50;
/** Over how long it looks at what waits before it plays faster or slower, ms. */
const WINDOW_MS = 2_000;
/** Share of the start that waits all the time, at least; and how much may in any case, ms: one frame. */
const LEAST_SHARE = 3 / 8;
const FRAME_MS = 20;
/**
 * Faster or slower by this share for each millisecond too much or too little: a clock that is wrong by 300 ppm is made good by 5 ms. A
 * thirtieth of a semitone at most, which nobody hears, and reached over many seconds.
 */
const RATE_PER_MS = 60e-6;
const MOST_RATE = 2_000e-6;
const MOST_RATE_STEP_PER_S = 100e-6;

export interface LoudspeakerOptions {
  /** Hz of the PCM that `play` takes: that of the format heard, 48,000 for Opus. Default 48,000. */
  readonly clockRate?: number;
  /** What is gathered before playing begins, ms: more bears a busier page. 0 to 200, default 40. */
  readonly startMs?: number;
}

/** What a loudspeaker has done, in milliseconds of sound, as last reported by it (every 50 ms). */
export interface LoudspeakerStats {
  readonly waiting: number;
  readonly played: number;
  /** Pushed out by newer sound because more than 400 ms waited. */
  readonly dropped: number;
  readonly flushed: number;
  /** Times it ran out of sound in the middle of some. */
  readonly underruns: number;
  /**
   * How much faster than it comes the sound is played, parts per million; slower where negative: the sound card's clock is not the machine's,
   * and what gathered is played off. At most 2,000.
   */
  readonly correction: number;
}

/** Opens the browser's loudspeaker. Throws `device-unavailable`, and `field-invalid` for a start out of range. */
export async function openLoudspeaker(options: LoudspeakerOptions = {}): Promise<Loudspeaker> {
  const { clockRate = 48_000, startMs = START_MS } = options;
  if (!(startMs >= 0 && startMs <= WAITING_MS / 2)) {
    throw new ParleyError({
      code: "field-invalid",
      message: `A loudspeaker starts after 0 to ${WAITING_MS / 2} ms.`,
      at: "startMs",
    });
  }
  const context = await createContext(clockRate, loudspeakerProcessor);
  const processorOptions = processorOptionsOf(clockRate, startMs);
  const node = new AudioWorkletNode(context, LOUDSPEAKER_PROCESSOR, {
    numberOfInputs: 0,
    outputChannelCount: [1],
    processorOptions,
  });
  node.connect(context.destination);
  return new Loudspeaker(context, node);
}

/** What the worklet is told, for PCM of `clockRate` Hz. */
export function processorOptionsOf(clockRate: number, startMs: number): LoudspeakerProcessorOptions {
  const samples = (ms: number): number => Math.round((ms * clockRate) / 1000);
  return {
    capacity: samples(WAITING_MS),
    start: Math.max(1, samples(startMs)),
    least: samples(startMs * LEAST_SHARE),
    most: samples(Math.max(startMs, FRAME_MS)),
    window: samples(WINDOW_MS),
    ratePerSample: (RATE_PER_MS * 1000) / clockRate,
    mostRate: MOST_RATE,
    mostRateStep: MOST_RATE_STEP_PER_S / clockRate,
    fade: samples(FADE_MS),
    report: samples(REPORT_MS),
  };
}

/** Plays mono 16-bit PCM as it comes. */
export class Loudspeaker {
  /** Hz. */
  readonly clockRate: number;
  /** Where the sound comes out, to be shown or recorded as well. */
  readonly node: AudioNode;
  readonly #context: AudioContext;
  readonly #port: MessagePort;
  readonly #flushes = new Map<number, () => void>();
  #lastFlush = 0;
  #report: LoudspeakerReport = {
    waiting: 0,
    played: 0,
    dropped: 0,
    flushed: 0,
    underruns: 0,
    rate: 0,
    flush: 0,
  };
  #closing: Promise<void> | undefined;

  /** @internal Loudspeakers come from `openLoudspeaker`. */
  constructor(context: AudioContext, node: AudioWorkletNode) {
    this.clockRate = context.sampleRate;
    this.node = node;
    this.#context = context;
    this.#port = node.port;
    this.#port.onmessage = ({ data }: MessageEvent<LoudspeakerReport>) => {
      this.#report = data;
      for (const [flush, done] of this.#flushes) if (flush <= data.flush) this.#finishFlush(flush, done);
    };
  }

  /** Whether it plays. False until the user has done something on the page, where the browser wants that; see `resume`. */
  get running(): boolean {
    return this.#context.state === "running";
  }

  get stats(): LoudspeakerStats {
    const { waiting, played, dropped, flushed, underruns, rate } = this.#report;
    const ms = (samples: number): number => (samples * 1000) / this.clockRate;
    return {
      waiting: ms(waiting),
      played: ms(played),
      dropped: ms(dropped),
      flushed: ms(flushed),
      underruns,
      correction: rate * 1e6,
    };
  }

  /** Begins playing where the browser held it back; to be called from a click or a key. */
  async resume(): Promise<void> {
    await this.#context.resume();
  }

  /**
   * Plays `pcm` after what waits. The samples are copied. A gapless timeline, as `call.audio.heard({ silence: true })` gives,
   * keeps `underruns` at what was really missing. Does nothing once closed.
   */
  play(pcm: Int16Array): void {
    if (this.#closing !== undefined) return;
    const copy = pcm.slice();
    this.#port.postMessage(copy, [copy.buffer]);
  }

  /** Stops what plays, with a fade of 10 ms, and forgets what waits. Resolves when that has begun; at once while not running. */
  flush(): Promise<void> {
    if (this.#closing !== undefined) return Promise.resolve();
    this.#lastFlush += 1;
    const flush = this.#lastFlush;
    this.#port.postMessage(flush);
    if (!this.running) return Promise.resolve();
    return new Promise((resolve) => this.#flushes.set(flush, resolve));
  }

  /** Lets the device go. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.node.disconnect();
    await this.#context.close();
    for (const [flush, done] of this.#flushes) this.#finishFlush(flush, done);
  }

  #finishFlush(flush: number, done: () => void): void {
    this.#flushes.delete(flush);
    done();
  }
}
