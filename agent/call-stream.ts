import type { Modality } from "../signaling/scope.ts";
import type { Direction } from "../signaling/stream-fields.ts";

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
  /** Nothing of the stream is sent, or it is again. */
  mute(stream: number, isMuted: boolean): void;
  /** Nothing of it can be decoded here before another key frame: its speaker is asked for one. */
  requestKeyFrame(stream: number): void;
}

/** One stream of a call. */
export class CallStream implements StreamFacts {
  readonly id: number;
  readonly modality: Modality;
  readonly direction: Direction;
  readonly #control: StreamControl;
  #isMuted = false;

  /** @internal Streams come from `Call.streams`. */
  constructor({ id, modality, direction }: StreamFacts, control: StreamControl) {
    this.id = id;
    this.modality = modality;
    this.direction = direction;
    this.#control = control;
  }

  /** Whether this end sends nothing of it for now. */
  get muted(): boolean {
    return this.#isMuted;
  }

  /** Nothing more of it is sent until `unmute`: what is live and falls due meanwhile is thrown away, data waits. Idempotent. */
  mute(): void {
    this.#mute(true);
  }

  /** It is sent again. Idempotent. */
  unmute(): void {
    this.#mute(false);
  }

  #mute(isMuted: boolean): void {
    if (isMuted === this.#isMuted) return;
    this.#isMuted = isMuted;
    this.#control.mute(this.id, isMuted);
  }
}
