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

/** What the record says that names a signed change; undefined where none does. */
export function recordOf({ records }: Pick<SteeringInput, "records">, kind: NamedKind, digest: string) {
  return records.records.find(({ payload }) => payload.extra?.[memberOf(kind)] === digest)?.payload;
}
