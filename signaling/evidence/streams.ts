import type { Checkpoint } from "../../codecs/checkpoint.ts";
import { ntpToUnixMs } from "../../codecs/ntp.ts";
import type { Receipt, SequenceRange } from "../../codecs/receipt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { MediaKey } from "../media-key.ts";
import { sends } from "../stream-fields.ts";
import type { TermsStream } from "../terms.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { MediaKeys } from "./media-keys.ts";
import { ROLES } from "./parties.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings, PlayedTo, StreamReport } from "./report.ts";
import { StatementReader } from "./statements.ts";
import type { SessionStream, TermsHistory } from "./terms-history.ts";

/** What speaker and listener signed about one stream. */
export interface CheckedStream {
  readonly leg: 0 | 1;
  readonly stream: number;
  readonly agreed: TermsStream;
  /** The speaker's media keys, in order of generation. */
  readonly speakerKeys: readonly MediaKey[];
  readonly checkpoints: readonly Checkpoint[];
  readonly receipts: readonly Receipt[];
  readonly report: StreamReport;
}

/** Judges every stream's checkpoints and receipts, against each other and against the closing statements. */
export function checkStreams(
  lines: EvidenceLines,
  agreement: Agreement,
  history: TermsHistory,
  records: CheckedRecords,
  keys: MediaKeys,
  verifier: Verifier,
  findings: Findings,
): CheckedStream[] {
  const reader = new StatementReader(lines, agreement, keys, verifier, findings);
  const streams: CheckedStream[] = [];
  for (const leg of [0, 1] as const) {
    for (const session of history.streams) {
      const { agreed } = session;
      if (!sends(agreed.directions[leg])) continue;
      const checkpoints = reader.checkpoints(leg, session);
      const receipts = reader.receipts(leg, agreed, checkpoints);
      const speakerKeys = keys.of(leg).map(({ key }) => key);
      const begun = keys.of(leg)[0]?.key.generation ?? 0;
      const report = judgeStream({ leg, session, begun, checkpoints, receipts }, findings);
      streams.push({ leg, stream: agreed.stream, agreed, speakerKeys, checkpoints, receipts, report });
    }
  }
  reader.faultStrays();
  for (const leg of [0, 1] as const) checkTotals(leg, keys.lastGeneration(leg), streams, records, findings);
  return streams;
}

/** What was said of a stream, and the key generation that its speaker began with. */
interface Said {
  readonly leg: 0 | 1;
  readonly session: SessionStream;
  readonly begun: number;
  readonly checkpoints: readonly Checkpoint[];
  readonly receipts: readonly Receipt[];
}

function judgeStream({ leg, session, begun, checkpoints, receipts }: Said, findings: Findings): StreamReport {
  const { stream, modality } = session.agreed;
  const place = `${ROLES[leg]}, stream ${stream} (${modality})`;
  const [speaker, listener] = leg === 0 ? ([[0], [1]] as const) : ([[1], [0]] as const);
  const last = checkpoints.at(-1);
  const first = checkpoints[0]?.firstSequence ?? 0;
  const end = last === undefined ? 0 : last.firstSequence + last.digests.length;
  const frames = checkpoints.reduce((sum, { digests }) => sum + digests.length, 0);
  const closedBySpeaker = last?.final ?? false;
  const totals = receipts.length === 0 ? undefined : totalsOf(receipts);
  const report: StreamReport = {
    leg,
    stream,
    modality,
    openedBy: session.opened?.by,
    closedBy: session.closed?.by,
    frames,
    checkpoints: checkpoints.length,
    closedBySpeaker,
    received: totals?.received,
    heard: totals?.heard,
    receipts: receipts.length,
    closedByListener: receipts.at(-1)?.final ?? false,
    played: playedIn(receipts),
  };
  const open = closedBySpeaker ? "" : "; the speaker never closed it, later frames may exist";
  findings.say(
    "speaker-signed",
    `${place}: ${frames} frames in ${checkpoints.length} checkpoints${open}`,
    speaker,
  );
  const unstated = gapsOf(checkpoints, begun).map((gap) => ({ ...gap, received: receivedIn(gap, receipts) }));
  for (const { first: from, last: to, generation, received } of unstated) {
    findings.say(
      "speaker-signed",
      from === 0
        ? `${place}: goes on with frame ${to + 1} and key generation ${generation}; no checkpoint speaks of frames before`
        : `${place}: goes on with frame ${to + 1} and key generation ${generation}; no checkpoint speaks of frames ${from} to ${to}`,
      speaker,
    );
    if (received > 0)
      findings.say(
        "listener-signed",
        `${place}: received ${received} ${from === 0 ? "before" : `of frames ${from} to ${to}`}`,
        listener,
      );
  }
  if (totals === undefined) {
    findings.say("server-claimed", `${place}: the listener signed no receipt`);
    return report;
  }
  const { received, heard, concealed } = totals;
  const rest = report.closedByListener ? "" : "; the listener never closed it";
  const played =
    modality === "audio"
      ? `heard ${heard}, concealed ${concealed}`
      : `${modality === "video" ? "shown" : "read"} ${heard}`;
  findings.say("listener-signed", `${place}: received ${received}, ${played}${rest}`, listener);
  for (const { epoch, sequence, samples } of report.played) {
    const turn = report.played.length === 1 && epoch === 0 ? "" : ` of media epoch ${epoch}`;
    findings.say(
      "listener-signed",
      `${place}: played up to ${samples} samples of frame ${sequence}${turn}`,
      listener,
    );
  }
  const beyond = receipts
    .flatMap((receipt) => receipt.received)
    .find((range) => (range.first < first && !unstated.some((gap) => gap.first === 0)) || range.last >= end);
  const stated = received - unstated.reduce((sum, gap) => sum + gap.received, 0);
  if (beyond !== undefined && closedBySpeaker) {
    findings.fault(
      `The listener received frames ${beyond.first} to ${beyond.last}, which the speaker's checkpoints do not cover.`,
      place,
    );
  } else if (stated > frames && closedBySpeaker) {
    findings.fault(`The listener signed for ${stated} frames, the speaker for ${frames}.`, place);
  } else if (closedBySpeaker) {
    findings.say("both", `${place}: ${stated} of ${frames} frames sent and received`);
  }
  return report;
}

/** Where playing had come to when each media epoch was over, or the receipts were. A new key's receipts begin anew. */
function playedIn(receipts: readonly Receipt[]): PlayedTo[] {
  const last = new Map<number, PlayedTo>();
  for (const { played } of receipts) {
    if (played === undefined) continue;
    const { epoch, sequence, samples, time } = played;
    last.set(epoch, { epoch, sequence, samples, at: ntpToUnixMs(time.seconds, time.fraction) });
  }
  return [...last.values()];
}

/** What the listener counted under each of its keys, together. */
function totalsOf(receipts: readonly Receipt[]): Pick<Receipt["totals"], "received" | "heard" | "concealed"> {
  const totals = { received: 0, heard: 0, concealed: 0 };
  for (const [at, { keyGeneration, totals: counted }] of receipts.entries()) {
    if (receipts[at + 1]?.keyGeneration === keyGeneration) continue;
    totals.received += counted.received;
    totals.heard += counted.heard;
    totals.concealed += counted.concealed;
  }
  return totals;
}

/** Frames between two checkpoints that neither lists: only where the speaker's key changed. */
interface Gap extends SequenceRange {
  /** Of the key that goes on after it. */
  readonly generation: number;
}

function gapsOf(checkpoints: readonly Checkpoint[], begun: number): Gap[] {
  return checkpoints.flatMap(({ firstSequence, keyGeneration }, at) => {
    const before = checkpoints[at - 1];
    // Where none stands before it, the process that had the first key stated nothing before it was gone.
    if ((before?.keyGeneration ?? begun) === keyGeneration) return [];
    const first = before === undefined ? 0 : before.firstSequence + before.digests.length;
    return firstSequence > first ? [{ first, last: firstSequence - 1, generation: keyGeneration }] : [];
  });
}

function receivedIn(gap: SequenceRange, receipts: readonly Receipt[]): number {
  return receipts
    .flatMap(({ received }) => received)
    .reduce((sum, { first, last }) => {
      const within = Math.min(last, gap.last) - Math.max(first, gap.first) + 1;
      return sum + Math.max(0, within);
    }, 0);
}

/** A closing statement counts what its end signed with its last media key: what is missing from the file shows here. */
function checkTotals(
  leg: 0 | 1,
  generation: number,
  streams: readonly CheckedStream[],
  records: CheckedRecords,
  findings: Findings,
): void {
  const closing = records.closings.get(leg);
  if (closing === undefined) return;
  const { generation: closed = 0 } = closing;
  if (closed !== generation) {
    findings.fault(
      `The ${ROLES[leg]} closed with media key ${closed}, the last one in the file is ${generation}: what one of them signed is not counted.`,
      `closing of the ${ROLES[leg]}`,
    );
    return;
  }
  const own = <Statement extends { readonly keyGeneration: number }>(statements: readonly Statement[]) =>
    statements.filter(({ keyGeneration }) => keyGeneration === generation);
  const checkpoints = streams.filter((stream) => stream.leg === leg).flatMap((each) => own(each.checkpoints));
  const receipts = streams.filter((stream) => stream.leg !== leg).map((each) => own(each.receipts));
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const { sent, received } = closing.totals;
  const checks = [
    ["frames sent", sent.frames, sum(checkpoints.map(({ digests }) => digests.length))],
    ["checkpoints signed", sent.checkpoints, checkpoints.length],
    ["receipts signed", received.receipts, receipts.flat().length],
    ["frames received", received.frames, sum(receipts.map((chain) => chain.at(-1)?.totals.received ?? 0))],
  ] as const;
  for (const [what, stated, found] of checks) {
    if (stated === found) continue;
    findings.fault(
      `The ${ROLES[leg]} closed with ${stated} ${what}, the file holds ${found}: ${records.refused === undefined ? "" : `the server says that it refused some (${records.refused}), `}a statement is missing, or this end contradicts itself.`,
      `closing of the ${ROLES[leg]}`,
    );
  }
}
