import { findAudioFormat } from "../../codecs/audio-formats.ts";
import type { Checkpoint } from "../../codecs/checkpoint.ts";
import type { Receipt, SequenceRange } from "../../codecs/receipt.ts";
import type { TermsStream } from "../terms.ts";

/** A receipt and what is told of it where it cannot be. */
export interface PlacedReceipt {
  readonly receipt: Receipt;
  readonly fault: (message: string) => void;
}

/** Frames after one that may carry its payload once more. */
const CARRIED_WITHIN = 2;

/**
 * Holds what receipts of one stream say was heard, and how far it was played, against what they say was received, against what the speaker's
 * checkpoints say of those frames, and against the frames that were agreed on.
 */
export function checkHeard(
  agreed: TermsStream,
  receipts: readonly PlacedReceipt[],
  checkpoints: readonly Checkpoint[],
): void {
  const received = merged(receipts.flatMap(({ receipt }) => receipt.received));
  // A listener that had too many ranges to name left some out, and counted them: any frame may have been among those.
  const namesAll = framesIn(received) >= receivedBy(receipts.map(({ receipt }) => receipt));
  const most = samplesOf(agreed);
  for (const { receipt, fault } of receipts) {
    const { totals, heard, played } = receipt;
    if (totals.heard > totals.received) fault("It counts more frames as heard than as received.");
    if (namesAll && heard.some((range) => !isWithin(received, range)))
      fault("The listener heard frames that it never received.");
    if (played === undefined) continue;
    if (played.samples > most)
      fault(`It says that ${played.samples} samples of a frame were played that has ${most}.`);
    if (namesAll && !mayPlay(agreed, received, played.sequence))
      fault(`It says that frame ${played.sequence} was played, which the listener never received.`);
    const listed = checkpoints.find(({ firstSequence, digests }) => {
      const place = played.sequence - firstSequence;
      return place >= 0 && place < digests.length;
    });
    if (listed !== undefined && listed.epoch !== played.epoch)
      fault(
        `It says that frame ${played.sequence} was of media epoch ${played.epoch}; its speaker signed ${listed.epoch}.`,
      );
  }
}

/** What was agreed to be carried once more may be played without having come itself. */
function mayPlay(agreed: TermsStream, received: readonly SequenceRange[], sequence: number): boolean {
  const isCarried = agreed.modality === "audio" && agreed.codec.red_payload_type !== undefined;
  const last = sequence + (isCarried ? CARRIED_WITHIN : 0);
  const at = firstBehind(received, sequence);
  return (received[at]?.first ?? Number.POSITIVE_INFINITY) <= last;
}

/** Samples of one frame, per channel; none of what is not played. */
function samplesOf(agreed: TermsStream): number {
  if (agreed.modality !== "audio") return 0;
  const { name, clock_rate, frame_ms } = agreed.codec;
  return ((findAudioFormat(name)?.clockRate ?? clock_rate) * frame_ms) / 1000;
}

/** What the last receipt of each key counts: totals are counted anew with each. */
function receivedBy(receipts: readonly Receipt[]): number {
  return receipts
    .filter(({ keyGeneration }, at) => receipts[at + 1]?.keyGeneration !== keyGeneration)
    .reduce((sum, { totals }) => sum + totals.received, 0);
}

function isWithin(ranges: readonly SequenceRange[], { first, last }: SequenceRange): boolean {
  const range = ranges[firstBehind(ranges, first)];
  return range !== undefined && range.first <= first && last <= range.last;
}

/** Place of the first range that does not end before `sequence`. */
function firstBehind(ranges: readonly SequenceRange[], sequence: number): number {
  let [from, to] = [0, ranges.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((ranges[middle] as SequenceRange).last < sequence) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Sorted, without overlaps, none touching the next. */
function merged(ranges: readonly SequenceRange[]): readonly SequenceRange[] {
  const made: { first: number; last: number }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = made.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else made.push({ first, last });
  }
  return made;
}

function framesIn(ranges: readonly SequenceRange[]): number {
  return ranges.reduce((frames, { first, last }) => frames + last - first + 1, 0);
}
