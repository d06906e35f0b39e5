/** AV1 temporal units in pieces: several RTP payloads for one unit, units of the bitstream cut where a payload is full (AV1 RTP specification, sections 4.3 and 4.4). */
import {
  type Av1Fragment,
  parseAv1Fragment,
  readAv1Elements,
  readAv1Facts,
  writeAv1Fragment,
  writeTemporalUnit,
} from "./av1.ts";
import { leb128Bytes } from "./av1-obu.ts";
import { concatBytes } from "./concat-bytes.ts";
import { ok, type Result, refuse } from "./result.ts";
import type { VideoUnit } from "./video-formats.ts";

/** Splits the payload of a whole temporal unit into such of at most `most` bytes, as full as may be. Fault: `payload-malformed`. */
export function splitAv1Payload(payload: Uint8Array, most: number): Result<readonly Uint8Array[]> {
  const whole = parseAv1Fragment(payload);
  if (!whole.ok) return whole;
  const { continues, isContinued, startsSequence, elements } = whole.value;
  if (continues || isContinued) return malformed("not a whole temporal unit", 0);
  const payloads: Uint8Array[] = [];
  let present: Uint8Array[] = [];
  let room = most - AGGREGATION_BYTES;
  let isCut = false;
  const close = (isContinued: boolean) => {
    const fragment: Av1Fragment = {
      continues: isCut,
      isContinued,
      startsSequence: startsSequence && payloads.length === 0,
      elements: present,
    };
    payloads.push(writeAv1Fragment(fragment));
    [present, room, isCut] = [[], most - AGGREGATION_BYTES, isContinued];
  };
  for (const element of elements) {
    for (let at = 0; at < element.length; ) {
      const left = element.length - at;
      // As if each had its length before it: the last of few has none, which leaves a byte or two unused.
      const fits = Math.min(left, room - leb128Bytes(Math.max(left, room)).length);
      if (fits < left && fits < LEAST_PIECE && present.length > 0) {
        close(false);
        continue;
      }
      present.push(element.subarray(at, at + fits));
      at += fits;
      room -= fits + leb128Bytes(fits).length;
      if (at < element.length) close(true);
    }
  }
  if (present.length > 0) close(false);
  return ok(payloads);
}

/** The temporal unit of all its payloads, with its delimiter and sizes put back: a new array. Fault: `payload-malformed`. */
export function joinAv1Fragments(payloads: readonly Uint8Array[]): Result<VideoUnit> {
  const whole: Uint8Array[] = [];
  let open: Uint8Array[] | undefined;
  for (const [index, payload] of payloads.entries()) {
    const parsed = parseAv1Fragment(payload);
    if (!parsed.ok) return parsed;
    const { continues, isContinued, elements } = parsed.value;
    if (continues !== (open !== undefined)) return malformed("a piece that does not follow", index);
    for (const [place, element] of elements.entries()) {
      if (place > 0 || open === undefined) open = [];
      open.push(element);
      if (isContinued && place === elements.length - 1) break;
      whole.push(open.length === 1 ? element : concatBytes(open));
      open = undefined;
    }
  }
  if (open !== undefined) return malformed("ends within a unit", payloads.length);
  const obus = readAv1Elements(whole);
  if (!obus.ok) return obus;
  const facts = readAv1Facts(obus.value);
  return facts.ok ? ok({ ...facts.value, data: writeTemporalUnit(obus.value) }) : facts;
}

function malformed(message: string, index: number): Result<never> {
  return refuse("payload-malformed", `AV1 payloads: ${message}`, `payload ${index}`);
}

const AGGREGATION_BYTES = 1;
/** Less than this of a unit is not worth beginning with at the end of a payload: its header stays in one piece. */
const LEAST_PIECE = 16;
