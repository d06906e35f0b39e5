import { FeedbackWriter } from "../../sfu/congestion/feedback-writer.ts";
import { type HopPacket, PACKET_OVERHEAD } from "../../sfu/congestion/hop-packet.ts";
import { type HopBitrate, MediaHop } from "../../sfu/congestion/media-hop.ts";
import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import type { Passing } from "./bottleneck.ts";
import type { Simulation } from "./simulation.ts";
import { VideoSource } from "./video-source.ts";

/** Where packets and feedback go: to a bottleneck that may be shared. */
export interface Way {
  offer(packet: Passing): void;
}

/** What a flow tells of its packets. */
export interface FlowEars {
  arrived(bytes: number, now: number, waited: number): void;
  dropped(now: number): void;
}

/** Bytes of media in a packet at most. */
const PACKET_BYTES = 1_000;
/** Milliseconds after which a frame that did not leave is of no use. */
const USEFUL_FOR = 400;
/** The receiver's clock is ahead by this: nothing may rest on clocks that agree. */
const CLOCK_AHEAD = 1_234_567;

/** Video over one hop: an encoder that follows the estimate, `MediaHop`, a network, `FeedbackWriter`, and the way back. */
export class MediaFlow {
  readonly #simulation: Pick<Simulation, "now" | "at">;
  readonly #there: Way;
  readonly #back: Way;
  readonly #delay: number;
  readonly #ears: FlowEars;
  readonly #source: VideoSource;
  readonly #ssrc: number;
  #writer: FeedbackWriter;
  readonly hop: MediaHop;
  #sequence = 65_000;
  /** Milliseconds from the capture of each frame of the voice that arrived until then. */
  readonly voiceDelays: number[] = [];
  readonly #hasVoice: boolean;
  #voiceSequence = 0;
  #isSending = false;
  #clockAhead = CLOCK_AHEAD;
  #wakeAt = Number.POSITIVE_INFINITY;
  #reportAt = Number.POSITIVE_INFINITY;

  constructor(
    simulation: Pick<Simulation, "now" | "at">,
    options: {
      readonly there: Way;
      readonly back: Way;
      /** Milliseconds one way, without the bottleneck. */
      readonly delay: number;
      readonly bitrate: HopBitrate;
      readonly random: SeededRandom;
      readonly ears: FlowEars;
      readonly ssrc: number;
      /** A voice goes beside the video. */
      readonly voice?: boolean;
    },
  ) {
    this.#simulation = simulation;
    this.#there = options.there;
    this.#back = options.back;
    this.#delay = options.delay;
    this.#ears = options.ears;
    this.#ssrc = options.ssrc;
    this.#hasVoice = options.voice ?? false;
    this.#source = new VideoSource(options.random, options.bitrate);
    this.hop = new MediaHop({ start: simulation.now, bitrate: options.bitrate });
    this.#writer = new FeedbackWriter({ ssrc: options.ssrc, start: simulation.now + this.#clockAhead });
  }

  start(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#frame(this.#simulation.now);
    if (this.#hasVoice) this.#say(this.#simulation.now);
  }

  /** The receiver's clock goes ahead, or back, by so many milliseconds at once; its reports take their times from it. */
  stepReceiverClock(by: number): void {
    this.#clockAhead += by;
    this.#writer = new FeedbackWriter({ ssrc: this.#ssrc, start: this.#simulation.now + this.#clockAhead });
    this.#reportAt = Number.POSITIVE_INFINITY;
  }

  pause(): void {
    this.#isSending = false;
  }

  #say(now: number): void {
    if (!this.#isSending) return;
    const bytes = CONTENT.subarray(0, VOICE_BYTES);
    const deadline = now + USEFUL_FOR;
    const sequence = this.#voiceSequence;
    const packet = {
      ssrc: this.#ssrc + VOICE_SSRC,
      sequence,
      bytes,
      kind: "audio",
      deadline,
      tag: now,
    } as const;
    this.#voiceSequence += 1;
    if (this.hop.trySend(packet, now)) this.#carry(packet);
    else this.hop.hold(packet, now);
    this.#wake(now);
    this.#simulation.at(now + VOICE_INTERVAL, (then) => this.#say(then));
  }

  #frame(now: number): void {
    if (!this.#isSending) return;
    const packets = Math.ceil(this.hop.estimate.bitsPerSecond / 30 / 8 / PACKET_BYTES);
    this.#source.ask(this.hop.estimate.bitsPerSecond - packets * 30 * 8 * PACKET_OVERHEAD, now);
    const { bytes, interval } = this.#source.frame(now);
    const count = Math.ceil(bytes / PACKET_BYTES);
    for (let index = 0; index < count; index += 1) {
      const size = Math.ceil(bytes / count);
      const packet: HopPacket = {
        ssrc: this.#ssrc,
        sequence: this.#sequence,
        bytes: CONTENT.subarray(0, size),
        kind: "video",
        deadline: now + USEFUL_FOR,
      };
      this.#sequence += 1;
      if (this.hop.trySend(packet, now)) this.#carry(packet);
      else this.hop.hold(packet, now);
    }
    this.#wake(now);
    this.#simulation.at(now + interval, (then) => this.#frame(then));
  }

  #wake(now: number): void {
    for (let packet = this.hop.next(now); packet !== undefined; packet = this.hop.next(now))
      this.#carry(packet);
    const at = this.hop.nextTimeout();
    if (at === undefined || (this.#wakeAt > now && this.#wakeAt <= at)) return;
    const mine = Math.max(at, now + TIMER_STEP);
    this.#wakeAt = mine;
    this.#simulation.at(mine, (then) => {
      if (this.#wakeAt !== mine) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#wake(then);
    });
  }

  #carry({ ssrc, sequence, bytes, kind, tag }: HopPacket): void {
    this.#there.offer({
      bytes: bytes.length + PACKET_OVERHEAD,
      dropped: (now) => this.#ears.dropped(now),
      passed: (passedAt, waited) =>
        this.#simulation.at(passedAt + this.#delay, (now) => {
          this.#ears.arrived(bytes.length + PACKET_OVERHEAD, now, waited);
          if (kind === "audio") this.voiceDelays.push(now - (tag as number));
          this.#writer.arrived(ssrc, sequence, bytes.length, now + this.#clockAhead);
          this.#scheduleReport();
        }),
    });
  }

  #scheduleReport(): void {
    const due = this.#writer.nextTimeout();
    if (due === undefined) return;
    const at = due - this.#clockAhead;
    if (this.#reportAt <= at) return;
    this.#reportAt = at;
    this.#simulation.at(at, (now) => {
      if (this.#reportAt !== at) return;
      this.#reportAt = Number.POSITIVE_INFINITY;
      for (;;) {
        const report = this.#writer.report(now + this.#clockAhead);
        if (report === undefined) break;
        this.#carryBack(report);
      }
      this.#scheduleReport();
    });
  }

  #carryBack(report: Uint8Array): void {
    this.#back.offer({
      bytes: report.length + PACKET_OVERHEAD,
      dropped: () => undefined,
      passed: (passedAt) =>
        this.#simulation.at(passedAt + this.#delay, (now) => {
          const taken = this.hop.feedback(report, now);
          if (!taken.ok) throw new Error(taken.fault.message);
          this.#wake(now);
        }),
    });
  }
}

/** A voice in Opus, signed. */
const VOICE_BYTES = 200;
const VOICE_INTERVAL = 20;
/** What sources of voices are above those of their videos. */
const VOICE_SSRC = 1_000;
const CONTENT = new Uint8Array(PACKET_BYTES);
/** Timers come no finer than this, milliseconds. */
const TIMER_STEP = 1;
