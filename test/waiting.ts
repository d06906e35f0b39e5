/** Waiting in real time, for tests of real processes and sockets. */

/** Resolves once `holds` does; rejects naming `what` after `limit` ms. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limit = 20_000,
): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${limit} ms went by without ${what}`);
    await pause(10);
  }
}

/** The promise's outcome, or a rejection naming `what` after `limit` ms. */
export async function within<Value>(what: string, promise: Promise<Value>, limit = 20_000): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${limit} ms went by without ${what}`)), limit);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
