import type { Result } from "../../codecs/result.ts";
import type { RateClaim, RateMemory } from "../shared-state.ts";
import type { SwitchboardLimits } from "./config.ts";
import type { ConnectionState } from "./connections.ts";
import { type RegisteredAgent, vouchedOwner } from "./registry.ts";

/** What an agent may ask over all its connections, an owner through all its agents, and an address through all that come from it. */
export class SharedRates {
  readonly #limits: SwitchboardLimits;
  readonly #memory: RateMemory;

  constructor(limits: SwitchboardLimits, memory: RateMemory) {
    this.#limits = limits;
    this.#memory = memory;
  }

  /** Takes one request of this agent, from all of them or from none: who asks too much uses up nothing of the others. Faults as `RateMemory.take`. */
  take(agent: RegisteredAgent, { network }: Pick<ConnectionState, "network">, now: number): Result<void> {
    const { agentRate, ownerRate, addressRate } = this.#limits;
    const claims: RateClaim[] = [
      { name: `agent ${agent.agentId}`, rate: agentRate },
      { name: `owner ${vouchedOwner(agent)}`, rate: ownerRate },
    ];
    if (network !== undefined) claims.push({ name: `address ${network}`, rate: addressRate });
    return this.#memory.take(claims, now);
  }

  /** Takes one agent that registers itself. Every one of them is kept, so there must not be many. Faults as `RateMemory.take`. */
  takeRegistration({ network }: Pick<ConnectionState, "network">, now: number): Result<void> {
    const { registrationRate, registrationTotalRate } = this.#limits;
    const claims: RateClaim[] = [{ name: "registrations", rate: registrationTotalRate }];
    if (network !== undefined) claims.push({ name: `registrations ${network}`, rate: registrationRate });
    return this.#memory.take(claims, now);
  }
}
