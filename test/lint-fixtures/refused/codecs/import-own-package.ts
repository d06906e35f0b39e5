// refused by lint/style/noRestrictedImports
import { Agent } from "@parley-rt/parley/agent";

export const agent = Agent;
