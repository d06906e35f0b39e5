import { isJsonObject } from "../../codecs/canonical-json.ts";
import type { SteeringInput } from "./steering.ts";

/** Signed changes that records name by their digests. */
export type NamedKind = "narrowing" | "interrupt" | "terms-change" | "terms-acceptance";

/** Line numbers by the digest that records name them by. */
export type ByDigest = ReadonlyMap<string, number>;

/** The member of a record's `extra` that has the digest. */
function memberOf(kind: NamedKind): string {
  return kind.replace("-", "_");
}

/** Every signed change is named by one record, and every record names one that is there. */
export function checkNamed(
  { lines, records, findings }: SteeringInput,
  kind: NamedKind,
  byDigest: ByDigest,
): void {
  const placed = lines.of("record");
  const named = new Set<string>();
  for (const [index, { payload }] of records.records.entries()) {
    const digest = payload.extra?.[memberOf(kind)];
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

/** What the record of a change says of how far the relay had got with a stream; -1 for nowhere. */
export function lastLetThrough(
  { records }: SteeringInput,
  kind: NamedKind,
  digest: string,
  leg: number,
  stream: number,
): number | undefined {
  const named = records.records.find(({ payload }) => payload.extra?.[memberOf(kind)] === digest)?.payload
    .extra;
  const listed = Array.isArray(named?.streams) ? named.streams : undefined;
  const entry = listed?.find((item) => isJsonObject(item) && item.leg === leg && item.stream === stream);
  if (!isJsonObject(entry)) return undefined;
  return typeof entry.last_sequence === "number" ? entry.last_sequence : -1;
}
