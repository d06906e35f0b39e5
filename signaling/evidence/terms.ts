import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { jwsDigest, readSigned } from "../jws.ts";
import { numberOf, type TakenStep, type TermsStep, takeStep } from "../latest-terms.ts";
import { narrowingDigest } from "../narrowing.ts";
import { parseScopes, permitsSending } from "../scope.ts";
import { streamsSentBy, type Terms } from "../terms.ts";
import {
  isStillGood,
  settingsOf,
  TERMS_ACCEPTANCE,
  type TermsChangePayload,
  termsChangeDigest,
} from "../terms-change.ts";
import { parseUtc } from "../utc-time.ts";
import type { LineOwner } from "./lines.ts";
import { type ByDigest, checkNamed, lastLetThrough } from "./named.ts";
import { ROLES } from "./parties.ts";
import type { SteeringInput } from "./steering.ts";

/** One signed step of the terms as it stands in the file. */
interface PlacedStep {
  readonly number: number;
  readonly of: LineOwner;
  readonly kind: "narrowing" | "terms-change";
  readonly step: TermsStep;
  /** Of the terms that it makes, as it says. */
  readonly makes: number;
  readonly digest: string;
}

/**
 * Judges the history of the terms: what each end gave up, and what both signed to have otherwise, one after the other from those of
 * offer and answer, against the records that name them and against what was let through and received. Returns the terms at the end.
 */
export function checkTerms(input: SteeringInput): Terms {
  const { lines, agreement, parties, verifier, findings } = input;
  for (const kind of ["narrowing", "terms-change", "terms-acceptance"] as const)
    lines.none(kind, findings, "server");
  const acceptances = acceptancesOf(input);
  const steps = placedSteps(input, acceptances);
  const owners = {
    publicKeys: [parties.caller.genesis.agentKey, parties.callee.genesis.agentKey] as const,
    sessionDigest: agreement.core.digest,
  };
  let { terms } = agreement;
  for (const placed of steps.toSorted((a, b) => a.makes - b.makes)) {
    if (placed.of === "server") continue;
    const taken = takeStep(terms, placed.step, owners, verifier, {
      leg: placed.of === "caller" ? 0 : 1,
    });
    if (!taken.ok) {
      const { at = placed.kind, message } = taken.fault;
      findings.fault(message, `line ${placed.number}, ${at}`);
      continue;
    }
    if (taken.value.kind === "change") checkInTime(input, taken.value.payload, placed.digest);
    const before = terms;
    terms = taken.value.terms;
    tell(input, before, taken.value, placed);
  }
  checkNamed(input, "narrowing", digestsOf(steps, "narrowing"));
  checkNamed(input, "terms-change", digestsOf(steps, "terms-change"));
  checkNamed(input, "terms-acceptance", new Map(acceptances.map(({ digest, number }) => [digest, number])));
  return terms;
}

/** A change comes into force while it is good, or never. */
function checkInTime(
  { lines, records, findings }: SteeringInput,
  change: Pick<TermsChangePayload, "iat">,
  digest: string,
): void {
  const index = records.records.findIndex(({ payload }) => payload.extra?.terms_change === digest);
  const record = records.records[index];
  if (record === undefined) return;
  const issued = parseUtc(record.payload.issued_at);
  if (issued.ok && isStillGood(change, issued.value)) return;
  findings.fault(
    "By this record a change came into force that was off by then.",
    `line ${lines.of("record")[index]?.number}, record ${index}`,
  );
}

function digestsOf(steps: readonly PlacedStep[], kind: PlacedStep["kind"]): ByDigest {
  return new Map(steps.filter((step) => step.kind === kind).map(({ digest, number }) => [digest, number]));
}

interface PlacedAcceptance {
  readonly number: number;
  readonly of: LineOwner;
  readonly jws: string;
  readonly digest: string;
  /** The change it accepts, as it says. */
  readonly accepts: string | undefined;
}

function acceptancesOf({ lines }: SteeringInput): readonly PlacedAcceptance[] {
  return lines.of("terms-acceptance").map(({ number, line: { of, jws } }) => {
    const read = readSigned(jws, TERMS_ACCEPTANCE);
    const accepts = read.ok ? read.value.change_digest : undefined;
    return { number, of, jws, digest: jwsDigest(jws), accepts };
  });
}

function placedSteps(input: SteeringInput, acceptances: readonly PlacedAcceptance[]): readonly PlacedStep[] {
  const { lines, findings } = input;
  const steps: PlacedStep[] = [];
  const add = (step: Omit<PlacedStep, "makes">) => {
    const makes = numberOf(step.step);
    const placed = { ...step, makes: makes.ok ? makes.value : Number.POSITIVE_INFINITY };
    const before = steps.findLast(({ of, kind }) => of === step.of && kind === step.kind);
    if (before !== undefined && before.makes >= placed.makes)
      findings.fault(
        `It stands after a ${step.kind} that follows it.`,
        `line ${step.number}, ${step.kind === "narrowing" ? "narrowing" : "change"}.number`,
      );
    steps.push(placed);
  };
  for (const { number, line } of lines.of("narrowing")) {
    const digest = narrowingDigest(line.jws);
    add({ number, of: line.of, kind: "narrowing", step: { narrowing: line.jws }, digest });
  }
  const used = new Set<string>();
  for (const { number, line } of lines.of("terms-change")) {
    const digest = termsChangeDigest(line.jws);
    const found = acceptances.find(({ accepts }) => accepts === digest);
    if (found === undefined) {
      findings.fault(
        `Nobody accepts this change (line ${lines.placeOf("terms-acceptance")}).`,
        `line ${number}, change`,
      );
      continue;
    }
    if (found.of === line.of)
      findings.fault("It stands among those of who asked.", `line ${found.number}, acceptance`);
    used.add(found.digest);
    const step = { change: line.jws, acceptance: found.jws };
    add({ number, of: line.of, kind: "terms-change", step, digest });
  }
  for (const { number, digest } of acceptances) {
    if (!used.has(digest))
      findings.fault("It accepts no change that is in the file.", `line ${number}, acceptance`);
  }
  return steps;
}

function tell(input: SteeringInput, before: Terms, taken: TakenStep, { digest }: PlacedStep): void {
  const { findings } = input;
  const { terms } = taken;
  const role = ROLES[taken.payload.leg];
  if (taken.kind === "change") {
    const { reason } = taken.payload;
    findings.say(
      "both",
      `terms ${terms.number}: the ${role} asked (${reason}), the other end accepted: ${changed(before, terms)}`,
    );
    return;
  }
  const kept = taken.payload.scope.join(", ") || "nothing";
  findings.say("speaker-signed", `${role}: gave up scope, from terms ${terms.number} on keeps ${kept}`);
  const scope = parseScopes(taken.payload.scope);
  for (const { stream, modality } of streamsSentBy(terms, taken.payload.leg)) {
    if (scope.ok && !permitsSending(scope.value, modality))
      checkSilence(input, digest, taken.payload.leg, stream);
  }
}

/** What is other than before, in words. */
function changed(before: Terms, after: Terms): string {
  const facts = before.profile === after.profile ? [] : [`profile ${after.profile}`];
  const { streams } = settingsOf(after);
  for (const { leg, stream, bitrate_bps: bitrate, redundancy } of streams) {
    const rate = bitrate === undefined ? [] : [`at most ${bitrate} bit/s`];
    const again = redundancy === undefined ? [] : [`each payload ${redundancy} times more`];
    facts.push(`${ROLES[leg]}, stream ${stream}: ${[...rate, ...again].join(", ")}`);
  }
  return facts.length === 0 ? "as in offer and answer" : facts.join("; ");
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
