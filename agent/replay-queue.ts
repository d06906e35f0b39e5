import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { Recorded } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { AnswerCodec } from "../signaling/audio-stream.ts";
import type { RecordedFrame, Recording } from "../signaling/evidence/recording.ts";

/** Pauses of a recording that are longer are played as this long, milliseconds. */
const LONGEST_PAUSE_MS = 2_000;

/** What goes in one frame time of a recording. */
export interface DueReplay {
  /** Undefined: the recording has nothing there. */
  readonly frame: RecordedFrame | undefined;
  /** Where it was said first: of a recording of a recording, in the earliest of those calls. */
  readonly source: Recorded | undefined;
  /** Nothing of it follows. */
  readonly isLast: boolean;
}

/** Frames of recordings that wait to be played into a call, each where it stood after the one before. */
export class ReplayQueue {
  readonly #frameTicks: number;
  readonly #longestPause: number;
  readonly #waiting: { readonly frame: RecordedFrame; readonly recording: Recording }[] = [];
  #next = 0;
  #pause = 0;

  /** `frameTicks`: RTP timestamp units of a frame. */
  constructor(frameTicks: number, frameMs: number) {
    this.#frameTicks = frameTicks;
    this.#longestPause = LONGEST_PAUSE_MS / frameMs;
  }

  get isEmpty(): boolean {
    return this.#next === this.#waiting.length;
  }

  push(recording: Recording): void {
    for (const frame of recording.frames) this.#waiting.push({ frame, recording });
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#next = 0;
    this.#pause = 0;
  }

  /** The next frame time; call while it is not empty. */
  take(): DueReplay {
    if (this.#pause > 0) {
      this.#pause -= 1;
      return { frame: undefined, source: undefined, isLast: false };
    }
    const present = this.#waiting[this.#next];
    if (present === undefined) return { frame: undefined, source: undefined, isLast: true };
    this.#next += 1;
    const { frame, recording } = present;
    const following = this.#waiting[this.#next];
    const continues = following?.recording === recording;
    if (continues) {
      const times = Math.round(((following.frame.timestamp - frame.timestamp) | 0) / this.#frameTicks);
      this.#pause = Math.min(this.#longestPause, Math.max(0, times - 1));
    }
    const { sessionDigest, stream } = recording;
    const { capture, sequence } = frame;
    if (this.isEmpty) this.clear();
    const source = frame.recorded ?? { sessionDigest, stream, sequence, capture };
    return { frame, source, isLast: !continues };
  }
}

/** Throws `field-invalid` where payloads of `codec` are not of `format`: a recording goes as it is. */
export function requireFormat(codec: AnswerCodec, format: AudioFormat): void {
  const { name, channels, rtpClockRate } = format;
  const frameMs = (format.frameSamples * 1000) / format.clockRate;
  const isSame =
    codec.name === name &&
    codec.channels === channels &&
    codec.clock_rate === rtpClockRate &&
    codec.frame_ms === frameMs;
  if (isSame) return;
  const wanted = `${codec.name}, ${codec.channels} channels, ${codec.frame_ms} ms`;
  throw new ParleyError({
    code: "field-invalid",
    message: `The recording is of another format than the call: ${wanted}.`,
    at: "recording.codec",
  });
}
