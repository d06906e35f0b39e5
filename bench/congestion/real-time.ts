import type { Simulation } from "../../test/net/simulation.ts";

/** This machine's time in the place of a simulation's, from its making on. */
export class RealTime implements Pick<Simulation, "now" | "at"> {
  readonly #start = performance.now();
  readonly #timers = new Set<NodeJS.Timeout>();

  get now(): number {
    return performance.now() - this.#start;
  }

  at(at: number, run: (now: number) => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        run(this.now);
      },
      Math.max(0, at - this.now),
    );
    this.#timers.add(timer);
  }

  /** Resolves then; nothing that was to come after it comes. */
  async runTo(until: number): Promise<void> {
    await new Promise<void>((resolve) => this.at(until, () => resolve()));
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
