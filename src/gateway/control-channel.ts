import type { Call } from "../../agent/call.ts";
import type { Clock } from "../../codecs/clock.ts";
import { type GatewayNotice, type GatewayOrder, readGatewayOrder } from "../../signaling/gateway-channel.ts";
import { CHANNELS, type PeerMedia } from "./peer-media.ts";

/** What was verified for the peer is told so often, ms. */
const VERIFIED_EVERY_MS = 1_000;
/** Messages of a peer a second, and at once; what is beyond is not read, as what is longer than any order, in characters. Both are counted. */
const ORDERS_PER_SECOND = 20;
const LONGEST_ORDER = 1_024;

export interface ControlChannelOptions {
  readonly clock: Clock;
  readonly media: Pick<PeerMedia, "sendMessage">;
  /** Does what the peer says. */
  readonly order: (order: GatewayOrder) => void;
}

/** What a gateway and its WebRTC peer say to each other beside the media: the channel that both agreed on beforehand. */
export class ControlChannel {
  readonly #options: ControlChannelOptions;
  #unwatch: (() => void)[] = [];
  #cancelTimer: () => void = () => {};
  #allowed = ORDERS_PER_SECOND;
  #filledAt: number;
  #passedOver = 0;
  #isClosed = false;

  constructor(options: ControlChannelOptions) {
    this.#options = options;
    this.#filledAt = options.clock.now();
  }

  /** Messages of the peer that are no orders, or one too many. */
  get passedOver(): number {
    return this.#passedOver;
  }

  tell(notice: GatewayNotice): void {
    if (!this.#isClosed) this.#options.media.sendMessage(CHANNELS.control, JSON.stringify(notice));
  }

  /** A message of the peer. */
  message(message: string | Uint8Array): void {
    const isShort = typeof message === "string" && message.length <= LONGEST_ORDER;
    const order = !this.#isClosed && this.#mayOrder() && isShort ? readGatewayOrder(message) : undefined;
    if (order?.ok !== true || order.value === undefined) this.#passedOver += 1;
    else this.#options.order(order.value);
  }

  /** The call is up: what happens in it is told from now on. */
  follow(call: Call): void {
    const { voice } = call;
    this.#unwatch = [
      call.on("interrupted", () => this.tell({ type: "interrupted" })),
      call.on("stream-muted", ({ muted }) => this.tell({ type: "muted", who: "peer", muted })),
      call.on("frames-refused", ({ reason, count }) => this.tell({ type: "refused", reason, count })),
      voice?.on("speaking", ({ who, speaking }) => this.tell({ type: "speaking", who, speaking })) ??
        (() => {}),
    ];
    this.#tellVerified(call);
  }

  /** Nothing is told or taken any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    for (const unwatch of this.#unwatch) unwatch();
  }

  #tellVerified(call: Call): void {
    const { clock } = this.#options;
    if (this.#isClosed || call.state === "ended") return;
    const heard = [call.voice?.stats().heard, ...(call.video?.stats().heard ?? [])].filter(
      (one) => one !== undefined,
    );
    const refused = heard.flatMap((one) => Object.values(one.refused));
    this.tell({
      type: "verified",
      frames: heard.reduce((sum, { verified }) => sum + verified, 0),
      refused: refused.reduce((sum, count) => sum + count, 0),
    });
    this.#cancelTimer = clock.at(clock.now() + VERIFIED_EVERY_MS, () => this.#tellVerified(call));
  }

  #mayOrder(): boolean {
    const now = this.#options.clock.now();
    const more = ((now - this.#filledAt) * ORDERS_PER_SECOND) / 1_000;
    this.#allowed = Math.min(ORDERS_PER_SECOND, this.#allowed + more);
    this.#filledAt = now;
    if (this.#allowed < 1) return false;
    this.#allowed -= 1;
    return true;
  }
}
