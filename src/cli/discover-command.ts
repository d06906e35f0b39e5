import { isJsonObject, type JsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import { decodeHex } from "../../codecs/hex.ts";
import type { AgtpResponse } from "../../codecs/message.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { readResponseBody, refusalFault } from "../../signaling/body.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { MANIFEST_MEDIA_TYPE, verifyManifest } from "../../signaling/manifest.ts";
import { openExchange } from "../../transports/exchange.ts";
import { tlsCarrier } from "../../transports/tls/client.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** Flags of `parley discover`. */
export interface DiscoverFlags {
  /** Hex; none: what the system's roots vouch for. */
  readonly certHash?: readonly string[];
}

/** `parley discover`: looks at a server by AGTP over TLS, without an identity, and prints what it says. */
export async function discoverCommand(
  server: string,
  path: string,
  { certHash }: DiscoverFlags,
  output: Output,
): Promise<ExitCode> {
  const hashes = certHash?.map((hash) => decodeHex(hash, 32, "--cert-hash"));
  const connection = await tlsCarrier({ clock: systemClock }).connect(
    server,
    hashes === undefined
      ? {}
      : { certificateHashes: hashes.flatMap((hash) => (hash.ok ? [hash.value] : [])) },
    () => ({ datagram() {}, stream() {}, exchange() {}, closed() {} }),
  );
  try {
    const answer = await discover(connection, path);
    const isManifest = answer.headers.get("Content-Type") === MANIFEST_MEDIA_TYPE;
    const found = isManifest ? await manifestOf(connection, answer) : resultOf(answer, path);
    output.result(found, ...JSON.stringify(found, null, 2).split("\n"));
    return EXIT.done;
  } finally {
    connection.close(CLOSE_CODES.normal, "");
  }
}

/** The one answer to `DISCOVER path` by nobody in particular. */
async function discover(connection: Connection, path: string): Promise<AgtpResponse> {
  const request = {
    dialect: "base",
    method: "DISCOVER",
    path,
    query: new Map<string, string>(),
    headers: new Headers([]),
    body: new Uint8Array(0),
  } as const;
  const exchange = openExchange(await connection.openExchange(), request);
  const cancel = systemClock.at(systemClock.now() + ANSWER_MS, () => exchange.cancel(CLOSE_CODES.normal));
  try {
    for await (const answer of exchange) return answer;
  } finally {
    cancel();
  }
  throw new ParleyError({ code: "connection-lost", message: `DISCOVER ${path} got no answer.` });
}

function resultOf(answer: AgtpResponse, path: string): JsonObject {
  const read = readResponseBody(answer);
  if (!read.ok) throw new ParleyError(read.fault);
  const refused = refusalFault(read.value);
  if (refused === undefined) return read.value.result;
  throw new ParleyError({ ...refused, message: `DISCOVER ${path}: ${refused.message}` });
}

/** The manifest, and whose signature holds over it; `null` where the server shows no Genesis to check it by. */
async function manifestOf(connection: Connection, { body }: AgtpResponse): Promise<JsonObject> {
  const parsed = parseJson(body);
  if (!parsed.ok || !isJsonObject(parsed.value))
    throw new ParleyError({ code: "body-malformed", message: "The manifest is no JSON object." });
  const manifest = parsed.value;
  const signer = await genesisOf(connection);
  if (signer !== undefined && !verifyManifest(manifest, signer.agentKey, verifier)) {
    const message = "The manifest's signature is not by the server's own key.";
    throw new ParleyError({ code: "signature-invalid", message, at: "manifest_signature" });
  }
  return { signed_by: signer?.agentId ?? null, manifest };
}

async function genesisOf(connection: Connection) {
  try {
    const { genesis } = resultOf(await discover(connection, "/genesis"), "/genesis");
    if (typeof genesis !== "string") return undefined;
    const read = readGenesis(new TextEncoder().encode(genesis), verifier);
    return read.ok ? read.value : undefined;
  } catch (error) {
    if (error instanceof ParleyError && error.code !== "connection-lost") return undefined;
    throw error;
  }
}

/** How long one answer may take, ms. */
const ANSWER_MS = 10_000;
