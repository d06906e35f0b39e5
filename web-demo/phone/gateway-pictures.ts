/** What this page shows in a call over WebRTC: its camera or its screen, since there is room for one picture each way. */
import type { GatewayCall, PeerStats } from "@parley-rt/parley/agent";
import { gatewayCaption } from "../model/gateway-facts.ts";
import type { CallState, Notice } from "../model/page-state.ts";
import { type Capture, type CaptureKind, CaptureRefused, openCapture } from "../video/capture.ts";

export interface GatewayPicturesOptions {
  readonly call: GatewayCall;
  /** Name of the other end. */
  readonly peer: string;
  readonly update: (change: (call: CallState) => CallState) => void;
  readonly notice: (text: string, tone?: Notice["tone"]) => void;
  readonly report: (error: unknown) => void;
}

export class GatewayPictures {
  readonly #options: GatewayPicturesOptions;
  #showing: Capture | undefined;
  #seen: MediaStream | undefined;
  #captions = { seen: "", shown: "" };
  #isOver = false;

  constructor(options: GatewayPicturesOptions) {
    this.#options = options;
  }

  /** Shows the camera or screen in place of what was shown, or no longer. */
  async toggle(kind: CaptureKind): Promise<void> {
    if (this.#showing?.kind === kind) await this.#stop();
    else await this.#start(kind);
  }

  /** A picture of the other end may come. */
  follow(track: MediaStreamTrack): void {
    const stream = new MediaStream([track]);
    const changed = () => {
      this.#seen = track.muted ? undefined : stream;
      this.#draw();
    };
    for (const event of ["mute", "unmute", "ended"]) track.addEventListener(event, changed);
    changed();
  }

  /** What was measured, to stand under the pictures. */
  measured({ seen, shown }: PeerStats): void {
    this.#captions = { seen: gatewayCaption(seen), shown: gatewayCaption(shown) };
    this.#draw();
  }

  /** The call is over, or left: gives the device back. Idempotent. */
  end(): void {
    this.#isOver = true;
    this.#showing?.stop();
    this.#showing = undefined;
    this.#seen = undefined;
    this.#draw();
  }

  async #start(kind: CaptureKind): Promise<void> {
    const { call, notice, peer, update } = this.#options;
    if (!call.sends("video")) {
      notice(`${peer} does not see your ${kind}: the call began without pictures.`, "warning");
      return;
    }
    update((state) => ({ ...state, opening: kind }));
    try {
      const capture = await openCapture(kind);
      const [track] = capture.stream.getVideoTracks();
      if (this.#isOver || track === undefined) {
        capture.stop();
        return;
      }
      this.#showing?.stop();
      this.#showing = capture;
      capture.whenOver(() => {
        if (this.#showing === capture) this.#stop().catch(this.#options.report);
      });
      await call.send("video", track);
    } catch (error) {
      this.#refused(kind, error);
    } finally {
      update((state) => ({ ...state, opening: undefined }));
      this.#draw();
    }
  }

  async #stop(): Promise<void> {
    this.#showing?.stop();
    this.#showing = undefined;
    this.#draw();
    await this.#options.call.send("video", null);
  }

  #draw(): void {
    const { seen, shown } = this.#captions;
    const [stream, own] = [this.#seen, this.#showing];
    this.#options.update((state) => {
      const picture = stream && { stream, caption: seen };
      const showing = own === undefined ? [] : [{ kind: own.kind, stream: own.stream, caption: shown }];
      const isSame =
        state.picture?.stream === stream &&
        (stream === undefined || state.picture?.caption === seen) &&
        state.showing[0]?.stream === own?.stream &&
        (own === undefined || state.showing[0]?.caption === shown);
      return isSame ? state : { ...state, picture, showing };
    });
  }

  #refused(kind: CaptureKind, error: unknown): void {
    if (!(error instanceof CaptureRefused)) {
      this.#options.report(error);
      return;
    }
    const why = error.code === "refused" ? "was not allowed" : "was not found";
    this.#options.notice(`Your ${kind} ${why}.`, "warning");
  }
}
