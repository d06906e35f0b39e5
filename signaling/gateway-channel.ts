/**
 * What a gateway and the WebRTC peer that it speaks for say to each other on the control channel: one JSON object a message. `me` is
 * always the peer, `peer` the other end of its call.
 */
import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { AGENT_ID, boolean, integer, object, oneOf, optional, readShape, type Shape, text } from "./shape.ts";

/** Which end of the call something is about. */
export type ChannelWho = "me" | "peer";

/** The call itself. Members stand there as soon as they are known. */
export type CallNotice = {
  readonly type: "call";
  readonly state: "ringing" | "up" | "ended";
  /** Why it ended, and who ended it. */
  readonly reason?: string;
  readonly by?: ChannelWho | "server";
  readonly session_id?: string;
  /** The other end, with the gateway that signs for it where one does. */
  readonly peer?: { readonly agent_id: string; readonly gateway?: string };
  /** The gateway that speaks for this peer. */
  readonly gateway?: { readonly agent_id: string };
};

/** What a gateway says. */
export type GatewayNotice =
  | CallNotice
  | { readonly type: "speaking"; readonly who: ChannelWho; readonly speaking: boolean }
  | { readonly type: "end-of-turn"; readonly who: ChannelWho }
  /** The other end stopped what this peer was saying. */
  | { readonly type: "interrupted" }
  | { readonly type: "muted"; readonly who: ChannelWho; readonly muted: boolean }
  /** Frames of this peer, signed by the gateway, that the server or the other end refused. */
  | { readonly type: "refused"; readonly reason: string; readonly count: number }
  /** Frames of the other end since the call began that the gateway verified, and those it did not let through. */
  | { readonly type: "verified"; readonly frames: number; readonly refused: number };

/** What the peer says. */
export type GatewayOrder =
  | { readonly type: "interrupt" }
  | { readonly type: "end-of-turn" }
  | { readonly type: "mute"; readonly muted: boolean }
  | { readonly type: "hang-up" };

/** Reads what a gateway says; `undefined` for a type that is not known here. Faults: `body-malformed`, `field-invalid`. */
export function readGatewayNotice(message: string): Result<GatewayNotice | undefined> {
  return readTyped(NOTICES, message);
}

/** Reads what a peer says; `undefined` for a type that is not known here. Faults: `body-malformed`, `field-invalid`. */
export function readGatewayOrder(message: string): Result<GatewayOrder | undefined> {
  return readTyped(ORDERS, message);
}

function readTyped<Message>(
  shapes: ReadonlyMap<string, Shape<Message>>,
  message: string,
): Result<Message | undefined> {
  const value = parseJson(new TextEncoder().encode(message));
  if (!value.ok) return value;
  const type = isJsonObject(value.value) ? value.value.type : undefined;
  if (typeof type !== "string") return refuse("field-invalid", "control.type is missing", "control.type");
  const shape = shapes.get(type);
  return shape === undefined ? ok(undefined) : readShape(shape, value.value, "control");
}

/** Open: what is added later does not trouble who does not know it. */
const OPEN = { open: true } as const;
const WHO = oneOf("me", "peer");
const COUNT = integer(0, Number.MAX_SAFE_INTEGER);
const REASON = text({ min: 1, max: 64 });
const IS_TYPED = text({ max: 32 });

const NOTICES = new Map<string, Shape<GatewayNotice>>(
  Object.entries({
    call: object(
      {
        type: IS_TYPED,
        state: oneOf("ringing", "up", "ended"),
        reason: optional(REASON),
        by: optional(oneOf("me", "peer", "server")),
        session_id: optional(text({ min: 1, max: 128 })),
        peer: optional(object({ agent_id: AGENT_ID, gateway: optional(AGENT_ID) }, OPEN)),
        gateway: optional(object({ agent_id: AGENT_ID }, OPEN)),
      },
      OPEN,
    ),
    speaking: object({ type: IS_TYPED, who: WHO, speaking: boolean() }, OPEN),
    "end-of-turn": object({ type: IS_TYPED, who: WHO }, OPEN),
    interrupted: object({ type: IS_TYPED }, OPEN),
    muted: object({ type: IS_TYPED, who: WHO, muted: boolean() }, OPEN),
    refused: object({ type: IS_TYPED, reason: REASON, count: COUNT }, OPEN),
    verified: object({ type: IS_TYPED, frames: COUNT, refused: COUNT }, OPEN),
  }) as [string, Shape<GatewayNotice>][],
);

const ORDERS = new Map<string, Shape<GatewayOrder>>(
  Object.entries({
    interrupt: object({ type: IS_TYPED }, OPEN),
    "end-of-turn": object({ type: IS_TYPED }, OPEN),
    mute: object({ type: IS_TYPED, muted: boolean() }, OPEN),
    "hang-up": object({ type: IS_TYPED }, OPEN),
  }) as [string, Shape<GatewayOrder>][],
);
