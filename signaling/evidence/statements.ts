import { decodeBase64url } from "../../codecs/base64url.ts";
import {
  type Checkpoint,
  checkpointDigest,
  parseCheckpoint,
  verifyCheckpoint,
} from "../../codecs/checkpoint.ts";
import { type NtpTime, ntpToUnixMs } from "../../codecs/ntp.ts";
import {
  parseReceipt,
  type Receipt,
  receiptDigest,
  type SequenceRange,
  verifyReceipt,
} from "../../codecs/receipt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { MediaKey } from "../media-key.ts";
import { CLOCK_SKEW_SECONDS } from "../validity.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import { sameBytes } from "./parties.ts";
import type { Findings } from "./report.ts";

/** Whose line a leg's statements are. */
export const ROLES = ["caller", "callee"] as const;

/** Reads the chained statements of each stream, in the order they stand. */
export class StatementReader {
  readonly #lines: EvidenceLines;
  readonly #agreement: Agreement;
  readonly #verifier: Verifier;
  readonly #findings: Findings;
  readonly #taken = new Set<number>();

  constructor(lines: EvidenceLines, agreement: Agreement, verifier: Verifier, findings: Findings) {
    this.#lines = lines;
    this.#agreement = agreement;
    this.#verifier = verifier;
    this.#findings = findings;
  }

  /** Checkpoints of `leg` for one stream. */
  checkpoints(leg: 0 | 1, stream: number): Checkpoint[] {
    const key = this.#mediaKey(leg);
    const chain: Checkpoint[] = [];
    let previous: Uint8Array = new Uint8Array(32);
    for (const { number, line } of this.#lines.of("checkpoint")) {
      if (line.of !== ROLES[leg]) continue;
      const bytes = this.#bytes(line.bytes, number);
      const parsed = bytes === undefined ? undefined : parseCheckpoint(bytes, this.#agreement.terms.profile);
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
      if (!verifyCheckpoint(bytes, key.ed25519, this.#verifier))
        this.#broken(number, "The signature does not hold.", at);
      else if (
        checkpoint.leg !== leg ||
        checkpoint.keyGeneration !== key.generation ||
        !this.#isHere(checkpoint.sessionDigest)
      )
        this.#broken(number, "It belongs to another session, leg or key.", at);
      else if (checkpoint.index !== chain.length || !sameBytes(checkpoint.previous, previous))
        this.#broken(number, "A checkpoint is missing, added or moved: the chain breaks here.", at);
      else if (before?.final === true) this.#broken(number, "It follows the final one.", at);
      else if (
        before !== undefined &&
        checkpoint.firstSequence !== before.firstSequence + before.digests.length
      )
        this.#broken(number, "It does not go on where the one before it ended.", at);
      else if (checkpoint.totalFrames !== (before?.totalFrames ?? 0) + checkpoint.digests.length)
        this.#broken(number, "Its total does not add up.", at);
      else if (checkpoint.digests.length > 0 && !this.#isInTime(checkpoint, key))
        this.#broken(number, "It covers frames captured outside the agreed time or the key's validity.", at);
      previous = checkpointDigest(bytes);
      chain.push(checkpoint);
    }
    return chain;
  }

  /** Receipts of the other leg for what `speaker` sent on `stream`. */
  receipts(speaker: 0 | 1, stream: number): Receipt[] {
    const listener = speaker === 0 ? 1 : 0;
    const key = this.#mediaKey(listener);
    const chain: Receipt[] = [];
    let previous: Uint8Array = new Uint8Array(32);
    let receivedTo = -1;
    let heardTo = -1;
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
      if (!verifyReceipt(bytes, key.ed25519, this.#verifier))
        this.#broken(number, "The signature does not hold.", at);
      else if (
        receipt.listenerLeg !== listener ||
        receipt.keyGeneration !== key.generation ||
        !this.#isHere(receipt.sessionDigest)
      )
        this.#broken(number, "It belongs to another session, leg or key.", at);
      else if (receipt.index !== chain.length || !sameBytes(receipt.previous, previous))
        this.#broken(number, "A receipt is missing, added or moved: the chain breaks here.", at);
      else if (chain.at(-1)?.final === true) this.#broken(number, "It follows the final one.", at);
      else if (
        rangeTotal(chain, receipt, "received") > receipt.totals.received ||
        rangeTotal(chain, receipt, "heard") > receipt.totals.heard
      )
        this.#broken(number, "Its ranges hold more frames than its totals.", at);
      receivedTo = Math.max(receivedTo, receipt.received.at(-1)?.last ?? receivedTo);
      heardTo = Math.max(heardTo, receipt.heard.at(-1)?.last ?? heardTo);
      previous = receiptDigest(bytes);
      chain.push(receipt);
    }
    if (heardTo > receivedTo) {
      this.#findings.fault(
        "The listener heard frames that it never received.",
        `receipts of the ${ROLES[listener]}`,
      );
    }
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

  #mediaKey(leg: 0 | 1): MediaKey {
    return leg === 0 ? this.#agreement.offer.mediaKey : this.#agreement.answer.mediaKey;
  }

  /** Frames belong between the media key's beginning and the earlier of its end and the session's, give or take the clocks. */
  #isInTime(checkpoint: Checkpoint, key: MediaKey): boolean {
    const slack = CLOCK_SKEW_SECONDS * 1000;
    const { expires_at } = this.#agreement.terms;
    const captured = ({ seconds, fraction }: NtpTime) => ntpToUnixMs(seconds, fraction);
    return (
      captured(checkpoint.firstCapture) >= key.notBefore - slack &&
      captured(checkpoint.lastCapture) <= Math.min(key.notAfter, expires_at * 1000) + slack
    );
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

function rangeTotal(chain: readonly Receipt[], next: Receipt, kind: "received" | "heard"): number {
  return [...chain, next].reduce(
    (sum, receipt) => sum + receipt[kind].reduce((frames, range) => frames + length(range), 0),
    0,
  );
}

function length(range: SequenceRange): number {
  return range.last - range.first + 1;
}
