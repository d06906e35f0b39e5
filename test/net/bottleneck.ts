import type { Simulation } from "./simulation.ts";

/** A packet before, in and behind the bottleneck. */
export interface Passing {
  /** On the wire, all headers included. */
  readonly bytes: number;
  /** It left the bottleneck after so many milliseconds in its queue. */
  readonly passed: (now: number, waited: number) => void;
  /** It found the queue full. */
  readonly dropped: (now: number) => void;
}

/** One link that many flows share: a queue, first come first served, its tail dropped. What lies before and behind takes no time here. */
export class Bottleneck {
  readonly #simulation: Simulation;
  readonly #queueTime: number;
  readonly #queue: { readonly packet: Passing; readonly at: number }[] = [];
  #head = 0;
  #queuedBytes = 0;
  #isBusy = false;
  /** Bits a second. */
  capacity: number;

  /** A packet that would wait longer than `queueTime` milliseconds is dropped. */
  constructor(simulation: Simulation, options: { readonly capacity: number; readonly queueTime: number }) {
    this.#simulation = simulation;
    this.#queueTime = options.queueTime;
    this.capacity = options.capacity;
  }

  offer(packet: Passing): void {
    const { now } = this.#simulation;
    if ((this.#queuedBytes * 8_000) / this.capacity > this.#queueTime) {
      packet.dropped(now);
      return;
    }
    this.#queue.push({ packet, at: now });
    this.#queuedBytes += packet.bytes;
    if (!this.#isBusy) this.#serve(now);
  }

  #serve(now: number): void {
    const first = this.#queue[this.#head];
    if (first === undefined) {
      this.#isBusy = false;
      return;
    }
    this.#head += 1;
    if (this.#head > 1_000) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.#isBusy = true;
    this.#simulation.at(now + (first.packet.bytes * 8_000) / this.capacity, (done) => {
      this.#queuedBytes -= first.packet.bytes;
      first.packet.passed(done, now - first.at);
      this.#serve(done);
    });
  }
}
