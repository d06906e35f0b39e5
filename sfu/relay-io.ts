import type { FrameView } from "../codecs/frame.ts";
import type { AdmissionRow, ConnectionId, Refusal } from "../signaling/admission.ts";
import type { HopDrop } from "./congestion/hop-packet.ts";
import type { HopEstimate } from "./congestion/media-hop.ts";
import type { Carriage } from "./frame-gate.ts";
import type { Trouble } from "./leg-quality.ts";
import type { FrameReport } from "./refusal-reports.ts";
import type { UnitDrop } from "./unit-writer.ts";

/** What became of one packet. The relay has one of these and fills it anew for each. */
export interface Verdict {
  /**
   * `admitted`: everything held, its signature last. `held`: it is of a media epoch that is yet to come and waits for it, see
   * `release`; nothing about it is proved. Else why it was refused.
   */
  readonly outcome: "admitted" | "held" | Refusal;
  /** The row it was judged by; `undefined` for stray packets. */
  readonly row: AdmissionRow | undefined;
  /** 48 bits; -1 when the packet could not be read. */
  readonly sequence: number;
  /** Where the packet begins in the bytes handed in, after the flow identifier. */
  readonly packetOffset: number;
  /** Legs it goes out to: 0 when it was refused or waits. */
  readonly egressCount: number;
  /** The parsed frame, with offsets into the bytes handed in. Meaningless when the packet could not be read. */
  readonly view: FrameView;
}

/** One copy of an admitted frame on its way out. The relay has one of these and fills it anew for each leg. */
export interface Egress {
  readonly connection: ConnectionId;
  readonly flow: number;
  /** A whole datagram under the leg's own flow identifier; for a stream item the packet alone. Valid until the next call. */
  readonly bytes: Uint8Array;
  readonly carriage: Carriage;
}

/**
 * What became of an {@link Egress}: what the carrier did with it, why it was taken from a queue or dropped there, or that its listener has
 * no connection for media (`detached`), holds the stream (`held`), or sees another rendition of the video (`rendition`). All but `sent`
 * are counted as drops under that name.
 */
export type EgressFate =
  | "sent"
  | "too-large"
  | "closed"
  | "congested"
  | "detached"
  | "rendition"
  | HopDrop
  | UnitDrop;

/** What the relay, and its driver, have to say besides frames. */
export type RelayEvent =
  | ({ readonly kind: "frames-refused"; readonly reason: Refusal } & FrameReport)
  /** They were let through, and their speaker's checkpoints list others in their place. */
  | ({ readonly kind: "frames-contradicted" } & FrameReport)
  | {
      /** A listener is badly served, for this reason, or well served again. */
      readonly kind: "leg-quality";
      readonly sessionId: string;
      /** Of the listener. */
      readonly connection: ConnectionId;
      readonly trouble: Trouble | undefined;
      /** How its hop stands; `undefined` when it never reported. */
      readonly estimate: HopEstimate | undefined;
    }
  | {
      /** Too many bad signatures came from there. Said once per connection. */
      readonly kind: "close-connection";
      readonly connection: ConnectionId;
      /** One of `CLOSE_CODES`. */
      readonly code: number;
      readonly reason: string;
    };
