/** What the machine and the installation bring: Node, native parts, codecs, the clock. */
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ServerConfig } from "../config.ts";
import { pageFolder } from "../http/page-files.ts";
import { packageFolder } from "../package-info.ts";
import type { Check } from "./finding.ts";

export function machineChecks(config: ServerConfig): readonly Check[] {
  return [
    { name: "node", fix: "Run npm ci, which brings Node.", look: nodeVersion },
    { name: "clock", fix: "Have the machine keep time by NTP.", look: () => clock(config) },
    { name: "sodium", fix: REINSTALL, look: sodium },
    { name: "lmdb", fix: REINSTALL, look: lmdb },
    { name: "quic", fix: REINSTALL, look: quic },
    { name: "opus", fix: REINSTALL, look: opus },
    { name: "webrtc", fix: REINSTALL, look: async () => webrtc(config) },
    { name: "page", fix: "npm run build:page", look: async () => page(config) },
  ];
}

async function nodeVersion() {
  const path = join(packageFolder(), "package.json");
  const { engines } = JSON.parse(readFileSync(path, "utf8")) as {
    readonly engines: { readonly node: string };
  };
  const oldest = Number(/\d+/.exec(engines.node)?.[0]);
  const found = `Node ${process.versions.node} on ${process.platform} ${process.arch}`;
  if (Number.parseInt(process.versions.node, 10) >= oldest) return { state: "ok", found } as const;
  return { state: "failed", found, fix: `Use Node ${oldest} or newer.` } as const;
}

/** Nothing here knows the right time; what a clock that runs must not do can be seen. */
async function clock({ dataFolder }: ServerConfig) {
  const fix = "Set the machine's clock and have it kept by NTP.";
  const [wall, monotonic] = [Date.now(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, DRIFT_WATCH_MS));
  const drift = Math.round(Date.now() - wall - (performance.now() - monotonic));
  if (Math.abs(drift) > DRIFT_LIMIT_MS)
    return {
      state: "failed",
      found: `the time of day moved ${drift} ms against the monotonic clock within ${DRIFT_WATCH_MS} ms`,
      fix,
    } as const;
  const files = [join(packageFolder(), "package.json"), dataFolder, join(dataFolder, "data.mdb")];
  const newest = Math.max(...files.map(changedAt));
  if (newest > Date.now() + FILE_TIME_LIMIT_MS)
    return {
      state: "failed",
      found: `it is ${new Date().toISOString()} here, before files of ${new Date(newest).toISOString()} were written`,
      fix,
    } as const;
  const found = `${new Date().toISOString()}, steady, not before its files; whether it is right, only a time server knows (30 s are forgiven)`;
  return { state: "ok", found } as const;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function sodium() {
  const { createSigner, generateSeed, verifier } = await import("../../platform/node/sodium.ts");
  const signer = createSigner(generateSeed());
  const message = new Uint8Array([1, 2, 3]);
  if (!verifier.verify(signer.publicKey, message, signer.sign(message)))
    return { state: "failed", found: "libsodium refuses its own signature", fix: REINSTALL } as const;
  return { state: "ok", found: "sodium-native signs and verifies" } as const;
}

async function lmdb() {
  await import("lmdb");
  return { state: "ok", found: "lmdb is loaded" } as const;
}

async function quic() {
  const { bindingKind, canDial } = await import("../../transports/webtransport/binding.ts");
  const kind = bindingKind();
  const how = kind === "plain" ? "as it is" : "rebound to this system's older glibc";
  if (!canDial())
    return {
      state: "warning",
      found: `the QUIC binding is loaded ${how}, and this kernel has no IPv6, which its clients need`,
      fix: "Switch IPv6 on in the kernel; no address is needed.",
    } as const;
  return { state: "ok", found: `the QUIC binding is loaded ${how}` } as const;
}

async function opus() {
  const { createOpusCodec } = await import("../../platform/opus.ts");
  const codec = await createOpusCodec();
  codec.close();
  return { state: "ok", found: "Opus (WebAssembly) is there" } as const;
}

async function webrtc(config: ServerConfig) {
  if (config.webrtc === "off") return { state: "ok", found: "WebRTC is switched off" } as const;
  const { findWorker, isWorker } = await import("../../transports/webrtc/worker-binary.ts");
  const worker = findWorker();
  if (!isWorker(worker)) {
    const found = `no WebRTC: ${worker.reason}`;
    return { state: config.webrtc === "on" ? "failed" : "warning", found, fix: worker.remedy } as const;
  }
  // Started without what mediasoup says to it, a worker that runs here leaves with this code.
  const { status } = spawnSync(worker.path, { stdio: "ignore", env: {}, timeout: START_LIMIT_MS });
  const found = `mediasoup ${worker.version}, its worker (${worker.origin}) at ${worker.path}`;
  if (status === NOT_STARTED_BY_MEDIASOUP) return { state: "ok", found } as const;
  return {
    state: config.webrtc === "on" ? "failed" : "warning",
    found: `${found}, which does not run on this machine`,
    fix: "npm run webrtc:setup",
  } as const;
}

function page(config: ServerConfig) {
  if (!config.page) return { state: "ok", found: "the page is switched off" } as const;
  const folder = pageFolder();
  if (folder !== undefined) return { state: "ok", found: `built, in ${folder}` } as const;
  return { state: "warning", found: "the page is not built", fix: "npm run build:page" } as const;
}

const REINSTALL = "npm ci --force, on the machine itself: native parts differ between systems.";
const NOT_STARTED_BY_MEDIASOUP = 41;
const START_LIMIT_MS = 2_000;
const DRIFT_WATCH_MS = 200;
const DRIFT_LIMIT_MS = 50;
/** Disks of other machines keep their own time. */
const FILE_TIME_LIMIT_MS = 60_000;
