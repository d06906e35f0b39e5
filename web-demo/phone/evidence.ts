/** What is left of a call, as downloads: its evidence, and what was heard. */
import type { OwnCall } from "../model/own-call.ts";
import type { Recording } from "../model/wav.ts";
import { evidenceName } from "../view/stage-view.ts";
import { download } from "./download.ts";
import { failureOf } from "./failure.ts";

export async function saveEvidence(own: OwnCall, call: { evidence(): Promise<Uint8Array> }): Promise<void> {
  own.update((state) => ({ ...state, evidence: "fetching", evidenceProblem: undefined }));
  try {
    const bytes = await call.evidence();
    if (own.isShown) download(evidenceName(own.state), new Uint8Array(bytes), "application/json");
    own.update((now) => ({ ...now, evidence: "saved" }));
  } catch (error) {
    own.update((now) => ({ ...now, evidence: "none", evidenceProblem: failureOf(error).sentence }));
  }
}

export function saveSound(own: OwnCall, recording: Recording): void {
  download(evidenceName(own.state).replace(/evidence$/, "wav"), recording.wav(), "audio/wav");
}
