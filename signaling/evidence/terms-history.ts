import { jwsDigest, readSigned } from "../jws.ts";
import { numberOf, type TakenStep, type TermsStep, takeStep } from "../latest-terms.ts";
import { narrowingDigest } from "../narrowing.ts";
import type { Terms, TermsStream } from "../terms.ts";
import { TERMS_ACCEPTANCE, termsChangeDigest } from "../terms-change.ts";
import type { LineOwner } from "./lines.ts";
import type { ByDigest } from "./named.ts";
import type { SteeringInput } from "./steering.ts";

/** What a history is read from. */
export type HistoryInput = Omit<SteeringInput, "streams" | "history">;

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

/** A step that holds, and the terms around it. */
export interface HistoryStep {
  readonly digest: string;
  /** Of the acceptance of a change. */
  readonly acceptance: string | undefined;
  readonly before: Terms;
  readonly taken: TakenStep;
}

/** A stream of the session, whenever it was open. */
export interface SessionStream {
  readonly agreed: TermsStream;
  /** Who opened it in mid-call, and when that was signed, Unix seconds. Absent: it stood in offer and answer. */
  readonly opened: { readonly by: 0 | 1; readonly at: number } | undefined;
  /** Who closed it while the session went on. Absent: nobody did. */
  readonly closed: { readonly by: 0 | 1 } | undefined;
}

/** The terms of a session one after the other, as the file proves them. */
export interface TermsHistory {
  readonly steps: readonly HistoryStep[];
  /** Terms at the end. */
  readonly terms: Terms;
  /** All that ever were, those of offer and answer first. */
  readonly streams: readonly SessionStream[];
  /** Lines of narrowings, changes and acceptances. */
  readonly lines: Readonly<Record<"narrowing" | "terms-change" | "terms-acceptance", ByDigest>>;
}

/** Reads what each end gave up and closed, and what both signed to have otherwise, one after the other from the terms of offer and answer. */
export function readHistory(input: HistoryInput): TermsHistory {
  const { lines, agreement, parties, verifier, findings } = input;
  for (const kind of ["narrowing", "terms-change", "terms-acceptance"] as const)
    lines.none(kind, findings, "server");
  const acceptances = acceptancesOf(input);
  const placed = placedSteps(input, acceptances);
  const owners = {
    publicKeys: [parties.caller.genesis.agentKey, parties.callee.genesis.agentKey] as const,
    sessionDigest: agreement.core.digest,
  };
  const steps: HistoryStep[] = [];
  let { terms } = agreement;
  for (const each of placed.toSorted((a, b) => a.makes - b.makes)) {
    if (each.of === "server") continue;
    const taken = takeStep(terms, each.step, owners, verifier, { leg: each.of === "caller" ? 0 : 1 });
    if (!taken.ok) {
      const { at = each.kind, message } = taken.fault;
      findings.fault(message, `line ${each.number}, ${at}`);
      continue;
    }
    const acceptance = "acceptance" in each.step ? jwsDigest(each.step.acceptance) : undefined;
    steps.push({ digest: each.digest, acceptance, before: terms, taken: taken.value });
    terms = taken.value.terms;
  }
  return {
    ...{ steps, terms, streams: streamsOf(agreement.terms, steps) },
    lines: {
      narrowing: digestsOf(placed, "narrowing"),
      "terms-change": digestsOf(placed, "terms-change"),
      "terms-acceptance": new Map(acceptances.map(({ digest, number }) => [digest, number])),
    },
  };
}

/** Streams that a step closed. */
export function closedBy({ before, taken }: HistoryStep): readonly TermsStream[] {
  const { streams } = taken.terms;
  return before.streams.filter((each) => !streams.some(({ stream }) => stream === each.stream));
}

/** Streams that a step opened. */
export function openedBy({ before, taken }: HistoryStep): readonly TermsStream[] {
  return taken.terms.streams.filter((each) => !before.streams.some(({ stream }) => stream === each.stream));
}

function streamsOf(first: Terms, steps: readonly HistoryStep[]): readonly SessionStream[] {
  const all = new Map<number, SessionStream>();
  for (const agreed of first.streams)
    all.set(agreed.stream, { agreed, opened: undefined, closed: undefined });
  for (const step of steps) {
    const { leg: by, iat: at } = step.taken.payload;
    for (const agreed of openedBy(step))
      all.set(agreed.stream, { agreed, opened: { by, at }, closed: undefined });
    for (const { stream } of closedBy(step)) {
      const known = all.get(stream);
      if (known !== undefined) all.set(stream, { ...known, closed: { by } });
    }
  }
  return [...all.values()];
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

function acceptancesOf({ lines }: HistoryInput): readonly PlacedAcceptance[] {
  return lines.of("terms-acceptance").map(({ number, line: { of, jws } }) => {
    const read = readSigned(jws, TERMS_ACCEPTANCE);
    const accepts = read.ok ? read.value.change_digest : undefined;
    return { number, of, jws, digest: jwsDigest(jws), accepts };
  });
}

function placedSteps(input: HistoryInput, acceptances: readonly PlacedAcceptance[]): readonly PlacedStep[] {
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
  /** Of the changes that they accept, by the line of the acceptance. */
  const accepted = new Map<number, number>();
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
    const step = { change: line.jws, acceptance: found.jws };
    const makes = numberOf(step);
    accepted.set(found.number, makes.ok ? makes.value : Number.POSITIVE_INFINITY);
    add({ number, of: line.of, kind: "terms-change", step, digest });
  }
  for (const [at, { number, of }] of acceptances.entries()) {
    const makes = accepted.get(number);
    const isBehind = acceptances
      .slice(0, at)
      .some((earlier) => earlier.of === of && (accepted.get(earlier.number) ?? 0) > (makes ?? 0));
    if (makes === undefined)
      findings.fault(
        "It accepts no change that is in the file, or one that is accepted.",
        `line ${number}, acceptance`,
      );
    else if (isBehind)
      findings.fault("It stands after an acceptance that follows it.", `line ${number}, acceptance`);
  }
  return steps;
}
