import { decodeBase64url } from "../../codecs/base64url.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { type Interrupt, interruptDigest, parseInterrupt, verifyInterrupt } from "../../codecs/interrupt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { isInterruptible } from "../terms.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { MediaKeys } from "./media-keys.ts";
import { type ByDigest, checkNamed } from "./named.ts";
import { type Party, ROLES } from "./parties.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings } from "./report.ts";
import { lastLetThrough } from "./silence.ts";
import type { CheckedStream } from "./streams.ts";
import { checkTerms } from "./terms.ts";
import type { TermsHistory } from "./terms-history.ts";

/** What judges a file's changes and interrupts. */
export interface SteeringInput {
  readonly lines: EvidenceLines;
  readonly agreement: Agreement;
  readonly parties: { readonly caller: Party; readonly callee: Party };
  readonly records: CheckedRecords;
  readonly keys: MediaKeys;
  readonly history: TermsHistory;
  readonly streams: readonly CheckedStream[];
  readonly verifier: Verifier;
  readonly findings: Findings;
}

/** Where a media epoch of a stream begins: an interrupt that an end signed. */
export interface EpochStart {
  /** Leg of the speaker. */
  readonly leg: number;
  readonly stream: number;
  readonly epoch: number;
  /** The last frame that the relay says it let through before; -1 for none. Undefined where its record does not say. */
  readonly lastBefore: number | undefined;
}

/**
 * Judges what the ends changed during the session: the history of the terms ({@link checkTerms}), and interrupts as that of each
 * stream's media epoch, against the records that name them and against what was sent, let through and received. Returns where each epoch begins.
 */
export function checkSteering(input: SteeringInput): readonly EpochStart[] {
  const { lines, findings } = input;
  lines.none("interrupt", findings, "server");
  checkTerms(input);
  const { byDigest, starts } = checkInterrupts(input);
  checkNamed(input, "interrupt", byDigest);
  return starts;
}

function checkInterrupts(input: SteeringInput): {
  readonly byDigest: ByDigest;
  readonly starts: readonly EpochStart[];
} {
  const { lines, agreement, keys, streams, verifier, findings } = input;
  const byDigest = new Map<string, number>();
  const starts: EpochStart[] = [];
  const byStream = new Map<CheckedStream, { readonly interrupt: Interrupt; readonly number: number }[]>();
  for (const { number, line } of lines.of("interrupt")) {
    const decoded = decodeBase64url(line.bytes);
    const parsed = decoded.ok ? parseInterrupt(decoded.value) : decoded;
    if (!decoded.ok || !parsed.ok) {
      findings.fault("This is not an interrupt.", `line ${number}, interrupt`);
      continue;
    }
    const digest = encodeHex(interruptDigest(decoded.value));
    byDigest.set(digest, number);
    if (line.of === "server") continue;
    const interrupt = parsed.value;
    const signer = line.of === "caller" ? 0 : 1;
    const key = keys.at(signer, interrupt.keyGeneration);
    const stream = streams.find(
      (checked) => checked.leg === interrupt.speakerLeg && checked.stream === interrupt.stream,
    );
    if (key === undefined)
      findings.fault("It names a key generation that nobody presented.", `line ${number}, interrupt`);
    else if (!verifyInterrupt(decoded.value, key.ed25519, verifier))
      findings.fault("The signature does not hold.", `line ${number}, interrupt`);
    else if (
      stream === undefined ||
      interrupt.leg !== signer ||
      encodeHex(interrupt.sessionDigest) !== encodeHex(agreement.core.digest)
    )
      findings.fault("It belongs to another session, stream or leg.", `line ${number}, interrupt`);
    else if (
      signer !== stream.leg &&
      !isInterruptible({ streams: [stream.agreed] }, stream.stream, stream.leg)
    )
      findings.fault("Its speaker signed that it is not to be interrupted.", `line ${number}, interrupt`);
    else if (!wasInForce(input, signer, interrupt.keyGeneration, digest))
      findings.fault(
        `By the records, generation ${interrupt.keyGeneration} was not the key in force when it came.`,
        `line ${number}, interrupt`,
      );
    else {
      byStream.set(stream, [...(byStream.get(stream) ?? []), { interrupt, number }]);
      const place = { leg: interrupt.speakerLeg, stream: interrupt.stream };
      const lastBefore = lastLetThrough(input, "interrupt", digest, place.leg, place.stream);
      starts.push({ ...place, epoch: interrupt.epoch, lastBefore });
    }
  }
  for (const stream of streams) checkEpochs(stream, byStream.get(stream) ?? [], findings);
  return { byDigest, starts };
}

/** Whether the record that names an interrupt stands between those that bring its key and the next one. */
function wasInForce(
  { keys, records }: SteeringInput,
  leg: 0 | 1,
  generation: number,
  digest: string,
): boolean {
  const named = records.records.findIndex(({ payload }) => payload.extra?.interrupt === digest);
  if (named < 0) return true;
  const inForce = keys.of(leg).findLast(({ since }) => since < named);
  return inForce?.key.generation === generation;
}

function checkEpochs(
  { leg, stream, checkpoints }: CheckedStream,
  found: readonly { readonly interrupt: Interrupt; readonly number: number }[],
  findings: Findings,
): void {
  const what = `${ROLES[leg]}, stream ${stream}`;
  for (const signer of [0, 1]) {
    const own = found.filter(({ interrupt }) => interrupt.leg === signer);
    own.forEach(({ interrupt, number }, at) => {
      if ((own[at - 1]?.interrupt.epoch ?? 0) >= interrupt.epoch)
        findings.fault("It stands after an interrupt that follows it.", `line ${number}, interrupt`);
    });
  }
  const inOrder = [...found].sort((a, b) => a.interrupt.epoch - b.interrupt.epoch);
  for (const [at, { interrupt, number }] of inOrder.entries()) {
    if (interrupt.epoch !== at + 1)
      findings.fault(`An interrupt is missing or twice: epoch ${at + 1} is due.`, `line ${number}, ${what}`);
    const signer = interrupt.leg as 0 | 1;
    const by = ROLES[signer];
    if (interrupt.leg === leg)
      findings.say("speaker-signed", `${what}: took back what was not yet heard, epoch ${interrupt.epoch}`, [
        signer,
      ]);
    else
      findings.say("listener-signed", `${what}: interrupted by the ${by}, epoch ${interrupt.epoch}`, [
        signer,
      ]);
  }
  let epoch = 0;
  for (const checkpoint of checkpoints) {
    if (checkpoint.epoch < epoch || checkpoint.epoch > inOrder.length)
      findings.fault(`Frames of epoch ${checkpoint.epoch}, which no interrupt began.`, what);
    epoch = Math.max(epoch, checkpoint.epoch);
  }
}
