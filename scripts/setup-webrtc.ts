/**
 * Brings mediasoup's worker to this machine, which WebRTC needs: takes the one that is there, else fetches the one that mediasoup's makers
 * built, else builds it (about two minutes on two cores) from the source in the package with Debian's libraries. It is kept in the user's
 * cache, where `npm ci` does not reach. Then proves it by a call from a foreign WebRTC peer.
 *
 * `--packages`: installs the Debian packages that building needs, where this user may do so. `--once`: neither says nor proves anything
 * where a worker is there already. `--build`: builds, whatever is there.
 */
import { parseArgs } from "node:util";
import { findMediasoup, WORKER_VARIABLE } from "../transports/webrtc/worker-binary.ts";
import { installLine, installPackages } from "./debian-packages.ts";
import { buildWorker, missingPackages } from "./mediasoup-worker/build.ts";
import { fetchWorker } from "./mediasoup-worker/fetch.ts";
import { proveWorker } from "./mediasoup-worker/prove.ts";
import { usableWorker } from "./mediasoup-worker/usable.ts";

const { values: flags } = parseArgs({
  options: {
    packages: { type: "boolean", default: false },
    once: { type: "boolean", default: false },
    build: { type: "boolean", default: false },
  },
});
let code = 1;
try {
  code = await setUp();
} catch (error) {
  console.error(`WebRTC is not set up: ${(error as Error).message}`);
}
// Threads of the foreign peer would keep the process.
process.exit(code);

async function setUp(): Promise<number> {
  const mediasoup = findMediasoup();
  if (mediasoup === undefined) throw new Error("the package mediasoup is not installed: npm ci");
  const { version } = mediasoup;
  const there = flags.build ? undefined : usableWorker();
  if (there !== undefined) {
    if (flags.once) return 0;
    console.log(`mediasoup ${version}: its worker is there (${there.origin}), ${there.path}`);
  } else if (process.env[WORKER_VARIABLE] !== undefined && !flags.build) {
    throw new Error(`${WORKER_VARIABLE} names no worker that runs: ${process.env[WORKER_VARIABLE]}`);
  } else {
    const refusal = flags.build ? "not asked for" : await fetchWorker(mediasoup);
    if (refusal === undefined) console.log(`mediasoup ${version}: fetched the worker its makers built`);
    else {
      console.log(`mediasoup ${version}: no worker of its makers (${refusal}), so it is built here`);
      if (!preparePackages()) return 1;
      const { path, seconds } = buildWorker(mediasoup);
      console.log(`mediasoup ${version}: built in ${seconds} s, ${path}`);
    }
  }
  const worker = usableWorker();
  if (worker === undefined) throw new Error("the worker does not run on this machine");
  console.log(await proveWorker(worker));
  return 0;
}

/** Whether everything is there that building needs. */
function preparePackages(): boolean {
  const missing = missingPackages();
  if (missing.length === 0) return true;
  if (flags.packages) {
    console.log(`Installing to build it: ${missing.join(", ")}`);
    if (installPackages(missing, () => missingPackages().length === 0)) return true;
  }
  const start = "npm run webrtc:setup";
  console.error(
    `Building needs ${missing.join(" ")}. Type this (or ${start} -- --packages), then start again:`,
  );
  console.error(`  ${installLine(missing)}`);
  return false;
}
