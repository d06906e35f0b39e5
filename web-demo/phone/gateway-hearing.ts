/** Plays what comes over WebRTC, and keeps what was heard. */
import { type Microphone, openMicrophone } from "@parley-rt/parley/agent";
import { Recording } from "../model/wav.ts";

const CLOCK_RATE = 48_000;

export class GatewayHearing {
  readonly recording = new Recording(CLOCK_RATE);
  readonly #player = new Audio();
  readonly #heard: (pcm: Int16Array) => void;
  readonly #report: (error: unknown) => void;
  #ear: Microphone | undefined;
  #position = 0;
  #isOver = false;

  /** `heard`: each 20 ms of it, to be shown. */
  constructor(heard: (pcm: Int16Array) => void, report: (error: unknown) => void) {
    this.#heard = heard;
    this.#report = report;
  }

  /** A voice of the other end is there. */
  begin(track: MediaStreamTrack): void {
    const stream = new MediaStream([track]);
    this.#player.srcObject = stream;
    this.#player.play().catch(this.#report);
    this.#listen(stream).catch(this.#report);
  }

  /** Idempotent. */
  end(): void {
    this.#isOver = true;
    this.#player.srcObject = null;
    this.#ear?.close().catch(this.#report);
    this.#ear = undefined;
  }

  async #listen(stream: MediaStream): Promise<void> {
    const ear = await openMicrophone({ stream, clockRate: CLOCK_RATE });
    if (this.#isOver || this.#ear !== undefined) {
      await ear.close();
      return;
    }
    this.#ear = ear;
    await ear.resume();
    for await (const pcm of ear) {
      this.recording.put(pcm, this.#position, 1);
      this.#position += pcm.length;
      this.#heard(pcm);
    }
  }
}
