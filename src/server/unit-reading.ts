import type { Clock } from "../../codecs/clock.ts";
import type { ArrivedPiece } from "../../codecs/unit-stream.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { TokenBucket } from "../../sfu/token-bucket.ts";
import { type UnitFault, type UnitInlet, UnitReader } from "../../sfu/unit-reader.ts";
import type { ConnectionId } from "../../signaling/admission.ts";

/** Streams of units that one connection may give up, or have given up, each second, and at once: a speaker resets what stands still. More closes it. */
const FAULTS_PER_SECOND = 20;
const FAULTS_AT_ONCE = 200;

export interface UnitReadingOptions {
  readonly clock: Clock;
  readonly taken: (connection: ConnectionId, flow: number, packet: Uint8Array) => void;
  readonly arrived: (connection: ConnectionId, flow: number, piece: ArrivedPiece) => void;
  /** Its streams of units break too often. */
  readonly close: (connection: ConnectionId, code: number, reason: string) => void;
}

/** What became of streams of units, since the start. */
export interface UnitReadingCounts {
  /** Units that came whole. */
  readonly whole: number;
  /** Those that did not, by reason. */
  readonly broken: Readonly<Record<UnitFault, number>>;
  /** Those of which something is missing. */
  readonly unfinished: number;
}

/** Reads the streams of units of all connections: what is whole goes on, what is not is counted, and who sends too much of that is closed. */
export class UnitReading {
  readonly #options: UnitReadingOptions;
  readonly #readers = new Map<ConnectionId, ConnectionUnits>();
  readonly #past: Record<UnitFault, number> = { malformed: 0, reset: 0, "unit-cap": 0, slow: 0 };
  #whole = 0;

  constructor(options: UnitReadingOptions) {
    this.#options = options;
  }

  get counts(): UnitReadingCounts {
    const broken = { ...this.#past };
    let unfinished = 0;
    for (const { reader } of this.#readers.values()) {
      unfinished += reader.open;
      for (const fault of FAULTS) broken[fault] += reader.faults[fault];
    }
    return { whole: this.#whole, broken, unfinished };
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return { unitReaders: this.#readers.size };
  }

  /** A stream begins of which the flow is not known yet: what is to be called when it is, as in `UnitReader.await`. */
  await(connection: ConnectionId, stop: () => void): () => boolean {
    const units = this.#unitsOf(connection);
    const known = units.reader.await(this.#options.clock.now(), stop);
    this.#look(connection, units);
    this.#schedule(connection, units);
    return known;
  }

  /** A stream of units begins; `stop`: it is not to be read on. */
  begin(connection: ConnectionId, flow: number, stop: () => void): UnitInlet {
    const { clock, arrived, taken } = this.#options;
    const units = this.#unitsOf(connection);
    const inlet = units.reader.begin(flow, clock.now(), stop);
    this.#look(connection, units);
    this.#schedule(connection, units);
    return {
      get isOver() {
        return inlet.isOver;
      },
      push: (chunk) => {
        const pieces = inlet.push(chunk);
        for (const piece of pieces) arrived(connection, flow, piece);
        this.#look(connection, units);
        return pieces;
      },
      end: () => {
        const packet = inlet.end();
        if (packet !== undefined) {
          this.#whole += 1;
          taken(connection, flow, packet);
        }
        this.#look(connection, units);
        return packet;
      },
      abort: () => {
        inlet.abort();
        this.#look(connection, units);
      },
    };
  }

  /** The connection is closed. */
  forget(connection: ConnectionId): void {
    const units = this.#readers.get(connection);
    this.#readers.delete(connection);
    units?.cancel?.();
    for (const fault of FAULTS) this.#past[fault] += units?.reader.faults[fault] ?? 0;
  }

  /** Stops the timers. */
  close(): void {
    for (const units of this.#readers.values()) units.cancel?.();
  }

  #unitsOf(connection: ConnectionId): ConnectionUnits {
    const present = this.#readers.get(connection);
    if (present !== undefined) return present;
    const allowed = new TokenBucket(FAULTS_PER_SECOND, FAULTS_AT_ONCE, this.#options.clock.now());
    const units: ConnectionUnits = {
      reader: new UnitReader(),
      allowed,
      faults: 0,
      isClosed: false,
      cancel: undefined,
    };
    this.#readers.set(connection, units);
    return units;
  }

  #look(connection: ConnectionId, units: ConnectionUnits): void {
    const { clock, close } = this.#options;
    const faults = FAULTS.reduce((sum, fault) => sum + units.reader.faults[fault], 0);
    for (; units.faults < faults; units.faults += 1) {
      if (units.allowed.has(1, clock.now())) units.allowed.take(1);
      else if (!units.isClosed) {
        units.isClosed = true;
        close(connection, CLOSE_CODES.overloaded, "broken-units");
      }
    }
  }

  /** Comes back when the oldest unit of the connection has taken too long: younger ones are never due before. */
  #schedule(connection: ConnectionId, units: ConnectionUnits): void {
    const due = units.reader.nextTimeout();
    if (due === undefined || units.cancel !== undefined) return;
    const { clock } = this.#options;
    units.cancel = clock.at(due, () => {
      units.cancel = undefined;
      units.reader.tick(clock.now());
      this.#look(connection, units);
      this.#schedule(connection, units);
    });
  }
}

interface ConnectionUnits {
  readonly reader: UnitReader;
  readonly allowed: TokenBucket;
  /** Of the reader's, those that were counted against what is allowed. */
  faults: number;
  isClosed: boolean;
  /** Ends the wait for its oldest unit. */
  cancel: (() => void) | undefined;
}

const FAULTS = ["malformed", "reset", "unit-cap", "slow"] as const satisfies readonly UnitFault[];
