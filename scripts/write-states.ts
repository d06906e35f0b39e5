import { writeFileSync } from "node:fs";
import { renderStates } from "../signaling/session-machine-doc.ts";

writeFileSync(new URL("../docs/states.md", import.meta.url), renderStates());
