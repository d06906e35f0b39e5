import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import type { Passing } from "./bottleneck.ts";
import type { Way } from "./media-flow.ts";
import type { Simulation } from "./simulation.ts";

/** What a radio, or a broken network, does to packets beside a bottleneck. */
export interface Roughness {
  /** Mean fraction of packets lost, 0 to 1. */
  readonly loss?: number;
  /** Mean length of a burst of losses, packets (Gilbert-Elliott). Default 1. */
  readonly burst?: number;
  /** Milliseconds that a packet may take longer, evenly distributed; none overtakes another. */
  readonly jitter?: number;
  /** Milliseconds from and to which nothing passes. */
  readonly dark?: readonly [from: number, to: number];
}

/** A way that loses and delays packets by chance before they come to `next`. */
export class RoughWay implements Way {
  readonly #simulation: Simulation;
  readonly #next: Way;
  readonly #roughness: Roughness;
  readonly #random: SeededRandom;
  #isBad = false;
  #lastAt = 0;

  constructor(simulation: Simulation, next: Way, roughness: Roughness, random: SeededRandom) {
    this.#simulation = simulation;
    this.#next = next;
    this.#roughness = roughness;
    this.#random = random;
  }

  offer(packet: Passing): void {
    const { now } = this.#simulation;
    const { dark, jitter = 0 } = this.#roughness;
    const isDark = dark !== undefined && now >= dark[0] && now < dark[1];
    if (this.#isLost() || isDark) {
      packet.dropped(now);
      return;
    }
    const { passed, dropped, bytes } = packet;
    this.#next.offer({
      bytes,
      dropped,
      passed: (left, waited) => {
        this.#lastAt = Math.max(this.#lastAt, left + jitter * this.#random.next());
        this.#simulation.at(this.#lastAt, (then) => passed(then, waited));
      },
    });
  }

  #isLost(): boolean {
    const { loss = 0, burst = 1 } = this.#roughness;
    const draw = this.#random.next();
    const toGood = 1 / burst;
    this.#isBad = this.#isBad ? draw >= toGood : draw < (loss * toGood) / (1 - loss);
    return this.#isBad;
  }
}
