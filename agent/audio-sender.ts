import { type AudioCodec, type CodecTuning, rtpTicks } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { FrameMarks } from "../sfu/frame-sender.ts";
import { Pacer } from "../sfu/pacer.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { Recording } from "../signaling/evidence/recording.ts";
import { audioLevel as levelOf } from "./audio-level.ts";
import type { MediaTime } from "./media-time.ts";
import { PcmQueue } from "./pcm-queue.ts";
import { ReplayQueue, requireFormat } from "./replay-queue.ts";
import type { SpokenFrameCounters } from "./spoken-frames.ts";
import { SpokenVoice, type SpokenVoiceOptions } from "./spoken-voice.ts";
import type { TurnDetector } from "./turns/turn-detector.ts";
import { WrittenTurns } from "./turns/written-turns.ts";
import type { StreamPause } from "./two-way-media.ts";
import type { VoiceSender } from "./voice-ends.ts";
import { WaitingWords, type WaitReason } from "./waiting-words.ts";

/** Seconds of audio that may wait to be sent. A writer that ignores the promise of `write` meets this as `buffer-full`. */
const QUEUE_SECONDS = 120;
/** Milliseconds of audio waiting ahead of the pacer below which `write` resolves. */
const LOW_WATER_MS = 100;
/** A gap in the writer's supply shorter than this, in frames, continues the talkspurt with late frames; a longer one starts anew. */
const SUPPLY_GAP_FRAMES = 5;

/** While it is silent and DTX is on, one frame goes in so many milliseconds. */
const PAUSE_MS = 400;

export interface AudioSenderCounters extends SpokenFrameCounters {
  readonly turns: number;
  /** Frames of silence that were not sent. */
  readonly pauses: number;
  /** Quiet frames that were left out, since what was said had waited for somebody. */
  readonly leftOut: number;
  /** Intervals by which the pacer fell behind its deadlines and gave up catching up. */
  readonly skippedIntervals: number;
}

/**
 * One spoken stream: takes PCM as fast as it comes, cuts it into frames, encodes, signs and sends each at its deadline.
 * Deadlines accumulate, so a late timer delays one frame and not the ones after it.
 */
export class AudioSender extends SpokenVoice implements VoiceSender {
  readonly #clock: Clock;
  readonly #time: MediaTime;
  readonly #codec: AudioCodec;
  readonly #frameMs: number;
  readonly #frameValues: number;
  readonly #frame: Int16Array;
  readonly #queue = new PcmQueue();
  readonly #replay: ReplayQueue;
  readonly #words: WaitingWords;
  readonly #writtenTurns: WrittenTurns;
  #turnEnds = false;
  #flushes = 0;
  #pacer: Pacer | undefined;
  #spurtEnded = true;
  #resumeBefore = 0;
  #cancelTimer: (() => void) | undefined;
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];
  #muted = false;
  #held = false;
  #turns = 0;
  #skipped = 0;
  #pauses = 0;
  /** Deadline of the last frame of silence that went; undefined while it speaks. */
  #pausedAt: number | undefined;

  constructor(
    options: SpokenVoiceOptions & {
      readonly codec: AudioCodec;
      /** Tells where turns begin and end in what is written. Default: the writer does. */
      readonly turns?: TurnDetector | "loudness" | undefined;
    },
  ) {
    super(options, options.codec.format);
    this.#clock = options.clock;
    this.#time = options.time;
    this.#codec = options.codec;
    const { frameSamples, clockRate, channels } = options.codec.format;
    this.#frameMs = (frameSamples * 1000) / clockRate;
    this.#frameValues = frameSamples * channels;
    this.#frame = new Int16Array(this.#frameValues);
    this.#writtenTurns = new WrittenTurns(options.turns, options.codec.format);
    this.#words = new WaitingWords({
      clock: options.clock,
      queued: () => Math.max(0, this.#queuedMs() - LOW_WATER_MS),
      goOn: () => this.#schedule(),
    });
    this.#replay = new ReplayQueue(rtpTicks(options.codec.format), this.#frameMs);
  }

  get counters(): AudioSenderCounters {
    return {
      ...this.spoken.counters,
      turns: this.#turns,
      pauses: this.#pauses,
      leftOut: this.#words.leftOut,
      skippedIntervals: this.#skipped + (this.#pacer?.skipped ?? 0),
    };
  }

  get isFollowed(): boolean {
    return true;
  }

  /**
   * Nothing leaves until `goOn` for the same reason. Muted or suspended, what falls due is thrown away, and a suspension throws away what waits; otherwise what is
   * written is kept, for as long as `LONGEST_WAIT_MS` says, and goes in order then. Idempotent.
   */
  pause(reason: StreamPause | WaitReason): void {
    if (reason === "muted") this.muted = true;
    else if (reason === "suspended") this.#hold();
    else this.#wait(reason);
  }

  /** That reason is gone: what waited for it goes. After a suspension what follows is a new talkspurt. Idempotent. */
  goOn(reason: StreamPause | WaitReason): void {
    if (reason === "muted") this.muted = false;
    else if (reason === "suspended") {
      this.#held = false;
      this.#spurtEnded = true;
    } else this.#words.end(reason);
  }

  /** Changes how the voice is coded from the next frame on; what its format has no choice in is ignored. Throws `field-invalid`. */
  tune(settings: CodecTuning): void {
    if (!this.isFinished) this.#codec.tune?.(settings);
  }

  /** How many of the frames before it each frame carries once more; 0 where that was not agreed. */
  get redundancy(): RedundancyLevel {
    return this.spoken.redundancy;
  }

  get muted(): boolean {
    return this.#muted;
  }

  /** While muted, due frames are thrown away instead of sent; the writer's timeline goes on. */
  set muted(muted: boolean) {
    this.#muted = muted;
    if (muted) this.spoken.discard();
  }

  /**
   * Queues interleaved PCM at the codec's rate. Resolves once less than 100 ms of audio waits, so awaiting it paces a file
   * like a microphone. Throws `buffer-full` when two minutes wait, `closed` after the end.
   */
  write(pcm: Int16Array): Promise<void> {
    this.requireOpen();
    const cap = QUEUE_SECONDS * this.#codec.format.clockRate * this.#codec.format.channels;
    if (this.#queue.length + pcm.length > cap) {
      throw new ParleyError({
        code: "buffer-full",
        message: `More than ${QUEUE_SECONDS} s of audio wait: await write().`,
      });
    }
    if (pcm.length > 0) {
      this.#queue.push(pcm);
      this.#schedule();
    }
    return this.#until(() => this.#queuedMs() <= LOW_WATER_MS + this.#words.allowance);
  }

  /**
   * Ends the turn: what waits is sent, then one last frame marked end of turn, which carries the encoder's tail out.
   * Resolves when it has gone.
   */
  endTurn(): Promise<void> {
    this.requireOpen();
    this.#turnEnds = true;
    this.#schedule();
    return this.#until(() => this.#queue.length === 0 && !this.#turnEnds);
  }

  /**
   * Plays a recording as a turn of its own, after what waits; what is written meanwhile follows it. Its payloads go as they are, each marked
   * with where it was said. Resolves when the last has gone, or was thrown away. Throws `field-invalid` where the recording is of another
   * format, `closed` after the end.
   */
  async replay(recording: Recording): Promise<void> {
    this.requireOpen();
    requireFormat(recording.codec, this.#codec.format);
    const flushes = this.#flushes;
    await this.#until(() => this.#queue.length < this.#frameValues && !this.#turnEnds);
    this.requireOpen();
    if (this.#flushes !== flushes || recording.frames.length === 0) return;
    this.#replay.push(recording);
    this.#schedule();
    await this.#until(() => this.#replay.isEmpty);
  }

  /** The other end is heard, or is not any more: what a microphone picks up of it is no turn. */
  talkingOver(isHeard: boolean): void {
    this.#writtenTurns.talkingOver(isHeard);
  }

  /** Throws away what waits; what is written next begins a turn. Writers and `endTurn` resolve. */
  flush(): void {
    this.#flushes += 1;
    this.spoken.discard();
    this.#stopPacing();
    this.#queue.clear();
    this.#replay.clear();
    this.#turnEnds = false;
    this.said.endTurn();
    this.#writtenTurns.reset();
    this.#words.flushed();
    this.#settle();
  }

  /** Throws away what waits; what follows is of media epoch `epoch`. */
  beginEpoch(epoch: number): void {
    this.flush();
    this.#sayIn(epoch);
  }

  /** The server refused the epoch that was begun here: what follows, and what waits, is of `epoch` again. */
  returnToEpoch(epoch: number): void {
    if (!this.isFinished) this.#sayIn(epoch);
  }

  /** Throws away what waits and stops; signs the final checkpoint. Idempotent. */
  override finish(): void {
    if (this.isFinished) return;
    this.#cancelTimer?.();
    this.#words.finish();
    this.#queue.clear();
    this.#replay.clear();
    super.finish();
    this.#settle();
    this.#codec.close();
  }

  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.flush();
  }

  #wait(reason: WaitReason): void {
    if (this.isFinished) return;
    this.#words.begin(reason);
    this.#stopPacing();
    this.#settle();
  }

  #sayIn(epoch: number): void {
    if (!this.isFinished) this.#codec.forget?.();
    this.spoken.beginEpoch(epoch);
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#words.isWaiting) return;
    if (!this.#hasDue()) return;
    const now = this.#clock.now();
    if (this.#pacer === undefined || now > this.#resumeBefore) {
      this.#skipped += this.#pacer?.skipped ?? 0;
      this.#pacer = new Pacer(this.#frameMs, now);
      this.#spurtEnded = true;
    }
    this.#cancelTimer = this.#clock.at(this.#pacer.nextTimeout(), () => this.#tick());
  }

  #tick(): void {
    this.#cancelTimer = undefined;
    const pacer = this.#pacer;
    if (pacer === undefined || this.isFinished) return;
    while (this.#hasDue()) {
      const deadline = pacer.take(this.#clock.now());
      if (deadline === undefined) break;
      this.#resumeBefore = deadline + (SUPPLY_GAP_FRAMES + 1) * this.#frameMs;
      const level = this.#words.catchUp(this.#queue, this.#frame, this.#frameMs);
      const endsTurn = this.#replay.isEmpty ? this.#sayDue(deadline, level) : this.#replayDue(deadline);
      this.said.pass(this.#frameMs);
      if (endsTurn || this.#pacer === undefined) this.said.endTurn();
      if (this.#pacer === undefined) break;
    }
    this.#settle();
    this.#schedule();
  }

  #stopPacing(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#skipped += this.#pacer?.skipped ?? 0;
    this.#pacer = undefined;
  }

  #queuedMs(): number {
    return (this.#queue.length / this.#frameValues) * this.#frameMs;
  }

  #hasDue(): boolean {
    return this.#queue.length >= this.#frameValues || this.#turnEnds || !this.#replay.isEmpty;
  }

  /** The next frame of PCM, of this level where that is known, padded with silence where the turn ends inside it. Says whether it is the last of a turn. */
  #sayDue(deadline: number, level: number | undefined): boolean {
    const closing = this.#turnEnds && this.#queue.length === 0;
    this.#queue.fill(this.#frame);
    const marks = this.#writtenTurns.frame(this.#frame, this.#spurtEnded, closing);
    const { startOfTurn, endOfTurn } = marks;
    this.#spurtEnded = false;
    if (closing) {
      this.#turnEnds = false;
      this.#endSpurt();
    } else if (endOfTurn) this.#turns += 1;
    if (!this.#maySend()) {
      this.#writtenTurns.reset();
      return endOfTurn;
    }
    const payload = this.#codec.encode(this.#frame);
    const isPause = this.#codec.isPause?.(payload) === true;
    // What begins or ends a turn says so in its frame.
    const mayPause = isPause && !endOfTurn && !startOfTurn;
    if (mayPause && this.#pausedAt !== undefined && deadline - this.#pausedAt < PAUSE_MS) {
      this.#pauses += 1;
      return false;
    }
    this.#pausedAt = mayPause ? deadline : undefined;
    const audioLevel = { level: level ?? levelOf(this.#frame), voice: marks.voice && !isPause };
    this.#send(payload, deadline, { startOfTurn, endOfTurn, audioLevel });
    return endOfTurn;
  }

  /** The next frame time of a recording. Says whether it is the last. */
  #replayDue(deadline: number): boolean {
    const { frame, source, isLast } = this.#replay.take();
    const startOfTurn = this.#spurtEnded || frame?.startOfTurn === true;
    if (frame !== undefined) this.#spurtEnded = false;
    if (isLast) this.#endSpurt();
    if (frame === undefined || source === undefined || !this.#maySend()) return isLast;
    this.#pausedAt = undefined;
    this.#send(frame.payload, deadline, {
      startOfTurn,
      endOfTurn: isLast || frame.endOfTurn,
      ...(frame.audioLevel === undefined ? {} : { audioLevel: frame.audioLevel }),
      recorded: source,
    });
    return isLast;
  }

  #endSpurt(): void {
    this.#turns += 1;
    this.#skipped += this.#pacer?.skipped ?? 0;
    this.#pacer = undefined;
  }

  #maySend(): boolean {
    return !this.#muted && this.permitted && !this.#held && this.spoken.hasRoom;
  }

  #send(payload: Uint8Array, deadline: number, marks: FrameMarks): void {
    // A frame is complete when its last sample is: its capture time is its first sample's.
    const captured = this.#time.wallAt(deadline - this.#frameMs);
    this.said.mark(this.spoken.send(payload, captured, marks, this.#clock.now()));
  }

  #until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isMet, resolve }));
  }

  #settle(): void {
    this.#waiters = this.#waiters.filter(({ isMet, resolve }) => {
      const waits = !this.isFinished && !isMet();
      if (!waits) resolve();
      return waits;
    });
  }
}
