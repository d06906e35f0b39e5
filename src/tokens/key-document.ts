import { open } from "node:fs/promises";
import { isJsonObject, type JsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { isServiceUrl } from "../setting-parsers.ts";

/** Longest document of keys that is read, bytes. */
export const MAX_DOCUMENT_BYTES = 65_536;
/** How long fetching one may take, milliseconds, however its bytes drip. */
const FETCH_TIMEOUT_MS = 5_000;

/**
 * Reads the document with an issuer's keys (JWKS) from its URL or file. A redirect is not followed: whoever may write one at the issuer
 * would choose the keys. Throws `token-issuer-unavailable`.
 */
export async function loadKeyDocument(place: string, timeoutMs = FETCH_TIMEOUT_MS): Promise<JsonObject> {
  try {
    const bytes = isServiceUrl(place) ? await fetchBounded(place, timeoutMs) : await readBounded(place);
    const parsed = parseJson(bytes);
    if (parsed.ok && isJsonObject(parsed.value)) return parsed.value;
    throw new Error("it is not a JSON object");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      { code: "token-issuer-unavailable", message: `The keys at ${place} cannot be read: ${why}.` },
      { cause },
    );
  }
}

async function fetchBounded(url: string, timeoutMs: number): Promise<Uint8Array> {
  const response = await fetch(url, {
    redirect: "manual",
    credentials: "omit",
    headers: { accept: "application/jwk-set+json, application/json" },
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`it answers ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop breaks the answer off.
    if (length > MAX_DOCUMENT_BYTES) throw new Error(`it is longer than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readBounded(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(MAX_DOCUMENT_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > MAX_DOCUMENT_BYTES) throw new Error(`it is longer than ${MAX_DOCUMENT_BYTES} bytes`);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
