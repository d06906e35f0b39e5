import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { ErrorCode } from "../../codecs/error-codes.ts";
import type { Route } from "../paths.ts";
import type { Shape } from "../shape.ts";
import { PEER_ENDPOINTS } from "./peer-endpoints.ts";
import { SERVICE_ENDPOINTS } from "./service-endpoints.ts";
import { SESSION_ENDPOINTS } from "./session-endpoints.ts";

/** What kind of work an endpoint does (`spec/agtp.md` 2.8). */
type Capability =
  | "discovery"
  | "retrieval"
  | "analysis"
  | "transaction"
  | "modification"
  | "creation"
  | "notification"
  | "mechanics";

/** What the manifest says of one exchange. */
export interface Endpoint {
  readonly description: string;
  readonly intent: string;
  readonly outcome: string;
  readonly capability: Capability;
  readonly impact: "informational" | "reversible" | "irreversible";
  readonly isIdempotent: boolean;
  /** The form its parameters are checked against. */
  readonly input: Shape<unknown>;
  /** Members of its result, with their JSON types. */
  readonly output: JsonObject;
  /** What it refuses with, beside what any request can meet. */
  readonly errors: readonly ErrorCode[];
}

/** Exchanges about sessions and offers, and about WebRTC peers; {@link ServiceRoute} are the others. */
export type SessionRoute = Extract<Route, `${string} /sessions${string}` | `${string} /offers${string}`>;
export type PeerRoute = Extract<Route, `${string} /webrtc${string}`>;
export type ServiceRoute = Exclude<Route, SessionRoute | PeerRoute>;

/** Every exchange as the manifest and `DISCOVER /methods` describe it. */
export const ENDPOINTS: Readonly<Record<Route, Endpoint>> = {
  ...SERVICE_ENDPOINTS,
  ...SESSION_ENDPOINTS,
  ...PEER_ENDPOINTS,
};
