import type { JsonValue } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { type GatewayNotice, readGatewayNotice } from "../../signaling/gateway-channel.ts";
import type { CallEnd } from "../call-ending.ts";
import type { TypedEvents } from "../typed-events.ts";

export type GatewayCallEvents = {
  /** Nothing comes through any more, or it does again; the call goes on meanwhile. */
  connection: { readonly connected: boolean };
  /** A track of the other end is there, in `incoming`. */
  track: { readonly track: MediaStreamTrack };
  speaking: { readonly who: "me" | "peer"; readonly speaking: boolean };
  "end-of-turn": { readonly who: "me" | "peer" };
  /** The other end stopped what this one was saying. */
  interrupted: Record<never, never>;
  muted: { readonly who: "me" | "peer"; readonly muted: boolean };
  /** Frames that the gateway signed for this end, and that were refused. */
  refused: { readonly reason: string; readonly count: number };
  /** What the gateway verified for this end, once a second. */
  verified: { readonly frames: number; readonly refused: number };
  message: { readonly value: JsonValue | Uint8Array<ArrayBuffer> };
};

/** What the gateway says of a call that is up: told as events, and as it stands. */
export class GatewayNews {
  readonly #events: TypedEvents<GatewayCallEvents>;
  readonly #ended: (end: CallEnd) => void;
  readonly #report: (error: unknown) => void;
  #speaking = { me: false, peer: false };
  #verified = { frames: 0, refused: 0 };

  /** `ended`: the gateway's last word. `report`: it said what it does not say. */
  constructor(
    events: TypedEvents<GatewayCallEvents>,
    told: { readonly ended: (end: CallEnd) => void; readonly report: (error: unknown) => void },
  ) {
    this.#events = events;
    this.#ended = told.ended;
    this.#report = told.report;
  }

  /** Who speaks. */
  get speaking(): { readonly me: boolean; readonly peer: boolean } {
    return this.#speaking;
  }

  /** Frames of the other end that were verified, and those that were not let through. */
  get verified(): { readonly frames: number; readonly refused: number } {
    return this.#verified;
  }

  /** A text on the control channel. */
  heard(text: string): void {
    const notice = readGatewayNotice(text);
    if (!notice.ok) this.#report(new ParleyError(notice.fault));
    else if (notice.value !== undefined) this.#tell(notice.value);
  }

  #tell(notice: GatewayNotice): void {
    switch (notice.type) {
      case "call":
        if (notice.state === "ended")
          this.#ended({ reason: notice.reason ?? "done", by: notice.by ?? "server" });
        break;
      case "speaking":
        this.#speaking = { ...this.#speaking, [notice.who]: notice.speaking };
        this.#events.emit("speaking", { who: notice.who, speaking: notice.speaking });
        break;
      case "end-of-turn":
        this.#events.emit("end-of-turn", { who: notice.who });
        break;
      case "interrupted":
        this.#events.emit("interrupted", {});
        break;
      case "muted":
        this.#events.emit("muted", { who: notice.who, muted: notice.muted });
        break;
      case "refused":
        this.#events.emit("refused", { reason: notice.reason, count: notice.count });
        break;
      case "verified":
        this.#verified = { frames: notice.frames, refused: notice.refused };
        this.#events.emit("verified", this.#verified);
        break;
    }
  }
}
