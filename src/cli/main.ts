#!/usr/bin/env node
import { run } from "./program.ts";

process.exitCode = await run(process.argv.slice(2));
// Native connections that are on their way out would hold the process open.
process.exit();
