/** What `parley verify` prints of what it found: one line each, with whose word it is. */
import type { MediaReport, ProvenFrame } from "../../signaling/evidence/media.ts";
import type { RecordedCall, RecordedReport } from "../../signaling/evidence/recorded.ts";
import { asStated, type EvidenceReport, ROLES } from "../../signaling/evidence/report.ts";
import type { ProvenIvf } from "./proven-ivf.ts";
import type { ProvenMessages } from "./proven-messages.ts";
import type { ProvenWav } from "./proven-wav.ts";
import { describeRecorded } from "./recorded-frames.ts";

/** What kept frames are worth, and what those of them that are marked as recorded. */
export interface JudgedMedia extends MediaReport {
  readonly recorded: RecordedReport;
}

/** Kept frames that the relay says it did not let through any more, by stream and epoch. */
export function interruptedFrames({ frames }: MediaReport) {
  const late = frames.filter(({ interrupted }) => interrupted);
  const groups = Map.groupBy(late, ({ leg, stream, epoch }) => `${leg}/${stream}/${epoch}`);
  return [...groups.values()].map((group) => {
    const [{ leg, stream, epoch, sequence: first }] = group as [ProvenFrame];
    return { leg, stream, epoch, first, last: group.at(-1)?.sequence ?? first, count: group.length };
  });
}

/** Files made of proven frames. */
export interface WrittenFiles {
  readonly wav: ProvenWav | undefined;
  readonly ivf: ProvenIvf | undefined;
  readonly messages: ProvenMessages | undefined;
}

/** Frames that a gateway signed are its word, whoever it acts for. */
export function describeReport(
  report: EvidenceReport,
  media: JudgedMedia | undefined,
  source: RecordedCall | undefined,
  { wav, ivf, messages }: WrittenFiles,
): string[] {
  const faults = [...report.faults, ...(media?.faults ?? [])];
  const told = faults.slice(0, FAULT_LINES);
  const checkpointed = media?.frames.filter((frame) => frame.checkpointed).length;
  const said = (by: string, text: string) => `${by.padEnd(15)}  ${text}`;
  const gateways = report.parties.filter(({ gateway }) => gateway !== undefined).map(({ role }) => role);
  const spoken = (text: string, speakers: readonly string[]) => {
    const stated = ROLES.filter((role) => speakers.includes(role) && gateways.includes(role));
    return said("speaker-signed", `${text}${asStated(stated)}`);
  };
  const roleOf = ({ leg }: { readonly leg: number }) => ROLES[leg as 0 | 1];
  return [
    ...report.statements.map(({ by, text }) => said(by, text)),
    ...(media === undefined
      ? []
      : [
          spoken(
            `${media.frames.length} kept frames belong, ${checkpointed} of them in checkpoints`,
            media.frames.map(roleOf),
          ),
        ]),
    ...(media === undefined
      ? []
      : describeRecorded(media.recorded, source).map(({ run, text }) => spoken(text, [roleOf(run)]))),
    ...(media === undefined
      ? []
      : interruptedFrames(media).map(({ leg, stream, epoch, first, last, count }) =>
          said(
            "server-claimed",
            `${leg === 0 ? "caller" : "callee"}, stream ${stream}: ${count} kept frames of epoch ${epoch} (${first} to ${last}) not let through: interrupted before`,
          ),
        )),
    ...(wav === undefined
      ? []
      : [
          spoken(
            `${wav.file}: ${wav.seconds} s of the ${wav.speaker}, ${wav.frames} frames; gaps are silence`,
            [wav.speaker],
          ),
        ]),
    ...(ivf === undefined
      ? []
      : [
          spoken(
            `${ivf.file}: ${ivf.units} access units of the ${ivf.speaker}, stream ${ivf.stream}, as signed, from the first key frame on`,
            [ivf.speaker],
          ),
        ]),
    ...(messages === undefined
      ? []
      : [spoken(`${messages.file}: ${messages.messages} data messages`, messages.speakers)]),
    ...told.map(({ code, message, at }) => said("FAULT", `${code}: ${message} (${at})`)),
    ...(faults.length > told.length
      ? [said("FAULT", `and ${faults.length - told.length} more; --json lists them`)]
      : []),
  ];
}

/** Faults told to people one by one; the rest are counted. */
const FAULT_LINES = 20;
