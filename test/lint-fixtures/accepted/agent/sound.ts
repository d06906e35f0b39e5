import { thing } from "../transports/exchange.ts";

export const borrowed = thing;
