import { parseKeptFrames } from "../../codecs/kept-frames.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import type { TrustAnchors } from "../../signaling/evidence/parties.ts";
import type { RecordedCall, RecordedReport, RecordedRun } from "../../signaling/evidence/recorded.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { readInput } from "./files.ts";
import { usageError } from "./output.ts";

/** Which earlier call frames that are marked as recorded are held against. */
export interface SourceFlags {
  readonly source?: string;
  readonly sourceMedia?: string;
}

/** The earlier call of the flags, if they name one. Throws `usage` for files that do not hold, or one without the other. */
export async function readSource(
  { source, sourceMedia }: SourceFlags,
  anchors: TrustAnchors | undefined,
  verifier: Verifier,
): Promise<RecordedCall | undefined> {
  if (source === undefined && sourceMedia === undefined) return undefined;
  if (source === undefined || sourceMedia === undefined)
    throw usageError(
      "An earlier call is its evidence and its kept frames: --source FILE --source-media FILE.",
    );
  const evidence = verifyEvidence(await readInput(source), anchors, verifier);
  if (evidence.report.verdict === "invalid")
    throw usageError(`${source} is no evidence that holds: look at it with parley verify first.`);
  const kept = parseKeptFrames(await readInput(sourceMedia));
  if (!kept.ok) {
    const { message, at } = kept.fault;
    throw usageError(`${sourceMedia}: ${message} (${at})`, new ParleyError(kept.fault));
  }
  const { frames, faults } = verifyMedia(kept.value, evidence, verifier);
  const [fault] = faults;
  if (fault === undefined) return { evidence, frames };
  throw usageError(`${sourceMedia} does not belong to ${source}: ${fault.message} (${fault.at})`);
}

/** A line about each stream that was played from, and what of it is proven. */
export function describeRecorded(
  { runs }: RecordedReport,
  source: RecordedCall | undefined,
): { readonly run: RecordedRun; readonly text: string }[] {
  const anchored = source?.evidence.report.verdict === "verified" ? "" : ", not anchored";
  return runs.map((run) => {
    const who = run.leg === 0 ? "caller" : "callee";
    const from = `session ${run.sessionDigest.slice(0, 16)}…, stream ${run.stream}, ${run.first} to ${run.last}`;
    const marked = `${who}: ${run.frames} kept frames are marked as recorded in ${from}`;
    if (source === undefined) return { run, text: `${marked}: its own word, without --source` };
    const again = run.repeated === 0 ? "" : `, ${run.repeated} of them marked as recorded there too`;
    const text = `${marked}: ${signers(run, source)}${again}${anchored}, ${run.unknown} not at hand`;
    return { run, text };
  });
}

/** Whose words of the earlier call they are. */
function signers({ signedBy }: RecordedRun, { evidence }: RecordedCall): string {
  const by = (["caller", "callee"] as const).flatMap((role, leg) => {
    const count = signedBy[leg] ?? 0;
    if (count === 0) return [];
    const party = evidence.report.parties.find((one) => one.role === role);
    const behalf = party?.gateway === undefined ? "" : `, a gateway, for agent ${party.gateway.subject}`;
    return [`${count} are what its ${role} signed there, ${party?.name}, agent ${party?.agentId}${behalf}`];
  });
  return by.length === 0 ? "0 are proven" : by.join("; ");
}
