import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { type NamedKind, recordOf } from "./named.ts";
import { ROLES } from "./parties.ts";
import type { SteeringInput } from "./steering.ts";

/** What the record of a change says of how far the relay had got with a stream; -1 for nowhere. */
export function lastLetThrough(
  input: Pick<SteeringInput, "records">,
  kind: NamedKind,
  digest: string,
  leg: number,
  stream: number,
): number | undefined {
  const named = recordOf(input, kind, digest)?.extra;
  const listed = Array.isArray(named?.streams) ? named.streams : undefined;
  const entry = listed?.find((item) => isJsonObject(item) && item.leg === leg && item.stream === stream);
  if (!isJsonObject(entry)) return undefined;
  return typeof entry.last_sequence === "number" ? entry.last_sequence : -1;
}

/** Frames up to that one, in words. */
export function frames(last: number): string {
  return last < 0 ? "nothing" : `frames up to ${last}`;
}

/** No listener may have received frames beyond the `last`; `event` is what ended them. */
export function checkReceived(
  { streams, findings }: SteeringInput,
  leg: 0 | 1,
  stream: number,
  last: number,
  event: string,
): void {
  const receipts =
    streams.find((checked) => checked.leg === leg && checked.stream === stream)?.receipts ?? [];
  const beyond = receipts.flatMap(({ received }) => received).find((range) => range.last > last);
  if (beyond !== undefined)
    findings.fault(
      `The listener received frame ${beyond.last}, beyond the ${event}.`,
      `${ROLES[leg]}, stream ${stream}`,
    );
}

/** Nor may the relay have counted any. */
export function checkCounted(
  { lines, findings }: SteeringInput,
  leg: 0 | 1,
  stream: number,
  last: number,
  event: string,
): void {
  for (const { number, line } of lines.of("counters")) {
    const counted = parseJson(new TextEncoder().encode(line.document));
    const flows = counted.ok && Array.isArray(counted.value) ? counted.value : [];
    const flow = flows.find((item) => isJsonObject(item) && item.leg === leg && item.stream === stream);
    if (isJsonObject(flow) && typeof flow.lastSequence === "number" && flow.lastSequence > last)
      findings.fault(
        `The relay counts frames up to ${flow.lastSequence}, beyond the ${event}.`,
        `line ${number}, ${ROLES[leg]}, stream ${stream}`,
      );
  }
}
