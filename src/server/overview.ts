import type { DatagramDrops } from "../../sfu/carrier.ts";
import type { FrameTotals } from "../../sfu/frame-totals.ts";
import type { StrayCounters } from "../../sfu/stray-frames.ts";
import type { SwitchboardOverview } from "../../signaling/switchboard/switchboard.ts";

/** What goes on in a server at one moment, and what it has counted since it started. */
export interface ServerOverview extends Omit<SwitchboardOverview, "inboxEvents"> {
  /** Open connections by carrier. */
  readonly connections: Readonly<Record<string, number>>;
  /** Datagrams that connections dropped before they reached the network, by carrier and reason, since the start; carriers that tell. */
  readonly datagramDrops: Readonly<Record<string, Readonly<DatagramDrops>>>;
  /** What waits, by queue. */
  readonly queues: Readonly<Record<"outgoing_items" | "open_streams" | "exchanges" | "inbox_events", number>>;
  readonly frames: Readonly<FrameTotals>;
  /** Packets that belong to no flow. */
  readonly strays: StrayCounters;
}
