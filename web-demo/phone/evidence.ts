/** The evidence of a call, as a download. */
import { ParleyError } from "@parley-rt/parley/agent";
import type { OwnCall } from "../model/own-call.ts";
import { failureSentence } from "../model/words.ts";
import { evidenceName } from "../view/stage-view.ts";
import { download } from "./download.ts";

export async function saveEvidence(own: OwnCall, call: { evidence(): Promise<Uint8Array> }): Promise<void> {
  own.update((state) => ({ ...state, evidence: "fetching", evidenceProblem: undefined }));
  try {
    const bytes = await call.evidence();
    if (own.isShown) download(evidenceName(own.state), new Uint8Array(bytes), "application/json");
    own.update((now) => ({ ...now, evidence: "saved" }));
  } catch (error) {
    own.update((now) => ({ ...now, evidence: "none", evidenceProblem: sentenceOf(error) }));
  }
}

/** What went wrong, for people. */
export function sentenceOf(error: unknown): string {
  const code = error instanceof ParleyError ? error.code : "unknown";
  return failureSentence(code, error instanceof Error ? error.message : String(error));
}
