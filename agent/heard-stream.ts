import type { Clock } from "../codecs/clock.ts";
import type { FrameProfile, FrameView } from "../codecs/frame.ts";
import type { ReceiptTotals } from "../codecs/receipt.ts";
import type { UnattributedFrames } from "../sfu/attribution.ts";
import type { UnpackedFrames } from "../sfu/unpacking.ts";
import type { Refusal } from "../signaling/admission.ts";
import type { FrameFate, FrameWatch } from "./frame-fate.ts";
import { FrameIntake, type PacketTap } from "./frame-intake.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaTime } from "./media-time.ts";
import type { ListeningParts } from "./stream-parts.ts";
import type { HeardKey } from "./tag-keys.ts";

/** What every listener of a stream has, whatever comes there. */
export interface HeardStreamOptions extends ListeningParts {
  readonly clock: Clock;
  readonly time: MediaTime;
  /** Whether nothing more is played or handed out while something that was is not attributed. */
  readonly stopsUnattributed: boolean;
  /** Told of frames of profile `chain` that were not attributed in time. */
  readonly unattributed: (frames: UnattributedFrames) => void;
  /** Agent-ID of who speaks there. */
  readonly speaker: string;
  /** Takes a signed receipt for the flow's reliable stream. */
  readonly receipt: (bytes: Uint8Array) => void;
  /** Whether there is room for another receipt. Default: always. */
  readonly hasRoom?: () => boolean;
  /** Must not throw. */
  readonly tap?: PacketTap | undefined;
  /** Must not throw. */
  readonly watch?: FrameWatch | undefined;
}

/** One heard stream: what arrived and what was heard of it is signed, and what is of profile `chain` is held to its speaker's checkpoints. */
export abstract class HeardStream {
  readonly #options: HeardStreamOptions;
  #receiptCount = 0;
  #isFinished = false;

  constructor(options: HeardStreamOptions) {
    this.#options = options;
  }

  /** Stream id. */
  get stream(): number {
    return this.#options.row.stream;
  }

  /** What the receipts signed so far add up to. */
  get receipts(): ReceiptTotals & { readonly receipts: number } {
    return { ...this.#options.receipts.totals(), receipts: this.#receiptCount };
  }

  /** Nothing of the speaker can come until `reached`: the time in which it is to be attributed does not count. Idempotent. */
  cutOff(): void {
    this.#options.attribution.pause(this.now);
  }

  reached(): void {
    this.#options.attribution.resume(this.now);
  }

  /** Signs receipts that have fallen due. */
  abstract poll(now: number): void;

  /** Signs the final receipt; nothing is heard any more. Idempotent. */
  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.beforeLast();
    const { receipts, time } = this.#options;
    for (const receipt of receipts.finish(time.wall())) this.#owe(receipt);
    this.over();
  }

  /** Before the last receipt is signed. */
  protected beforeLast(): void {}

  /** The last receipt is signed. */
  protected over(): void {}

  /** Frames were not attributed in time. */
  protected left(_frames: UnattributedFrames): void {}

  /** Monotonic milliseconds. */
  protected get now(): number {
    return this.#options.clock.now();
  }

  protected get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Something that was played or handed out is not attributed, and nothing more is meanwhile. */
  protected get isBroken(): boolean {
    return this.#options.stopsUnattributed && this.#options.attribution.isBroken;
  }

  /** Whether another receipt may be signed. */
  protected get mayState(): boolean {
    const { hasRoom } = this.#options;
    return !this.#isFinished && (hasRoom === undefined || hasRoom());
  }

  /** Signs a receipt if one is due. */
  protected stateDue(now: number): void {
    const { receipts, time } = this.#options;
    const due = receipts.poll(now, time.wallAt(now));
    if (due !== undefined) this.#owe(due);
  }

  /** Signs a receipt, where there is something to say. */
  protected stateNow(now: number): void {
    const { receipts, time } = this.#options;
    const receipt = receipts.state(now, time.wallAt(now));
    if (receipt !== undefined) this.#owe(receipt);
  }

  /** Looks for frames whose time to be attributed is over. */
  protected attribute(now: number): void {
    const { attribution, unattributed } = this.#options;
    for (let frames = attribution.poll(now); frames !== undefined; frames = attribution.poll(now)) {
      this.left(frames);
      unattributed(frames);
    }
  }

  /** Another process speaks from now on: what the one before left unattributed stays so. */
  protected attributeToAnother(): void {
    const { attribution, unattributed } = this.#options;
    const frames = attribution.changeSpeaker();
    if (frames !== undefined) unattributed(frames);
  }

  /** Tells who watches what became of a frame. */
  protected tell(
    fate: FrameFate["fate"],
    sequence: number | undefined,
    at: number,
    more: Pick<FrameFate, "level" | "reason"> = {},
  ): void {
    this.#options.watch?.({ direction: "heard", stream: this.stream, sequence, fate, at, ...more });
  }

  #owe(receipt: Uint8Array): void {
    this.#receiptCount += 1;
    this.#options.receipt(receipt);
  }
}

/** One whose frames come as they come, each judged as the relay did (`FrameIntake`). */
export abstract class HeardFrames extends HeardStream {
  readonly #options: HeardStreamOptions;
  protected readonly intake: FrameIntake;
  #isPresent = false;

  constructor(options: HeardStreamOptions) {
    super(options);
    this.#options = options;
    this.intake = new FrameIntake({
      ...options,
      taken: (frames, now, held, view) => this.taken(frames, now, held, view),
      refused: (sequence, reason, now) => this.#refused(sequence, reason, now),
    });
  }

  /** One datagram of this flow, valid during the call; `held` as in `FlowSink`. */
  datagram(bytes: Uint8Array, held = 0): void {
    this.intake.datagram(bytes, held);
  }

  /** One frame that came on a stream, valid during the call. */
  item(bytes: Uint8Array): void {
    this.intake.item(bytes);
  }

  /** One checkpoint of the speaker. */
  checkpoint(bytes: Uint8Array): void {
    this.intake.checkpoint(bytes);
  }

  /** Frames come on another flow from now on: the call goes on over another connection, and some may be missing. */
  moveTo(flow: number): void {
    this.intake.moveTo(flow);
    this.#options.attribution.forget(this.now);
  }

  /** Another process speaks from now on, with this key: nothing of the one before is heard any more. */
  takeKey(key: HeardKey, expiresAt: number): void {
    this.intake.takeKey(key, expiresAt);
    this.attributeToAnother();
    this.speakerChanged();
    this.intake.judgeEarly();
  }

  /** The speaker goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    this.intake.takeClock(clock);
  }

  /** Whether the terms of this number let the other end send: what it may not send is not taken. */
  underTerms(termsNumber: number, transmitAllowed: boolean): void {
    this.intake.underTerms(termsNumber, transmitAllowed);
  }

  /** Frames are of this profile from now on, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    this.intake.useProfile(profile, termsNumber);
  }

  /** The other end may begin to use this profile before this end is told so. */
  expectProfile(profile: FrameProfile): void {
    this.intake.expectProfile(profile);
  }

  poll(now: number): void {
    if (this.isFinished) return;
    this.intake.release();
    this.attribute(now);
    if (!this.mayState) return;
    this.beforeDue(now);
    this.stateDue(now);
  }

  /** A frame that verified, as `FrameIntakeOptions.taken` has it. */
  protected abstract taken(frames: UnpackedFrames, now: number, held: number, view: FrameView): void;

  /** Lets go of what the speaker before said. */
  protected abstract speakerChanged(): void;

  /** Before a receipt is signed that may be due. */
  protected beforeDue(_now: number): void {}

  protected override beforeLast(): void {
    this.intake.finish();
  }

  /** The first receipt does not wait: by it the speaker sees that what it sends arrives. */
  protected showPresence(now: number): void {
    if (this.#isPresent || !this.mayState) return;
    this.#isPresent = true;
    this.stateNow(now);
  }

  #refused(sequence: number | undefined, reason: Refusal, now: number): void {
    this.#options.receipts.refused();
    this.tell("refused", sequence, now, { reason });
  }
}
