import type { Clock } from "../codecs/clock.ts";
import type { FrameProfile, FrameView } from "../codecs/frame.ts";
import type { Attribution } from "../sfu/attribution.ts";
import type { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import type { Relay } from "../sfu/relay.ts";
import type { Verdict } from "../sfu/relay-io.ts";
import { type UnpackedFrames, unpackFrames } from "../sfu/unpacking.ts";
import type { AdmissionRow, Refusal } from "../signaling/admission.ts";
import { EarlyFrames } from "./early-frames.ts";
import { ageOf, HeardRow, type PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";
import type { HeardKey } from "./tag-keys.ts";

/** Sees every verified packet of the peer as it arrived, e.g. to keep frames for `parley verify --media`. */
export type PacketTap = (packet: {
  readonly leg: number;
  readonly stream: number;
  readonly bytes: Uint8Array;
}) => void;

export interface FrameIntakeCounters {
  readonly verified: number;
  /** Frames from the first to the newest that verified. */
  readonly expected: number;
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
  /** Checkpoints of the speaker that held, and that did not; frames that verified and that a checkpoint lists otherwise. */
  readonly checkpoints: { readonly good: number; readonly bad: number; readonly contradicted: number };
}

export interface FrameIntakeOptions {
  readonly clock: Clock;
  readonly time: MediaTime;
  /** A table of its own, holding `row`. */
  readonly admission: Relay;
  readonly row: AdmissionRow;
  readonly checkpoints: CheckpointCheck;
  readonly attribution: Attribution;
  /** Must not throw. */
  readonly tap?: PacketTap | undefined;
  /**
   * Takes a frame that verified, and those that it carries; captured times are by this machine's clock. `held` as in `FlowSink`; `view`, valid
   * during the call, has the rest of what it says.
   */
  readonly taken: (frames: UnpackedFrames, now: number, held: number, view: FrameView) => void;
  /** Told of one that did not; its number is undefined where it could not be read. */
  readonly refused: (sequence: number | undefined, reason: Refusal, now: number) => void;
}

/** Judges each frame of one heard stream as the relay did, and holds it against its speaker's checkpoints. */
export class FrameIntake {
  readonly #options: FrameIntakeOptions;
  readonly #place: HeardRow;
  /** Signed with a key that this end has yet to be told of. */
  readonly #early = new EarlyFrames();
  #finished = false;
  #verified = 0;
  /** Of the media keys before the present one. */
  #expectedBefore = 0;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = Number.NEGATIVE_INFINITY;
  #goodCheckpoints = 0;
  #badCheckpoints = 0;
  #contradicted = 0;

  constructor(options: FrameIntakeOptions) {
    this.#options = options;
    this.#place = new HeardRow(options.admission, options.row);
  }

  get counters(): FrameIntakeCounters {
    const { admission, row } = this.#options;
    return {
      verified: this.#verified,
      expected: this.#expectedBefore + this.#span(),
      refused: admission.counters(row.sessionId)[0]?.refused ?? {},
      checkpoints: {
        good: this.#goodCheckpoints,
        bad: this.#badCheckpoints,
        contradicted: this.#contradicted,
      },
    };
  }

  /** One datagram of this flow, valid during the call; `held` as in `FlowSink`. */
  datagram(bytes: Uint8Array, held = 0): void {
    const { admission, clock, row, time } = this.#options;
    const now = clock.now();
    // Freshness goes by the time the attachment is anchored to, as it was when the frame came; validity by the date, which may be set meanwhile.
    const verdict = admission.admit(row.connection, bytes, now, time.wallAt(now - held), clock.wall());
    this.#judged(verdict, bytes, now, "datagram", held);
  }

  /** One frame that came on a stream, valid during the call. */
  item(bytes: Uint8Array): void {
    const { admission, clock, time } = this.#options;
    const now = clock.now();
    const { connection, flow } = this.#place.present;
    const verdict = admission.admitItem(connection, flow, bytes, now, time.wallAt(now), clock.wall());
    this.#judged(verdict, bytes, now, "item");
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    const { attribution, checkpoints, clock } = this.#options;
    const checked = checkpoints.check(bytes);
    if (checked.ok) {
      attribution.covered(checked.value, clock.now());
      this.#goodCheckpoints += 1;
      this.#contradicted += checked.value.contradicted.length;
    } else {
      this.#badCheckpoints += 1;
    }
  }

  /** Frames come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.#place.moveTo(flow, this.#options.clock.now());
    this.#options.checkpoints.resume();
  }

  /** Frames are signed with another key from now on; those of it that came too early are judged by `judgeEarly`. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.#place.takeKey(key, expiresAt, this.#options.clock.now());
    this.#options.checkpoints.takeKey(key.generation, key.ed25519);
    this.#expectedBefore += this.#span();
    this.#lowest = Number.POSITIVE_INFINITY;
    this.#highest = Number.NEGATIVE_INFINITY;
  }

  /** Frames that overtook the news of their key. */
  judgeEarly(): void {
    for (const { bytes, carriage } of this.#early.take(this.#options.clock.now())) {
      if (carriage === "item") this.item(bytes);
      else this.datagram(bytes);
    }
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.#place.takeClock(clock, this.#options.clock.now());
  }

  /** Refuses frames of epochs below `epoch` from now on. `goesBack`: the epoch that was begun here is not in force after all. */
  useEpoch(epoch: number, goesBack: boolean): void {
    const { connection, flow } = this.#place.present;
    const back = goesBack ? { goesBack } : {};
    this.#options.admission.apply(
      { kind: "epoch", connection, flow, epoch, ...back },
      this.#options.clock.now(),
    );
    this.release();
  }

  /** Whether the terms of this number let the other end send. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    const { connection, flow } = this.#place.present;
    this.#options.admission.apply(
      { kind: "terms", connection, flow, termsNumber, transmitAllowed },
      this.#options.clock.now(),
    );
    this.release();
  }

  /** Frames are of this profile from now on, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.#place.useProfile(profile, termsNumber, this.#options.clock.now());
  }

  /** The other end may begin to use this profile before this end is told so. */
  expectProfile(profile: FrameProfile): void {
    this.#place.expectProfile(profile, this.#options.clock.now());
  }

  /** Frames that waited for their media epoch. */
  release(): void {
    const { admission, clock, time } = this.#options;
    const now = clock.now();
    for (;;) {
      const released = admission.release(now, time.wallAt(now), clock.wall());
      if (released === undefined) return;
      this.#judged(released.verdict, released.bytes, now, "item");
    }
  }

  /** Takes nothing any more. */
  finish(): void {
    this.#finished = true;
  }

  /** How many numbers the frames of the present media key span. */
  #span(): number {
    return Math.max(0, this.#highest - this.#lowest + 1);
  }

  #judged(verdict: Verdict, bytes: Uint8Array, now: number, carriage: "datagram" | "item", held = 0): void {
    const { outcome } = verdict;
    if (this.#finished || outcome === "held") return;
    if (outcome === "key-generation" && this.#place.isAhead(verdict.view.keyGeneration)) {
      this.#early.add({ bytes: bytes.slice(), carriage, at: now });
      return;
    }
    const { admission, attribution, checkpoints, refused, row, taken, tap, time } = this.#options;
    if (outcome !== "admitted") {
      refused(verdict.sequence < 0 ? undefined : verdict.sequence, outcome, now);
      return;
    }
    const { view } = verdict;
    this.#verified += 1;
    this.#lowest = Math.min(this.#lowest, view.sequence);
    this.#highest = Math.max(this.#highest, view.sequence);
    const noted = checkpoints.note(view.sequence, admission.digest(), now);
    if (noted === "contradicted") this.#contradicted += 1;
    if (view.profile === "chain") attribution.taken(view.sequence, noted, ageOf(verdict, time.wallAt(now)));
    tap?.({ leg: row.leg, stream: row.stream, bytes: bytes.slice(view.start, view.end) });
    taken(unpackFrames(view, bytes, verdict.row ?? row), now, held, view);
  }
}
