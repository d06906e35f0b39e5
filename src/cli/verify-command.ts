import { type KeptFrame, parseKeptFrames } from "../../codecs/kept-frames.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { checkRecorded, type RecordedCall } from "../../signaling/evidence/recorded.ts";
import type { Verdict } from "../../signaling/evidence/report.ts";
import { type JudgedEvidence, verifyEvidence } from "../../signaling/evidence/verify.ts";
import { loadTrustFile } from "../trust-file.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { readInput, requireWritable } from "./files.ts";
import { type Output, usageError } from "./output.ts";
import { startProgress } from "./progress.ts";
import { writeProvenIvf } from "./proven-ivf.ts";
import { writeProvenMessages } from "./proven-messages.ts";
import { type ProvenWav, writeProvenWav } from "./proven-wav.ts";
import { readSource, type SourceFlags } from "./recorded-frames.ts";
import { describeReport, interruptedFrames, type JudgedMedia } from "./verify-lines.ts";

/** Flags of `parley verify`. */
export interface VerifyFlags extends SourceFlags {
  readonly trust?: string;
  readonly media?: string;
  readonly wav?: string;
  readonly ivf?: string;
  readonly messages?: string;
  readonly speaker?: "caller" | "callee";
}

/** `parley verify`: judges an evidence file offline, and kept frames against it. */
export async function verifyCommand(file: string, flags: VerifyFlags, output: Output): Promise<ExitCode> {
  if (flags.wav !== undefined && flags.media === undefined)
    throw usageError("--wav needs the frames to write it from: --media FILE.");
  if (flags.ivf !== undefined && flags.media === undefined)
    throw usageError("--ivf needs the frames to write it from: --media FILE.");
  if (flags.messages !== undefined && flags.media === undefined)
    throw usageError("--messages needs the frames to write them from: --media FILE.");
  if (flags.source !== undefined && flags.media === undefined)
    throw usageError("--source needs the frames that were recorded in it: --media FILE.");
  requireWritable(flags.wav, flags.ivf, flags.messages);
  const bytes = await readInput(file);
  const anchors = flags.trust === undefined ? undefined : await loadTrustFile(flags.trust);
  const kept = flags.media === undefined ? undefined : await readKept(flags.media);
  const evidence = verifyEvidence(bytes, anchors, verifier);
  const source = await readSource(flags, anchors, verifier);
  const media = kept === undefined ? undefined : judgeMedia(kept, evidence, source);
  const verdict = media !== undefined && media.faults.length > 0 ? "invalid" : evidence.report.verdict;
  const wav =
    flags.wav === undefined || media === undefined || evidence.report.verdict === "invalid"
      ? undefined
      : await writeProvenWav(flags.wav, media.frames, evidence, flags.speaker);
  const ivf =
    flags.ivf === undefined || media === undefined || evidence.report.verdict === "invalid"
      ? undefined
      : await writeProvenIvf(flags.ivf, media.frames, evidence, flags.speaker);
  const messages =
    flags.messages === undefined || media === undefined || evidence.report.verdict === "invalid"
      ? undefined
      : await writeProvenMessages(flags.messages, media.frames, evidence);
  const summary = media === undefined ? undefined : { ...mediaSummary(media, wav), ivf, messages };
  output.result(
    { ...evidence.report, verdict, evidence_verdict: evidence.report.verdict, media: summary },
    ...describeReport(evidence.report, media, source, { wav, ivf, messages }),
    verdictLine(verdict, flags.trust !== undefined),
  );
  return EXIT_OF[verdict];
}

const EXIT_OF: Readonly<Record<Verdict, ExitCode>> = {
  verified: EXIT.done,
  unanchored: EXIT.unanchored,
  invalid: EXIT.failed,
};

async function readKept(path: string): Promise<KeptFrame[]> {
  const parsed = parseKeptFrames(await readInput(path));
  if (parsed.ok) return parsed.value;
  throw usageError(`${path}: ${parsed.fault.message} (${parsed.fault.at})`, new ParleyError(parsed.fault));
}

function judgeMedia(
  kept: readonly KeptFrame[],
  evidence: JudgedEvidence,
  source: RecordedCall | undefined,
): JudgedMedia {
  const progress = startProgress("verifying", kept.length, "frames");
  try {
    const media = verifyMedia(kept, evidence, verifier, (judged) => {
      if (judged % PROGRESS_FRAMES === 0) progress.update(judged);
    });
    const recorded = checkRecorded(media.frames, source);
    return { frames: media.frames, faults: [...media.faults, ...recorded.faults], recorded };
  } finally {
    progress.stop();
  }
}

function mediaSummary(media: JudgedMedia, wav: ProvenWav | undefined) {
  return {
    proven: media.frames.length,
    checkpointed: media.frames.filter(({ checkpointed }) => checkpointed).length,
    interrupted: interruptedFrames(media),
    recorded: media.recorded.runs,
    faults: media.faults,
    wav,
  };
}

function verdictLine(verdict: Verdict, hasAnchors: boolean): string {
  if (verdict === "verified") return "verified";
  if (verdict === "invalid") return "INVALID";
  return hasAnchors
    ? "consistent, not anchored: no anchor given vouches for somebody in it"
    : "consistent, not anchored: give anchors with --trust";
}

/** Frames between two updates of the progress bar. */
const PROGRESS_FRAMES = 256;
