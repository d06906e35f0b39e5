import { type DataAnswerStream, type DataOfferStream, deliveryOf } from "./data-stream.ts";
import { answeringDirection, type Flowing } from "./stream-fields.ts";

/** What an end can and may do with structured data. */
export interface DataCapabilities extends Flowing {
  /** Names of the formats it reads and writes. */
  readonly formats: readonly string[];
}

/** What to answer to one data stream: the first offered format that is known here. `undefined` without common ground. */
export function answerData(
  offered: DataOfferStream,
  local: DataCapabilities,
  ssrc: number,
): DataAnswerStream | undefined {
  const direction = answeringDirection(offered.direction, local);
  const format = offered.formats.find(({ name }) => local.formats.includes(name));
  if (direction === undefined || format === undefined) return undefined;
  return { stream: offered.stream, modality: "data", direction, ssrc, format, ...deliveryOf(offered) };
}
