import { nodePlatform } from "../../agent/node.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import { emulatedCarrier } from "./emulated-carrier.ts";
import type { BotsPlan, PlannedCall } from "./plan.ts";
import { preparedOpus } from "./speech.ts";

/** Node's platform for one bot: prepared speech, its own network, and a wall clock that tells fractions of a millisecond. */
export function botPlatform(
  plan: BotsPlan,
  call: PlannedCall,
  end: 0 | 1,
  webSocketUrl?: string,
): AgentPlatform {
  const platform = nodePlatform({ choice: plan.carrier, webSocketUrl });
  const conditions = call.networks[end];
  return {
    ...platform,
    clock: { ...platform.clock, wall: () => preciseWall() },
    createAudioCodec: (format, options) =>
      format.name === "opus"
        ? preparedOpus(format, call.rates[end], plan.decode)
        : platform.createAudioCodec(format, options),
    carrier:
      conditions === undefined
        ? platform.carrier
        : emulatedCarrier(platform.carrier, conditions, call.random.u32()),
  };
}

/** Unix milliseconds at monotonic time `at` of this process, now if left out; the same in all processes of a host. */
export function preciseWall(at = performance.now()): number {
  return performance.timeOrigin + at;
}
