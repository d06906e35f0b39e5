import { isJsonObject, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";
import { readSigned } from "./jws.ts";
import { NARROWING, type NarrowingPayload, verifyNarrowing } from "./narrowing.ts";
import type { Terms } from "./terms.ts";
import {
  TERMS_CHANGE,
  type TermsChangePayload,
  verifyTermsAcceptance,
  verifyTermsChange,
} from "./terms-change.ts";

/** A change with its acceptance, both compact JWS. */
export type SignedChange = { readonly change: string; readonly acceptance: string };

/** What made terms of those before: a narrowing of one end, or a change that both signed. */
export type TermsStep = { readonly narrowing: string } | SignedChange;

/** Who takes part in a session, for {@link latestTerms}. */
export interface TermsOwners {
  /** Identity keys by leg. */
  readonly publicKeys: readonly [Uint8Array, Uint8Array];
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
}

/** A step that holds, and the terms that it makes. */
export type TakenStep = { readonly terms: Terms } & (
  | { readonly kind: "narrowing"; readonly payload: NarrowingPayload }
  | { readonly kind: "change"; readonly payload: TermsChangePayload }
);

/** The number of the terms that a step says it makes. Nothing of it is judged. Faults: those of {@link readSigned}. */
export function numberOf(step: TermsStep): Result<number> {
  const read =
    "narrowing" in step ? readSigned(step.narrowing, NARROWING) : readSigned(step.change, TERMS_CHANGE);
  return read.ok ? ok(read.value.number) : read;
}

/** How a step is to be judged. */
interface StepOptions {
  /** Steps between are missing, which a later one of their kind makes up for. */
  readonly leavesOut?: boolean;
  /** Whose it must be. Default: whose it says. */
  readonly leg?: 0 | 1;
}

/** Judges one step from `terms`. Faults as {@link verifyNarrowing}'s, {@link verifyTermsChange}'s and {@link verifyTermsAcceptance}'s. */
export function takeStep(
  terms: Terms,
  step: TermsStep,
  { publicKeys, sessionDigest }: TermsOwners,
  verifier: Verifier,
  { leavesOut = false, leg: owner }: StepOptions = {},
): Result<TakenStep> {
  const number = numberOf(step);
  if (!number.ok) return number;
  const before = leavesOut ? { ...terms, number: Math.max(terms.number, number.value - 1) } : terms;
  if ("narrowing" in step) {
    const read = readSigned(step.narrowing, NARROWING);
    if (!read.ok) return read;
    const leg = owner ?? read.value.leg;
    const expected = { publicKey: publicKeys[leg], sessionDigest, leg, terms: before, leavesOut };
    const narrowing = verifyNarrowing(step.narrowing, expected, verifier);
    if (!narrowing.ok) return narrowing;
    return ok({ kind: "narrowing", payload: narrowing.value.payload, terms: narrowing.value.terms });
  }
  const read = readSigned(step.change, TERMS_CHANGE);
  if (!read.ok) return read;
  const leg = owner ?? read.value.leg;
  const expected = { publicKey: publicKeys[leg], sessionDigest, leg, terms: before, leavesOut };
  const change = verifyTermsChange(step.change, expected, verifier);
  if (!change.ok) return change;
  const other = publicKeys[leg === 0 ? 1 : 0];
  const accepting = { publicKey: other, change: change.value };
  const acceptance = verifyTermsAcceptance(step.acceptance, accepting, verifier);
  if (!acceptance.ok) return acceptance;
  return ok({ kind: "change", payload: change.value.payload, terms: change.value.terms });
}

/**
 * The terms in force, from the `first` ones, of each leg the narrowing that its scope in them comes from, and the last change that both
 * signed, by rising number. Those between are left out: each says all that remains of its leg's scope, or all that was agreed on. Faults as {@link takeStep}'s.
 */
export function latestTerms(
  first: Terms,
  steps: readonly TermsStep[],
  owners: TermsOwners,
  verifier: Verifier,
): Result<Terms> {
  let terms = first;
  for (const step of steps) {
    const taken = takeStep(terms, step, owners, verifier, { leavesOut: true });
    if (!taken.ok) return taken;
    terms = taken.value.terms;
  }
  return ok(terms);
}

/** Steps as the server tells them: `narrowings`, and the last `change` with its acceptance, by the number that each makes. Faults: `field-invalid`, those of {@link numberOf}. */
export function readSteps({ narrowings = [], change }: JsonObject): Result<readonly TermsStep[]> {
  const steps: TermsStep[] = [];
  if (!isTexts(narrowings)) return refuse("field-invalid", "This is no list of texts.", "narrowings");
  for (const narrowing of narrowings) steps.push({ narrowing });
  if (change !== undefined) {
    const read = readChange(change);
    if (!read.ok) return read;
    steps.push(read.value);
  }
  const numbered: { readonly step: TermsStep; readonly number: number }[] = [];
  for (const step of steps) {
    const number = numberOf(step);
    if (!number.ok) return number;
    numbered.push({ step, number: number.value });
  }
  return ok(numbered.toSorted((a, b) => a.number - b.number).map(({ step }) => step));
}

/** A change with its acceptance, as messages carry it. Fault: `field-invalid`. */
export function readChange(value: JsonValue | undefined): Result<SignedChange> {
  if (isJsonObject(value)) {
    const { change, acceptance } = value;
    if (typeof change === "string" && typeof acceptance === "string") return ok({ change, acceptance });
  }
  return refuse("field-invalid", "This is no change with its acceptance.", "change");
}

function isTexts(value: JsonValue): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
