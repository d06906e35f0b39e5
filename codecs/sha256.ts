import { sha256 } from "@noble/hashes/sha2.js";

/** SHA-256 (FIPS 180-4) of `message`, as fast as the platform has it. What it returns may be overwritten by its next call. */
export type Sha256 = (message: Uint8Array) => Uint8Array;

/** In JavaScript alone, where the platform has nothing faster that answers at once. */
export const portableSha256: Sha256 = sha256;
