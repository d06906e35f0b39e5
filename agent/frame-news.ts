import type { JsonObject } from "../codecs/canonical-json.ts";
import type { FramesContradicted, FramesRefused } from "./call-events.ts";

/** What a server tells of frames that it refused; undefined for what is not well formed. */
export function readFramesRefused({
  flow,
  first,
  last,
  reason,
  count,
}: JsonObject): FramesRefused | undefined {
  if (typeof reason !== "string" || typeof flow !== "number" || typeof count !== "number") return undefined;
  const numberOf = (value: unknown) => (typeof value === "number" ? value : undefined);
  return { flow, first: numberOf(first), last: numberOf(last), reason, count };
}

/** What a server tells of frames that their checkpoint contradicts; undefined for what is not well formed. */
export function readFramesContradicted({
  flow,
  stream,
  first,
  last,
  count,
}: JsonObject): FramesContradicted | undefined {
  const numbers = { flow, stream, first, last, count };
  if (Object.values(numbers).some((value) => typeof value !== "number")) return undefined;
  return numbers as unknown as FramesContradicted;
}
