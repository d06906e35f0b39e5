import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { BufferedFrame, InsertOutcome } from "../sfu/jitter-buffer.ts";
import { FADE_MS, Playout, type PlayoutCounters, type PlayoutStep } from "../sfu/playout.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { HeardAudio } from "./heard-audio.ts";
import type { MediaTime } from "./media-time.ts";

export interface AudioPlayerCounters extends PlayoutCounters {
  /** Payloads that verified and would not decode; played as concealment. */
  readonly undecodable: number;
}

export interface AudioPlayerOptions {
  readonly clock: Clock;
  readonly time: MediaTime;
  readonly codec: AudioCodec;
  readonly receipts: ReceiptTracker;
  readonly speaker: string;
  readonly heard: (heard: HeardAudio) => void;
  /** Whether anybody hears the intervals in which nobody speaks; else they are not made. */
  readonly silenceIsHeard: () => boolean;
  /** Told of each interval that was made up, with the number of the frame that would not decode. */
  readonly concealed: (sequence: number | undefined, at: number) => void;
}

/** How long noise stands in for a silent speaker after the last frame that said so, ms: two that were lost, and some delay. */
const COMFORT_MS = 1_500;

/** Plays the verified frames of one stream: de-jitters, decodes, conceals what is missing and hands PCM out, from the first frame on. */
export class AudioPlayer {
  readonly #options: AudioPlayerOptions;
  #playout: Playout | undefined;
  #start = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  #finished = false;
  /** What the decoder remembers is another speaker's: the next frame would begin with it. */
  #fadesIn = false;
  /** Until when noise stands in for a speaker who is silent and sends nothing. */
  #comfortUntil = Number.NEGATIVE_INFINITY;
  #undecodable = 0;

  constructor(options: AudioPlayerOptions) {
    this.#options = options;
  }

  /** `undefined` until the first frame. */
  get counters(): AudioPlayerCounters | undefined {
    const playout = this.#playout?.counters();
    return playout && { ...playout, undecodable: this.#undecodable };
  }

  /** Takes a verified frame that arrived at `now`, and those that it carries. Says what became of the frame itself. */
  insert(frames: UnpackedFrames, now: number): InsertOutcome {
    this.#playout ??= this.#startPlayout(now);
    for (const earlier of frames.earlier) this.#playout.insertCarried(this.#placed(earlier), now);
    const outcome = this.#playout.insert(this.#placed(frames.own), now);
    this.#schedule();
    return outcome;
  }

  /** Throws away what waits; what is played fades out. */
  flush(): void {
    this.#playout?.flush();
  }

  /** The same, where the speaker goes by another clock from now on. */
  restart(): void {
    this.#playout?.restart();
  }

  /** The same, where another process speaks from now on. */
  changeSpeaker(): void {
    this.#playout?.restart();
    this.#fadesIn = true;
  }

  /** Stops playing. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#timer?.cancel();
    this.#options.codec.close();
  }

  /** By the samples that are played, where the RTP clock counts otherwise, and with what its payload says of what follows. */
  #placed(frame: BufferedFrame): BufferedFrame {
    const { codec } = this.#options;
    const { clockRate, rtpClockRate } = codec.format;
    const timestamp = (frame.timestamp * (clockRate / rtpClockRate)) >>> 0;
    return { ...frame, timestamp, pauses: codec.isPause?.(frame.payload) === true };
  }

  #startPlayout(now: number): Playout {
    const { clockRate, frameSamples } = this.#options.codec.format;
    this.#start = now;
    return new Playout({ clockRate, frameSamples, start: now });
  }

  #schedule(): void {
    if (this.#playout === undefined || this.#finished) return;
    const at = this.#playout.nextTimeout();
    if (this.#timer?.at === at) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#options.clock.at(at, () => this.#tick()) };
  }

  #tick(): void {
    this.#timer = undefined;
    const playout = this.#playout;
    if (playout === undefined || this.#finished) return;
    const now = this.#options.clock.now();
    for (let step = playout.poll(now); step !== undefined; step = playout.poll(now)) this.#play(step);
    this.#schedule();
  }

  #play(step: PlayoutStep): void {
    const { codec, concealed, heard, receipts, silenceIsHeard, speaker, time } = this.#options;
    const comforts = step.kind === "silence" && step.at < this.#comfortUntil && codec.comfort !== undefined;
    if (step.kind === "silence" && !comforts && !silenceIsHeard()) return;
    const { clockRate, channels } = codec.format;
    const playedAt = time.wallAt(step.at);
    const position = Math.round(((step.at - this.#start) * clockRate) / 1000);
    const base = { speaker, playedAt, position, clockRate, channels } as const;
    if (step.kind === "silence") {
      const noise = comforts ? codec.comfort?.().slice(0, step.samples * channels) : undefined;
      if (noise !== undefined) heard({ ...base, kind: "comfort", pcm: noise, verified: false });
      else heard({ ...base, kind: "silence", pcm: new Int16Array(step.samples * channels), verified: false });
      return;
    }
    this.#comfortUntil = Number.NEGATIVE_INFINITY;
    const fade = (FADE_MS * clockRate) / 1000;
    const pcm = step.kind === "play" ? this.#decode(step.frame.payload) : undefined;
    if (step.kind !== "play" || pcm === undefined) {
      receipts.concealed();
      const made = codec.conceal(step.kind === "conceal" ? step.next : undefined).slice();
      if (step.kind === "fade") fadeOut(made, channels, fade);
      heard({ ...base, kind: "concealed", pcm: made, verified: false });
      concealed(step.kind === "play" ? step.frame.sequence : undefined, step.at);
      return;
    }
    const { frame } = step;
    if (frame.pauses === true) this.#comfortUntil = step.at + COMFORT_MS;
    if (this.#fadesIn) fadeIn(pcm, channels, fade);
    this.#fadesIn = false;
    // A receipt speaks of frames that came: one that another carried did not.
    if (frame.carrier === undefined) receipts.heard(frame.sequence);
    heard({
      ...base,
      kind: "speech",
      pcm,
      verified: true,
      sequence: frame.sequence,
      carriedBy: frame.carrier,
      capturedAt: frame.captured,
      level: frame.level,
      startOfTurn: frame.startOfTurn,
      endOfTurn: frame.endOfTurn,
    });
  }

  #decode(payload: Uint8Array): Int16Array | undefined {
    try {
      return this.#options.codec.decode(payload).slice();
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#undecodable += 1;
      return undefined;
    }
  }
}

/** Lets interleaved PCM come up over its first `samples` a channel. */
function fadeIn(pcm: Int16Array, channels: number, samples: number): void {
  const end = Math.min(pcm.length, samples * channels);
  for (let at = 0; at < end; at += 1) {
    pcm[at] = Math.round(((pcm[at] as number) * Math.floor(at / channels)) / samples);
  }
}

/** Lets interleaved PCM die away over its first `samples` a channel; the rest is silence. */
function fadeOut(pcm: Int16Array, channels: number, samples: number): void {
  for (let at = 0; at < pcm.length; at += 1) {
    const gain = Math.max(0, 1 - Math.floor(at / channels) / samples);
    pcm[at] = Math.round((pcm[at] as number) * gain);
  }
}
