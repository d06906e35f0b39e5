// Checks the signatures that come through a ring, as long as it lives.
import { parentPort, workerData } from "node:worker_threads";
import { verifier } from "../platform/node/sodium.ts";
import { type RingMemory, SignatureRing } from "./verify-ring.ts";

const { memory, publicKey } = workerData as { readonly memory: RingMemory; readonly publicKey: Uint8Array };
const key = publicKey.slice();
parentPort?.postMessage("ready");
new SignatureRing(memory).checkAll((message, signature) => verifier.verify(key, message, signature));
