import { digestOf } from "../../codecs/checkpoint.ts";
import { FrameSigningContext, FrameView, frameDigest, parseFrame, verifyFrame } from "../../codecs/frame.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { sameBytes } from "./parties.ts";
import type { EvidenceFault } from "./report.ts";
import type { CheckedStream } from "./streams.ts";
import type { JudgedEvidence } from "./verify.ts";

/** One kept frame that belongs to the call. */
export interface ProvenFrame {
  readonly leg: number;
  readonly stream: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
  /** A checkpoint of the speaker lists it too. */
  readonly checkpointed: boolean;
}

/** What kept frames are worth. */
export interface MediaReport {
  /** Frames that belong, in order of leg, stream and sequence. */
  readonly frames: readonly ProvenFrame[];
  readonly faults: readonly EvidenceFault[];
}

/**
 * Judges kept frames against a judged file: each must carry its speaker's signature for this call and place. `progress`
 * hears how many were judged.
 */
export function verifyMedia(
  kept: readonly KeptFrame[],
  evidence: JudgedEvidence,
  verifier: Verifier,
  progress: (judged: number) => void = () => {},
): MediaReport {
  const faults: EvidenceFault[] = [];
  const frames: ProvenFrame[] = [];
  const contexts = new Map<CheckedStream, FrameSigningContext>();
  const places = new Set<string>();
  const view = new FrameView();
  const { agreement } = evidence;
  for (const [index, { leg, stream, packet }] of kept.entries()) {
    const at = `kept frame ${index}`;
    progress(index);
    const known = evidence.streams.find((candidate) => candidate.leg === leg && candidate.stream === stream);
    if (agreement === undefined || known === undefined) {
      faults.push({ code: "evidence-invalid", message: "It names a stream that was not agreed.", at });
      continue;
    }
    const context = contexts.get(known) ?? new FrameSigningContext(agreement.core.digest, leg, stream);
    contexts.set(known, context);
    const holds =
      parseFrame(packet, 0, view) === undefined &&
      view.keyGeneration === known.speakerKey.generation &&
      verifyFrame(context, packet, view, known.speakerKey.ed25519, verifier);
    if (!holds) {
      faults.push({ code: "signature-invalid", message: "It was not signed for this call and place.", at });
      continue;
    }
    const { sequence, timestamp } = view;
    const listed = known.checkpoints
      .map((checkpoint) => digestOf(checkpoint, sequence))
      .find((digest) => digest !== undefined);
    const digest = frameDigest(context.signedBytes(packet, view));
    if (listed !== undefined && !sameBytes(listed, digest)) {
      faults.push({
        code: "evidence-invalid",
        message: "The speaker's checkpoint lists another frame in its place.",
        at,
      });
      continue;
    }
    const place = `${leg}/${stream}/${sequence}`;
    if (places.has(place)) {
      faults.push({
        code: "evidence-invalid",
        message: "A frame of its place stands in the file already.",
        at,
      });
      continue;
    }
    places.add(place);
    frames.push({
      leg,
      stream,
      sequence,
      timestamp,
      payload: view.payload(packet),
      checkpointed: listed !== undefined,
    });
  }
  frames.sort((a, b) => a.leg - b.leg || a.stream - b.stream || a.sequence - b.sequence);
  return { frames, faults };
}
