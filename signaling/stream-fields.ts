import { refuse } from "../codecs/result.ts";
import { MAX_JWS_CHARACTERS } from "./jws.ts";
import { MAX_SCOPE_TOKENS, MAX_TOKEN_CHARACTERS, type Modality } from "./scope.ts";
import { integer, list, number, object, oneOf, type Shape, text } from "./shape.ts";

/** How frames are attributed: a signature on each, or a MAC on each and signed checkpoints. */
export type Profile = "frame" | "chain";

/** Which way a stream flows, seen from who says it. */
export type Direction = "sendrecv" | "sendonly" | "recvonly";

/** A speaker's clock against the server's: what to add to its times, and how sure that is. Milliseconds. */
export type ClockStatement = { readonly offset_ms: number; readonly uncertainty_ms: number };

/** What every stream of an offer or an answer says, whatever it carries. */
export type StreamFields<Kind extends Modality> = {
  readonly stream: number;
  readonly modality: Kind;
  /** As who says it sees it. */
  readonly direction: Direction;
  /** Of their packets on this stream. */
  readonly ssrc: number;
};

/** True when who says `direction` sends. */
export function sends(direction: Direction): boolean {
  return direction !== "recvonly";
}

/** True when who says `direction` receives. */
export function receives(direction: Direction): boolean {
  return direction !== "sendonly";
}

/** Which ways an end lets a stream flow. */
export interface Flowing {
  readonly send: boolean;
  readonly receive: boolean;
}

/** What an end answers to an offered direction; `undefined` when nothing would flow. */
export function answeringDirection(offered: Direction, local: Flowing): Direction | undefined {
  const send = local.send && receives(offered);
  const receive = local.receive && sends(offered);
  if (send && receive) return "sendrecv";
  if (send) return "sendonly";
  return receive ? "recvonly" : undefined;
}

/** The directions an end can take, as it sees them. */
export function directionsOf(local: Flowing): Direction[] {
  const all: readonly Direction[] = ["sendrecv", "sendonly", "recvonly"];
  return all.filter(
    (direction) => (local.send || !sends(direction)) && (local.receive || !receives(direction)),
  );
}

// The forms of members that an offer and its answer have in common.

/** Stream numbers are the same on both legs; with the leg they name one flow of frames. */
export const STREAM_ID: Shape<number> = integer(0, 0xffff_ffff);
const SSRC: Shape<number> = integer(0, 0xffff_ffff);
export const DIRECTION: Shape<Direction> = oneOf("sendrecv", "sendonly", "recvonly");

/** The forms of {@link StreamFields}. */
export function streamFields<Kind extends Modality>(
  modality: Kind,
): { readonly [Name in keyof StreamFields<Kind>]: Shape<StreamFields<Kind>[Name]> } {
  return { stream: STREAM_ID, modality: oneOf(modality), direction: DIRECTION, ssrc: SSRC };
}

export const PROFILE: Shape<Profile> = oneOf("frame", "chain");
/** A signed object inside another. */
export const JWS_TEXT: Shape<string> = text({ max: MAX_JWS_CHARACTERS });
export const SCOPE_LIST: Shape<readonly string[]> = list(text({ max: MAX_TOKEN_CHARACTERS }), {
  max: MAX_SCOPE_TOKENS,
});
/** Lowercase RTP encoding name. */
export const CODEC_NAME: Shape<string> = text({ min: 1, max: 32, pattern: /^[a-z0-9][a-z0-9-]*$/ });
/** Hz. */
export const CLOCK_RATE: Shape<number> = integer(8000, 192_000);
export const CHANNELS: Shape<1 | 2> = oneOf(1, 2);
/** Milliseconds of one frame. */
export const FRAME_MS: Shape<number> = number(2.5, 120);
/** RFC 3551 6 leaves 72 to 76 out: with the marker bit they read as RTCP. */
export const PAYLOAD_TYPE: Shape<number> = {
  schema: { type: "integer", minimum: 0, maximum: 127, not: { minimum: 72, maximum: 76 } },
  check(value, at) {
    const fault = integer(0, 127).check(value, at);
    if (fault !== undefined || (value as number) < 72 || (value as number) > 76) return fault;
    return refuse("field-invalid", "This payload type reads as RTCP.", at).fault;
  },
};
export const CLOCK: Shape<ClockStatement> = object<ClockStatement>({
  offset_ms: number(-1e13, 1e13),
  uncertainty_ms: number(0, 1e9),
});
