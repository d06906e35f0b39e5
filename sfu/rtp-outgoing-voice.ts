import type { SenderReport } from "../codecs/rtcp-report.ts";
import { RtpOutgoing, type RtpStreamOptions } from "./rtp-outgoing.ts";
import type { VoiceFrame } from "./voice-frame.ts";

/** A gap of so many frames looks like loss; after a larger one the stream goes on as after a pause: nobody makes up so much. */
export const MOST_LOST_FRAMES = 200;
/** A frame that was overtaken still goes in its place, so far back; an older one is dropped (`late`). */
export const MOST_OVERTAKEN = 50;
/** Timestamps and capture times that part by more than this are of another source than before, ms. */
const PARTED_MS = 1_000;

export interface OutgoingVoiceOptions extends RtpStreamOptions {
  /** RTP ticks of one frame. */
  readonly frameTicks: number;
}

export interface OutgoingVoiceCounters {
  readonly sent: number;
  /** Numbers left out, which look like loss. */
  readonly gaps: number;
  /** Times at which the stream went on as after a pause: an interrupt, another source, a gap too large for loss. */
  readonly resumptions: number;
  /** Frames that were not sent, by reason: of an epoch that is over, or overtaken by too many. */
  readonly dropped: Readonly<Record<"outdated" | "late", number>>;
}

/** Where frames of one source stand in the stream. */
interface Mapping {
  readonly sequence: number;
  readonly place: number;
}

/**
 * One voice of a call as an RTP stream. What is missing of it is missing in the numbers, too, so that the listener makes something up for it; an interrupt,
 * a speaker that begins anew or another stream in its place leave no gap in the numbers, only in the time, and nothing of before comes after. Drops are counted by reason.
 */
export class OutgoingVoice {
  readonly #stream: RtpOutgoing;
  readonly #clockRate: number;
  readonly #frameTicks: number;
  #mapping: Mapping | undefined;
  #epoch = 0;
  /** The newest that was sent: its own number and time, and where it stands. */
  #newest: { readonly frame: VoiceFrame; readonly place: number; readonly ticks: number } | undefined;
  #sent = 0;
  #gaps = 0;
  #resumptions = 0;
  readonly #dropped = { outdated: 0, late: 0 };

  constructor(options: OutgoingVoiceOptions) {
    this.#stream = new RtpOutgoing(options);
    this.#clockRate = options.clockRate;
    this.#frameTicks = options.frameTicks;
  }

  /** The frame's RTP packet; `undefined` where it is not to be heard any more. */
  send(frame: VoiceFrame): Uint8Array | undefined {
    if (frame.epoch < this.#epoch) return this.#drop("outdated");
    const isNewEpoch = frame.epoch > this.#epoch;
    this.#epoch = frame.epoch;
    const known = isNewEpoch || this.#mapping === undefined ? undefined : this.#mapped(frame, this.#mapping);
    if (known === "late") return this.#drop("late");
    const isResumed = known === undefined;
    const { place, ticks } = known ?? this.#resume(frame);
    const newest = this.#newest;
    if (newest === undefined || place > newest.place) {
      this.#gaps += newest === undefined ? 0 : place - newest.place - 1;
      this.#newest = { frame, place, ticks };
    } else this.#gaps -= 1;
    this.#sent += 1;
    const { payload, capturedAt, level, voice, startOfTurn } = frame;
    return this.#stream.write({
      ...{ place, ticks, capturedAt, payload },
      marker: isResumed || startOfTurn,
      level: level === undefined ? undefined : { level, voice },
    });
  }

  /** What follows is of another stream of the call, with numbers and epochs of its own. */
  replaced(): void {
    this.#mapping = undefined;
    this.#epoch = 0;
  }

  /** What to report at `wall`, Unix milliseconds; `undefined` before the first packet. */
  report(wall: number): SenderReport | undefined {
    return this.#stream.report(wall);
  }

  get counters(): OutgoingVoiceCounters {
    const [sent, gaps, resumptions] = [this.#sent, this.#gaps, this.#resumptions];
    return { sent, gaps, resumptions, dropped: { ...this.#dropped } };
  }

  /** Where a frame of the same source stands; `undefined`: it is not of the same, or the gap is too large. */
  #mapped(frame: VoiceFrame, mapping: Mapping): { place: number; ticks: number } | "late" | undefined {
    const newest = this.#newest;
    if (newest === undefined) return undefined;
    const ahead = frame.sequence - newest.frame.sequence;
    if (frame.sequence < mapping.sequence || ahead < -MOST_OVERTAKEN) return "late";
    const passed = (frame.timestamp - newest.frame.timestamp) | 0;
    const captured = frame.capturedAt - newest.frame.capturedAt;
    if (Math.abs((passed * 1_000) / this.#clockRate - captured) > PARTED_MS) return undefined;
    if (ahead > MOST_LOST_FRAMES) return undefined;
    return {
      place: mapping.place + (frame.sequence - mapping.sequence),
      ticks: newest.ticks + passed,
    };
  }

  /** The next place, at the time that has passed since the newest frame. */
  #resume(frame: VoiceFrame): { place: number; ticks: number } {
    const newest = this.#newest;
    let [place, ticks] = [0, 0];
    if (newest !== undefined) {
      this.#resumptions += 1;
      const captured = frame.capturedAt - newest.frame.capturedAt;
      place = newest.place + 1;
      ticks = newest.ticks + Math.max(this.#frameTicks, Math.round((captured * this.#clockRate) / 1_000));
    }
    this.#mapping = { sequence: frame.sequence, place };
    return { place, ticks };
  }

  #drop(reason: "outdated" | "late"): undefined {
    this.#dropped[reason] += 1;
    return undefined;
  }
}
