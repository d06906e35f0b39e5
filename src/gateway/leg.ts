import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallEnd } from "../../agent/call-ending.ts";
import type { CallOptions } from "../../agent/call-options.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import type { AskedStream } from "../../agent/stream-opening.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import { agentOf } from "../../signaling/gateway.ts";
import type { CallNotice, GatewayOrder } from "../../signaling/gateway-channel.ts";
import type { Direction } from "../../signaling/stream-fields.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import { CallBridge, type CallBridgeCounters, type PeerStream } from "./call-bridge.ts";
import { ControlChannel } from "./control-channel.ts";
import type { PeerMedia } from "./peer-media.ts";

/** A session that is to be taken has so long to ring here, ms. */
const TAKE_MS = 5_000;
/** Calls that ring here and are not decided on; of more the oldest is passed over, and rings on at the agent's other inboxes. */
const MOST_RUNG = 8;

/** What the peer is there for, as it sees it. */
export interface LegMedia {
  readonly audio: Direction | undefined;
  readonly video: { readonly direction: Direction; readonly codecs: readonly VideoFormatName[] } | undefined;
  readonly data: boolean;
}

export interface GatewayLegOptions {
  /** Online on behalf of whom the peer acts for, for this leg alone. */
  readonly agent: Agent;
  readonly media: LegMedia;
  readonly peer: PeerMedia;
  /** Agent-ID that signs here. */
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** The leg is over; `reason` is the peer's, the call's, or why there was none. Told once. */
  readonly ended: (reason: string) => void;
  readonly report: (error: unknown) => void;
}

/** Streams to the peer, once they are there, and what tells in its packets how loud they are. */
export interface LegStreams {
  readonly toPeer: Readonly<Partial<Record<MediaKind, PeerStream>>>;
  /** What comes of the peer. */
  readonly fromPeer: readonly MediaKind[];
  /** What pictures are coded in, either way; `undefined`: there is no place for any. */
  readonly pictures: VideoFormatName | undefined;
  readonly levelId: number;
}

/** One WebRTC peer in one call: the call that is made or taken for it, and what passes between the two. */
export class GatewayLeg {
  readonly #options: GatewayLegOptions;
  readonly #control: ControlChannel;
  readonly #withdrawn = new AbortController();
  #call: Call | undefined;
  #streams: LegStreams | undefined;
  #bridge: CallBridge | undefined;
  #isOver = false;
  /** What rings and is not decided on, the oldest first. */
  readonly #rung: IncomingCall[] = [];
  #wish:
    | {
        readonly isWanted: (incoming: IncomingCall) => boolean;
        readonly resolve: (call: Call) => void;
        readonly reject: (error: unknown) => void;
      }
    | undefined;
  #isTaking = false;

  constructor(options: GatewayLegOptions) {
    const { clock, peer } = options;
    this.#options = options;
    this.#control = new ControlChannel({ clock, media: peer, order: (order) => this.#do(order) });
    options.agent.onCall((incoming) => this.#rang(incoming));
  }

  /** The call, once it is up. */
  get call(): Call | undefined {
    return this.#call;
  }

  get counters(): CallBridgeCounters | undefined {
    return this.#bridge?.counters;
  }

  /** Calls an agent, itself or where a gateway answers for it; resolves once it has. Throws as `Agent.call`, and the leg is over then. */
  async dial(to: string): Promise<Call> {
    const { agent } = this.#options;
    const onRinging = () => this.#tell({ state: "ringing" });
    return await this.#begun(
      agent.call(to, {
        ...{ ...this.#callOptions, gateways: "accept", onRinging },
        // Who serves many such callers may choose the one that takes less.
        profile: ["frame", "chain"],
      }),
    );
  }

  /** Takes the first call that rings; resolves with it. What rings besides is left to the agent's other inboxes. */
  async wait(): Promise<Call> {
    return await this.#begun(this.#taken(() => true));
  }

  /** Takes the session that rings here by this name, or will within a few seconds. Throws `session-not-found`, and the leg is over then. */
  async take(sessionId: string): Promise<Call> {
    const { clock } = this.#options;
    const taken = this.#taken((incoming) => incoming.sessionId === sessionId);
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.at(clock.now() + TAKE_MS, () =>
        reject(new ParleyError({ code: "session-not-found", message: "No such session rings here." })),
      );
    });
    return await this.#begun(Promise.race([taken, late]).finally(cancel));
  }

  /** The peer connection has its streams: what passes, passes once there is a call, too. */
  join(streams: LegStreams): void {
    this.#streams = streams;
    this.#joinBoth();
  }

  packet(kind: MediaKind, packet: Uint8Array): void {
    this.#bridge?.packet(kind, packet);
  }

  senderReport(kind: MediaKind, report: Parameters<CallBridge["senderReport"]>[1]): void {
    this.#bridge?.senderReport(kind, report);
  }

  keyFrameWanted(): void {
    this.#bridge?.keyFrameWanted();
  }

  bitrate(bitsPerSecond: number): void {
    this.#bridge?.bitrate(bitsPerSecond);
  }

  /** A message of the peer. Before the call is up the control channel alone is read. */
  message(stream: number, message: string | Uint8Array): void {
    if (this.#bridge !== undefined) this.#bridge.message(stream, message);
    else if (stream === 0) this.#control.message(message);
  }

  /** Ends the call, for this reason: the peer is gone, or is to go; `by`, as the peer sees it, where an end of the call ended it. Idempotent. */
  end(reason: string, by?: CallEnd["by"]): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#withdrawn.abort();
    this.#tell({ state: "ended", reason, ...(by === undefined ? {} : { by }) });
    this.#bridge?.close();
    this.#control.close();
    const { agent, ended, report } = this.#options;
    const ending = this.#call?.end(reason) ?? Promise.resolve();
    ending.finally(() => agent.close()).catch(report);
    ended(reason);
  }

  /** A call is made or taken; where that fails, so does the leg. */
  async #begun(call: Promise<Call>): Promise<Call> {
    try {
      const up = await call;
      if (this.#isOver) {
        await up.end();
        throw new ParleyError({ code: "cancelled", message: "The peer is gone." });
      }
      this.#call = up;
      up.on("ended", ({ reason, by }) => this.end(reason, by));
      this.#tell({ state: "up" });
      this.#joinBoth();
      return up;
    } catch (error) {
      this.end(error instanceof ParleyError ? error.code : "local-failure");
      throw error;
    }
  }

  #taken(isWanted: (incoming: IncomingCall) => boolean): Promise<Call> {
    return new Promise((resolve, reject) => {
      this.#withdrawn.signal.addEventListener("abort", () =>
        reject(new ParleyError({ code: "cancelled", message: "The peer is gone." })),
      );
      this.#wish = { isWanted, resolve, reject };
      this.#choose();
    });
  }

  /** It rings here: also for a leg that calls itself, or does not take calls yet, and then nobody is declined for it. */
  #rang(incoming: IncomingCall): void {
    this.#rung.push(incoming);
    if (this.#rung.length > MOST_RUNG) this.#rung.shift();
    this.#choose();
  }

  /** Takes the first one that is wanted of those that ring. */
  #choose(): void {
    const { isWanted, resolve, reject } = this.#wish ?? {};
    if (this.#isTaking || this.#isOver || isWanted === undefined) return;
    const at = this.#rung.findIndex((one) => !one.cancelled.aborted && isWanted(one));
    const [incoming] = at < 0 ? [] : this.#rung.splice(at, 1);
    if (incoming === undefined) return;
    this.#isTaking = true;
    this.#tell({ state: "ringing", session_id: incoming.sessionId });
    incoming.accept(this.#callOptions).then(resolve, (error: unknown) => {
      this.#isTaking = false;
      // It was taken back, or taken elsewhere: another one may come.
      if (error instanceof ParleyError && !this.#isOver) this.#choose();
      else reject?.(error);
    });
  }

  get #callOptions(): CallOptions {
    const { audio, video, data } = this.#options.media;
    return {
      voices: "encoded",
      audio: audio === undefined ? false : { codecs: ["opus"], direction: audio },
      video: video === undefined ? false : { codecs: this.#codecs(video.codecs), direction: video.direction },
      data,
      streams: (asked) => (asked.modality === "data" ? data : this.#hasPlaceFor(asked)),
      signal: this.#withdrawn.signal,
    };
  }

  #joinBoth(): void {
    const [call, streams] = [this.#call, this.#streams];
    if (call === undefined || streams === undefined || this.#bridge !== undefined || this.#isOver) return;
    const { clock, peer, random, report } = this.#options;
    this.#bridge = new CallBridge({
      ...{ call, clock, random, media: peer, control: this.#control, report },
      ...streams,
    });
  }

  /** Where the peer was told before the call: what it was told of. */
  #codecs(liked: readonly VideoFormatName[]): readonly VideoFormatName[] {
    const { pictures } = this.#streams ?? {};
    return pictures === undefined ? liked : [pictures];
  }

  /** Whether the peer's description has a place for what the other end opens now. */
  #hasPlaceFor({ direction, format, modality }: AskedStream): boolean {
    const isKnown = modality === "video" && format === this.#streams?.pictures;
    return isKnown && this.#bridge?.hasPlaceFor(direction) === true;
  }

  #do(order: GatewayOrder): void {
    if (order.type === "hang-up") this.end("hung-up", "me");
    else this.#bridge?.order(order);
  }

  #tell(notice: Omit<CallNotice, "type">): void {
    const { gatewayId } = this.#options;
    const call = this.#call;
    const facts =
      call === undefined
        ? {}
        : {
            session_id: call.id,
            peer: {
              agent_id: agentOf(call.peer),
              ...(call.peer.gateway === undefined ? {} : { gateway: call.peer.gateway.agentId }),
            },
          };
    this.#control.tell({ type: "call", ...facts, gateway: { agent_id: gatewayId }, ...notice });
  }
}
