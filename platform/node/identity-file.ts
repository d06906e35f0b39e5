import { existsSync } from "node:fs";
import { link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer } from "../../codecs/signer.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { readIdentityDocument } from "../../signaling/identity-document.ts";
import { createSigner, random, SEED_BYTES, verifier } from "./sodium.ts";

/** What is kept of an agent's identity. */
export interface StoredIdentity {
  /** 32-byte seed of the identity key that the Genesis names. */
  readonly seed: Uint8Array;
  /** Byte-exact, as issued. */
  readonly genesis: Uint8Array;
  /** Byte-exact, as issued. */
  readonly identityDocument: Uint8Array;
}

/** An agent's identity from disk, checked: both documents hold, belong together, and name the key. */
export interface LoadedIdentity extends StoredIdentity {
  /** 64 hex. */
  readonly agentId: string;
  /** Signs with the identity key. */
  readonly signer: Signer;
}

/** Whether a file in the way is replaced. */
export interface SaveIdentityOptions {
  /** Default false: an identity key that is overwritten is lost. */
  readonly replace?: boolean;
}

/**
 * Writes an identity as a JSON file that only its owner may read (mode 0600). The file appears whole or not at
 * all. Rejects with `ParleyError` `key-file-invalid` where there is a file already or none can be written, and
 * for an identity that {@link loadIdentity} would refuse.
 */
export async function saveIdentity(
  path: string,
  identity: StoredIdentity,
  options: SaveIdentityOptions = {},
): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  checkIdentity(path, identity);
  const file = {
    parley_identity: FILE_VERSION,
    seed: encodeBase64url(identity.seed),
    genesis: decoder.decode(identity.genesis),
    identity_document: decoder.decode(identity.identityDocument),
  };
  const temporary = `${path}.${encodeHex(random(6))}.tmp`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // link() refuses where a file is; rename() replaces it.
    if (options.replace === true) await rename(temporary, path);
    else await link(temporary, path);
  } catch (cause) {
    const taken = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw invalid(path, taken ? "exists already" : "cannot be written", cause);
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/**
 * Reads an identity that {@link saveIdentity} wrote, verifying both documents. Rejects with `ParleyError`
 * `key-file-invalid` naming the file and what is wrong with it.
 */
export async function loadIdentity(path: string): Promise<LoadedIdentity> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) throw new RangeError(`more than ${MAX_FILE_BYTES} bytes`);
    bytes = await readFile(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw invalid(path, missing ? "does not exist" : "cannot be read", cause);
  }
  const parsed = parseJson(bytes);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw invalid(path, "is not JSON");
  const { parley_identity: version, seed, genesis, identity_document: document } = parsed.value;
  if (version !== FILE_VERSION) throw invalid(path, "is not a Parley identity of this version");
  if (typeof seed !== "string" || typeof genesis !== "string" || typeof document !== "string") {
    throw invalid(path, "lacks `seed`, `genesis` or `identity_document`");
  }
  const seedBytes = decodeBase64url(seed);
  if (!seedBytes.ok) throw invalid(path, "has a seed that is no key");
  const encoder = new TextEncoder();
  return checkIdentity(path, {
    seed: seedBytes.value,
    genesis: encoder.encode(genesis),
    identityDocument: encoder.encode(document),
  });
}

/** The identity that is kept in this file; where there is none, one that `make` makes is kept there first. Rejects with `key-file-invalid`. */
export async function keptIdentity(path: string, make: () => StoredIdentity): Promise<LoadedIdentity> {
  if (!existsSync(path)) await saveIdentity(path, make());
  return await loadIdentity(path);
}

function checkIdentity(path: string, identity: StoredIdentity): LoadedIdentity {
  if (identity.seed.length !== SEED_BYTES) throw invalid(path, "has a seed that is no key");
  const signer = createSigner(identity.seed);
  const genesis = readGenesis(identity.genesis, verifier);
  if (!genesis.ok) throw invalid(path, `has a Genesis that does not hold: ${genesis.fault.message}`);
  const document = readIdentityDocument(identity.identityDocument, genesis.value, verifier);
  if (!document.ok)
    throw invalid(path, `has an identity document that does not hold: ${document.fault.message}`);
  if (encodeHex(genesis.value.agentKey) !== encodeHex(signer.publicKey)) {
    throw invalid(path, "has a seed that is not of the key its Genesis names");
  }
  return { ...identity, agentId: genesis.value.agentId, signer };
}

function invalid(path: string, what: string, cause?: unknown): ParleyError {
  return new ParleyError(
    { code: "key-file-invalid", message: `The key file ${path} ${what}.`.replace(/\.\.$/, ".") },
    cause === undefined ? undefined : { cause },
  );
}

const FILE_VERSION = 1;
/** Both documents at their largest, escaped, and the seed; a larger file is not read. */
const MAX_FILE_BYTES = 131_072;
