/** AV1 as RTP carries it (the AV1 RTP payload specification of the Alliance for Open Media), a temporal unit in one payload or in several. */
import { HAS_SIZE, leb128Bytes, OBU_TYPE, type Obu, readLeb128, readObu } from "./av1-obu.ts";
import { BitReader } from "./bit-reader.ts";
import { concatBytes } from "./concat-bytes.ts";
import { ok, type Result, refuse } from "./result.ts";
import type { VideoUnitFacts } from "./video-formats.ts";

/** What one payload carries, taken apart. */
export interface Av1Fragment {
  /** The first element goes on with the last one of the payload before, and the last one goes on in the payload after. */
  readonly continues: boolean;
  readonly isContinued: boolean;
  /** A coded video sequence begins with this payload. */
  readonly startsSequence: boolean;
  /** Views: units, or pieces of them. */
  readonly elements: readonly Uint8Array[];
}

/** The units of a temporal unit in the low-overhead format (AV1 bitstream specification section 5.2), as views. Fault: `payload-malformed`. */
export function parseTemporalUnit(bytes: Uint8Array): Result<readonly Obu[]> {
  const obus: Obu[] = [];
  for (let at = 0; at < bytes.length; ) {
    const read = readObu(bytes, at, bytes.length);
    if (!read.ok) return read;
    if (obus.push(read.value.obu) > MAX_OBUS) return malformed("too many units", at);
    at = read.value.next;
  }
  return obus.some(({ type }) => !isLeftOut(type)) ? ok(obus) : malformed("no unit that says anything", 0);
}

/** A temporal unit as decoders take it: a temporal delimiter, then every unit with its size. A new array. */
export function writeTemporalUnit(obus: readonly Obu[]): Uint8Array {
  const pieces: Uint8Array[] = [TEMPORAL_DELIMITER];
  for (const { type, header, content } of obus) {
    if (isLeftOut(type)) continue;
    const sized = header.slice();
    sized[0] = (sized[0] as number) | HAS_SIZE;
    pieces.push(sized, Uint8Array.from(leb128Bytes(content.length)), content);
  }
  return concatBytes(pieces);
}

/** Whether decoding can begin here, the picture's size where it can, and the temporal layer where there are any. */
export function readAv1Facts(obus: readonly Obu[]): Result<VideoUnitFacts> {
  const frame = obus.find(({ type }) => type === OBU_TYPE.frame || type === OBU_TYPE.frameHeader);
  const layer = frame?.layer === undefined ? {} : { layer: frame.layer };
  const header = obus.find(({ type }) => type === OBU_TYPE.sequenceHeader);
  if (header === undefined || frame === undefined) return ok({ key: false, ...layer });
  const sequence = readSequenceHeader(header.content);
  if (sequence === undefined) return malformed("a sequence header that cannot be read", 0);
  const { isStillPicture, width, height } = sequence;
  return isStillPicture || isShownKeyFrame(frame.content)
    ? ok({ key: true, width, height, ...layer })
    : ok({ key: false, ...layer });
}

/** The payload of one temporal unit, a new array: without temporal delimiters and tile lists, and without sizes inside the units. */
export function writeAv1Payload(obus: readonly Obu[], startsSequence: boolean): Uint8Array {
  const told = obus.filter(({ type }) => !isLeftOut(type));
  const elements = told.map(({ header, content }) => concatBytes([header, content]));
  return writeAv1Fragment({ continues: false, isContinued: false, startsSequence, elements });
}

/**
 * The units of a payload, as views on it. Refuses with `payload-malformed` what is cut, and a payload that begins or ends within a unit.
 * Temporal delimiters and tile lists are passed over.
 */
export function parseAv1Payload(payload: Uint8Array): Result<readonly Obu[]> {
  const fragment = parseAv1Fragment(payload);
  if (!fragment.ok) return fragment;
  const { continues, isContinued, elements } = fragment.value;
  return continues || isContinued
    ? malformed("not a whole temporal unit", 0)
    : readAv1Elements(elements, payload);
}

/**
 * Takes the payload of a temporal unit, or of a piece of one, apart. Refuses with `payload-malformed` what is cut or has too many elements; what is in
 * them is not looked at.
 */
export function parseAv1Fragment(payload: Uint8Array): Result<Av1Fragment> {
  const aggregation = payload[0];
  if (aggregation === undefined) return malformed("empty", 0);
  const count = (aggregation >> 4) & MAX_COUNTED;
  const elements: Uint8Array[] = [];
  let at = 1;
  for (let index = 1; at < payload.length; index += 1) {
    let end = payload.length;
    if (count === 0 || index < count) {
      const length = readLeb128(payload, at, end);
      if (length === undefined || length.next + length.value > end)
        return malformed("an element that passes the end", at);
      at = length.next;
      end = at + length.value;
    }
    if (index > MAX_OBUS) return malformed("too many units", at);
    elements.push(payload.subarray(at, end));
    if (end === payload.length && count !== 0 && index < count)
      return malformed("fewer elements than announced", at);
    at = end;
  }
  return ok({
    continues: (aggregation & CONTINUES) !== 0,
    isContinued: (aggregation & IS_CONTINUED) !== 0,
    startsSequence: (aggregation & STARTS_SEQUENCE) !== 0,
    elements,
  });
}

/**
 * The units of whole elements, one in each; temporal delimiters and tile lists are passed over. Refuses with `payload-malformed`; the fault counts bytes of
 * `origin`, where the elements are views on that.
 */
export function readAv1Elements(
  elements: readonly Uint8Array[],
  origin?: Uint8Array,
): Result<readonly Obu[]> {
  if (elements.length > MAX_OBUS) return malformed("too many units", 0);
  const obus: Obu[] = [];
  for (const element of elements) {
    const start = origin === undefined ? 0 : element.byteOffset - origin.byteOffset;
    const end = start + element.length;
    const read = readObu(origin ?? element, start, end);
    if (!read.ok) return read;
    if (read.value.next !== end) return malformed("more than one unit in an element", start);
    if (!isLeftOut(read.value.obu.type)) obus.push(read.value.obu);
  }
  return obus.length === 0 ? malformed("no units", 1) : ok(obus);
}

/** The payload of whole elements and pieces of elements, a new array: what {@link parseAv1Fragment} reads. */
export function writeAv1Fragment({
  continues,
  isContinued,
  startsSequence,
  elements,
}: Av1Fragment): Uint8Array {
  const count = elements.length <= MAX_COUNTED ? elements.length : 0;
  const flags =
    (continues ? CONTINUES : 0) | (isContinued ? IS_CONTINUED : 0) | (startsSequence ? STARTS_SEQUENCE : 0);
  const pieces: Uint8Array[] = [Uint8Array.of(flags | (count << 4))];
  elements.forEach((element, index) => {
    const hasLength = count === 0 || index < count - 1;
    if (hasLength) pieces.push(Uint8Array.from(leb128Bytes(element.length)));
    pieces.push(element);
  });
  return concatBytes(pieces);
}

/** What of a sequence header (section 5.5) matters here; undefined where it is cut. */
function readSequenceHeader(
  content: Uint8Array,
): { readonly isStillPicture: boolean; readonly width: number; readonly height: number } | undefined {
  const bits = new BitReader(content);
  bits.skip(4);
  const isStillPicture = bits.flag();
  if (isStillPicture) bits.skip(5);
  else skipOperatingPoints(bits);
  const [widthBits, heightBits] = [bits.read(4) + 1, bits.read(4) + 1];
  const [width, height] = [bits.read(widthBits) + 1, bits.read(heightBits) + 1];
  return bits.isPastEnd ? undefined : { isStillPicture, width, height };
}

/** Timing, decoder model and operating points: section 5.5.1. */
function skipOperatingPoints(bits: BitReader): void {
  let delayBits = 0;
  const isTimed = bits.flag();
  if (isTimed) {
    bits.skip(64);
    if (bits.flag()) skipUvlc(bits);
    if (bits.flag()) {
      delayBits = bits.read(5) + 1;
      bits.skip(42);
    }
  }
  const hasDisplayDelay = bits.flag();
  const points = bits.read(5) + 1;
  for (let point = 0; point < points; point += 1) {
    bits.skip(12);
    const level = bits.read(5);
    if (level > LAST_LEVEL_OF_ONE_TIER) bits.skip(1);
    if (delayBits > 0 && bits.flag()) bits.skip(2 * delayBits + 1);
    if (hasDisplayDelay && bits.flag()) bits.skip(4);
  }
}

/** A number with as many zeros before it as it has bits behind its first (section 4.10.3). */
function skipUvlc(bits: BitReader): void {
  let zeros = 0;
  while (!bits.isPastEnd && !bits.flag()) zeros += 1;
  if (zeros < 32) bits.skip(zeros);
}

/** Whether the frame header (section 5.9.2) is of a key frame that is shown at once. */
function isShownKeyFrame(content: Uint8Array): boolean {
  const bits = new BitReader(content);
  const showsExisting = bits.flag();
  const isKey = bits.read(2) === 0;
  return !showsExisting && isKey && bits.flag();
}

/** Of units that senders leave out and receivers pass over (sections 4.4 and 5). */
function isLeftOut(type: number): boolean {
  return type === OBU_TYPE.temporalDelimiter || type === OBU_TYPE.tileList;
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("payload-malformed", `AV1 payload: ${message}`, `byte ${offset}`);
}

/** Units that one temporal unit has at most: many more than encoders make, and few enough to look at each. */
const MAX_OBUS = 1_024;
const TEMPORAL_DELIMITER = Uint8Array.of(0x12, 0x00);
/** Elements that the aggregation header can count; of more each has its length. */
const MAX_COUNTED = 3;
// The aggregation header (section 4.4).
const CONTINUES = 0x80;
const IS_CONTINUED = 0x40;
const STARTS_SEQUENCE = 0x08;
/** seq_level_idx above which a tier is told (section 5.5.1). */
const LAST_LEVEL_OF_ONE_TIER = 7;
