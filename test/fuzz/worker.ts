/** The thread of `run.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { BYTES_MIB, type FuzzMessage, type FuzzOrder } from "./run.ts";
import { inputOf } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** Inputs between two looks at the memory. */
const LOOK_EVERY = 10_000;

const { order, progress } = workerData as { readonly order: FuzzOrder; readonly progress: Int32Array };

parentPort?.postMessage((await fuzz()) satisfies FuzzMessage);

async function fuzz(): Promise<FuzzMessage> {
  const target = TARGETS.find(({ name }) => name === order.target);
  if (target === undefined) return { index: order.from, error: `there is no target ${order.target}` };
  for (let index = order.from; index < order.to; index += 1) {
    Atomics.store(progress, 0, index);
    try {
      const running = target.run(inputOf(target, order.seed, index));
      if (typeof running !== "boolean") await running;
    } catch (error) {
      return { index, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (index % LOOK_EVERY !== 0) continue;
    const held = process.memoryUsage().arrayBuffers / 2 ** 20;
    if (held > BYTES_MIB) return { index, error: `${held.toFixed(0)} MiB of bytes are held` };
  }
  return { index: order.to, error: undefined };
}
