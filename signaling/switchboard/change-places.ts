import { canonicalize } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { checkSendingOpened } from "../opened-streams.ts";
import { excessOfSettings } from "../sending-limits.ts";
import type { Terms, TermsStream } from "../terms.ts";
import { settingsOf, streamChanged, type TermsChange } from "../terms-change.ts";
import type { Session } from "./session.ts";

/** What a change was asked for at: the session, its streams (`open`), or one of them by its number. */
export type ChangePlace = "session" | "open" | number;

/** Streams that `next` names and the terms in force do not. */
export function openedBy({ streams }: Terms, next: Terms): readonly TermsStream[] {
  return next.streams.filter((stream) => !streams.some((known) => known.stream === stream.stream));
}

/**
 * Whether a change is about no more than what it was asked for at. Faults: `field-invalid`, `target-not-found` for a stream that there is
 * not.
 */
export function checkPlace(present: Terms, { terms }: TermsChange, place: ChangePlace): Result<void> {
  const opens = openedBy(present, terms).length > 0;
  if (place !== "open") {
    if (opens) return refuse("field-invalid", "Streams are opened by OPEN.", "change.settings.opened");
    return place === "session" ? ok(undefined) : checkOneStream(present, terms, place);
  }
  if (!opens) return refuse("field-invalid", "This opens nothing.", "change.settings.opened");
  const [before, after] = [settingsOf(present), settingsOf(terms)];
  const isAlone = before.profile === after.profile && isSame(before.streams, after.streams);
  if (isAlone) return ok(undefined);
  return refuse("field-invalid", "What opens a stream changes nothing else.", "change.settings");
}

/**
 * Whether both ends may send what a change has them send, by the scopes that are in force now, which can be less than what they signed for. Faults:
 * `scope-violation`, `limit-exceeded`.
 */
export function checkMaySend({ terms: present, legs }: Session, { terms }: TermsChange): Result<void> {
  const fresh = (terms.opened ?? []).filter(
    ({ offer }) => !present.streams.some(({ stream }) => stream === offer.stream),
  );
  for (const { leg, scope } of legs) {
    const opens = checkSendingOpened(terms, leg, scope, fresh);
    if (!opens.ok) return opens;
    const excess = excessOfSettings(terms, leg, scope.limits);
    if (excess !== undefined)
      return refuse("limit-exceeded", "The scope of who sends caps it.", "change.settings", {
        leg,
        ...excess,
      });
  }
  return ok(undefined);
}

function checkOneStream(present: Terms, next: Terms, stream: number): Result<void> {
  if (!present.streams.some((known) => known.stream === stream))
    return refuse("target-not-found", "There is no such stream.", "path");
  if (streamChanged(settingsOf(present), settingsOf(next)) === stream) return ok(undefined);
  return refuse("field-invalid", "This changes more than the stream.", "change.settings");
}

function isSame(left: unknown, right: unknown): boolean {
  return canonicalize(left) === canonicalize(right);
}
