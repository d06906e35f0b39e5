import { thing } from "../../agent/thing.ts";

console.log(thing);
