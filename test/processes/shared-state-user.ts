/**
 * Uses the shared state in the folder given. Each line it reads is JSON, `{"proof": jti}` or `{"rate": name}`; it prints what became of it:
 * `new`, or the code of the refusal. Holds nothing else, so that it may be killed at any time.
 */
import { createInterface } from "node:readline";
import type { Result } from "../../codecs/result.ts";
import { openSharedState } from "../../store/shared-state.ts";

const RATE = { perSecond: 0.001, burst: 10 };
const LIFE_MS = 60_000;

const state = await openSharedState(process.argv[2] ?? "");
const told = (taken: Result<void>) => (taken.ok ? "new" : taken.fault.code);

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { proof, rate } = JSON.parse(line) as { readonly proof?: string; readonly rate?: string };
  const now = Date.now();
  const taken =
    proof === undefined
      ? state.rates.take([{ name: rate ?? "", rate: RATE }], now)
      : state.proofs.take("a".repeat(64), proof, now + LIFE_MS, now);
  process.stdout.write(`${told(taken)}\n`);
}
