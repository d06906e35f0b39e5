import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ParleyError } from "../../codecs/parley-error.ts";

/** A server in a process of its own, over a data folder that goes when it stops. */
export interface ServerProcess {
  readonly url: string;
  readonly webSocketUrl: string;
  /** Of AGTP over TLS, `agtp://127.0.0.1:4480`. */
  readonly agtpUrl: string;
  /** Hex. */
  readonly certificateHash: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** What `parley serve --json` says of itself. */
interface Announced {
  readonly url: string;
  readonly websocket_url: string;
  readonly agtp_url: string;
  readonly certificate_hash: string;
}

/** Starts `parley serve` on a free port of this machine, open to any agent. Throws `server-error` when it does not come up. */
export async function startServerProcess(): Promise<ServerProcess> {
  const folder = await mkdtemp(join(tmpdir(), "parley-bots-"));
  const main = fileURLToPath(moduleUrl("../cli/main"));
  const child = spawn(process.execPath, [...process.execArgv, main, ...SERVE, "--data-folder", folder], {
    stdio: ["ignore", "pipe", "pipe"],
    // Signals of the terminal are for this process, which stops the server last.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => {
    errors = (errors + bytes.toString()).slice(-ERROR_TAIL);
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(kill, STOP_MS);
    await ended;
    clearTimeout(timer);
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
  };
  const lines = createInterface({ input: child.stdout });
  const up = new Promise<string>((resolve) => lines.once("line", resolve));
  const line = await Promise.race([up, ended]);
  if (line === undefined) {
    await stop();
    throw new ParleyError({ code: "server-error", message: `The server did not come up. ${errors.trim()}` });
  }
  const told = JSON.parse(line) as Announced;
  return {
    url: told.url,
    webSocketUrl: told.websocket_url,
    agtpUrl: told.agtp_url,
    certificateHash: told.certificate_hash,
    pid: child.pid ?? -1,
    stop,
  };
}

/** A module of this package beside this one, in the sources as in what is built from them. */
export function moduleUrl(path: string): URL {
  return new URL(`${path}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
}

const SERVE = [
  ...["serve", "--port", "0", "--tcp-port", "0", "--http-port", "off", "--no-page", "--no-residents"],
  ...["--registration", "open", "--log-level", "error", "--grace", "0", "--json"],
];
const ERROR_TAIL = 2_000;
const STOP_MS = 5_000;
