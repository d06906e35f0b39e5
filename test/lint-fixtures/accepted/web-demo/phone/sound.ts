import { Agent } from "@parley-rt/parley/agent";
import { words } from "../model/words.ts";

export const both = [Agent, words];
