/** The key of one who vouches for agents, on disk. */
import { link, open, readFile, unlink } from "node:fs/promises";
import type { Issuer } from "../agent/new-identity.ts";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import { isJsonObject, parseJson } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { createSigner, generateSeed, random, SEED_BYTES } from "../platform/node/sodium.ts";

/**
 * Makes an issuer around a fresh key and writes it to a file that only its owner may read (mode 0600). Throws
 * `key-file-invalid` where there is a file already or none can be written.
 */
export async function createIssuerFile(path: string, name: string): Promise<Issuer> {
  const seed = generateSeed();
  const file = { parley_issuer: FILE_VERSION, name, seed: encodeBase64url(seed) };
  const unfinished = `${path}.${encodeHex(random(6))}.tmp`;
  try {
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // link() refuses where a file is: an issuer key that is overwritten is lost.
    await link(unfinished, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw invalid(path, code === "EEXIST" ? "exists already" : `cannot be written: ${code}`, cause);
  } finally {
    await unlink(unfinished).catch(() => undefined);
  }
  return { name, signer: createSigner(seed) };
}

/** The issuer of a file that {@link createIssuerFile} wrote. Throws `key-file-invalid`. */
export async function loadIssuerFile(path: string): Promise<Issuer> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw invalid(path, code === "ENOENT" ? "does not exist" : `cannot be read: ${code}`, cause);
  }
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw invalid(path, "is not JSON");
  const { parley_issuer: version, name, seed } = parsed.value;
  if (version !== FILE_VERSION) throw invalid(path, "is not a Parley issuer of this version");
  const key = typeof seed === "string" ? decodeBase64url(seed) : undefined;
  if (typeof name !== "string" || key?.ok !== true || key.value.length !== SEED_BYTES)
    throw invalid(path, "lacks `name` or `seed`");
  return { name, signer: createSigner(key.value) };
}

function invalid(path: string, what: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "key-file-invalid", message: `The issuer file ${path} ${what}.` },
    { cause },
  );
}

const FILE_VERSION = 1;
