import { readFile } from "node:fs/promises";
import { thing } from "../platform/node/thing.ts";
import { carrier } from "../transports/webtransport/thing.ts";

export const machine = [readFile, thing, carrier];
