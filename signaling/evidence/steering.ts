import { decodeBase64url } from "../../codecs/base64url.ts";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { type Interrupt, interruptDigest, parseInterrupt, verifyInterrupt } from "../../codecs/interrupt.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { readSigned } from "../jws.ts";
import { NARROWING, narrowingDigest, verifyNarrowing } from "../narrowing.ts";
import { permitsSending } from "../scope.ts";
import { streamsSentBy } from "../terms.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { MediaKeys } from "./media-keys.ts";
import { type Party, ROLES } from "./parties.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings } from "./report.ts";
import type { CheckedStream } from "./streams.ts";

/** What judges a file's narrowings and interrupts. */
export interface SteeringInput {
  readonly lines: EvidenceLines;
  readonly agreement: Agreement;
  readonly parties: { readonly caller: Party; readonly callee: Party };
  readonly records: CheckedRecords;
  readonly keys: MediaKeys;
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
 * Judges what the ends changed during the session: narrowings as the history of the terms, interrupts as that of each
 * stream's media epoch, both against the records that name them and against what was sent, let through and received. Returns where each epoch begins.
 */
export function checkSteering(input: SteeringInput): readonly EpochStart[] {
  const { lines, findings } = input;
  lines.none("narrowing", findings, "server");
  lines.none("interrupt", findings, "server");
  checkNamed(input, "narrowing", checkNarrowings(input));
  const { byDigest, starts } = checkInterrupts(input);
  checkNamed(input, "interrupt", byDigest);
  return starts;
}

/** Line numbers by the digest that records name them by. */
type ByDigest = ReadonlyMap<string, number>;

function checkNarrowings(input: SteeringInput): ByDigest {
  const { lines, agreement, parties, verifier, findings } = input;
  const byDigest = new Map<string, number>();
  const placed = lines.of("narrowing").map(({ number, line }) => {
    const read = readSigned(line.jws, NARROWING);
    return { number, line, makes: read.ok ? read.value.number : Number.POSITIVE_INFINITY };
  });
  placed.forEach(({ number, line, makes }, at) => {
    const before = placed[at - 1];
    if (before?.line.of === line.of && before.makes >= makes)
      findings.fault("It stands after a narrowing that follows it.", `line ${number}, narrowing.number`);
  });
  let { terms } = agreement;
  for (const { number, line } of [...placed].sort((a, b) => a.makes - b.makes)) {
    byDigest.set(narrowingDigest(line.jws), number);
    if (line.of === "server") continue;
    const leg = line.of === "caller" ? 0 : 1;
    const publicKey = parties[line.of].genesis.agentKey;
    const sessionDigest = agreement.core.digest;
    const narrowing = verifyNarrowing(line.jws, { publicKey, sessionDigest, leg, terms }, verifier);
    if (!narrowing.ok) {
      findings.fault(narrowing.fault.message, `line ${number}, ${narrowing.fault.at ?? "narrowing"}`);
      continue;
    }
    const { scope, payload } = narrowing.value;
    terms = narrowing.value.terms;
    const kept = payload.scope.join(", ") || "nothing";
    findings.say("speaker-signed", `${line.of}: gave up scope, from terms ${terms.number} on keeps ${kept}`);
    for (const { stream, modality } of streamsSentBy(terms, leg)) {
      if (!permitsSending(scope, modality)) checkSilence(input, narrowingDigest(line.jws), leg, stream);
    }
  }
  return byDigest;
}

/** After an end gave up sending, nothing beyond what the record names may have been let through or received. */
function checkSilence(input: SteeringInput, digest: string, leg: 0 | 1, stream: number): void {
  const { lines, streams, findings } = input;
  const what = `${ROLES[leg]}, stream ${stream}`;
  const last = lastLetThrough(input, "narrowing", digest, leg, stream);
  if (last === undefined) {
    findings.say("server-claimed", `${what}: no word on which frame was the last before the narrowing`);
    return;
  }
  findings.say(
    "server-claimed",
    `${what}: ${last < 0 ? "nothing" : `frames up to ${last}`} let through before the narrowing`,
  );
  const receipts =
    streams.find((checked) => checked.leg === leg && checked.stream === stream)?.receipts ?? [];
  const beyond = receipts.flatMap(({ received }) => received).find((range) => range.last > last);
  if (beyond !== undefined)
    findings.fault(`The listener received frame ${beyond.last}, beyond the narrowing.`, what);
  for (const { number, line } of lines.of("counters")) {
    const counted = parseJson(new TextEncoder().encode(line.document));
    const flows = counted.ok && Array.isArray(counted.value) ? counted.value : [];
    const flow = flows.find((item) => isJsonObject(item) && item.leg === leg && item.stream === stream);
    if (isJsonObject(flow) && typeof flow.lastSequence === "number" && flow.lastSequence > last)
      findings.fault(
        `The relay counts frames up to ${flow.lastSequence}, beyond the narrowing.`,
        `line ${number}, ${what}`,
      );
  }
}

/** What the record of a change says of how far the relay had got with a stream; -1 for nowhere. */
function lastLetThrough(
  { records }: SteeringInput,
  kind: "narrowing" | "interrupt",
  digest: string,
  leg: number,
  stream: number,
): number | undefined {
  const named = records.records.find(({ payload }) => payload.extra?.[kind] === digest)?.payload.extra;
  const listed = Array.isArray(named?.streams) ? named.streams : undefined;
  const entry = listed?.find((item) => isJsonObject(item) && item.leg === leg && item.stream === stream);
  if (!isJsonObject(entry)) return undefined;
  return typeof entry.last_sequence === "number" ? entry.last_sequence : -1;
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
    const by = ROLES[interrupt.leg as 0 | 1];
    if (interrupt.leg === leg)
      findings.say("speaker-signed", `${what}: took back what was not yet heard, epoch ${interrupt.epoch}`);
    else findings.say("listener-signed", `${what}: interrupted by the ${by}, epoch ${interrupt.epoch}`);
  }
  let epoch = 0;
  for (const checkpoint of checkpoints) {
    if (checkpoint.epoch < epoch || checkpoint.epoch > inOrder.length)
      findings.fault(`Frames of epoch ${checkpoint.epoch}, which no interrupt began.`, what);
    epoch = Math.max(epoch, checkpoint.epoch);
  }
}

/** Every signed change is named by one record, and every record names one that is there. */
function checkNamed(
  { lines, records, findings }: SteeringInput,
  kind: "narrowing" | "interrupt",
  byDigest: ByDigest,
): void {
  const placed = lines.of("record");
  const named = new Set<string>();
  for (const [index, { payload }] of records.records.entries()) {
    const digest = payload.extra?.[kind];
    if (digest === undefined) continue;
    const at = `line ${placed[index]?.number}, record ${index}`;
    if (typeof digest !== "string" || !byDigest.has(digest))
      findings.fault(
        `The ${kind} that this record names is not in the file (line ${lines.placeOf(kind)}).`,
        at,
      );
    else if (named.has(digest)) findings.fault(`Another record names this ${kind} too.`, at);
    else named.add(digest);
  }
  for (const [digest, number] of byDigest) {
    if (!named.has(digest)) findings.fault(`No record names this ${kind}.`, `line ${number}, ${kind}`);
  }
}
