import type { PacketKind } from "../../sfu/congestion/hop-packet.ts";
import type { LegQuality } from "../../sfu/leg-quality.ts";
import type { MediaLeg } from "../../sfu/media-leg.ts";
import type { EgressFate } from "../../sfu/relay-io.ts";
import type { AdmissionRow, ConnectionId } from "../../signaling/admission.ts";

/** The end of a leg of one session on one connection, and what flows there. */
export interface ServerLeg {
  readonly sessionId: string;
  readonly connection: ConnectionId;
  readonly leg: MediaLeg;
  /** What comes here, by flow. */
  readonly spoken: Map<number, AdmissionRow>;
  /** What goes out here, by flow. */
  readonly heard: Map<number, AdmissionRow>;
  /** A reliable stream that comes beside them. */
  streamFlow: number | undefined;
  readonly quality: LegQuality;
  /** Live packets that were to go out. */
  offered: number;
  /** Something of it may be due. */
  isActive: boolean;
  isClosed: boolean;
}

/** Whose frames come or go on a flow. */
export interface FlowPlace {
  readonly server: ServerLeg;
  /** Of the peer, on this flow. */
  readonly role: "speaker" | "listener";
  readonly ssrc: number;
  readonly kind: PacketKind;
  /** Of latest values: from this age on one does not leave, ms. */
  readonly deadlineMs: number | undefined;
}

/** What is to be told of a packet that is held. */
export interface HeldTag {
  readonly flow: number;
  readonly account: (fate: EgressFate) => void;
}
