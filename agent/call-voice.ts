import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { HeardPosition } from "./call-heard.ts";
import type { FrameFate } from "./frame-fate.ts";
import { Speaking, type SpeakingChanged, type VoiceStalled } from "./turns/speaking.ts";
import type { VoiceSender } from "./voice-ends.ts";

/** What a voice has its call do. */
export interface VoiceControl {
  interrupt(): Promise<void>;
  flush(): Promise<void>;
  heardPosition(): Promise<HeardPosition | undefined>;
  pause(isPaused: boolean): void;
}

export interface CallVoiceOptions {
  readonly sender: VoiceSender | undefined;
  /** This end hears the other one there. */
  readonly isHeard: boolean;
  /** None where it flows neither way. */
  readonly control: VoiceControl | undefined;
  readonly clock: Clock;
  readonly speaking: (event: SpeakingChanged) => void;
  readonly stalled: (event: VoiceStalled) => void;
}

/** One voice of a call, both ways, whatever is written and read there: who speaks, and what cuts it off. */
export abstract class CallVoice {
  readonly #sender: VoiceSender | undefined;
  readonly #control: VoiceControl | undefined;
  readonly #isHeard: boolean;
  /** @internal */
  protected readonly speakingState: Speaking;

  /** @internal */
  constructor({ sender, isHeard, control, clock, speaking, stalled }: CallVoiceOptions) {
    this.#sender = sender;
    this.#isHeard = isHeard;
    this.#control = control;
    this.speakingState = new Speaking({
      clock,
      changed: (event) => {
        if (event.who === "peer") sender?.talkingOver(event.speaking);
        speaking(event);
      },
      stalled: (event) => {
        if (!this.muted) stalled(event);
      },
    });
  }

  /**
   * Takes back what was said: what waits here or on its way is neither sent nor heard any more, and what follows
   * begins a turn. Resolves when the server has it on record; the sound stops at once. Throws `field-invalid` when this end
   * does not send audio, `session-terminated` when the call has ended.
   */
  async flush(): Promise<void> {
    this.requireSender();
    this.speakingState.tookBack();
    await this.#control?.flush();
  }

  /**
   * Ends what the other end is saying: playout stops at once with a 10 ms fade, and frames said before are not heard any more, here or on their way. The other
   * end's queue is flushed when it hears of it. Resolves when the server has it on record; is sent again until it answers. Where it refuses, the other end is heard
   * again. Throws `field-invalid` when this end does not hear audio, `interrupt-forbidden`, `session-terminated` when the call has ended.
   */
  async interrupt(): Promise<void> {
    await this.#hearing().interrupt();
  }

  /**
   * How far the other end has heard what this end said, to the sample: asks it, and resolves with the receipt that it signs at once; undefined where it
   * has heard nothing. After an interrupt it says so unasked: `Call` event `heard`. Throws `field-invalid` when this end does not send audio,
   * `request-timeout` when no receipt comes in 5 s, `rate-limited` when asked more than twice a second.
   */
  async heardPosition(): Promise<HeardPosition | undefined> {
    this.requireSender();
    return await this.#control?.heardPosition();
  }

  /**
   * Stops playing what the other end says, with a fade of 10 ms, and asks it to hold what it has yet to say: for 2 s at most, and nothing is
   * thrown away. What follows is `call.interrupt()`, or `resume()` where it was no interruption. Throws `interrupt-forbidden`, and
   * `field-invalid` when this end does not hear audio.
   */
  pause(): void {
    this.#hearing().pause(true);
  }

  /** Goes on with what was paused: all of it is heard. Idempotent. */
  resume(): void {
    this.#hearing().pause(false);
  }

  /** While true nothing is sent; what is said meanwhile is not said later. */
  get muted(): boolean {
    return this.#sender?.muted ?? true;
  }

  set muted(muted: boolean) {
    this.requireSender().muted = muted;
  }

  /** Who speaks now: this end by the frames that really left, the other by those that came and were verified. */
  get speaking(): { readonly me: boolean; readonly peer: boolean } {
    return this.speakingState.present;
  }

  /** @internal What became of a frame of either voice. */
  frame(fate: FrameFate): void {
    this.speakingState.frame(fate);
  }

  /** @internal The call is over. */
  finish(): void {
    this.speakingState.finish();
  }

  /** Throws `field-invalid` when this end does not send audio. */
  protected requireSender(): VoiceSender {
    if (this.#sender !== undefined) return this.#sender;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send audio." });
  }

  #hearing(): VoiceControl {
    if (this.#control !== undefined && this.#isHeard) return this.#control;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not hear audio." });
  }
}
