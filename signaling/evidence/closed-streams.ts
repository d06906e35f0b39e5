import { isJsonObject, type JsonValue } from "../../codecs/canonical-json.ts";
import { sends } from "../stream-fields.ts";
import { ROLES } from "./parties.ts";
import { checkCounted, checkReceived, frames, lastLetThrough } from "./silence.ts";
import type { SteeringInput } from "./steering.ts";
import { closedBy, type HistoryStep } from "./terms-history.ts";

/** What a record says of one direction of a stream that is over. */
interface Over {
  /** Of the record among those of the session. */
  readonly index: number;
  readonly leg: number;
  readonly stream: number;
  /** The last frame that the relay let through, -1 for none; undefined where it did not know. */
  readonly last: number | undefined;
}

/**
 * Judges streams that were closed while the session went on: nothing reached who closed one beyond what the record of the closing names, nothing at all
 * went beyond what the record of its end names, and such a record is one for each direction of a stream that was closed before.
 */
export function checkClosedStreams(input: SteeringInput): void {
  const records = readOver(input);
  const known = new Set<Over>();
  for (const step of input.history.steps) {
    const { leg: closer } = step.taken.payload;
    const since = input.records.records.findIndex(({ payload }) => payload.extra?.narrowing === step.digest);
    for (const { stream, modality, directions } of closedBy(step)) {
      input.findings.say(
        "speaker-signed",
        `stream ${stream} (${modality}): closed by the ${ROLES[closer]} from terms ${step.taken.terms.number} on`,
        [closer],
      );
      for (const speaker of [0, 1] as const) {
        if (!sends(directions[speaker])) continue;
        const over = records.find(
          (each) => each.leg === speaker && each.stream === stream && each.index > since,
        );
        if (over !== undefined) known.add(over);
        checkDirection(input, step, { closer, speaker, stream }, over);
      }
    }
  }
  for (const { index, leg, stream } of records.filter((each) => !known.has(each)))
    input.findings.fault(
      "It tells the end of a stream that was not closed before, or whose end is told already.",
      `line ${input.lines.of("record")[index]?.number}, record ${index}, leg ${leg}, stream ${stream}`,
    );
}

function checkDirection(
  input: SteeringInput,
  { digest }: HistoryStep,
  place: { readonly closer: 0 | 1; readonly speaker: 0 | 1; readonly stream: number },
  over: Over | undefined,
): void {
  const { findings } = input;
  const { closer, speaker, stream } = place;
  const what = `${ROLES[speaker]}, stream ${stream}`;
  // Of what its closer had said some may have been on the way.
  const before = speaker === closer ? undefined : lastLetThrough(input, "narrowing", digest, speaker, stream);
  if (before !== undefined) {
    findings.say("server-claimed", `${what}: ${frames(before)} let through before the closing`);
    checkReceived(input, speaker, stream, before, "closing");
  }
  if (over?.last === undefined) {
    const word =
      over === undefined ? "it was not over before the session was" : "no word on which frame was its last";
    findings.say("server-claimed", `${what}: ${word}`);
    return;
  }
  findings.say("server-claimed", `${what}: ${frames(over.last)} let through in all`);
  checkReceived(input, speaker, stream, over.last, "end of the stream");
  checkCounted(input, speaker, stream, over.last, "end of the stream");
}

/** What the records tell of streams that are over, in order. */
function readOver({ records }: SteeringInput): readonly Over[] {
  return records.records.flatMap(({ payload }, index) => {
    if (payload.event !== "stream-closed") return [];
    const { streams } = payload.extra ?? {};
    const listed: readonly JsonValue[] = Array.isArray(streams) ? streams : [];
    return listed.flatMap((entry) => {
      const { leg, stream, last_sequence: last } = isJsonObject(entry) ? entry : {};
      const isKnown = typeof leg === "number" && typeof stream === "number";
      if (!isKnown) return { index, leg: -1, stream: -1, last: undefined };
      return { index, leg, stream, last: typeof last === "number" ? last : last === null ? -1 : undefined };
    });
  });
}
