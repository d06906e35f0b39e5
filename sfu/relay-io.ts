import type { ConnectionId } from "../signaling/admission.ts";
import type { Carriage } from "./frame-gate.ts";
import type { RefusalReport } from "./refusal-reports.ts";

/** One copy of an admitted frame on its way out. The relay has one of these and fills it anew for each leg. */
export interface Egress {
  readonly connection: ConnectionId;
  readonly flow: number;
  /** A whole datagram under the leg's own flow identifier; for a stream item the packet alone. Valid until the next call. */
  readonly bytes: Uint8Array;
  readonly carriage: Carriage;
}

/**
 * What became of an {@link Egress}: what the carrier did with it, or why it was taken from a queue. All but `sent` are
 * counted as drops under that name.
 */
export type EgressFate = "sent" | "too-large" | "closed" | "congested" | "session-state" | "scope" | "epoch";

/** What the relay has to say, besides frames. */
export type RelayEvent =
  | ({ readonly kind: "frames-refused" } & RefusalReport)
  | {
      /** Too many bad signatures came from there. Said once per connection. */
      readonly kind: "close-connection";
      readonly connection: ConnectionId;
      /** One of `CLOSE_CODES`. */
      readonly code: number;
      readonly reason: string;
    };
