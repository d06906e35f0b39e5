/** The pictures of one call: what this page shows, what the other end shows, and what there is to say of both. */
import { type Call, type CallStream, ParleyError, type VideoStream } from "@parley-rt/parley/agent";
import type { LivePictures } from "../model/live-pictures.ts";
import type { CallState, Notice } from "../model/page-state.ts";
import { failureSentence } from "../model/words.ts";
import { type Capture, type CaptureKind, CaptureRefused, openCapture } from "../video/capture.ts";
import { PictureSender } from "../video/picture-sender.ts";
import type { Screen } from "../video/screen.ts";
import { PictureReport } from "./picture-report.ts";
import { SeenPicture } from "./seen-picture.ts";
import { linesOf } from "./stream-lines.ts";

export interface CallPicturesOptions {
  readonly call: Call;
  /** Name of the other end. */
  readonly peer: string;
  readonly live: LivePictures;
  readonly update: (change: (call: CallState) => CallState) => void;
  readonly notice: (text: string, tone?: Notice["tone"]) => void;
  /** How a new picture is to be coded. */
  readonly choice: () => { readonly codec: VideoStream["codec"]; readonly renditions: 1 | 2 };
  /** How much later than it is handed out sound is heard, ms. */
  readonly soundDelay: () => number;
  readonly report: (error: unknown) => void;
}

/** What this page shows of its own. */
interface Showing {
  readonly sender: PictureSender;
  readonly stream: VideoStream;
  /** It was opened to show this, and goes with it. */
  readonly isOwn: boolean;
}

/** A picture of which nothing came for so long is not shown any more, ms. */
const SHOWN_MS = 5_000;

const WHAT: Readonly<Record<CaptureKind, string>> = { camera: "camera", screen: "screen" };

export class CallPictures {
  readonly #options: CallPicturesOptions;
  readonly #showing = new Map<CaptureKind, Showing>();
  readonly #seen = new Map<number, SeenPicture>();
  readonly #picture: PictureReport;
  #isOver = false;

  constructor(options: CallPicturesOptions) {
    this.#options = options;
    this.#picture = new PictureReport(options.live);
    const { call } = options;
    for (const event of ["stream-opened", "stream-closed"] as const) call.on(event, () => this.follow());
    this.follow();
  }

  /** The pictures of the other end, oldest first: those that it shows. */
  get screens(): readonly Screen[] {
    const now = performance.now();
    // A stream both ways, as others may open it, may bring nothing.
    return [...this.#seen.values()].filter(({ at, isOneWay }) => isOneWay || now - at < SHOWN_MS);
  }

  /** Shows the camera or screen, or no longer. */
  async toggle(kind: CaptureKind): Promise<void> {
    if (this.#showing.has(kind)) await this.#stop(kind);
    else await this.#start(kind);
  }

  mute(id: number): void {
    const stream = this.#stream(id);
    if (stream?.muted === true) stream.unmute();
    else stream?.mute();
    this.follow();
  }

  hold(id: number): void {
    const stream = this.#stream(id);
    if (stream?.held === true) stream.unhold();
    else stream?.hold();
    this.follow();
  }

  async close(id: number): Promise<void> {
    const kind = this.#shown().find(({ stream }) => stream.id === id)?.kind;
    if (kind === undefined) await this.#stream(id)?.close();
    else await this.#stop(kind);
  }

  /** Looks which streams there are now: shows those that came, puts away those that went. */
  follow(): void {
    const { call, live, soundDelay, report, update } = this.#options;
    if (this.#isOver) return;
    const open = call.streams.filter(({ state }) => state === "open");
    for (const stream of open) {
      if (stream.modality !== "video" || stream.direction === "sendonly" || this.#seen.has(stream.id))
        continue;
      this.#seen.set(stream.id, new SeenPicture(stream as VideoStream, { live, soundDelay, report }));
    }
    for (const [id, picture] of this.#seen) {
      if (open.some((stream) => stream.id === id)) continue;
      picture.close();
      this.#seen.delete(id);
    }
    for (const [kind, { sender, stream }] of this.#showing) {
      if (stream.state === "open") continue;
      sender.stop();
      this.#showing.delete(kind);
    }
    update((state) => ({ ...state, ...linesOf(state, open, this.#shown()) }));
  }

  /** Looks at the counters. `now`: monotonic milliseconds. */
  sample(now: number): void {
    this.follow();
    const { call } = this.#options;
    this.#picture.look(call.stats(), [...this.#seen.values()], this.#shown(), now);
  }

  /** The call is over, or left: gives the devices back. Idempotent. */
  end(): void {
    this.#isOver = true;
    for (const { sender } of this.#showing.values()) sender.stop();
    for (const picture of this.#seen.values()) picture.close();
    this.#showing.clear();
    this.#seen.clear();
    this.#options.update((state) => ({ ...state, showing: [], opening: undefined }));
  }

  #shown() {
    return [...this.#showing].map(([kind, { sender, stream }]) => ({ kind, sender, stream }));
  }

  #stream(id: number): CallStream | undefined {
    return this.#options.call.streams.find((stream) => stream.id === id);
  }

  async #start(kind: CaptureKind): Promise<void> {
    const { update } = this.#options;
    update((state) => ({ ...state, opening: kind }));
    try {
      const capture = await openCapture(kind);
      if (this.#isOver) capture.stop();
      else await this.#open(capture);
    } catch (error) {
      this.#refused(kind, error);
    } finally {
      update((state) => ({ ...state, opening: undefined }));
      this.follow();
    }
  }

  async #open(capture: Capture): Promise<void> {
    const { report } = this.#options;
    const free = this.#freeStream();
    try {
      const stream = free ?? (await this.#openFor(capture));
      // A picture that is made on while its stream ends is no fault.
      const sender = new PictureSender(capture, stream, (error) => {
        if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
      });
      this.#showing.set(capture.kind, { sender, stream, isOwn: free === undefined });
      capture.whenOver(() => void this.#stop(capture.kind).catch(report));
    } catch (error) {
      capture.stop();
      throw error;
    }
  }

  /** A video that the call came with goes both ways: what this end shows first goes there. */
  #freeStream(): VideoStream | undefined {
    const { video } = this.#options.call;
    const isUsed = [...this.#showing.values()].some(({ stream }) => stream === video);
    return video?.direction === "sendrecv" && video.state === "open" && !isUsed ? video : undefined;
  }

  async #openFor({ size: { width: maxWidth, height: maxHeight } }: Capture): Promise<VideoStream> {
    const { call, choice } = this.#options;
    const { codec, renditions } = choice();
    const wanted = { codecs: [codec], renditions, maxWidth, maxHeight, direction: "sendonly" } as const;
    return await call.open({ modality: "video", ...wanted });
  }

  async #stop(kind: CaptureKind): Promise<void> {
    const showing = this.#showing.get(kind);
    if (showing === undefined) return;
    this.#showing.delete(kind);
    showing.sender.stop();
    this.follow();
    if (showing.isOwn) await showing.stream.close();
    this.follow();
  }

  #refused(kind: CaptureKind, error: unknown): void {
    const { peer, notice, report } = this.#options;
    if (error instanceof CaptureRefused) {
      const why = error.code === "refused" ? "was not allowed" : "was not found";
      notice(`Your ${WHAT[kind]} ${why}.`, "warning");
    } else if (error instanceof ParleyError) {
      const sentence = failureSentence(error.code, error.message);
      notice(`${peer} does not see your ${WHAT[kind]}: ${sentence}`, "warning");
    } else report(error);
  }
}
