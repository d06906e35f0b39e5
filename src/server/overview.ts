import type { Connection, DatagramDrops } from "../../sfu/carrier.ts";
import type { FrameTotals } from "../../sfu/frame-totals.ts";
import type { StrayCounters } from "../../sfu/stray-frames.ts";
import type { UnitFault } from "../../sfu/unit-reader.ts";
import type { SwitchboardOverview } from "../../signaling/switchboard/switchboard.ts";
import { addDrops, type DropsByCarrier } from "./datagram-drops.ts";
import type { LegsOverview } from "./media-legs.ts";
import type { MediaPlane } from "./media-plane.ts";

/** What goes on in a server at one moment, and what it has counted since it started. */
export interface ServerOverview extends Omit<SwitchboardOverview, "inboxEvents"> {
  /** Open connections by carrier. */
  readonly connections: Readonly<Record<string, number>>;
  /** Datagrams that connections dropped before they reached the network, by carrier and reason, since the start; carriers that tell. */
  readonly datagramDrops: Readonly<Record<string, Readonly<DatagramDrops>>>;
  /** What waits, by queue. */
  readonly queues: Readonly<
    Record<
      | "held_datagrams"
      | "outgoing_items"
      | "open_streams"
      | "open_units"
      | "unfinished_units"
      | "exchanges"
      | "inbox_events",
      number
    >
  >;
  /** The ends of calls that live media goes to or comes from. */
  readonly legs: LegsOverview;
  readonly frames: Readonly<FrameTotals>;
  /** Video units that did not come whole, by reason, and key frames asked of speakers. */
  readonly units: { readonly broken: Readonly<Record<UnitFault, number>>; readonly keyFramesAsked: number };
  /** Packets that belong to no flow. */
  readonly strays: StrayCounters;
}

/** What one connection has open. */
interface ConnectionLoad {
  readonly connection: Connection;
  readonly items: { readonly waiting: number; readonly open: number };
  readonly exchanges: { readonly size: number };
}

/** Puts together what goes on; `pastDrops` are those of connections that are gone. */
export function overviewOf(
  loads: Iterable<ConnectionLoad>,
  switchboard: SwitchboardOverview,
  media: MediaPlane,
  pastDrops: DropsByCarrier,
): ServerOverview {
  const connections: Record<string, number> = {};
  const legs = media.legs();
  const { pending, unfinished, broken, keyFramesAsked } = media.unitCounts();
  const queues = {
    held_datagrams: legs.held,
    outgoing_items: 0,
    open_streams: 0,
    open_units: pending,
    unfinished_units: unfinished,
    exchanges: 0,
  };
  const datagramDrops = structuredClone(pastDrops);
  for (const { connection, items, exchanges } of loads) {
    connections[connection.carrier] = (connections[connection.carrier] ?? 0) + 1;
    addDrops(datagramDrops, connection);
    queues.outgoing_items += items.waiting;
    queues.open_streams += items.open;
    queues.exchanges += exchanges.size;
  }
  const { inboxEvents, ...rest } = switchboard;
  return {
    ...rest,
    connections,
    datagramDrops,
    queues: { ...queues, inbox_events: inboxEvents },
    legs,
    frames: media.totals(),
    units: { broken, keyFramesAsked },
    strays: media.strays(),
  };
}
