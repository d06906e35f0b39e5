import { randomBytes } from "node:crypto";
import sodium from "sodium-native";
import type { Signer } from "../../codecs/signer.ts";

export const seed = (): Uint8Array => randomBytes(sodium.crypto_sign_SEEDBYTES);
export const now = (): number => Date.now();
export const signers: Signer[] = [];
