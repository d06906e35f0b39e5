/** Runs one target in a thread of its own, so that an input that hangs it or eats the memory is found and named. */
import { Worker } from "node:worker_threads";

export interface FuzzOrder {
  readonly target: string;
  readonly seed: number;
  /** Number of the first input, and of the first one no more. */
  readonly from: number;
  readonly to: number;
}

export interface FuzzOutcome {
  readonly target: string;
  readonly inputs: number;
  /** Milliseconds. */
  readonly took: number;
  /** What went wrong, and at which input; undefined when nothing did. */
  readonly failure: { readonly index: number; readonly error: string } | undefined;
}

/** What the thread says when it is through. */
export type FuzzMessage = { readonly error: string | undefined; readonly index: number };

/** Longest time one input may take, ms. Generous: the machine may be busy. */
const INPUT_MS = 20_000;
/** Memory a thread may have for objects, and for bytes beyond them, MiB. */
const HEAP_MIB = 256;
export const BYTES_MIB = 192;

export async function runFuzz(order: FuzzOrder): Promise<FuzzOutcome> {
  const began = performance.now();
  const progress = new Int32Array(new SharedArrayBuffer(4));
  progress[0] = order.from;
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: { order, progress },
    execArgv: ["--conditions=source"],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  const { promise, resolve } = Promise.withResolvers<FuzzOutcome["failure"]>();
  const fail = (error: string) => resolve({ index: Atomics.load(progress, 0), error });
  worker.on("message", ({ error, index }: FuzzMessage) =>
    resolve(error === undefined ? undefined : { index, error }),
  );
  worker.on("error", (error) => fail(String(error)));
  worker.on("exit", () => fail("the thread ended"));
  let last = -1;
  let since = performance.now();
  const watchdog = setInterval(() => {
    const index = Atomics.load(progress, 0);
    const now = performance.now();
    if (index !== last) {
      last = index;
      since = now;
    } else if (now - since > INPUT_MS) fail(`no end of one input within ${INPUT_MS} ms`);
  }, 500);
  const failure = await promise;
  clearInterval(watchdog);
  await worker.terminate();
  return { target: order.target, inputs: order.to - order.from, took: performance.now() - began, failure };
}
