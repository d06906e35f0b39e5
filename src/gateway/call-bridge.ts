import type { Call } from "../../agent/call.ts";
import type { VideoWants } from "../../agent/video-stream.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CaptureClock } from "../../sfu/capture-clock.ts";
import { FarHopRate, mostIncoming } from "../../sfu/far-hop-rate.ts";
import { SenderClock } from "../../sfu/sender-clock.ts";
import type { GatewayOrder } from "../../signaling/gateway-channel.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import type { PeerHandlers } from "../../transports/webrtc/peer.ts";
import type { ControlChannel } from "./control-channel.ts";
import { DataBridge, type DataBridgeCounters } from "./data-bridge.ts";
import { CHANNELS, type PeerMedia } from "./peer-media.ts";
import { VideoBridge, type VideoBridgeCounters } from "./video-bridge.ts";
import { VoiceBridge, type VoiceBridgeCounters } from "./voice-bridge.ts";

/** Bits of payload a second that a peer's voice may take where no rate of it is agreed. */
const USUAL_VOICE = 64_000;
/** What a voice needs at its least, bits of payload a second. */
const LEAST_VOICE = 8_000;

/** A stream to the peer, as its connection has it. */
export interface PeerStream {
  readonly ssrc: number;
  readonly payloadType: number;
}

export interface CallBridgeOptions {
  /** With `voices: "encoded"`. */
  readonly call: Call;
  readonly clock: Clock;
  /** So many random bytes. */
  readonly random: (length: number) => Uint8Array;
  readonly media: PeerMedia;
  /** Already open; it follows the call from now on. */
  readonly control: ControlChannel;
  /** Streams to the peer; of what is left out nothing goes there. */
  readonly toPeer: Readonly<Partial<Record<MediaKind, PeerStream>>>;
  /** What the peer sends. */
  readonly fromPeer: readonly MediaKind[];
  /** Identifier of the header extension that tells how loud a packet is, both ways. */
  readonly levelId: number;
  readonly report: (error: unknown) => void;
}

export interface CallBridgeCounters {
  readonly voice: VoiceBridgeCounters | undefined;
  readonly video: VideoBridgeCounters | undefined;
  readonly data: DataBridgeCounters;
}

/** What a peer connection tells that is about the media of its call. */
type MediaHandlers = Required<
  Pick<PeerHandlers, "packet" | "senderReport" | "keyFrameWanted" | "message" | "bitrate">
>;

/** A call that is up and the WebRTC peer that it is led for: voice, video and data pass in both directions, and each side learns what the other one's way takes. */
export class CallBridge implements MediaHandlers {
  readonly #options: CallBridgeOptions;
  readonly #voice: VoiceBridge | undefined;
  readonly #video: VideoBridge | undefined;
  readonly #data: DataBridge;
  readonly #times: Readonly<Record<MediaKind, CaptureClock>>;
  readonly #rate: FarHopRate;
  readonly #unwatch: () => void;
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  constructor(options: CallBridgeOptions) {
    const { call, clock, control, fromPeer, levelId, media, report, toPeer } = options;
    this.#options = options;
    const sender = new SenderClock();
    this.#times = {
      audio: new CaptureClock(call.voice?.sends?.clockRate ?? 48_000, sender),
      video: new CaptureClock(90_000, sender),
    };
    const { voice, video } = call;
    const { hears } = voice ?? {};
    this.#rate = new FarHopRate(hears && { bitrate: LEAST_VOICE, frameMs: hears.frameMs });
    if (voice !== undefined) {
      this.#voice = new VoiceBridge({
        ...{ voice, clock, media, levelId, times: this.#times.audio },
        toPeer: this.#streamOf(toPeer.audio),
        told: { turnEnded: (who) => control.tell({ type: "end-of-turn", who }), report },
      });
    }
    if (video !== undefined) {
      const stream = this.#streamOf(toPeer.video);
      this.#video = new VideoBridge({
        ...{ video, clock, media, times: this.#times.video, fromPeer: fromPeer.includes("video") },
        toPeer: stream && { ...stream, firstPicture: this.#number(2) & 0x7fff },
        told: { wants: (wants) => this.#limitPeer(wants), report },
      });
    }
    this.#data = new DataBridge({ call, clock, media, report });
    this.#unwatch = call.on("terms-changed", () => this.#limitPeer(video?.wants));
    control.follow(call);
    this.#limitPeer(video?.wants);
  }

  get counters(): CallBridgeCounters {
    return {
      voice: this.#voice?.counters,
      video: this.#video?.counters,
      data: this.#data.counters,
    };
  }

  packet(kind: MediaKind, packet: Uint8Array): void {
    if (!this.#options.fromPeer.includes(kind)) return;
    if (kind === "audio") this.#voice?.packet(packet);
    else this.#video?.packet(packet);
  }

  senderReport(kind: MediaKind, { time, timestamp }: Parameters<MediaHandlers["senderReport"]>[1]): void {
    this.#times[kind].told(time, timestamp);
  }

  keyFrameWanted(): void {
    this.#video?.keyFrameWanted();
  }

  /** Of the control channel, too: what it orders is for {@link order}. */
  message(stream: number, message: string | Uint8Array): void {
    if (stream === CHANNELS.control) this.#options.control.message(message);
    else if (stream === CHANNELS.data) this.#data.message(message);
  }

  bitrate(bitsPerSecond: number): void {
    if (this.#isClosed) return;
    this.#limitCall(this.#rate.observe(bitsPerSecond, this.#options.clock.now()));
  }

  /** Does what the peer says. Hanging up is its owner's. */
  order(order: GatewayOrder): void {
    const { call, report } = this.#options;
    if (this.#isClosed || order.type === "hang-up") return;
    if (order.type === "end-of-turn") this.#voice?.endTurn();
    else if (order.type === "mute") {
      const stream = call.streams.find(({ modality }) => modality === "audio");
      if (order.muted) stream?.mute();
      else stream?.unmute();
    } else {
      call.interrupt().catch((error: unknown) => {
        // Where the other end is not to be interrupted, or is gone, nothing happens.
        if (!(error instanceof ParleyError)) report(error);
      });
    }
  }

  /** Nothing is passed on any more; the call and the peer go on. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer();
    this.#unwatch();
    this.#voice?.close();
    this.#video?.close();
    this.#data.close();
    for (const times of Object.values(this.#times)) times.close();
  }

  #streamOf(stream: PeerStream | undefined) {
    if (stream === undefined) return undefined;
    const { levelId } = this.#options;
    const first = { sequence: this.#number(2), timestamp: this.#number(4) };
    return { ...stream, first, extensions: { audioLevel: levelId } };
  }

  #number(bytes: 2 | 4): number {
    const view = new DataView(this.#options.random(4).buffer);
    return bytes === 2 ? view.getUint16(0) : view.getUint32(0);
  }

  /** The peer's encoder is to make no more than the call takes. */
  #limitPeer(wants: VideoWants | undefined): void {
    const { call, fromPeer, media } = this.#options;
    const { sends } = call.voice ?? {};
    const stream = call.streams.find(({ modality }) => modality === "audio")?.id ?? 0;
    const bitrate = settingOf(call.terms, call.leg, stream)?.bitrate_bps ?? USUAL_VOICE;
    media.limitIncoming(
      mostIncoming({
        voices:
          sends === undefined || !fromPeer.includes("audio") ? [] : [{ bitrate, frameMs: sends.frameMs }],
        videos: wants === undefined || !fromPeer.includes("video") ? [] : [wants.bitsPerSecond],
      }),
    );
  }

  /** Whoever speaks in the call is to send no more than the peer's way takes. */
  #limitCall(limit: number | undefined): void {
    const { call, clock } = this.#options;
    if (limit !== undefined) call.limit(limit);
    this.#cancelTimer();
    const due = this.#rate.nextTimeout();
    if (due === undefined || this.#isClosed) return;
    this.#cancelTimer = clock.at(Math.max(due, clock.now()), () =>
      this.#limitCall(this.#rate.poll(clock.now())),
    );
  }
}
