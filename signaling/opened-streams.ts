import { canonicalize } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { ANSWER_STREAM } from "./answer.ts";
import { MAX_STREAMS, OFFER_STREAM } from "./offer.ts";
import { missingScopes, parseScopes, type ScopeSet, sendingScopes } from "./scope.ts";
import { excessOfTerms } from "./sending-limits.ts";
import { list, object, oneOf, type Shape } from "./shape.ts";
import { sends } from "./stream-fields.ts";
import { clashIn, misfitOf } from "./stream-pairs.ts";
import { lastStreamOf, type OpenedStream, streamOf, type Terms } from "./terms.ts";
import { isSameSource } from "./video-stream.ts";

/** What a change says of the streams that were opened during the session. */
export interface OpenedSaid {
  readonly opened?: readonly OpenedStream[];
  readonly last_stream?: number;
}

/** How {@link withOpened} judges. */
export interface OpeningRules {
  /** Who asks: it opens streams in its own name alone. Absent: whoever. */
  readonly asker?: 0 | 1 | undefined;
  /** Steps between these terms and the change are missing: streams may have been opened and closed in them. */
  readonly leavesOut?: boolean | undefined;
}

/**
 * `terms` with the streams that a change says are open beside those of offer and answer. Faults: `field-invalid` for streams that contradict each
 * other, are numbered otherwise than upwards, are changed or left out, `scope-violation` and `limit-exceeded` for what the scope of who would send
 * one does not allow, and for more than {@link MAX_STREAMS} at once.
 */
export function withOpened(terms: Terms, said: OpenedSaid, rules: OpeningRules = {}): Result<Terms> {
  const { opened: listed = [], last_stream: last } = said;
  const { opened: before = [], closed_since: _, last_stream: __, opened: ___, ...rest } = terms;
  const numbered = checkNumbers(terms, before, listed, last, rules);
  if (!numbered.ok) return numbered;
  const kept = terms.streams.filter(({ stream }) => !before.some(({ offer }) => offer.stream === stream));
  const made: Terms = {
    ...rest,
    streams: [...kept, ...listed.map(({ offer, answer, by }) => streamOf(offer, answer, by))],
    ...(listed.length === 0 ? {} : { opened: listed }),
    ...(last === undefined ? {} : { last_stream: last }),
  };
  const fresh = listed.filter(({ offer }) => !before.some((known) => known.offer.stream === offer.stream));
  if (fresh.length === 0) return ok(made);
  const fitting = checkPairs(listed);
  if (!fitting.ok) return fitting;
  // What was open then may be closed by a step that is missing: those who signed had it all before them.
  if (rules.leavesOut === true) return ok(made);
  const beside = checkBeside(made);
  if (!beside.ok) return beside;
  for (const leg of [0, 1] as const) {
    const scope = parseScopes(made.legs.find((each) => each.leg === leg)?.scope ?? [], "terms.scope");
    if (!scope.ok) return scope;
    const allowed = checkSendingOpened(made, leg, scope.value, fresh);
    if (!allowed.ok) return allowed;
  }
  return ok(made);
}

/** Numbers rise, what was open stays as it was, and what is new is above all that ever was. */
function checkNumbers(
  terms: Terms,
  before: readonly OpenedStream[],
  listed: readonly OpenedStream[],
  last: number | undefined,
  { asker, leavesOut = false }: OpeningRules,
): Result<void> {
  let next = lastStreamOf(terms) + 1;
  for (const [i, { by, offer }] of listed.entries()) {
    const at = `${PLACE}[${i}]`;
    const earlier = listed[i - 1];
    if (earlier !== undefined && earlier.offer.stream >= offer.stream)
      return refuse("field-invalid", "Opened streams stand by rising number.", `${at}.offer.stream`);
    const known = before.find((each) => each.offer.stream === offer.stream);
    if (known !== undefined) {
      if (canonicalize(known) !== canonicalize(listed[i]))
        return refuse("field-invalid", "A stream that is open is not opened otherwise.", at);
      continue;
    }
    // One far above would leave none for those that come after it.
    if (offer.stream < next || (!leavesOut && offer.stream > next))
      return refuse("field-invalid", "An opened stream has the next number.", `${at}.offer.stream`);
    next = offer.stream + 1;
    if (!leavesOut && asker !== undefined && by !== asker)
      return refuse("field-invalid", "Nobody opens a stream in the other end's name.", `${at}.by`);
  }
  const missing = before.find(({ offer }) => !listed.some((each) => each.offer.stream === offer.stream));
  if (missing !== undefined && !leavesOut)
    return refuse("field-invalid", "A change closes no stream.", PLACE, { stream: missing.offer.stream });
  const due = Math.max(terms.last_stream ?? -1, listed.at(-1)?.offer.stream ?? -1);
  const isRight = leavesOut ? (last ?? -1) >= due : (last ?? -1) === due;
  if (isRight) return ok(undefined);
  return refuse("field-invalid", "This is not the highest number of a stream opened.", LAST_PLACE);
}

/** Each answer lies within its offer, and the streams of one end do not contradict each other. */
function checkPairs(listed: readonly OpenedStream[]): Result<void> {
  for (const [i, { offer, answer }] of listed.entries()) {
    const at = `${PLACE}[${i}]`;
    if (answer.stream !== offer.stream)
      return refuse("field-invalid", "This answers another stream.", `${at}.answer.stream`);
    const misfit = answer.modality === offer.modality ? misfitOf(answer, offer) : "modality";
    if (misfit !== undefined)
      return refuse("field-invalid", "This was not offered.", `${at}.answer.${misfit}`);
    const choices = offer.modality === "data" ? offer.formats : offer.codecs;
    if (choices.length > 1)
      return refuse("field-invalid", "A stream is opened with one codec or format.", `${at}.offer`);
  }
  for (const by of [0, 1] as const) {
    const clash = clashIn(listed.filter((each) => each.by === by).map(({ offer }) => offer));
    if (clash !== undefined) return refuse("field-invalid", clash.message, PLACE);
  }
  return ok(undefined);
}

/** No two streams of the session contradict each other, and there are not too many. */
function checkBeside({ streams }: Terms): Result<void> {
  const ssrcs = streams.flatMap((stream) => stream.ssrcs);
  if (new Set(ssrcs).size < ssrcs.length)
    return refuse("field-invalid", "Two streams have the same SSRC.", PLACE);
  for (const leg of [0, 1] as const) {
    const shown = streams.flatMap((each) =>
      each.modality === "video" && sends(each.directions[leg]) ? [each] : [],
    );
    const isClash = shown.some((one, i) =>
      shown
        .slice(0, i)
        .some(
          (other) =>
            isSameSource(one, other) &&
            (one.rendition === other.rendition || one.codec.name !== other.codec.name),
        ),
    );
    if (isClash)
      return refuse("field-invalid", "Renditions of one picture differ, and in nothing else.", PLACE);
  }
  if (streams.length <= MAX_STREAMS) return ok(undefined);
  const excess = { limit: "streams", cap: MAX_STREAMS, asked: streams.length };
  return refuse("limit-exceeded", "A call has no more streams at once.", PLACE, excess);
}

/**
 * Whether `scope` lets a leg send what `fresh` opens, under the caps that it has: `terms` are those with the streams open. Faults: `scope-violation`
 * with `details.missing_scopes`, `limit-exceeded`.
 */
export function checkSendingOpened(
  terms: Terms,
  leg: 0 | 1,
  scope: ScopeSet,
  fresh: readonly OpenedStream[],
): Result<void> {
  const sent = fresh.filter(({ by, offer, answer }) => sends(streamOf(offer, answer, by).directions[leg]));
  if (sent.length === 0) return ok(undefined);
  const needed = { grants: sent.flatMap(({ offer }) => sendingScopes(offer.modality)), limits: {} };
  const missing = missingScopes(scope, needed);
  if (missing.length > 0) {
    const details = { leg, missing_scopes: missing };
    return refuse("scope-violation", "The scope does not cover a stream that would be sent.", PLACE, details);
  }
  const isFresh = (stream: number) => fresh.some(({ offer }) => offer.stream === stream);
  const excess = excessOfTerms(terms, leg, scope.limits, isFresh);
  if (excess === undefined) return ok(undefined);
  return refuse("limit-exceeded", "The scope of who would send it caps it.", PLACE, { leg, ...excess });
}

const PLACE = "change.settings.opened";
const LAST_PLACE = "change.settings.last_stream";

export const OPENED_STREAMS: Shape<readonly OpenedStream[]> = list(
  object<OpenedStream>({ by: oneOf(0, 1), offer: OFFER_STREAM, answer: ANSWER_STREAM }),
  { min: 1, max: MAX_STREAMS },
);
