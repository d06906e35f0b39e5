import { nodePlatform } from "../../agent/node.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import { preciseWall } from "../../src/bots/bot-platform.ts";

/** The Node platform with a wall clock that tells fractions of a millisecond, the same in all processes of a host. */
export function precisePlatform(): AgentPlatform {
  const platform = nodePlatform();
  return { ...platform, clock: { ...platform.clock, wall: () => preciseWall() } };
}
