import { Allowance } from "./allowance.ts";
import type { SwitchboardLimits } from "./config.ts";
import { FadingMap } from "./fading-map.ts";
import { type RegisteredAgent, vouchedOwner } from "./registry.ts";

/** What an agent may ask over all its connections, and an owner through all its agents. */
export class SharedRates {
  readonly #agents: Allowances;
  readonly #owners: Allowances;

  constructor({ agentRate, ownerRate, connections }: SwitchboardLimits) {
    this.#agents = new Allowances(agentRate, connections);
    this.#owners = new Allowances(ownerRate, connections);
  }

  /** Agents and owners that asked something lately. */
  get size(): number {
    return this.#agents.size + this.#owners.size;
  }

  /** Takes one request of this agent. Milliseconds until there is one when there is none now, else `undefined`. */
  take(agent: RegisteredAgent, now: number): number | undefined {
    // The agent first: one that asks too much uses up nothing of its owner's other agents.
    return this.#agents.take(agent.agentId, now) ?? this.#owners.take(vouchedOwner(agent), now);
  }
}

/** Allowances by name, each forgotten when it has been full again for sure. */
export class Allowances {
  readonly #rate: Rate;
  readonly #kept: FadingMap<string, Allowance>;

  constructor(rate: Rate, cap: number) {
    this.#rate = rate;
    this.#kept = new FadingMap(cap, (rate.burst * 1_000) / rate.perSecond);
  }

  get size(): number {
    return this.#kept.size;
  }

  take(name: string, now: number): number | undefined {
    const allowance = this.#kept.get(name, now) ?? new Allowance(this.#rate, now);
    this.#kept.set(name, allowance, now);
    return allowance.take(now) ? undefined : allowance.nextAt(now) - now;
  }
}

type Rate = SwitchboardLimits["agentRate"];
