import type { Checkpoint } from "../../codecs/checkpoint.ts";
import type { Receipt } from "../../codecs/receipt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { MediaKey } from "../media-key.ts";
import { streamsSentBy, type TermsStream } from "../terms.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings, StreamReport } from "./report.ts";
import { ROLES, StatementReader } from "./statements.ts";

/** What speaker and listener signed about one stream. */
export interface CheckedStream {
  readonly leg: 0 | 1;
  readonly stream: number;
  readonly speakerKey: MediaKey;
  readonly checkpoints: readonly Checkpoint[];
  readonly receipts: readonly Receipt[];
  readonly report: StreamReport;
}

/** Judges every stream's checkpoints and receipts, against each other and against the closing statements. */
export function checkStreams(
  lines: EvidenceLines,
  agreement: Agreement,
  records: CheckedRecords,
  verifier: Verifier,
  findings: Findings,
): CheckedStream[] {
  const reader = new StatementReader(lines, agreement, verifier, findings);
  const streams: CheckedStream[] = [];
  for (const leg of [0, 1] as const) {
    for (const agreed of streamsSentBy(agreement.terms, leg)) {
      const checkpoints = reader.checkpoints(leg, agreed.stream);
      const receipts = reader.receipts(leg, agreed.stream);
      streams.push(judgeStream(agreement, leg, agreed, checkpoints, receipts, findings));
    }
  }
  reader.faultStrays();
  for (const leg of [0, 1] as const) checkTotals(leg, streams, records, findings);
  return streams;
}

function judgeStream(
  agreement: Agreement,
  leg: 0 | 1,
  { stream, modality }: TermsStream,
  checkpoints: readonly Checkpoint[],
  receipts: readonly Receipt[],
  findings: Findings,
): CheckedStream {
  const place = `${ROLES[leg]}, stream ${stream} (${modality})`;
  const frames = checkpoints.at(-1)?.totalFrames ?? 0;
  const first = checkpoints[0]?.firstSequence ?? 0;
  const closedBySpeaker = checkpoints.at(-1)?.final ?? false;
  const last = receipts.at(-1);
  const report: StreamReport = {
    leg,
    stream,
    modality,
    frames,
    checkpoints: checkpoints.length,
    closedBySpeaker,
    received: last?.totals.received,
    heard: last?.totals.heard,
    receipts: receipts.length,
    closedByListener: last?.final ?? false,
  };
  const open = closedBySpeaker ? "" : "; the speaker never closed it, later frames may exist";
  findings.say("speaker-signed", `${place}: ${frames} frames in ${checkpoints.length} checkpoints${open}`);
  if (last === undefined) {
    findings.say("server-claimed", `${place}: the listener signed no receipt`);
  } else {
    const { received, heard, concealed } = last.totals;
    const rest = last.final ? "" : "; the listener never closed it";
    const played = modality === "audio" ? `heard ${heard}, concealed ${concealed}` : `read ${heard}`;
    findings.say("listener-signed", `${place}: received ${received}, ${played}${rest}`);
    const beyond = receipts
      .flatMap((receipt) => receipt.received)
      .find((range) => range.first < first || range.last >= first + frames);
    if (beyond !== undefined && closedBySpeaker) {
      findings.fault(
        `The listener received frames ${beyond.first} to ${beyond.last}, which the speaker's checkpoints do not cover.`,
        place,
      );
    } else if (received > frames && closedBySpeaker) {
      findings.fault(`The listener signed for ${received} frames, the speaker for ${frames}.`, place);
    } else if (closedBySpeaker) {
      findings.say("both", `${place}: ${received} of ${frames} frames sent and received`);
    }
  }
  const side = leg === 0 ? agreement.offer : agreement.answer;
  return { leg, stream, speakerKey: side.mediaKey, checkpoints, receipts, report };
}

/** A closing statement counts what its end signed: what is missing from the file shows here. */
function checkTotals(
  leg: 0 | 1,
  streams: readonly CheckedStream[],
  records: CheckedRecords,
  findings: Findings,
): void {
  const closing = records.closings.get(leg);
  if (closing === undefined) return;
  const sum = (of: readonly CheckedStream[], count: (stream: StreamReport) => number) =>
    of.reduce((total, { report }) => total + count(report), 0);
  const spoken = streams.filter((stream) => stream.leg === leg);
  const heard = streams.filter((stream) => stream.leg !== leg);
  const { sent, received } = closing.totals;
  const checks = [
    ["frames sent", sent.frames, sum(spoken, ({ frames }) => frames)],
    ["checkpoints signed", sent.checkpoints, sum(spoken, ({ checkpoints }) => checkpoints)],
    ["receipts signed", received.receipts, sum(heard, ({ receipts }) => receipts)],
    ["frames received", received.frames, sum(heard, (stream) => stream.received ?? 0)],
  ] as const;
  for (const [what, stated, found] of checks) {
    if (stated === found) continue;
    findings.fault(
      `The ${ROLES[leg]} closed with ${stated} ${what}, the file holds ${found}: a statement is missing, or this end contradicts itself.`,
      `closing of the ${ROLES[leg]}`,
    );
  }
}
