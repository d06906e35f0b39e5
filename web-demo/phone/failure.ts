/** What went wrong, for people. */
import { ParleyError } from "@parley-rt/parley/agent";
import type { Outcome } from "../model/page-state.ts";
import { failureSentence } from "../model/words.ts";

export function failureOf(error: unknown): Outcome {
  const code = error instanceof ParleyError ? error.code : "unknown";
  const message = error instanceof Error ? error.message : String(error);
  return { sentence: failureSentence(code, message), code };
}
