/** Trust anchors on disk: whom an auditor, or an agent, believes. `{"anchors":[{"type":"key"|"agent","value":"…"}]}` */
import { open, readFile, rename, unlink } from "node:fs/promises";
import { encodeBase64url } from "../codecs/base64url.ts";
import { isJsonObject, type JsonValue, parseJson } from "../codecs/canonical-json.ts";
import { decodeHex, encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";
import { random, verifier } from "../platform/node/sodium.ts";
import type { TrustAnchors } from "../signaling/evidence/parties.ts";
import { decodePublicKey } from "../signaling/keys.ts";

/** Nobody is trusted. */
export const NO_ANCHORS: TrustAnchors = { issuerKeys: [], agentIds: [] };

/**
 * Reads the bytes of a trust file: anchors of type `key` (an issuer's raw Ed25519 key, base64url) and `agent` (an Agent-ID,
 * 64 hex digits). Faults: `body-malformed` for what is no JSON, `field-invalid` and `key-unacceptable` naming the anchor.
 */
export function parseTrustFile(bytes: Uint8Array, keys: Verifier = verifier): Result<TrustAnchors> {
  const parsed = parseJson(bytes);
  if (!parsed.ok) return parsed;
  const anchors = isJsonObject(parsed.value) ? parsed.value.anchors : undefined;
  if (!Array.isArray(anchors)) return refuse("field-invalid", "There is no list of anchors.", "anchors");
  const issuerKeys: Uint8Array[] = [];
  const agentIds: string[] = [];
  for (const [index, anchor] of (anchors as JsonValue[]).entries()) {
    const at = `anchors[${index}]`;
    const { type, value } = isJsonObject(anchor) ? anchor : {};
    if (typeof value !== "string") return refuse("field-invalid", "An anchor has a value.", `${at}.value`);
    if (type === "key") {
      const key = decodePublicKey(value, keys, `${at}.value`);
      if (!key.ok) return key;
      issuerKeys.push(key.value);
    } else if (type === "agent") {
      const id = decodeHex(value, AGENT_ID_BYTES, `${at}.value`);
      if (!id.ok) return id;
      agentIds.push(value);
    } else return refuse("field-invalid", "An anchor is a key or an agent.", `${at}.type`);
  }
  return ok({ issuerKeys, agentIds });
}

/** The bytes of a trust file. */
export function encodeTrustFile(anchors: TrustAnchors): Uint8Array {
  const entries = [
    ...anchors.issuerKeys.map((key) => ({ type: "key", value: encodeBase64url(key) })),
    ...anchors.agentIds.map((value) => ({ type: "agent", value })),
  ];
  return new TextEncoder().encode(`${JSON.stringify({ anchors: entries }, null, 2)}\n`);
}

/** The anchors of a file. Throws `usage` naming the file where it cannot be read or is no trust file. */
export async function loadTrustFile(path: string): Promise<TrustAnchors> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw broken(path, `cannot be read: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
  const parsed = parseTrustFile(bytes);
  if (parsed.ok) return parsed.value;
  const { message, at } = parsed.fault;
  throw broken(path, `is no trust file: ${message.replace(/\.$/, "")}${at === undefined ? "" : ` (${at})`}`);
}

/** Adds anchors to a file, which is made when there is none; those already there stay once. Throws `usage`. */
export async function addToTrustFile(path: string, added: TrustAnchors): Promise<void> {
  const known = await loadTrustFile(path).catch((error: unknown) => {
    if (error instanceof ParleyError && (error.cause as NodeJS.ErrnoException)?.code === "ENOENT")
      return NO_ANCHORS;
    throw error;
  });
  const keys = new Map([...known.issuerKeys, ...added.issuerKeys].map((key) => [encodeHex(key), key]));
  const agentIds = [...new Set([...known.agentIds, ...added.agentIds])];
  const unfinished = `${path}.${encodeHex(random(6))}.tmp`;
  try {
    const file = await open(unfinished, "wx");
    try {
      await file.writeFile(encodeTrustFile({ issuerKeys: [...keys.values()], agentIds }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (cause) {
    await unlink(unfinished).catch(() => undefined);
    throw broken(path, `cannot be written: ${(cause as NodeJS.ErrnoException).code}`, cause);
  }
}

function broken(path: string, what: string, cause?: unknown): ParleyError {
  return new ParleyError({ code: "usage", message: `The trust file ${path} ${what}.` }, { cause });
}

const AGENT_ID_BYTES = 32;
