import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { ConnectionId } from "../admission.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { ExchangeId } from "./io.ts";
import type { AdjustPeerParameters, OpenPeerParameters } from "./peer-parameters.ts";
import type { Exchange } from "./replies.ts";

/** Requests about WebRTC peers that are answered later, all agents together; beyond: 503 `capacity`. An agent has its own rate besides. */
const MAX_ASKED = 256;

/** What is wanted of a WebRTC peer. */
export type PeerWish =
  | ({ readonly kind: "open" } & OpenPeerParameters)
  | { readonly kind: "answer"; readonly peerId: string; readonly sdp: string }
  | { readonly kind: "trickle"; readonly peerId: string; readonly fragment: string }
  | { readonly kind: "restart"; readonly peerId: string }
  | { readonly kind: "close"; readonly peerId: string };

/**
 * Requests about the WebRTC peers that speak for an agent: whoever carries them decides, outside this room, and what it says is answered when it
 * says it. An exchange that nobody waits for any more is told.
 */
export class PeerRequests {
  readonly #desk: Desk;
  /** At most {@link MAX_ASKED}. */
  readonly #asked = new Map<ExchangeId, Exchange>();
  /** Of these, the openings that have a name, by agent and name. */
  readonly #openings = new Map<string, ExchangeId>();

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.#asked.size;
  }

  /** OPEN /webrtc. */
  open(asked: Asked, parameters: OpenPeerParameters, all: JsonObject): Result<void> {
    const { open_id: name, to, session_id: sessionId, audio, video, data } = parameters;
    if (to !== undefined && sessionId !== undefined)
      return refuse("field-invalid", "Either `to` or `session_id`, not both.", "parameters");
    if (audio === "none" && video === "none" && data !== true)
      return refuse(
        "field-invalid",
        "There is nothing to be opened: no audio, no video, no data.",
        "parameters",
      );
    const opening = name === undefined ? undefined : openingOf(asked, name);
    if (opening !== undefined && this.#openings.has(opening))
      return refuse("field-invalid", "Another opening has this name.", "parameters.open_id");
    const wanted = this.#ask(asked, { kind: "open", ...parameters }, all);
    if (wanted.ok && opening !== undefined) this.#openings.set(opening, asked.exchange.id);
    return wanted;
  }

  /** ADJUST /webrtc/{peer_id}. */
  adjust(asked: Asked, peerId: string, parameters: AdjustPeerParameters, all: JsonObject): Result<void> {
    const { sdp, fragment, restart } = parameters;
    const wishes: readonly PeerWish[] = [
      ...(sdp === undefined ? [] : [{ kind: "answer", peerId, sdp } as const]),
      ...(fragment === undefined ? [] : [{ kind: "trickle", peerId, fragment } as const]),
      ...(restart === true ? [{ kind: "restart", peerId } as const] : []),
    ];
    const [wish] = wishes;
    if (wish === undefined || wishes.length > 1)
      return refuse("field-invalid", "Say one thing: `sdp`, `fragment` or `restart`.", "parameters");
    return this.#ask(asked, wish, all);
  }

  /** CLOSE /webrtc/{peer_id}; in its place the name of an opening that is not answered, which then is `cancelled`. */
  close(asked: Asked, peerId: string, all: JsonObject, now: number): Result<void> {
    const opening = this.#openings.get(openingOf(asked, peerId));
    if (opening !== undefined) {
      this.#desk.outputs.push({ kind: "peer-unwanted", exchange: opening });
      this.#desk.replies.answer(asked.exchange, { result: { peer_id: peerId } }, now);
      return ok(undefined);
    }
    return this.#ask(asked, { kind: "close", peerId }, all);
  }

  /** What came of it. */
  deliver(id: ExchangeId, outcome: Result<JsonObject>, now: number): void {
    const exchange = this.#asked.get(id);
    if (exchange === undefined) return;
    this.#forget(id);
    if (outcome.ok) this.#desk.replies.answer(exchange, { result: outcome.value }, now);
    else this.#desk.replies.refuse(exchange, outcome.fault, now);
  }

  /** Nobody waits for these any more. */
  drop(connection: ConnectionId, exchange?: ExchangeId): void {
    for (const [id, asked] of this.#asked) {
      if (asked.connection !== connection || (exchange !== undefined && id !== exchange)) continue;
      this.#forget(id);
      this.#desk.outputs.push({ kind: "peer-unwanted", exchange: id });
    }
  }

  #forget(id: ExchangeId): void {
    this.#asked.delete(id);
    for (const [opening, of] of this.#openings) if (of === id) this.#openings.delete(opening);
  }

  #ask({ exchange, agent, connection, headers }: Asked, wish: PeerWish, all: JsonObject): Result<void> {
    if (this.#asked.size >= MAX_ASKED) return refuse("capacity", "Too many requests of WebRTC peers wait.");
    // Whether it holds was judged before the request came here; whose it is and what it binds is for who carries the peer.
    const shown = headers.get("Authorization")?.replace(/^bearer +/i, "") ?? all.access_token;
    this.#asked.set(exchange.id, exchange);
    this.#desk.outputs.push({
      kind: "peer-wanted",
      exchange: exchange.id,
      agentId: agent.agentId,
      origins: connection.origins,
      token: typeof shown === "string" ? shown : undefined,
      wish,
    });
    return ok(undefined);
  }
}

function openingOf({ agent }: Asked, name: string): string {
  return `${agent.agentId} ${name}`;
}
