import { scopeOf } from "../narrowing.ts";
import { checkSendingOpened } from "../opened-streams.ts";
import { parseScopes, permitsSending } from "../scope.ts";
import { checkSendingAuthority } from "../sending-authority.ts";
import { sends } from "../stream-fields.ts";
import { streamsSentBy, type Terms, type TermsStream } from "../terms.ts";
import { isStillGood, settingsOf, type TermsChangePayload } from "../terms-change.ts";
import { parseUtc } from "../utc-time.ts";
import { inWords } from "./agreement.ts";
import { checkClosedStreams } from "./closed-streams.ts";
import { checkNamed } from "./named.ts";
import { ROLES } from "./parties.ts";
import { checkCounted, checkReceived, frames, lastLetThrough } from "./silence.ts";
import type { SteeringInput } from "./steering.ts";
import { type HistoryStep, openedBy } from "./terms-history.ts";

/**
 * Judges the history of the terms: what each end gave up and closed, and what both signed to have otherwise or opened, against the records that name
 * it, against the authority of who would send, and against what was let through and received.
 */
export function checkTerms(input: SteeringInput): void {
  const { history } = input;
  for (const step of history.steps) {
    if (step.taken.kind === "change") {
      checkInTime(input, step.taken.payload, step.digest);
      tellChange(input, step);
    } else tellNarrowing(input, step);
  }
  checkClosedStreams(input);
  checkRecords(input);
  for (const kind of ["narrowing", "terms-change", "terms-acceptance"] as const)
    checkNamed(input, kind, history.lines[kind]);
}

/** A record that brings a change into force names its own acceptance, and those of changes, and of narrowings, follow each other as the terms do. */
function checkRecords({ history, lines, records, findings }: SteeringInput): void {
  const placed = lines.of("record");
  for (const member of ["terms_change", "narrowing"] as const) {
    let newest = 0;
    for (const [index, { payload }] of records.records.entries()) {
      const { extra = {} } = payload;
      const step = history.steps.find(({ digest }) => digest === extra[member]);
      if (step === undefined) continue;
      const at = `line ${placed[index]?.number}, record ${index}`;
      if (step.acceptance !== undefined && extra.terms_acceptance !== step.acceptance)
        findings.fault("It names the acceptance of another change.", at);
      if (step.taken.terms.number < newest) findings.fault("It stands after a record of later terms.", at);
      newest = Math.max(newest, step.taken.terms.number);
    }
  }
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

function tellChange(input: SteeringInput, step: HistoryStep): void {
  const { findings } = input;
  const { before, taken } = step;
  const { terms, payload } = taken;
  const role = ROLES[payload.leg];
  const reason = taken.kind === "change" ? taken.payload.reason : "";
  findings.say(
    "both",
    `terms ${terms.number}: the ${role} asked (${reason}), the other end accepted: ${changed(before, terms)}`,
  );
  const opened = openedBy(step);
  for (const agreed of opened) {
    const { stream, directions } = agreed;
    const from = ([0, 1] as const).filter((leg) => sends(directions[leg])).map((leg) => ROLES[leg]);
    findings.say(
      "both",
      `stream ${stream}: opened by the ${role} from terms ${terms.number} on: ${inWords(agreed)}, sent by ${from.join(" and ")}`,
    );
  }
  if (opened.length > 0) for (const leg of [0, 1] as const) checkMaySend(input, terms, leg, opened);
}

/** What is sent on opened streams lies within what the issuer of its sender grants, as with those of offer and answer, and under its caps. */
function checkMaySend(
  { agreement, parties, findings }: SteeringInput,
  terms: Terms,
  leg: 0 | 1,
  opened: readonly TermsStream[],
): void {
  const { role, genesis, identity } = parties[ROLES[leg]];
  if (identity === undefined) return;
  const claim = (leg === 0 ? agreement.offer : agreement.answer).scope;
  const authority = checkSendingAuthority({
    leg,
    genesis,
    identity,
    claim,
    terms: { ...terms, streams: opened },
  });
  const fresh = (terms.opened ?? []).filter(({ offer }) =>
    opened.some(({ stream }) => stream === offer.stream),
  );
  const allowed = authority.ok ? checkSendingOpened(terms, leg, authority.value, fresh) : authority;
  if (allowed.ok) return;
  const which = opened.map(({ stream }) => stream).join(", ");
  findings.fault(
    `The ${role} had no authority for what was opened (stream ${which}): ${allowed.fault.message}`,
    `${role}, scope`,
  );
}

function tellNarrowing(input: SteeringInput, step: HistoryStep): void {
  const { findings } = input;
  const { before, taken, digest } = step;
  const { leg } = taken.payload;
  const { number } = taken.terms;
  const kept = scopeOf(taken.terms, leg);
  if (String(kept) !== String(scopeOf(before, leg))) {
    const left = kept.join(", ") || "nothing";
    findings.say("speaker-signed", `${ROLES[leg]}: gave up scope, from terms ${number} on keeps ${left}`, [
      leg,
    ]);
  }
  const scope = parseScopes(kept);
  for (const { stream, modality } of streamsSentBy(taken.terms, leg)) {
    if (scope.ok && !permitsSending(scope.value, modality)) checkSilence(input, digest, leg, stream);
  }
}

/** What is other than before, in words. */
function changed(before: Terms, after: Terms): string {
  const facts = before.profile === after.profile ? [] : [`profile ${after.profile}`];
  const { streams } = settingsOf(after);
  for (const setting of streams) {
    const {
      leg,
      stream,
      bitrate_bps: bitrate,
      redundancy,
      max_height: height,
      max_frame_rate: rate,
    } = setting;
    const said = [
      ...(bitrate === undefined ? [] : [`at most ${bitrate} bit/s`]),
      ...(redundancy === undefined ? [] : [`each payload ${redundancy} times more`]),
      ...(height === undefined ? [] : [`at most ${height} lines`]),
      ...(rate === undefined ? [] : [`at most ${rate} frames/s`]),
    ];
    facts.push(`${ROLES[leg]}, stream ${stream}: ${said.join(", ")}`);
  }
  for (const { offer } of after.opened ?? []) {
    if (before.streams.some(({ stream }) => stream === offer.stream)) continue;
    facts.push(`stream ${offer.stream} opened`);
  }
  return facts.length === 0 ? "as in offer and answer" : facts.join("; ");
}

/** After an end gave up sending nothing beyond what the record names may have been let through or received. */
function checkSilence(input: SteeringInput, digest: string, leg: 0 | 1, stream: number): void {
  const { findings } = input;
  const what = `${ROLES[leg]}, stream ${stream}`;
  const last = lastLetThrough(input, "narrowing", digest, leg, stream);
  if (last === undefined) {
    findings.say("server-claimed", `${what}: no word on which frame was the last before the narrowing`);
    return;
  }
  findings.say("server-claimed", `${what}: ${frames(last)} let through before the narrowing`);
  checkReceived(input, leg, stream, last, "narrowing");
  checkCounted(input, leg, stream, last, "narrowing");
}
