/** Two gateways whose peer connections are one: what either writes to its peer the other one reads of its own, over a way with delay and losses. */
import type { Call } from "../../agent/call.ts";
import type { VideoWants } from "../../agent/video-stream.ts";
import { parseRtcp } from "../../codecs/rtcp.ts";
import { parseSenderReport } from "../../codecs/rtcp-report.ts";
import { CaptureClock } from "../../sfu/capture-clock.ts";
import type { GatewayOrder } from "../../signaling/gateway-channel.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { ControlChannel } from "../../src/gateway/control-channel.ts";
import { DataBridge } from "../../src/gateway/data-bridge.ts";
import type { PeerMedia } from "../../src/gateway/peer-media.ts";
import { VideoBridge } from "../../src/gateway/video-bridge.ts";
import { VoiceBridge } from "../../src/gateway/voice-bridge.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import { must } from "../signed-call.ts";
import type { World } from "./world.ts";

/** Identifier of the audio level on the wire. */
const LEVEL_ID = 6;

/** One gateway: a call on one side, the wire on the other. */
export class GatewayEnd implements PeerMedia {
  readonly voice: VoiceBridge | undefined;
  readonly video: VideoBridge | undefined;
  readonly data: DataBridge;
  readonly control: ControlChannel;
  /** RTP packets that came here, by kind. */
  readonly packets: Record<MediaKind, Uint8Array[]> = { audio: [], video: [] };
  /** What the peer was told on the control channel, and the messages on the other one. */
  readonly notices: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  readonly orders: GatewayOrder[] = [];
  readonly turns: string[] = [];
  readonly wants: VideoWants[] = [];
  keyFramesAsked = 0;
  /** Says whether a packet goes on. */
  passes: (kind: MediaKind) => boolean = () => true;
  readonly #world: World;
  readonly #link: Link;
  readonly #times: Record<MediaKind, CaptureClock> = {
    audio: new CaptureClock(48_000),
    video: new CaptureClock(90_000),
  };
  #other: GatewayEnd | undefined;

  constructor(world: World, call: Call, way: LinkConditions, seed: number) {
    const { clock } = world;
    this.#world = world;
    this.#link = new Link(way, new SeededRandom(seed));
    const report = (error: unknown) => world.reported.push(error);
    const stream = (ssrc: number, payloadType: number) => ({
      ...{ ssrc, payloadType, first: { sequence: 65_000 + seed, timestamp: 4_294_000_000 } },
      extensions: { audioLevel: LEVEL_ID },
    });
    if (call.voice !== undefined) {
      this.voice = new VoiceBridge({
        ...{ voice: call.voice, clock, media: this, times: this.#times.audio, levelId: LEVEL_ID },
        toPeer: stream(1, 111),
        told: { turnEnded: (who) => this.turns.push(who), report },
      });
    }
    if (call.video !== undefined) {
      this.video = new VideoBridge({
        ...{ video: call.video, clock, media: this, times: this.#times.video, fromPeer: true },
        toPeer: { ...stream(2, 96), firstPicture: 7 },
        told: { wants: (wants) => this.wants.push(wants), report },
      });
    }
    this.data = new DataBridge({ call, clock, media: this, report });
    this.control = new ControlChannel({ clock, media: this, order: (order) => this.orders.push(order) });
    this.control.follow(call);
  }

  joins(other: GatewayEnd): void {
    this.#other = other;
    other.#other = this;
  }

  write(kind: MediaKind, packet: Uint8Array): void {
    if (!this.passes(kind)) return;
    this.#carry(packet.length, () => this.#other?.arrives(kind, packet.slice()));
  }

  report(kind: MediaKind, rtcp: Uint8Array): void {
    this.#carry(rtcp.length, () => {
      const [packet] = must(parseRtcp(rtcp));
      if (packet === undefined) throw new Error("an empty report");
      const { time, timestamp } = must(parseSenderReport(rtcp, packet));
      this.#other?.reported(kind, time, timestamp);
    });
  }

  requestKeyFrame(): void {
    this.keyFramesAsked += 1;
    this.#carry(20, () => this.#other?.video?.keyFrameWanted());
  }

  limitIncoming(): void {}

  sendMessage(stream: number, message: string | Uint8Array): boolean {
    if (stream === 0) this.notices.push(String(message));
    else {
      this.messages.push(message);
      this.#other?.data.message(message);
    }
    return true;
  }

  waiting(): number {
    return 0;
  }

  close(): void {
    this.voice?.close();
    this.video?.close();
    this.data.close();
    this.control.close();
  }

  private arrives(kind: MediaKind, packet: Uint8Array): void {
    this.packets[kind].push(packet);
    if (kind === "audio") this.voice?.packet(packet);
    else this.video?.packet(packet);
  }

  private reported(
    kind: MediaKind,
    ...[time, timestamp]: [Parameters<CaptureClock["told"]>[0], number]
  ): void {
    this.#times[kind].told(time, timestamp);
  }

  #carry(bytes: number, arrive: () => void): void {
    const { clock } = this.#world;
    const at = this.#link.datagram(bytes, clock.now());
    if (at !== undefined) clock.at(at, arrive);
  }
}
