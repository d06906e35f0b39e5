import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { IdentitySigner } from "../../codecs/signer.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { readIdentityDocument } from "../../signaling/identity-document.ts";
import { type IdentityKey, signerOf } from "./identity-key.ts";
import type { Sodium } from "./sodium.ts";

/** What is kept of an agent's identity. */
export interface KeptIdentity {
  readonly key: IdentityKey;
  /** Byte-exact, as issued. */
  readonly genesis: Uint8Array;
  /** Byte-exact, as issued. */
  readonly identityDocument: Uint8Array;
}

/** A kept identity, checked: both documents hold, belong together, and name the key. */
export interface LoadedIdentity extends KeptIdentity {
  /** 64 hex. */
  readonly agentId: string;
  /** Signs with the identity key. */
  readonly signer: IdentitySigner;
}

/**
 * The identity kept under `name` for this page's origin, or undefined. Rejects with `key-file-invalid` where what is kept does
 * not hold, and `storage-unavailable`.
 */
export async function loadIdentity(name: string, sodium: Sodium): Promise<LoadedIdentity | undefined> {
  const kept = await withStore((store) => store.get(STORE, name));
  return kept === undefined ? undefined : checkIdentity(name, kept, sodium);
}

/**
 * Keeps an identity under `name` unless there is one: resolves with the one that is then kept, which is another page's where
 * two made theirs at once. Rejects with `key-file-invalid` for an identity that does not hold, and `storage-unavailable`.
 */
export async function keepIdentity(
  name: string,
  identity: KeptIdentity,
  sodium: Sodium,
): Promise<LoadedIdentity> {
  checkIdentity(name, identity, sodium);
  const kept = await withStore(async (store) => {
    const transaction = store.transaction(STORE, "readwrite");
    const earlier = await transaction.store.get(name);
    if (earlier === undefined) await transaction.store.put({ ...identity }, name);
    await transaction.done;
    return earlier ?? identity;
  });
  return checkIdentity(name, kept, sodium);
}

/** Forgets the identity kept under `name`, for good: nobody can make its key again. */
export async function forgetIdentity(name: string): Promise<void> {
  await withStore((store) => store.delete(STORE, name));
}

interface Identities extends DBSchema {
  readonly identities: { readonly key: string; readonly value: KeptIdentity };
}

async function withStore<Value>(use: (store: IDBPDatabase<Identities>) => Promise<Value>): Promise<Value> {
  let store: IDBPDatabase<Identities> | undefined;
  try {
    store = await openDB<Identities>(DATABASE, VERSION, {
      upgrade: (database) => void database.createObjectStore(STORE),
      // A page with a later version of this library waits for the old ones to let go.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    });
    return await use(store);
  } catch (cause) {
    throw new ParleyError(
      { code: "storage-unavailable", message: "The browser does not keep identities for this page." },
      { cause },
    );
  } finally {
    store?.close();
  }
}

function checkIdentity(name: string, identity: KeptIdentity, sodium: Sodium): LoadedIdentity {
  const { verifier } = sodium;
  const genesis = readGenesis(identity.genesis, verifier);
  if (!genesis.ok) throw invalid(name, `has a Genesis that does not hold: ${genesis.fault.message}`);
  const document = readIdentityDocument(identity.identityDocument, genesis.value, verifier);
  if (!document.ok) {
    throw invalid(name, `has an identity document that does not hold: ${document.fault.message}`);
  }
  const signer = signerOf(identity.key, sodium);
  if (encodeHex(genesis.value.agentKey) !== encodeHex(signer.publicKey)) {
    throw invalid(name, "has a key that is not the one its Genesis names");
  }
  return { ...identity, agentId: genesis.value.agentId, signer };
}

function invalid(name: string, what: string): ParleyError {
  return new ParleyError({
    code: "key-file-invalid",
    message: `The identity kept as "${name}" ${what}.`.replace(/\.\.$/, "."),
  });
}

const DATABASE = "parley";
const VERSION = 1;
const STORE = "identities";
