import type { JsonObject } from "../codecs/canonical-json.ts";
import type { PauseNotice } from "../signaling/session-notice.ts";
import { CallHeard, type CallHeardOptions, type HeardPosition } from "./call-heard.ts";
import { CallInterrupts, type CallInterruptsOptions, type Interrupted } from "./call-interrupts.ts";
import type { StreamControl } from "./call-stream.ts";
import type { StreamParameters } from "./stream-parameters.ts";
import { VoicePause, type VoicePauseOptions } from "./voice-pause.ts";

export interface CallVoicesOptions
  extends Omit<CallInterruptsOptions, "interrupted">,
    Omit<CallHeardOptions, "heard">,
    Omit<VoicePauseOptions, "tell"> {
  readonly interrupted: (event: Interrupted) => void;
  readonly heard: (position: HeardPosition) => void;
}

/** What the ends say to each other about the voices of a call: where one is cut off, or waits a moment, and how far each was heard. */
export class CallVoices implements Pick<StreamControl, "interrupt" | "flush" | "heardPosition" | "pause"> {
  readonly #interrupts: CallInterrupts;
  readonly #heard: CallHeard;
  readonly #pause: VoicePause;

  constructor(options: CallVoicesOptions) {
    this.#interrupts = new CallInterrupts(options);
    this.#heard = new CallHeard(options);
    this.#pause = new VoicePause(options);
  }

  /** Ends what the other end says on that voice; where none is named, on the first. */
  async interrupt(stream?: number): Promise<void> {
    await this.#interrupts.interrupt(stream);
  }

  async flush(stream: number): Promise<void> {
    await this.#interrupts.flush(stream);
  }

  async heardPosition(stream: number): Promise<HeardPosition | undefined> {
    return await this.#heard.ask(stream);
  }

  pause(stream: number, isPaused: boolean): void {
    this.#pause.set(stream, isPaused);
  }

  /** The server says that the other end signed an interrupt. Throws where that is not so. */
  interrupted(fields: JsonObject): void {
    this.#interrupts.told(fields);
  }

  /** The same, handed on by the server before it is on record. */
  arrived(bytes: Uint8Array): void {
    this.#interrupts.arrived(bytes);
  }

  /** A receipt of the other end for what this one says. */
  receipt(bytes: Uint8Array, stream: number): void {
    this.#heard.arrived(bytes, stream);
  }

  /** The other end asks how far this one has heard it. */
  asked(stream: number): void {
    this.#heard.state(stream);
  }

  /** The other end plays nothing of a voice for a moment, or goes on. */
  paused(notice: PauseNotice): void {
    this.#pause.told(notice);
  }

  /** The call goes on over another connection, where streams are in these epochs. */
  catchUp(streams: readonly StreamParameters[]): void {
    this.#interrupts.catchUp(streams);
  }

  /** A stream is closed. */
  forget(stream: number): void {
    this.#interrupts.forget(stream);
    this.#heard.forget(stream);
  }
}
