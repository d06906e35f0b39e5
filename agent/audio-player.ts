import type { AudioCodec } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import type { Recorded } from "../codecs/frame.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ntpToUnixMs } from "../codecs/ntp.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { BufferedFrame, InsertOutcome } from "../sfu/jitter-buffer.ts";
import { FADE_MS, Playout, type PlayoutCounters, type PlayoutStep } from "../sfu/playout.ts";
import type { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { type Adjustment, TimeStretch } from "../sfu/time-stretch.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { HeardAudio, HeardPiece, HeardRecording } from "./heard-audio.ts";
import type { HeardTo } from "./heard-voice.ts";
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
  /** Told, before it is handed out, of the frame that came whose payload something to hear is made of: its own, or one before it. */
  readonly played: (sequence: number) => void;
  readonly heard: (heard: HeardAudio) => void;
  /** Whether anybody hears the intervals in which nobody speaks; else they are not made. */
  readonly silenceIsHeard: () => boolean;
  /** Told of each interval that was made up, with the number of the frame that would not decode. */
  readonly concealed: (sequence: number | undefined, at: number) => void;
  /** What was cut off has been put out to its end. */
  readonly cutOff: () => void;
}

/** How long noise stands in for a silent speaker after the last frame that said so, ms: two that were lost, and some delay. */
const COMFORT_MS = 1_500;
/** When the timer comes later than this, ms, the machine stood still, and so did what came meanwhile: it is taken first. */
const STOOD_STILL_MS = 20;

/** Plays the verified frames of one stream: de-jitters, decodes, conceals what is missing and hands PCM out, from the first frame on. */
export class AudioPlayer {
  readonly #options: AudioPlayerOptions;
  readonly #stretch: TimeStretch;
  #playout: Playout | undefined;
  #start = 0;
  #timer: { readonly at: number; readonly cancel: () => void } | undefined;
  /** Nobody speaks and nobody hears the silence: it is not ticked through. */
  #sleeps = false;
  /** The machine stood still: what came meanwhile is being taken. */
  #takesWaiting = false;
  #finished = false;
  /** Sound begins from nothing, or the decoder remembers another speaker's: the next frame would begin with a click. */
  #fadesIn = false;
  /** Until when noise stands in for a speaker who is silent and sends nothing. */
  #comfortUntil = Number.NEGATIVE_INFINITY;
  /** The last frame played was not the end of a turn. */
  #isSpeaking = false;
  /** The last frame played, and from when to when. Monotonic milliseconds. */
  #position: { readonly frame: BufferedFrame; readonly from: number; readonly to: number } | undefined;
  readonly #fadeSamples: number;
  /** What the decoder remembers is of a turn that is over. */
  #forgets = false;
  #undecodable = 0;
  /** Milliseconds by which what came before anybody could take it is behind. */
  #behind = 0;

  constructor(options: AudioPlayerOptions) {
    this.#options = options;
    const { format } = options.codec;
    this.#stretch = new TimeStretch(format);
    this.#fadeSamples = Math.min(format.frameSamples, (FADE_MS * format.clockRate) / 1000);
  }

  /** `undefined` until the first frame. */
  get counters(): AudioPlayerCounters | undefined {
    if (this.#sleeps) this.#playout?.pass(this.#options.clock.now());
    const playout = this.#playout?.counters();
    return playout && { ...playout, undecodable: this.#undecodable };
  }

  /** How far the stream was played by `now`, to the sample. */
  positionAt(now: number): HeardTo | undefined {
    if (this.#position === undefined) return undefined;
    const { frame, from, to } = this.#position;
    const share = Math.max(0, Math.min(1, (now - from) / (to - from)));
    return {
      sequence: frame.sequence,
      epoch: frame.epoch ?? 0,
      samples: Math.round(this.#options.codec.format.frameSamples * share),
      at: Math.min(Math.max(now, from), to),
    };
  }

  /** Whether something that was cut off has yet to be put out to its end. */
  get isFading(): boolean {
    return this.#playout?.isFading ?? false;
  }

  /** What comes is played so many milliseconds later than it needs itself from now on. */
  waitFor(wait: number): void {
    this.#playout?.waitFor(wait);
  }

  /** What is played fades out, and nothing is played until `resume`, for 2 s at most; what comes is kept. Idempotent. */
  pause(): void {
    const now = this.#options.clock.now();
    this.#wake(now);
    this.#playout?.pause(now);
    this.#schedule();
  }

  /** Goes on where `pause` stopped. Idempotent. */
  resume(): void {
    this.#playout?.resume(this.#options.clock.now());
  }

  /** Somebody hears the intervals in which nobody speaks from now on. */
  hearSilence(): void {
    this.#wake(this.#options.clock.now());
    this.#schedule();
  }

  /** Takes a verified frame and those that it carries; `held` as in `FlowSink`. Says what became of the frame itself. */
  insert(frames: UnpackedFrames, now: number, held = 0): InsertOutcome {
    this.#playout ??= this.#startPlayout(now);
    this.#wake(now);
    // The first was held longest: all of them are played that much later, at the pace at which they came.
    this.#behind = held === 0 ? 0 : Math.max(this.#behind, held);
    const behind = this.#behind;
    const arrival = now - held + behind;
    for (const earlier of frames.earlier)
      this.#playout.insertCarried({ ...this.#placed(earlier), behind }, arrival);
    const outcome = this.#playout.insert({ ...this.#placed(frames.own), behind }, arrival);
    this.#schedule();
    return outcome;
  }

  /** Throws away what waits; what is played fades out. */
  flush(): void {
    this.#comfortUntil = Number.NEGATIVE_INFINITY;
    this.#playout?.flush();
    this.#forgets = true;
  }

  /** The same, where the speaker goes by another clock from now on. */
  restart(): void {
    this.#playout?.restart();
  }

  /** The same, where another process speaks from now on. */
  changeSpeaker(): void {
    this.#playout?.restart();
    this.#fadesIn = true;
    this.#forgets = true;
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
    const pauses = codec.isPause?.(frame.payload) === true;
    return { ...frame, timestamp, pauses, recovers: codec.carriesEarlier?.(frame.payload) === true };
  }

  #startPlayout(now: number): Playout {
    const { clockRate, frameSamples } = this.#options.codec.format;
    this.#start = now;
    return new Playout({ clockRate, frameSamples, start: now });
  }

  /** What is due by now has passed in silence. */
  #wake(now: number): void {
    if (this.#sleeps) this.#playout?.pass(now);
    this.#sleeps = false;
  }

  #schedule(): void {
    if (this.#playout === undefined || this.#finished) return;
    if (this.#maySleep(this.#playout)) {
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#sleeps = true;
      return;
    }
    const at = this.#playout.nextTimeout();
    if (this.#timer?.at === at) return;
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#options.clock.at(at, () => this.#tick(at)) };
  }

  #maySleep(playout: Playout): boolean {
    const { clock, silenceIsHeard } = this.#options;
    // What broke off has yet to be known as over, so that the next frame fades in.
    const isOver = playout.isIdle && (!this.#isSpeaking || this.#fadesIn);
    return isOver && !silenceIsHeard() && clock.now() >= this.#comfortUntil;
  }

  /** Puts the tick behind what came while the machine stood still, once: nothing is made up for a frame that is here. */
  #letsWaitingIn(due: number, now: number): boolean {
    this.#takesWaiting = !this.#takesWaiting && now - due > STOOD_STILL_MS;
    if (!this.#takesWaiting) return false;
    this.#timer = { at: due, cancel: this.#options.clock.at(now, () => this.#tick(due)) };
    return true;
  }

  #tick(due: number): void {
    this.#timer = undefined;
    const playout = this.#playout;
    if (playout === undefined || this.#finished) return;
    const now = this.#options.clock.now();
    if (this.#letsWaitingIn(due, now)) return;
    for (let step = playout.poll(now); step !== undefined; step = playout.poll(now)) this.#play(step);
    this.#schedule();
  }

  #play(step: PlayoutStep): void {
    const { codec, silenceIsHeard } = this.#options;
    const { channels } = codec.format;
    if (step.kind === "silence") {
      const noise =
        step.at < this.#comfortUntil ? codec.comfort?.().slice(0, step.samples * channels) : undefined;
      this.#fadesIn ||= this.#isSpeaking;
      if (noise === undefined && !silenceIsHeard()) return;
      const pcm = noise ?? new Int16Array(step.samples * channels);
      this.#stretch.note(pcm);
      this.#heard(step.at, { kind: noise === undefined ? "silence" : "comfort", pcm, verified: false });
      return;
    }
    this.#comfortUntil = Number.NEGATIVE_INFINITY;
    const decoded = step.kind === "play" ? this.#decode(step.frame.payload) : undefined;
    if (step.kind !== "play" || decoded === undefined) {
      this.#conceal(step);
      return;
    }
    const { frame } = step;
    const pauses = frame.pauses === true;
    if (pauses) this.#comfortUntil = step.at + COMFORT_MS;
    this.#isSpeaking = !frame.endOfTurn && !pauses;
    if (this.#fadesIn) fadeIn(decoded, channels, this.#fadeSamples);
    this.#fadesIn = false;
    const pcm = this.#timed(decoded, step.adjust);
    this.#position = { frame, from: step.at, to: step.at + this.#duration(pcm) };
    this.#options.played(frame.carrier ?? frame.sequence);
    // A receipt speaks of frames that came: one that another carried did not.
    if (frame.carrier === undefined) this.#options.receipts.heard(frame.sequence);
    this.#heard(step.at, {
      kind: "speech",
      pcm,
      verified: true,
      sequence: frame.sequence,
      recorded: frame.recorded && heardRecording(frame.recorded),
      capturedAt: frame.captured,
      level: frame.level,
      startOfTurn: frame.startOfTurn,
      endOfTurn: frame.endOfTurn,
      carriedBy: frame.carrier,
    });
  }

  /** One frame in the time that it is to play for. */
  #timed(decoded: Int16Array, adjust: Adjustment | undefined): Int16Array {
    if (adjust === undefined) {
      this.#stretch.note(decoded);
      return decoded;
    }
    const pcm = this.#stretch.adjust(decoded, adjust);
    if (pcm.length !== decoded.length) {
      this.#playout?.adjusted(pcm.length / this.#options.codec.format.channels);
    }
    return pcm;
  }

  #conceal(step: Exclude<PlayoutStep, { readonly kind: "silence" }>): void {
    const { codec, concealed, cutOff, played, receipts } = this.#options;
    const { channels, frameSamples } = codec.format;
    receipts.concealed();
    const next = step.kind === "conceal" ? step.next : undefined;
    if (next !== undefined) played(next.carrier ?? next.sequence);
    let pcm = codec.conceal(next?.payload).slice();
    const ends = step.kind === "fade" || (step.kind === "conceal" && step.isLast);
    if (step.kind === "fade") pcm = pcm.subarray(0, this.#fadeSamples * channels);
    if (ends) fadeOut(pcm, channels, step.kind === "fade" ? this.#fadeSamples : frameSamples);
    if (step.kind === "fade") this.#playout?.lasts(this.#fadeSamples);
    this.#fadesIn ||= ends;
    this.#stretch.note(pcm);
    this.#heard(step.at, { kind: "concealed", pcm, verified: false });
    concealed(step.kind === "play" ? step.frame.sequence : undefined, step.at);
    if (step.kind === "fade") cutOff();
  }

  #heard(at: number, piece: HeardPiece): void {
    const { codec, heard, speaker, time } = this.#options;
    const { clockRate, channels } = codec.format;
    const position = Math.round(((at - this.#start) * clockRate) / 1000);
    heard({ ...piece, speaker, playedAt: time.wallAt(at), position, clockRate, channels });
  }

  #duration(pcm: Int16Array): number {
    const { clockRate, channels } = this.#options.codec.format;
    return (pcm.length / channels / clockRate) * 1000;
  }

  #decode(payload: Uint8Array): Int16Array | undefined {
    const { codec } = this.#options;
    try {
      if (this.#forgets) codec.forget?.();
      this.#forgets = false;
      return codec.decode(payload).slice();
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

function heardRecording({ sessionDigest, stream, sequence, capture }: Recorded): HeardRecording {
  const capturedAt = ntpToUnixMs(capture.seconds, capture.fraction);
  return { sessionDigest: encodeHex(sessionDigest), stream, sequence, capturedAt };
}
