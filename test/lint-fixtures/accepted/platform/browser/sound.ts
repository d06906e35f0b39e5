import sodium from "libsodium-wrappers";
import type { Signer } from "../../codecs/signer.ts";
import { clockOver } from "../timers.ts";

export const seed = (): Uint8Array => sodium.randombytes_buf(32);
export const parts: [Signer?, unknown?] = [undefined, clockOver];
