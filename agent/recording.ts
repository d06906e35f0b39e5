import { parseKeptFrames } from "../codecs/kept-frames.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { makeRecording, type Recording } from "../signaling/evidence/recording.ts";
import { verifyEvidence } from "../signaling/evidence/verify.ts";
import { unwrap } from "./unwrap.ts";

/** Files of a call that is over: what `call.evidence()` gave, and the frames that a tap kept. */
export interface RecordingFiles {
  readonly evidence: Uint8Array;
  /** A file of kept frames (`docs/wire-media.md`). */
  readonly frames: Uint8Array;
  /** Whose voice. Default: that of the only end whose frames were kept. */
  readonly speaker?: "caller" | "callee";
}

/** What was said in the call of these files, for `call.audio.replay`. Throws `evidence-invalid`, `stream-malformed`, `field-invalid`. */
export function readRecording(files: RecordingFiles, verifier: Verifier): Recording {
  const { evidence, frames, speaker } = files;
  const kept = unwrap(parseKeptFrames(frames));
  if (kept.length === 0) {
    throw new ParleyError({ code: "field-invalid", message: "The file holds no frames.", at: "frames" });
  }
  const leg = speaker === undefined ? undefined : speaker === "caller" ? 0 : 1;
  return unwrap(makeRecording(kept, verifyEvidence(evidence, undefined, verifier), leg, verifier));
}
