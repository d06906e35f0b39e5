import type { Call } from "../../agent/call.ts";
import type { VideoStream } from "../../agent/video-stream.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CaptureClock } from "../../sfu/capture-clock.ts";
import { RateMeter } from "../../sfu/congestion/rate-meter.ts";
import { FarHopRate, mostIncoming } from "../../sfu/far-hop-rate.ts";
import { OutgoingVideo } from "../../sfu/rtp-outgoing-video.ts";
import { SenderClock } from "../../sfu/sender-clock.ts";
import type { GatewayOrder } from "../../signaling/gateway-channel.ts";
import type { Direction } from "../../signaling/stream-fields.ts";
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
/** What the peer's voice takes is looked at so often, ms; what is around a packet's payload in it, bytes; a change of less than this share is none. */
const LOOK_MS = 1_000;
const RTP_HEADER = 12;
const VOICE_CHANGE = 0.2;
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
  /** As it is counted. */
  readonly #media: PeerMedia;
  /** The video that goes to the peer, and the one that the peer's goes into: often the same one. */
  #seen: VideoBridge | undefined;
  #shown: VideoBridge | undefined;
  /** Goes on from one video to the next. */
  #pictures: OutgoingVideo | undefined;
  readonly #data: DataBridge;
  readonly #times: Readonly<Record<MediaKind, CaptureClock>>;
  readonly #rate: FarHopRate;
  readonly #unwatch: () => void;
  readonly #spoken = new RateMeter();
  /** What the peer's voice took as it was last looked at, bits of payload a second; `undefined`: not known yet. */
  #voiceTakes: number | undefined;
  #lookedAt: number;
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  constructor(options: CallBridgeOptions) {
    this.#lookedAt = options.clock.now();
    const { call, clock, control, levelId, report, toPeer } = options;
    this.#options = options;
    this.#media = this.#counted(options.media);
    const media = this.#media;
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
    if (video !== undefined) this.#join(video);
    this.#data = new DataBridge({ call, clock, media, report });
    const unwatch = [
      call.on("terms-changed", () => this.#limitPeer()),
      call.on("stream-closed", () => this.#limitPeer()),
      call.on("stream-opened", ({ stream }) => {
        if (stream.modality === "video") this.#join(stream as VideoStream);
      }),
    ];
    this.#unwatch = () => {
      for (const stop of unwatch) stop();
    };
    control.follow(call);
    this.#limitPeer();
  }

  get counters(): CallBridgeCounters {
    return {
      voice: this.#voice?.counters,
      video: (this.#shown ?? this.#seen)?.counters,
      data: this.#data.counters,
    };
  }

  packet(kind: MediaKind, packet: Uint8Array): void {
    if (!this.#options.fromPeer.includes(kind)) return;
    this.#listen(kind === "audio" ? packet.length - RTP_HEADER : 0);
    if (kind === "audio") this.#voice?.packet(packet);
    else this.#shown?.packet(packet);
  }

  senderReport(kind: MediaKind, { time, timestamp }: Parameters<MediaHandlers["senderReport"]>[1]): void {
    this.#times[kind].told(time, timestamp);
  }

  keyFrameWanted(): void {
    this.#seen?.keyFrameWanted();
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

  /** Whether a video that flows so, as this end sees it, could be passed on now: there is room for one each way. */
  hasPlaceFor(direction: Direction): boolean {
    const { fromPeer, toPeer } = this.#options;
    if (direction === "sendonly") return fromPeer.includes("video") && this.#shown?.isOpen !== true;
    return toPeer.video !== undefined && this.#seen?.isOpen !== true;
  }

  /** Nothing is passed on any more; the call and the peer go on. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer();
    this.#unwatch();
    this.#voice?.close();
    this.#seen?.close();
    this.#shown?.close();
    this.#data.close();
    for (const times of Object.values(this.#times)) times.close();
  }

  /** What goes to the peer is held against what its way is said to take. */
  #counted(media: PeerMedia): PeerMedia {
    const { clock } = this.#options;
    return {
      write: (kind, packet) => {
        this.#rate.sent(kind, packet.length, clock.now());
        media.write(kind, packet);
      },
      report: (kind, rtcp) => media.report(kind, rtcp),
      requestKeyFrame: () => media.requestKeyFrame(),
      limitIncoming: (bitsPerSecond) => media.limitIncoming(bitsPerSecond),
      sendMessage: (stream, message) => media.sendMessage(stream, message),
      waiting: (stream) => media.waiting(stream),
    };
  }

  /** A video of the call goes to the peer, or takes what the peer shows, where nothing else does. */
  #join(video: VideoStream): void {
    const { clock, fromPeer, report, toPeer } = this.#options;
    const media = this.#media;
    if (this.#isClosed) return;
    const stream = this.#streamOf(toPeer.video);
    const isSeen = stream !== undefined && video.direction !== "sendonly" && this.#seen?.isOpen !== true;
    const isShown =
      fromPeer.includes("video") && video.direction !== "recvonly" && this.#shown?.isOpen !== true;
    if (!isSeen && !isShown) return;
    const firstPicture = this.#number(2) & 0x7fff;
    if (isSeen) {
      this.#pictures ??= new OutgoingVideo({ ...stream, firstPicture, format: video.codec });
      this.#pictures.replaced();
    }
    const bridge = new VideoBridge({
      ...{ video, clock, media, times: this.#times.video, fromPeer: isShown },
      toPeer: isSeen ? this.#pictures : undefined,
      told: { wants: () => this.#limitPeer(), report },
    });
    if (isSeen) {
      this.#seen?.close();
      this.#seen = bridge;
    }
    if (isShown) {
      this.#shown?.close();
      this.#shown = bridge;
    }
    this.#limitPeer();
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

  /** The peer has for pictures what its voice leaves: that is what the voice takes, not what it may. */
  #listen(bytes: number): void {
    const now = this.#options.clock.now();
    this.#spoken.add(bytes, now);
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    const takes = this.#spoken.rate(now, LOOK_MS);
    const before = this.#voiceTakes;
    if (before !== undefined && Math.abs(takes - before) <= VOICE_CHANGE * before) return;
    this.#voiceTakes = takes;
    this.#limitPeer();
  }

  /** The peer's encoder is to make no more than the call takes. */
  #limitPeer(): void {
    const { call, fromPeer, media } = this.#options;
    const wants = this.#shown?.wants;
    const { sends } = call.voice ?? {};
    const stream = call.streams.find(({ modality }) => modality === "audio")?.id ?? 0;
    const agreed = settingOf(call.terms, call.leg, stream)?.bitrate_bps ?? USUAL_VOICE;
    const hasPictures = wants !== undefined;
    const bitrate = hasPictures ? Math.min(agreed, this.#voiceTakes ?? agreed) : agreed;
    media.limitIncoming(
      mostIncoming({
        voices:
          sends === undefined || !fromPeer.includes("audio") ? [] : [{ bitrate, frameMs: sends.frameMs }],
        videos: hasPictures ? [wants.bitsPerSecond] : [],
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
