import { type ArrivedPiece, MAX_UNIT_BYTES, UnitStreamReader } from "../codecs/unit-stream.ts";
import { OPEN_UNITS_PER_CONNECTION, OPEN_UNITS_PER_FLOW } from "./unit-caps.ts";

/** Twice what a peer may have open: what it finished may still be on its way here. */
const UNFINISHED_PER_FLOW = 2 * OPEN_UNITS_PER_FLOW;
const UNFINISHED_PER_CONNECTION = 2 * OPEN_UNITS_PER_CONNECTION;
/** Bytes of unfinished units of one connection, as kept. The oldest goes where there are more. */
const UNFINISHED_BYTES = 8 * 1024 * 1024;
/** A unit that is not whole so long after its stream began is worth nothing any more, ms. */
const UNFINISHED_MS = 5_000;

/** Streams of which the flow is not known yet count as of this one. */
const UNKNOWN_FLOW = -1;

/** Why a unit's stream was given up: it broke the framing, its peer reset it, it was one too many, or it did not become whole in time. */
export type UnitFault = "malformed" | "reset" | "unit-cap" | "slow";

/** A unit whose stream is being read. */
export interface UnitInlet {
  /** The next bytes; copied. Returns the pieces that they complete. */
  push(chunk: Uint8Array): readonly ArrivedPiece[];
  /** The stream was finished: the packet, or `undefined` where it is worth nothing. */
  end(): Uint8Array | undefined;
  /** The peer reset it, or nobody wants it any more. */
  abort(): void;
  /** It is not to be read on. */
  readonly isOver: boolean;
}

/** Reads the units that come on one connection, each on a stream of its own: not too many, not too large, and none for ever. */
export class UnitReader {
  /** The oldest first. */
  readonly #open = new Set<Inlet>();
  readonly #faults: Record<UnitFault, number> = { malformed: 0, reset: 0, "unit-cap": 0, slow: 0 };

  /** Units that did not come whole, by reason. */
  get faults(): Readonly<Record<UnitFault, number>> {
    return this.#faults;
  }

  /** Units of which something is missing. */
  get open(): number {
    return this.#open.size;
  }

  get bytes(): number {
    let bytes = 0;
    for (const inlet of this.#open) bytes += inlet.reader.bytes;
    return bytes;
  }

  /** A stream begins on a flow. `stop` ends the reading of it, whenever that is. */
  begin(flow: number, now: number, stop: () => void, maxBytes: number = MAX_UNIT_BYTES): UnitInlet {
    const inlet = new Inlet(this, new UnitStreamReader(maxBytes), flow, now, stop);
    this.#open.add(inlet);
    this.#bound(flow);
    return inlet;
  }

  /** A stream begins of which the flow is not known yet: as few may be so as of one flow, and as long. Returns what is to be called when it is: false where it is not to be read on. */
  await(now: number, stop: () => void): () => boolean {
    const inlet = new Inlet(this, new UnitStreamReader(0), UNKNOWN_FLOW, now, stop);
    this.#open.add(inlet);
    this.#bound(UNKNOWN_FLOW);
    return () => inlet.withdraw();
  }

  /** Gives up what has taken too long. */
  tick(now: number): void {
    for (const inlet of this.#open) {
      if (now < inlet.since + UNFINISHED_MS) return;
      inlet.giveUp("slow");
    }
  }

  /** When `tick` has something to do. */
  nextTimeout(): number | undefined {
    const [oldest] = this.#open;
    return oldest === undefined ? undefined : oldest.since + UNFINISHED_MS;
  }

  /** @internal */
  over(inlet: Inlet, fault: UnitFault | undefined): void {
    this.#open.delete(inlet);
    if (fault !== undefined) this.#faults[fault] += 1;
  }

  /** @internal */
  grew(): void {
    let { bytes } = this;
    for (const inlet of this.#open) {
      if (this.#open.size < 2 || bytes <= UNFINISHED_BYTES) return;
      bytes -= inlet.reader.bytes;
      inlet.giveUp("unit-cap");
    }
  }

  #bound(flow: number): void {
    const ofFlow = [...this.#open].filter((inlet) => inlet.flow === flow);
    if (ofFlow.length > UNFINISHED_PER_FLOW) ofFlow[0]?.giveUp("unit-cap");
    if (this.#open.size > UNFINISHED_PER_CONNECTION) this.#ofLargest()?.giveUp("unit-cap");
  }

  /** The oldest of the flow that has most. */
  #ofLargest(): Inlet | undefined {
    const flows = new Map<number, number>();
    for (const { flow } of this.#open) flows.set(flow, (flows.get(flow) ?? 0) + 1);
    const most = Math.max(...flows.values());
    return [...this.#open].find(({ flow }) => flows.get(flow) === most);
  }
}

class Inlet implements UnitInlet {
  readonly #owner: UnitReader;
  readonly reader: UnitStreamReader;
  readonly flow: number;
  readonly since: number;
  readonly #stop: () => void;
  isOver = false;

  constructor(owner: UnitReader, reader: UnitStreamReader, flow: number, since: number, stop: () => void) {
    this.#owner = owner;
    this.reader = reader;
    this.flow = flow;
    this.since = since;
    this.#stop = stop;
  }

  push(chunk: Uint8Array): readonly ArrivedPiece[] {
    if (this.isOver) return [];
    this.reader.push(chunk);
    const pieces: ArrivedPiece[] = [];
    for (let piece = this.reader.arrived(); piece !== undefined; piece = this.reader.arrived())
      pieces.push(piece);
    if (this.reader.fault !== undefined) this.giveUp("malformed");
    else this.#owner.grew();
    return pieces;
  }

  end(): Uint8Array | undefined {
    if (this.isOver) return undefined;
    this.reader.end();
    const { packet } = this.reader;
    this.#finish(packet === undefined ? "malformed" : undefined);
    return packet;
  }

  abort(): void {
    if (!this.isOver) this.#finish("reset");
  }

  /** It is not for whoever reads units. */
  withdraw(): boolean {
    if (this.isOver) return false;
    this.#finish(undefined);
    return true;
  }

  giveUp(fault: UnitFault): void {
    if (this.isOver) return;
    this.#finish(fault);
    this.#stop();
  }

  #finish(fault: UnitFault | undefined): void {
    this.isOver = true;
    this.#owner.over(this, fault);
  }
}
