import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { AGENT_ID, DIGEST, integer, object, optional, readShape, text } from "../../signaling/shape.ts";
import { unwritable } from "../../store/data-folder.ts";

/** In the data folder while a server runs; readable by its owner alone. */
export const RUNNING_FILE = "running.json";

/** Where a running server is reached, for commands on the same machine. */
export interface RunningFacts {
  readonly pid: number;
  /** Agent-ID of the server. */
  readonly agent_id: string;
  /** SHA-256 of its certificate, 64 hex digits. */
  readonly certificate_hash: string;
  /** Where agents connect: `https:`, or `ws:` where there is nothing else. */
  readonly url: string;
  /** AGTP over TLS, `agtp://127.0.0.1:4480`. */
  readonly agtp_url?: string;
  readonly websocket_url?: string;
}

/**
 * Says in the data folder where the server that has it is reached, until the returned function is called. A file that a killed server
 * left is overwritten: who reads one finds out by the folder's lock whether its server lives. Throws `data-folder-unwritable`.
 */
export function writeRunningFile(folder: string, facts: RunningFacts): () => void {
  const path = join(folder, RUNNING_FILE);
  const unfinished = `${path}.tmp`;
  try {
    writeFileSync(unfinished, `${JSON.stringify(facts)}\n`, { mode: 0o600 });
    renameSync(unfinished, path);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  return () => rmSync(path, { force: true });
}

/** What the server that has the folder says of itself; `undefined` where none has said so yet. */
export function readRunningFile(folder: string): RunningFacts | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(join(folder, RUNNING_FILE));
  } catch {
    return undefined;
  }
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
  const facts = readShape(FACTS, parsed.value, RUNNING_FILE);
  return facts.ok ? facts.value : undefined;
}

const URL_TEXT = text({ min: 1, max: 512 });
const FACTS = object<RunningFacts>(
  {
    pid: integer(1, Number.MAX_SAFE_INTEGER),
    agent_id: AGENT_ID,
    certificate_hash: DIGEST,
    url: URL_TEXT,
    agtp_url: optional(URL_TEXT),
    websocket_url: optional(URL_TEXT),
  },
  { open: true },
);
