import type { VideoStream, VideoWants } from "../../agent/video-stream.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { RtpFrames, type RtpFramesCounters, type RtpUnit } from "../../sfu/rtp-frames.ts";
import type { OutgoingVideo, OutgoingVideoCounters } from "../../sfu/rtp-outgoing-video.ts";
import type { CaptureTimes, PeerMedia } from "./peer-media.ts";
import { PeerRtp } from "./peer-rtp.ts";

/** A key frame that the call wants is asked of the peer again so often until it came, ms. */
const ASK_AGAIN_MS = 500;

export interface VideoBridgeOptions {
  readonly video: VideoStream;
  readonly clock: Clock;
  readonly media: Pick<PeerMedia, "write" | "report" | "requestKeyFrame">;
  /** The stream to the peer; undefined: nothing of this video goes there. */
  readonly toPeer?: OutgoingVideo | undefined;
  /** Whether the peer sends video that goes into the call. */
  readonly fromPeer: boolean;
  /** Of the peer's timestamps. */
  readonly times: CaptureTimes;
  readonly told: {
    /** What the peer's encoder is to make has changed: `wants`. */
    readonly wants: () => void;
    /** Something that should not happen. */
    readonly report: (error: unknown) => void;
  };
}

export interface VideoBridgeCounters {
  /** Of the peer's packets: those that are no RTP; of its units: those that are none of the call's codec, or too large. */
  readonly malformed: number;
  readonly unfit: number;
  /** Units signed and sent whole, and left out or lost on the way. */
  readonly sent: number;
  readonly dropped: number;
  readonly frames: RtpFramesCounters;
  readonly toPeer: OutgoingVideoCounters | undefined;
}

/**
 * One video of a call and the same video as RTP of a WebRTC peer: verified units go to the peer in fragments, its fragments are put together and signed as units, neither is
 * decoded. Key frames are asked for on either side for the other.
 */
export class VideoBridge {
  readonly #options: VideoBridgeOptions;
  readonly #rtp: PeerRtp;
  readonly #frames: RtpFrames;
  readonly #out: OutgoingVideo | undefined;
  readonly #unwatch: () => void;
  #unfit = 0;
  #sent = 0;
  #dropped = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: () => void = () => {};
  #cancelAsking: () => void = () => {};
  #isClosed = false;

  constructor(options: VideoBridgeOptions) {
    this.#options = options;
    const { clock, fromPeer, media, toPeer, told, video } = options;
    this.#rtp = new PeerRtp("video", clock, media);
    this.#frames = new RtpFrames(video.codec);
    if (toPeer !== undefined && video.direction !== "sendonly") {
      this.#out = toPeer;
      this.#read().catch(told.report);
    }
    if (!fromPeer) {
      this.#unwatch = () => {};
      return;
    }
    // Its size is the peer's to choose.
    video.keepSize();
    this.#unwatch = video.on("wants", (wants) => this.#wanted(wants));
    this.#wanted(video.wants);
  }

  /** Its video goes on. */
  get isOpen(): boolean {
    return !this.#isClosed && this.#options.video.state === "open";
  }

  /** What the peer's encoder is to make; `undefined` where nothing of the peer is taken, or not any more. */
  get wants(): VideoWants | undefined {
    return this.#options.fromPeer && this.isOpen ? this.#options.video.wants : undefined;
  }

  get counters(): VideoBridgeCounters {
    return {
      malformed: this.#rtp.malformed,
      unfit: this.#unfit,
      sent: this.#sent,
      dropped: this.#dropped,
      frames: this.#frames.counters,
      toPeer: this.#out?.counters,
    };
  }

  /** An RTP packet of the peer, which is the bridge's from now on. */
  packet(bytes: Uint8Array): void {
    if (this.#isClosed || !this.#options.fromPeer) return;
    const packet = this.#rtp.read(bytes);
    if (packet === undefined) return;
    this.#frames.insert(packet, this.#options.clock.now());
    this.#drain();
  }

  /** The peer cannot go on without a key frame (PLI, FIR). */
  keyFrameWanted(): void {
    if (!this.#isClosed && this.#out !== undefined) this.#options.video.requestKeyFrame();
  }

  /** Nothing is passed on any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#unwatch();
    this.#cancelTimer();
    this.#cancelAsking();
  }

  #drain(): void {
    if (this.#isClosed) return;
    const { clock, media } = this.#options;
    const now = clock.now();
    for (let unit = this.#frames.next(now); unit !== undefined; unit = this.#frames.next(now))
      this.#show(unit);
    if (this.#frames.asksKeyFrame(now)) this.#ask(media);
    this.#cancelTimer();
    const due = this.#frames.nextTimeout();
    this.#cancelTimer = due === undefined ? () => {} : clock.at(Math.max(due, now), () => this.#drain());
  }

  #show({ data, layer, timestamp, arrivedAt, key }: RtpUnit): void {
    const { clock, times, video, told } = this.#options;
    const toWall = clock.wall() - clock.now();
    const capturedAt = times.at(timestamp, arrivedAt + toWall) - toWall;
    if (key) this.#cancelAsking();
    video.send({ data, layer, capturedAt }).then(
      (fate) => {
        if (fate === "sent") this.#sent += 1;
        else this.#dropped += 1;
      },
      (error: unknown) => {
        this.#unfit += 1;
        if (!(error instanceof ParleyError)) told.report(error);
      },
    );
  }

  /** The call says what the peer should make. */
  #wanted(wants: VideoWants): void {
    this.#options.told.wants();
    if (wants.keyFrame) this.#askUntilThere();
    else this.#cancelAsking();
  }

  #askUntilThere(): void {
    const { clock, media, video } = this.#options;
    this.#cancelAsking();
    if (this.#isClosed || !video.wants.keyFrame) return;
    const next = this.#askedAt + ASK_AGAIN_MS;
    if (clock.now() >= next) this.#ask(media);
    this.#cancelAsking = clock.at(Math.max(next, clock.now() + 1), () => this.#askUntilThere());
  }

  #ask(media: Pick<PeerMedia, "requestKeyFrame">): void {
    this.#askedAt = this.#options.clock.now();
    media.requestKeyFrame();
  }

  async #read(): Promise<void> {
    const { video } = this.#options;
    for await (const unit of video) {
      const out = this.#out;
      if (this.#isClosed || out === undefined) return;
      const packets = out.send(unit);
      if (!packets.ok || out.awaitsKey) video.requestKeyFrame();
      if (!packets.ok) continue;
      this.#rtp.write(packets.value, out);
    }
  }
}
