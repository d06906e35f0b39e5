import type { Modality } from "../signaling/scope.ts";
import type { Direction } from "../signaling/stream-fields.ts";
import type { HeardPosition } from "./call-heard.ts";

/** What was agreed of a stream, whatever it carries. */
export interface StreamFacts {
  /** Stream id. */
  readonly id: number;
  readonly modality: Modality;
  /** Which way it flows, as this end sees it. */
  readonly direction: Direction;
}

/** What a stream has its call do. */
export interface StreamControl {
  /** Nothing of the stream is sent, or it is again; the other end is told. */
  mute(stream: number, isMuted: boolean): void;
  /** Nothing of it can be decoded here before another key frame: its speaker is asked for one. */
  requestKeyFrame(stream: number): void;
  /** Nothing of the stream is wanted, or it is again; the server and the other end are told. */
  hold(stream: number, isHeld: boolean): void;
  /** Of a video in several renditions this one is shown from now on, and the other end is told; `undefined`: the video is over. */
  show(source: number, rendition: number | undefined): void;
  /** The stream is over, by this end's signature. */
  close(stream: number): Promise<void>;
  /** Of a voice: ends what the other end is saying on it. */
  interrupt(stream: number): Promise<void>;
  /** Takes back what this end is saying on it. */
  flush(stream: number): Promise<void>;
  /** Asks the other end how far it heard this one on it. */
  heardPosition(stream: number): Promise<HeardPosition | undefined>;
  /** Nothing of it is played for a moment, and nothing sent; or it goes on. */
  pause(stream: number, isPaused: boolean): void;
}

/** One stream of a call. */
export class CallStream implements StreamFacts {
  readonly id: number;
  readonly modality: Modality;
  readonly direction: Direction;
  readonly #control: StreamControl;
  #isMuted = false;
  #isHeld = false;
  #isOpen = true;

  /** @internal Streams come from `Call.streams`. */
  constructor({ id, modality, direction }: StreamFacts, control: StreamControl) {
    this.id = id;
    this.modality = modality;
    this.direction = direction;
    this.#control = control;
  }

  /** `closed` by either end, or with its call: nothing is sent or heard any more, and what was heard can still be read. */
  get state(): "open" | "closed" {
    return this.#isOpen ? "open" : "closed";
  }

  /** Whether this end sends nothing of it for now. */
  get muted(): boolean {
    return this.#isMuted;
  }

  /** Whether this end wants nothing of it for now. */
  get held(): boolean {
    return this.#isHeld;
  }

  /**
   * Nothing more of it is sent until `unmute`: what is live and falls due meanwhile is thrown away, data waits. The other end is told (`stream-muted`). Idempotent;
   * nothing on a stream that this end does not send on.
   */
  mute(): void {
    this.#mute(true);
  }

  /** It is sent again. Idempotent. */
  unmute(): void {
    this.#mute(false);
  }

  /**
   * Nothing more of it is heard until `unhold`: the server forwards none, what is live is lost meanwhile, data waits at its speaker. The other end is told (`stream-held`).
   * Idempotent; nothing on a stream that this end does not hear.
   */
  hold(): void {
    this.#hold(true);
  }

  /** It is heard again. Idempotent. */
  unhold(): void {
    this.#hold(false);
  }

  /**
   * Closes the stream for both ends and for good; the others go on. Takes no agreement: signed by this agent's identity key. Resolves when the server has it on
   * record. Throws `terms-outdated` when the other end keeps being quicker, and what a request throws.
   */
  async close(): Promise<void> {
    if (this.#isOpen) await Promise.all(this.ids.map((stream) => this.#control.close(stream)));
  }

  /** @internal It is over. */
  ended(): void {
    this.#isOpen = false;
  }

  /** Its stream; of a video, those of its renditions. */
  protected get ids(): readonly number[] {
    return [this.id];
  }

  #mute(isMuted: boolean): void {
    if (isMuted === this.#isMuted || this.direction === "recvonly" || !this.#isOpen) return;
    this.#isMuted = isMuted;
    for (const stream of this.ids) this.#control.mute(stream, isMuted);
  }

  #hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld || this.direction === "sendonly" || !this.#isOpen) return;
    this.#isHeld = isHeld;
    for (const stream of this.ids) this.#control.hold(stream, isHeld);
  }
}
