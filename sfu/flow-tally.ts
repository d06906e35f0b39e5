import type { FlowCounters, Refusal } from "../signaling/admission.ts";
import type { FrameTotals } from "./frame-totals.ts";

/** Running counts of one flow; {@link FlowTally.snapshot} is what leaves the relay. */
export class FlowTally {
  readonly #leg: number;
  readonly #stream: number;
  readonly #all: FrameTotals;
  #received = 0;
  #admitted = 0;
  #bytes = 0;
  #forwarded = 0;
  readonly #refused: Partial<Record<Refusal, number>> = {};
  #contradicted = 0;
  readonly #dropped: Record<string, number> = {};
  #first: number | undefined;
  #last: number | undefined;

  /** `all` counts along. */
  constructor(leg: number, stream: number, all: FrameTotals) {
    this.#leg = leg;
    this.#stream = stream;
    this.#all = all;
  }

  /** A packet came on the flow, whatever becomes of it. */
  received(): void {
    this.#received++;
    this.#all.received++;
  }

  /** It was let through; `bytes` without its flow identifier. */
  admitted(sequence: number, bytes: number): void {
    this.#admitted++;
    this.#bytes += bytes;
    this.#all.admitted++;
    this.#all.bytes += bytes;
    if (this.#first === undefined || sequence < this.#first) this.#first = sequence;
    if (this.#last === undefined || sequence > this.#last) this.#last = sequence;
  }

  refused(reason: Refusal): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    this.#all.refused[reason] = (this.#all.refused[reason] ?? 0) + 1;
  }

  /** So many that were let through are listed otherwise by their speaker. */
  contradicted(count: number): void {
    this.#contradicted += count;
    this.#all.contradicted += count;
  }

  /** A copy for one leg was handed to a carrier (`sent`), or dropped for that reason. */
  left(fate: string): void {
    if (fate === "sent") {
      this.#forwarded++;
      this.#all.forwarded++;
    } else {
      this.#dropped[fate] = (this.#dropped[fate] ?? 0) + 1;
      this.#all.dropped[fate] = (this.#all.dropped[fate] ?? 0) + 1;
    }
  }

  /** A copy that does not change any more. `firstSequence` and `lastSequence` are the lowest and highest let through. */
  snapshot(): FlowCounters {
    return {
      leg: this.#leg,
      stream: this.#stream,
      received: this.#received,
      admitted: this.#admitted,
      bytes: this.#bytes,
      forwarded: this.#forwarded,
      refused: { ...this.#refused },
      ...(this.#contradicted === 0 ? {} : { contradicted: this.#contradicted }),
      dropped: { ...this.#dropped },
      firstSequence: this.#first,
      lastSequence: this.#last,
    };
  }
}
