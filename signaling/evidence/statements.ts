import { decodeBase64url } from "../../codecs/base64url.ts";
import {
  type Checkpoint,
  checkpointDigest,
  parseCheckpoint,
  verifyCheckpoint,
} from "../../codecs/checkpoint.ts";
import type { FrameProfile } from "../../codecs/frame.ts";
import { type NtpTime, ntpToUnixMs } from "../../codecs/ntp.ts";
import {
  type PlayedPosition,
  parseReceipt,
  type Receipt,
  receiptDigest,
  type SequenceRange,
  verifyReceipt,
} from "../../codecs/receipt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { MediaKey } from "../media-key.ts";
import type { TermsStream } from "../terms.ts";
import { CLOCK_SKEW_SECONDS } from "../validity.ts";
import type { Agreement } from "./agreement.ts";
import { checkHeard, type PlacedReceipt } from "./heard-frames.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { MediaKeys } from "./media-keys.ts";
import { ROLES, sameBytes } from "./parties.ts";
import type { Findings } from "./report.ts";
import type { SessionStream } from "./terms-history.ts";

/** Reads the chained statements of each stream, in the order they stand. */
export class StatementReader {
  readonly #lines: EvidenceLines;
  readonly #agreement: Agreement;
  readonly #keys: MediaKeys;
  readonly #verifier: Verifier;
  readonly #findings: Findings;
  readonly #taken = new Set<number>();

  constructor(
    lines: EvidenceLines,
    agreement: Agreement,
    keys: MediaKeys,
    verifier: Verifier,
    findings: Findings,
  ) {
    this.#lines = lines;
    this.#agreement = agreement;
    this.#keys = keys;
    this.#verifier = verifier;
    this.#findings = findings;
  }

  /** Checkpoints of `leg` for one stream. */
  checkpoints(leg: 0 | 1, session: SessionStream): Checkpoint[] {
    const { stream } = session.agreed;
    const chain: Checkpoint[] = [];
    let previous: Uint8Array = new Uint8Array(32);
    for (const { number, line } of this.#lines.of("checkpoint")) {
      if (line.of !== ROLES[leg]) continue;
      const bytes = this.#bytes(line.bytes, number);
      const parsed = bytes === undefined ? undefined : parseCheckpoint(bytes, this.#longest());
      if (bytes === undefined || parsed === undefined) continue;
      if (!parsed.ok) {
        this.#broken(number, parsed.fault.message, parsed.fault.at);
        continue;
      }
      const checkpoint = parsed.value;
      if (checkpoint.stream !== stream) continue;
      this.#taken.add(number);
      const at = `checkpoint ${chain.length} of the ${ROLES[leg]}, stream ${stream}`;
      const before = chain.at(-1);
      const key = this.#keys.at(leg, checkpoint.keyGeneration);
      const isFirstOfKey = before !== undefined && before.keyGeneration < checkpoint.keyGeneration;
      if (key === undefined) this.#broken(number, UNKNOWN_KEY, at);
      else if (!verifyCheckpoint(bytes, key.ed25519, this.#verifier))
        this.#broken(number, "The signature does not hold.", at);
      else if (checkpoint.leg !== leg || !this.#isHere(checkpoint.sessionDigest))
        this.#broken(number, "It belongs to another session or leg.", at);
      else if (checkpoint.index !== chain.length || !sameBytes(checkpoint.previous, previous))
        this.#broken(number, "A checkpoint is missing, added or moved: the chain breaks here.", at);
      else if (before?.final === true) this.#broken(number, "It follows the final one.", at);
      else if (before !== undefined && before.keyGeneration > checkpoint.keyGeneration)
        this.#broken(number, OLD_KEY, at);
      else if (before !== undefined && !goesOn(before, checkpoint, isFirstOfKey))
        this.#broken(number, "It does not go on where the one before it ended.", at);
      else if (
        checkpoint.totalFrames !==
        (isFirstOfKey ? 0 : (before?.totalFrames ?? 0)) + checkpoint.digests.length
      )
        this.#broken(number, "Its total does not add up.", at);
      else if (checkpoint.digests.length > 0 && !this.#isInTime(checkpoint, key))
        this.#broken(number, "It covers frames captured outside the agreed time or the key's validity.", at);
      else if (checkpoint.digests.length > 0 && !wasOpen(checkpoint, session))
        this.#broken(number, "It covers frames captured before the stream was opened.", at);
      previous = checkpointDigest(bytes);
      chain.push(checkpoint);
    }
    return chain;
  }

  /** Receipts of the other leg for what `speaker` sent on the stream, and stated in `checkpoints`. */
  receipts(speaker: 0 | 1, agreed: TermsStream, checkpoints: readonly Checkpoint[]): Receipt[] {
    const { stream } = agreed;
    const listener = speaker === 0 ? 1 : 0;
    const chain: Receipt[] = [];
    let previous: Uint8Array = new Uint8Array(32);
    const placed: PlacedReceipt[] = [];
    /** By key generation: a receipt counts what was made with its own key. */
    const listed = new Map<number, { received: number; heard: number }>();
    for (const { number, line } of this.#lines.of("receipt")) {
      if (line.of !== ROLES[listener]) continue;
      const bytes = this.#bytes(line.bytes, number);
      const parsed = bytes === undefined ? undefined : parseReceipt(bytes);
      if (bytes === undefined || parsed === undefined) continue;
      if (!parsed.ok) {
        this.#broken(number, parsed.fault.message, parsed.fault.at);
        continue;
      }
      const receipt = parsed.value;
      if (receipt.stream !== stream || receipt.speakerLeg !== speaker) continue;
      this.#taken.add(number);
      const at = `receipt ${chain.length} of the ${ROLES[listener]}, stream ${stream}`;
      const before = chain.at(-1);
      const counted = listed.get(receipt.keyGeneration) ?? { received: 0, heard: 0 };
      counted.received += framesIn(receipt.received);
      counted.heard += framesIn(receipt.heard);
      listed.set(receipt.keyGeneration, counted);
      const key = this.#keys.at(listener, receipt.keyGeneration);
      if (key === undefined) this.#broken(number, UNKNOWN_KEY, at);
      else if (!verifyReceipt(bytes, key.ed25519, this.#verifier))
        this.#broken(number, "The signature does not hold.", at);
      else if (receipt.listenerLeg !== listener || !this.#isHere(receipt.sessionDigest))
        this.#broken(number, "It belongs to another session or leg.", at);
      else if (receipt.index !== chain.length || !sameBytes(receipt.previous, previous))
        this.#broken(number, "A receipt is missing, added or moved: the chain breaks here.", at);
      else if (before?.final === true) this.#broken(number, "It follows the final one.", at);
      else if (before !== undefined && before.keyGeneration > receipt.keyGeneration)
        this.#broken(number, OLD_KEY, at);
      else if (counted.received > receipt.totals.received || counted.heard > receipt.totals.heard)
        this.#broken(number, "Its ranges hold more frames than its totals.", at);
      else if (before?.keyGeneration === receipt.keyGeneration && isBehind(receipt.played, before.played))
        this.#broken(number, "It says that less was played than the one before it.", at);
      placed.push({ receipt, fault: (message) => this.#broken(number, message, at) });
      previous = receiptDigest(bytes);
      chain.push(receipt);
    }
    checkHeard(agreed, placed, checkpoints);
    return chain;
  }

  /** Statements about streams that nobody agreed on do not belong in the file. */
  faultStrays(): void {
    for (const { number, line } of this.#lines.all) {
      if ((line.kind === "checkpoint" || line.kind === "receipt") && !this.#taken.has(number)) {
        this.#findings.fault(`This ${line.kind} is of a stream that was not agreed.`, `line ${number}`);
      }
    }
  }

  /** Frames belong between the media key's beginning and the earlier of its end and the session's, give or take the clocks. */
  #isInTime(checkpoint: Checkpoint, key: MediaKey): boolean {
    const { expires_at } = this.#agreement.terms;
    return isCaptured(checkpoint, key.notBefore, Math.min(key.notAfter, expires_at * 1000));
  }

  /** How much a checkpoint may list: where the terms changed, either profile may have been in force. */
  #longest(): FrameProfile {
    return this.#lines.of("terms-change").length > 0 ? "frame" : this.#agreement.terms.profile;
  }

  #isHere(digest: Uint8Array): boolean {
    return sameBytes(digest, this.#agreement.core.digest);
  }

  #bytes(encoded: string, number: number): Uint8Array | undefined {
    const bytes = decodeBase64url(encoded);
    if (bytes.ok) return bytes.value;
    this.#broken(number, bytes.fault.message, bytes.fault.at);
    return undefined;
  }

  #broken(number: number, message: string, at: string | undefined): void {
    this.#findings.fault(message, `line ${number}${at === undefined ? "" : `, ${at}`}`);
  }
}

/** Whether a stream had been asked for when its frames were captured. A closing may be signed long before anybody hears of it. */
function wasOpen(checkpoint: Checkpoint, { opened }: SessionStream): boolean {
  return opened === undefined || isCaptured(checkpoint, opened.at * 1000, Number.POSITIVE_INFINITY);
}

/** Whether frames were captured between two times, Unix milliseconds, give or take the clocks. */
function isCaptured({ firstCapture, lastCapture }: Checkpoint, from: number, to: number): boolean {
  const slack = CLOCK_SKEW_SECONDS * 1000;
  const captured = ({ seconds, fraction }: NtpTime) => ntpToUnixMs(seconds, fraction);
  return captured(firstCapture) >= from - slack && captured(lastCapture) <= to + slack;
}

const UNKNOWN_KEY = "It names a key generation that nobody presented.";
const OLD_KEY = "It is signed with a key that the one before it had replaced.";

/** A speaker that has a new key knows of what it sent before only what it stated: there may be a gap. */
function goesOn(before: Checkpoint, checkpoint: Checkpoint, isFirstOfKey: boolean): boolean {
  const end = before.firstSequence + before.digests.length;
  return isFirstOfKey ? checkpoint.firstSequence >= end : checkpoint.firstSequence === end;
}

/** Playing goes on, in frames, in samples of one, in epochs and in time; once begun it does not unbegin. */
function isBehind(played: PlayedPosition | undefined, before: PlayedPosition | undefined): boolean {
  if (before === undefined) return false;
  if (played === undefined) return true;
  const places = ({ epoch, sequence, samples, time }: PlayedPosition) =>
    [epoch, sequence, samples, ntpToUnixMs(time.seconds, time.fraction)] as const;
  const [epoch, sequence, samples, at] = places(played);
  const [oldEpoch, oldSequence, oldSamples, oldAt] = places(before);
  const isEarlier = sequence < oldSequence || (sequence === oldSequence && samples < oldSamples);
  return epoch < oldEpoch || isEarlier || at < oldAt;
}

function framesIn(ranges: readonly SequenceRange[]): number {
  return ranges.reduce((frames, { first, last }) => frames + last - first + 1, 0);
}
