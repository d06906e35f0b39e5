import { existsSync } from "node:fs";
import { join } from "node:path";
import { urlOfServer } from "../../agent/address.ts";
import { nodePlatform } from "../../agent/node.ts";
import { decodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { type LoadedIdentity, loadIdentity } from "../../platform/node/identity-file.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import { random, verifier } from "../../platform/node/sodium.ts";
import { parseAgtpUri } from "../../signaling/agtp-uri.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import type { CarrierChoice } from "../../transports/choosing.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import { DEFAULT_SERVER_CONFIG, trustOf } from "../config.ts";
import { lockFolder } from "../server/folder-lock.ts";
import { MediaServer } from "../server/media-server.ts";
import { SERVER_IDENTITY_FILE } from "../server/own-papers.ts";
import { createPinoLog } from "../server/pino-log.ts";
import { type RunningFacts, readRunningFile } from "../server/running-file.ts";
import { type Channel, openChannel } from "./channel.ts";

/** A server's operator at work, by the server's own key: on the server that runs, or where none does on its data folder. */
export interface Operator extends Channel {
  /** The server that is talked to; `undefined`: none runs, and the folder itself was opened. */
  readonly running: RunningFacts | undefined;
  /** Ends the work; what was acknowledged is durable. */
  end(): Promise<void>;
}

/** Where records that a command makes without a server say they were made. */
const OFFLINE_SERVER_ID = "offline";
/** An origin that nobody can dial: a proof for it opens nothing elsewhere. */
const OFFLINE_ORIGIN = "https://folder.invalid";
/** How long a server that has the folder may take to say where it listens, and how often that is looked for, ms. */
const SAYS_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 100;

/**
 * Begins work on the server of a data folder. The server that has the folder is asked over an ordinary connection; without one the
 * folder is taken and asked the same way. Throws `usage` where no server ever lived there, `data-folder-in-use` where something has
 * the folder that does not say where it listens, what connecting throws, and as opening the folder does.
 */
export async function openOperator(dataFolder: string): Promise<Operator> {
  const identity = await identityIn(dataFolder);
  const unlock = tryLock(dataFolder);
  if (unlock === undefined) return await onServer(identity, await runningIn(dataFolder));
  return await onFolder(identity, dataFolder, unlock);
}

/** The identity of the server whose folder this is. Throws `usage`, `key-file-invalid`. */
export async function identityIn(dataFolder: string): Promise<LoadedIdentity> {
  const path = join(dataFolder, SERVER_IDENTITY_FILE);
  if (existsSync(path)) return await loadIdentity(path);
  throw new ParleyError({
    code: "usage",
    message: `No server has lived in ${dataFolder}: it holds no ${SERVER_IDENTITY_FILE}, which "parley serve" makes.`,
  });
}

/** Takes the folder; `undefined` where a live process has it. */
export function tryLock(dataFolder: string): (() => void) | undefined {
  try {
    return lockFolder(dataFolder);
  } catch (error) {
    if (error instanceof ParleyError && error.code === "data-folder-in-use") return undefined;
    throw error;
  }
}

/** Where the server that has the folder listens; it may just be starting. */
async function runningIn(dataFolder: string): Promise<RunningFacts> {
  for (let waited = 0; ; waited += LOOK_AGAIN_MS) {
    const facts = readRunningFile(dataFolder);
    if (facts !== undefined && lives(facts.pid)) return facts;
    if (waited >= SAYS_WITHIN_MS) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  throw new ParleyError({
    code: "data-folder-in-use",
    message: `Something has ${dataFolder} and does not say where it listens: a command, or a server of an older version.`,
  });
}

/** A file that a killed server left may still be there while another process takes the folder. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function onServer(identity: LoadedIdentity, running: RunningFacts): Promise<Operator> {
  const hash = decodeHex(running.certificate_hash, 32, "certificate_hash");
  const { choice, url } = wayTo(running);
  const channel = await openChannel(nodePlatform({ choice, webSocketUrl: running.websocket_url }), {
    identity,
    url,
    certificateHashes: hash.ok ? [hash.value] : undefined,
    serverId: identity.agentId,
  });
  const end = async () => channel.close();
  return { ...channel, running, end };
}

/** The plainest way there is: TLS, else a WebSocket, else QUIC. */
function wayTo({ agtp_url, url, websocket_url }: RunningFacts): {
  readonly choice: CarrierChoice;
  readonly url: string;
} {
  const uri = agtp_url === undefined ? undefined : parseAgtpUri(agtp_url);
  if (uri?.ok === true && uri.value.server !== undefined) {
    return { choice: "tls", url: urlOfServer(uri.value.server) };
  }
  return { choice: websocket_url === undefined ? "webtransport" : "websocket", url };
}

async function onFolder(identity: LoadedIdentity, folder: string, unlock: () => void): Promise<Operator> {
  await using opened = new AsyncDisposableStack();
  opened.defer(unlock);
  const log = await openLmdbLog(folder);
  opened.defer(() => log.close());
  const clock = systemClock;
  let failure: unknown;
  const media = new MediaServer({
    config: {
      ...DEFAULT_SERVER_CONFIG,
      ...trustOf(DEFAULT_SERVER_CONFIG),
      serverId: OFFLINE_SERVER_ID,
      bindings: [],
      certificateHashes: () => [],
    },
    identity,
    log,
    // How sessions stand is judged by the server's own configuration, which is not known here.
    leavesSessions: true,
    clock,
    verifier,
    sha256,
    random,
    events: createPinoLog({ level: "error" }),
    onFatal: (error) => {
      failure ??= error;
    },
  });
  opened.defer(() => media.close());
  const network = new MemoryNetwork({ clock, liveness: false });
  const listener = network.listen(new URL(OFFLINE_ORIGIN).host, (connection) =>
    media.accept(connection, [OFFLINE_ORIGIN]),
  );
  opened.defer(() => listener.close());
  const platform = { ...nodePlatform(), clock, carrier: network };
  const url = `${OFFLINE_ORIGIN}${AGTP_PATH}`;
  const channel = await openChannel(platform, { identity, url, serverId: identity.agentId });
  const owned = opened.move();
  const end = async () => {
    channel.close();
    await owned.disposeAsync();
    if (failure !== undefined) throw failure;
  };
  return { ...channel, running: undefined, end };
}
