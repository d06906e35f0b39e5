import { randomInt } from "node:crypto";

/**
 * The seed of a run: `PARLEY_SEED` from the environment, else a fresh one. It is printed with `name`, so that a failed run can
 * be repeated.
 */
export function announceSeed(name: string): number {
  const given = Number(process.env.PARLEY_SEED ?? Number.NaN);
  const seed = Number.isInteger(given) ? given >>> 0 : randomInt(2 ** 32);
  console.info(`${name}: PARLEY_SEED=${seed}`);
  return seed;
}
