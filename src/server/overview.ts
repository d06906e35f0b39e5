import type { FrameTotals } from "../../sfu/frame-totals.ts";
import type { StrayCounters } from "../../sfu/stray-frames.ts";
import type { SwitchboardOverview } from "../../signaling/switchboard/switchboard.ts";

/** What goes on in a server at one moment, and what it has counted since it started. */
export interface ServerOverview extends Omit<SwitchboardOverview, "inboxEvents"> {
  /** Open connections by carrier. */
  readonly connections: Readonly<Record<string, number>>;
  /** What waits, by queue. */
  readonly queues: Readonly<Record<"outgoing_items" | "open_streams" | "exchanges" | "inbox_events", number>>;
  readonly frames: Readonly<FrameTotals>;
  /** Packets that belong to no flow. */
  readonly strays: StrayCounters;
}
