import type { Clock } from "../../codecs/clock.ts";
import { ItemPacer } from "../../sfu/item-pacer.ts";
import type { MediaLeg } from "../../sfu/media-leg.ts";
import type { AdmissionRow, ConnectionId, EgressLeg } from "../../signaling/admission.ts";
import type { ItemPace, TakenBack } from "./outgoing-items.ts";

export interface ItemPacesOptions {
  readonly clock: Clock;
  /** The end of a session's leg on a connection; `undefined` where nothing of it is live there. */
  readonly leg: (connection: ConnectionId, sessionId: string) => MediaLeg | undefined;
  /** Streams of a leg came, or went. */
  readonly changed: (connection: ConnectionId, sessionId: string) => void;
  /** A stream has something that it had not before. */
  readonly wake: (connection: ConnectionId, sessionId: string) => void;
}

/** A flow whose items leave as a long stream. */
export interface PacedFlow extends EgressLeg {
  readonly sessionId: string;
  /** What reliable data leaves on it: the peer reports on its pieces. Absent: statements, on which nobody reports. */
  readonly row?: AdmissionRow;
}

/**
 * Long streams to peers: each goes by the pace of its session's leg on its connection, in pieces. Where nothing of the session is
 * live there, items leave as the carrier takes them.
 */
export class ItemPaces {
  readonly #options: ItemPacesOptions;
  readonly #byFlow = new Map<ConnectionId, Map<number, Pace>>();

  constructor(options: ItemPacesOptions) {
    this.#options = options;
  }

  /** Flows that have a pace. */
  get size(): number {
    let size = 0;
    for (const flows of this.#byFlow.values()) size += flows.size;
    return size;
  }

  /** The pace of a flow, whose bytes `write` hands to the carrier. */
  open(paced: PacedFlow, write: (bytes: Uint8Array) => Promise<boolean>): ItemPace {
    const { connection, flow, sessionId } = paced;
    const { clock, changed, wake } = this.#options;
    const leg = () => this.#options.leg(connection, sessionId);
    const pacer = this.#pacer(paced, leg, write);
    const flows = this.#byFlow.get(connection) ?? new Map<number, Pace>();
    this.#byFlow.set(connection, flows.set(flow, { paced, pacer }));
    leg()?.addItems(pacer, sourceOf(paced));
    changed(connection, sessionId);
    return {
      add: (item) => {
        const isPaced = leg() !== undefined && flows.get(flow)?.pacer === pacer;
        const fate = pacer.add(item, clock.now(), isPaced);
        wake(connection, sessionId);
        return fate;
      },
      takeBack: (reason) => pacer.takeBack(reason),
      hurry: () => pacer.flush(),
      finish: () => {
        pacer.flush();
        if (flows.get(flow)?.pacer !== pacer) return;
        flows.delete(flow);
        if (flows.size === 0) this.#byFlow.delete(connection);
        leg()?.removeItems(pacer, clock.now());
        leg()?.forget(sourceOf(paced));
        changed(connection, sessionId);
      },
    };
  }

  #pacer(
    paced: PacedFlow,
    leg: () => MediaLeg | undefined,
    write: (bytes: Uint8Array) => Promise<boolean>,
  ): ItemPacer<TakenBack> {
    const { connection, sessionId, row } = paced;
    const ssrc = sourceOf(paced);
    const reports = {
      isReported: () => leg()?.isReported(ssrc) ?? false,
      isFull: (now: number) => leg()?.isStreamFull(ssrc, now) ?? false,
    };
    return new ItemPacer<TakenBack>({
      ssrc,
      write,
      abandon: (first, count) => leg()?.abandon(ssrc, first, count),
      wake: () => this.#options.wake(connection, sessionId),
      ...(row === undefined ? {} : reports),
    });
  }

  /** A session has something live on a connection from now on. */
  legOpened(connection: ConnectionId, sessionId: string, leg: MediaLeg): void {
    for (const { paced, pacer } of this.#of(connection, sessionId)) leg.addItems(pacer, sourceOf(paced));
  }

  /** It has nothing there any more: what waits leaves. */
  legClosed(connection: ConnectionId, sessionId: string): void {
    for (const { pacer } of this.#of(connection, sessionId)) pacer.flush();
  }

  /** The reliable data of a session that go out on a connection. */
  rows(connection: ConnectionId, sessionId: string): AdmissionRow[] {
    return this.#of(connection, sessionId).flatMap(({ paced }) => paced.row ?? []);
  }

  /** The session whose reliable data leaves on this flow. */
  sessionOf(connection: ConnectionId, flow: number): string | undefined {
    return this.#byFlow.get(connection)?.get(flow)?.paced.row?.sessionId;
  }

  /** The connection is closed. */
  forget(connection: ConnectionId): void {
    const flows = this.#byFlow.get(connection);
    this.#byFlow.delete(connection);
    for (const { pacer } of flows?.values() ?? []) pacer.drop();
    flows?.clear();
  }

  #of(connection: ConnectionId, sessionId: string): Pace[] {
    const flows = [...(this.#byFlow.get(connection)?.values() ?? [])];
    return flows.filter(({ paced }) => paced.sessionId === sessionId);
  }
}

interface Pace {
  readonly paced: PacedFlow;
  readonly pacer: ItemPacer<TakenBack>;
}

/** What its pieces are told apart by at the hop: no source of media has a number below 0. */
function sourceOf({ row, flow }: PacedFlow): number {
  return row?.ssrc ?? -1 - flow;
}
