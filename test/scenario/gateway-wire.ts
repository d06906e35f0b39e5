/** Two gateways whose peer connections are one: what either writes to its peer the other one reads of its own, over a way with delay and losses. */
import type { Call } from "../../agent/call.ts";
import { parseRtcp } from "../../codecs/rtcp.ts";
import { parseSenderReport } from "../../codecs/rtcp-report.ts";
import type { GatewayOrder } from "../../signaling/gateway-channel.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { CallBridge } from "../../src/gateway/call-bridge.ts";
import { ControlChannel } from "../../src/gateway/control-channel.ts";
import type { PeerMedia } from "../../src/gateway/peer-media.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import { must } from "../signed-call.ts";
import type { World } from "./world.ts";

/** The streams to either end, and the identifier of the audio level in them. */
export const WIRE_STREAMS = {
  toPeer: { audio: { ssrc: 1, payloadType: 111 }, video: { ssrc: 2, payloadType: 96 } },
  fromPeer: ["audio", "video"],
  pictures: "vp8",
  levelId: 6,
} as const;

/** What the other end's packets, reports and messages go to. */
export type WireHandlers = Pick<CallBridge, "packet" | "senderReport" | "keyFrameWanted" | "message">;

/** One end of the wire: a peer connection, as a gateway has it. */
export class WiredPeer implements PeerMedia {
  handlers: WireHandlers | undefined;
  /** RTP packets that came here, by kind. */
  readonly packets: Record<MediaKind, Uint8Array[]> = { audio: [], video: [] };
  /** What the peer was told on the control channel, and the messages on the other one. */
  readonly notices: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  /** Most bits a second that the peer was to send, each time that it was told. */
  readonly limits: number[] = [];
  keyFramesAsked = 0;
  /** Says whether a packet goes on. */
  passes: (kind: MediaKind) => boolean = () => true;
  readonly #world: World;
  readonly #link: Link;
  #other: WiredPeer | undefined;

  constructor(world: World, way: LinkConditions, seed: number) {
    this.#world = world;
    this.#link = new Link(way, new SeededRandom(seed));
  }

  joins(other: WiredPeer): void {
    this.#other = other;
    other.#other = this;
  }

  write(kind: MediaKind, packet: Uint8Array): void {
    if (!this.passes(kind)) return;
    this.#carry(packet.length, (other) => {
      other.packets[kind].push(packet);
      other.handlers?.packet(kind, packet.slice());
    });
  }

  report(kind: MediaKind, rtcp: Uint8Array): void {
    const [packet] = must(parseRtcp(rtcp));
    if (packet === undefined) throw new Error("an empty report");
    const told = must(parseSenderReport(rtcp, packet));
    this.#carry(rtcp.length, (other) => other.handlers?.senderReport(kind, told));
  }

  requestKeyFrame(): void {
    this.keyFramesAsked += 1;
    this.#carry(20, (other) => other.handlers?.keyFrameWanted());
  }

  limitIncoming(bitsPerSecond: number): void {
    this.limits.push(bitsPerSecond);
  }

  sendMessage(stream: number, message: string | Uint8Array): boolean {
    if (stream === 0) this.notices.push(String(message));
    else {
      this.messages.push(message);
      this.#other?.handlers?.message(stream, message);
    }
    return true;
  }

  waiting(): number {
    return 0;
  }

  #carry(bytes: number, arrive: (other: WiredPeer) => void): void {
    const { clock } = this.#world;
    const at = this.#link.datagram(bytes, clock.now());
    if (at === undefined) return;
    clock.at(at, () => {
      if (this.#other !== undefined) arrive(this.#other);
    });
  }
}

/** One gateway: a call on one side, the wire on the other. */
export class GatewayEnd extends WiredPeer {
  readonly bridge: CallBridge;
  readonly control: ControlChannel;
  readonly orders: GatewayOrder[] = [];

  constructor(world: World, call: Call, way: LinkConditions, seed: number) {
    super(world, way, seed);
    const { clock } = world;
    this.control = new ControlChannel({
      ...{ clock, media: this },
      order: (order) => {
        this.orders.push(order);
        this.bridge.order(order);
      },
    });
    this.bridge = new CallBridge({
      ...{ call, clock, random: world.random(), media: this, control: this.control, ...WIRE_STREAMS },
      fromPeer: ["audio", "video"],
      report: (error) => world.reported.push(error),
    });
    this.handlers = this.bridge;
  }

  get voice() {
    return this.bridge.counters.voice;
  }

  get video() {
    return this.bridge.counters.video;
  }

  close(): void {
    this.bridge.close();
    this.control.close();
  }
}
