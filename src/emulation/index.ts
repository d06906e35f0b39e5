/** Emulated networks for agents, in Node and in browsers: to see what a call does where the network is bad. */
export { EmulatedNetwork } from "./emulated-network.ts";
export { type LinkConditions, PRESETS } from "./link.ts";
