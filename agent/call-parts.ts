import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import type { Signer } from "../codecs/signer.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { Terms } from "../signaling/terms.ts";
import type { AgentContext } from "./agent-context.ts";
import type { ChangePolicy } from "./call-changes.ts";
import type { CallConnection } from "./call-connection.ts";
import type { CallMedia } from "./call-media.ts";
import type { AskedStream } from "./stream-opening.ts";

/** What a call is put together from. */
export interface CallParts {
  readonly id: string;
  readonly leg: 0 | 1;
  readonly session: CheckedSession;
  /** Of the connection that it comes up on. */
  readonly context: AgentContext;
  readonly connection: CallConnection;
  readonly media: CallMedia;
  readonly mediaSigner: Signer;
  /** It is suspended, as the server says. */
  readonly suspension?: JsonObject | undefined;
  /** Of the session, as the server says, where another process had it before. */
  readonly state?: JsonValue | undefined;
  /** False: the server has no connection for the other end's media yet. */
  readonly peerAttached?: JsonValue | undefined;
  readonly keepSending: boolean;
  readonly changes: ChangePolicy;
  /** Has the media follow terms. */
  readonly inForce: (terms: Terms, by?: 0 | 1) => void;
  /** Whether a stream that the other end opens is wanted. */
  readonly takes: (asked: AskedStream) => boolean | Promise<boolean>;
}
