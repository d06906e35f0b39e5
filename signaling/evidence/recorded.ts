import { encodeHex } from "../../codecs/hex.ts";
import type { ProvenFrame } from "./media.ts";
import { sameBytes } from "./parties.ts";
import { ownPayload } from "./recording.ts";
import type { EvidenceFault } from "./report.ts";
import type { JudgedEvidence } from "./verify.ts";

/** The call that frames say they were recorded in: its evidence, which holds, and of its kept frames the ones that are proven. */
export interface RecordedCall {
  readonly evidence: JudgedEvidence;
  readonly frames: readonly ProvenFrame[];
}

/** Frames that one end played from one stream of an earlier call. */
export interface RecordedRun {
  /** Of who played them. */
  readonly leg: number;
  /** 64 hex digits. */
  readonly sessionDigest: string;
  /** There. */
  readonly stream: number;
  readonly frames: number;
  /** Lowest and highest sequence number there. */
  readonly first: number;
  readonly last: number;
  /** How many of them the earlier call's kept frames prove: signed there by its speaker, at that place and time, with this payload. */
  readonly proven: number;
  /** How many of those the caller of the earlier call signed, and how many its callee. */
  readonly signedBy: readonly [caller: number, callee: number];
  /** How many of them are marked as recorded there too: who signed them there did not say them first. */
  readonly repeated: number;
  /** How many name a frame that is not at hand. */
  readonly unknown: number;
}

/** What frames that are marked as recorded say, and what comes of it. */
export interface RecordedReport {
  readonly runs: readonly RecordedRun[];
  readonly faults: readonly EvidenceFault[];
}

/** Judges proven frames that are marked as recorded; those of `source` against the frames they name. */
export function checkRecorded(
  frames: readonly ProvenFrame[],
  source: RecordedCall | undefined,
): RecordedReport {
  const faults: EvidenceFault[] = [];
  const marked = frames.flatMap((frame) => {
    const { recorded } = frame;
    return recorded === undefined
      ? []
      : [{ frame, recorded, sessionDigest: encodeHex(recorded.sessionDigest) }];
  });
  const originals = Map.groupBy(source?.frames ?? [], ({ stream, sequence }) => `${stream}/${sequence}`);
  const digest = source?.evidence.agreement?.core.digest;
  const runs = Map.groupBy(
    marked,
    ({ frame, recorded, sessionDigest }) => `${frame.leg}/${sessionDigest}/${recorded.stream}`,
  );
  return {
    runs: [...runs.values()].map((run) => {
      const signedBy: [number, number] = [0, 0];
      let repeated = 0;
      let unknown = 0;
      for (const { frame, recorded } of run) {
        const { stream, sequence, capture } = recorded;
        const isOfSource = digest !== undefined && sameBytes(recorded.sessionDigest, digest);
        const named = isOfSource ? originals.get(`${stream}/${sequence}`) : undefined;
        const original = named?.find(
          (candidate) =>
            candidate.capture.seconds === capture.seconds &&
            candidate.capture.fraction === capture.fraction &&
            isSaidBy(candidate, frame.payload, source),
        );
        if (named === undefined) unknown += 1;
        else if (original !== undefined) {
          signedBy[original.leg === 0 ? 0 : 1] += 1;
          if (original.recorded !== undefined) repeated += 1;
        } else {
          faults.push({
            code: "evidence-invalid",
            message: "It is marked as recorded and is not what was said there.",
            at: `leg ${frame.leg}, stream ${frame.stream}, frame ${frame.sequence}`,
          });
        }
      }
      const [{ frame, recorded, sessionDigest }] = run as [(typeof run)[number]];
      const sequences = run.map((one) => one.recorded.sequence);
      return {
        leg: frame.leg,
        sessionDigest,
        stream: recorded.stream,
        frames: run.length,
        first: sequences.reduce((least, one) => Math.min(least, one)),
        last: sequences.reduce((most, one) => Math.max(most, one)),
        proven: signedBy[0] + signedBy[1],
        signedBy,
        repeated,
        unknown,
      };
    }),
    faults,
  };
}

function isSaidBy(original: ProvenFrame, payload: Uint8Array, source: RecordedCall | undefined): boolean {
  const agreed = source?.evidence.agreement?.terms.streams.find(({ stream }) => stream === original.stream);
  if (agreed?.modality !== "audio") return false;
  const own = ownPayload(original, agreed.codec);
  return own !== undefined && sameBytes(own, payload);
}
