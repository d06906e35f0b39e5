/** VP9 as RTP carries it (RFC 9628), a picture in one payload or in several. */
import { readU16 } from "./big-endian.ts";
import { BitReader } from "./bit-reader.ts";
import { type PictureId, pictureIdBytes, readPictureId } from "./picture-id.ts";
import { ok, type Result, refuse } from "./result.ts";
import type { VideoUnitFacts } from "./video-formats.ts";

/** What stands before the picture (RFC 9628 section 4.2). A payload that is a whole picture of one spatial layer has no more to say. */
export interface Vp9Descriptor {
  readonly pictureId?: PictureId;
  /** Whether the picture refers to earlier ones. */
  readonly interPredicted: boolean;
  /** Temporal layer, 0 to 7, and whether one may switch up to it here. */
  readonly layer?: { readonly temporal: number; readonly switchingUp: boolean };
  /** Running number of the base layer's pictures, 0 to 255; there if and only if `layer` is, in non-flexible mode. */
  readonly baseIndex?: number;
  /** Flexible mode: how many pictures back those lie that this one refers to, 1 to 127, three at most. Absent: non-flexible mode. */
  readonly references?: readonly number[];
  /** Size of the picture, pixels: the scalability structure, as far as one spatial layer has one. */
  readonly size?: { readonly width: number; readonly height: number };
  /** Whether no upper spatial layer refers to the picture. */
  readonly notReferredTo?: boolean;
}

/** One payload taken apart. `picture` is a view on it. */
export interface Vp9Payload {
  readonly descriptor: Vp9Descriptor;
  readonly picture: Uint8Array;
}

/** One payload taken apart that may be a piece of a picture. `piece` is a view on it. */
export interface Vp9Fragment {
  readonly descriptor: Vp9Descriptor;
  /** Whether a picture begins here, and whether it ends. */
  readonly begins: boolean;
  readonly ends: boolean;
  readonly piece: Uint8Array;
}

/**
 * Key or not, and the size that a key frame has, from the uncompressed header of the first frame (VP9 bitstream specification section
 * 6.2). Refuses with `payload-malformed` what no VP9 frame begins with.
 */
export function readVp9Picture(picture: Uint8Array): Result<VideoUnitFacts> {
  const bits = new BitReader(picture);
  if (picture.length === 0) return malformed("no picture", 0);
  if (bits.read(2) !== FRAME_MARKER) return malformed("no frame marker", 0);
  const profile = bits.read(1) | (bits.read(1) << 1);
  if (profile === 3 && bits.flag()) return malformed("a profile that is not defined", 0);
  const showsExisting = bits.flag();
  if (showsExisting) return ok({ key: false });
  const key = !bits.flag();
  // Whether it is shown, and whether it stands up to losses.
  bits.skip(2);
  if (!key) return bits.isPastEnd ? malformed("ends within its header", picture.length) : ok({ key });
  if (bits.read(24) !== SYNC_CODE) return malformed("key frame without its sync code", 1);
  skipColours(bits, profile);
  const width = bits.read(16) + 1;
  const height = bits.read(16) + 1;
  if (bits.isPastEnd) return malformed("ends within its header", picture.length);
  return ok({ key, width, height });
}

/** The payload of one whole picture, a new array. */
export function writeVp9Payload(descriptor: Vp9Descriptor, picture: Uint8Array): Uint8Array {
  return writeVp9Fragment(descriptor, picture, { begins: true, ends: true });
}

/** The payload of a piece of a picture, a new array. Its size is told by the first piece alone. */
export function writeVp9Fragment(
  descriptor: Vp9Descriptor,
  piece: Uint8Array,
  { begins, ends }: { readonly begins: boolean; readonly ends: boolean },
): Uint8Array {
  const { pictureId, interPredicted, layer, baseIndex, references } = descriptor;
  const size = begins ? descriptor.size : undefined;
  const head = [
    (begins ? BEGINS : 0) |
      (ends ? ENDS : 0) |
      (pictureId === undefined ? 0 : HAS_PICTURE_ID) |
      (interPredicted ? INTER_PREDICTED : 0) |
      (layer === undefined ? 0 : HAS_LAYER) |
      (references === undefined ? 0 : FLEXIBLE) |
      (size === undefined ? 0 : HAS_STRUCTURE) |
      (descriptor.notReferredTo === true ? NOT_REFERRED_TO : 0),
  ];
  if (pictureId !== undefined) head.push(...pictureIdBytes(pictureId));
  if (layer !== undefined) {
    head.push((layer.temporal << 5) | (layer.switchingUp ? SWITCHING_UP : 0));
    if (references === undefined) head.push(baseIndex ?? 0);
  }
  if (references !== undefined && interPredicted) {
    references.forEach((back, index) => {
      head.push((back << 1) | (index < references.length - 1 ? 1 : 0));
    });
  }
  if (size !== undefined) {
    head.push(HAS_SIZES, size.width >> 8, size.width & 0xff, size.height >> 8, size.height & 0xff);
  }
  const payload = new Uint8Array(head.length + piece.length);
  payload.set(head);
  payload.set(piece, head.length);
  return payload;
}

/**
 * Takes a payload apart. Refuses with `payload-malformed` a descriptor that is cut or contradicts itself, a piece of a picture, and
 * one of several spatial layers. Bits that RFC 9628 keeps for later are passed over, as is how a group of pictures is built.
 */
export function parseVp9Payload(payload: Uint8Array): Result<Vp9Payload> {
  const fragment = parseVp9Fragment(payload);
  if (!fragment.ok) return fragment;
  const { begins, ends, descriptor, piece } = fragment.value;
  return begins && ends ? ok({ descriptor, picture: piece }) : malformed("not a whole picture", 0);
}

/** Takes the payload of a picture, or of a piece of one, apart, and refuses as {@link parseVp9Payload} does. */
export function parseVp9Fragment(payload: Uint8Array): Result<Vp9Fragment> {
  const first = payload[0];
  if (first === undefined) return malformed("empty", 0);
  const isFlexible = (first & FLEXIBLE) !== 0;
  const interPredicted = (first & INTER_PREDICTED) !== 0;
  let descriptor: Vp9Descriptor = {
    interPredicted,
    ...((first & NOT_REFERRED_TO) === 0 ? {} : { notReferredTo: true }),
  };
  let at = 1;
  if ((first & HAS_PICTURE_ID) !== 0) {
    const read = readPictureId(payload, at);
    if (read === undefined) return cut(at);
    descriptor = { ...descriptor, pictureId: read.pictureId };
    at = read.next;
  } else if (isFlexible) return malformed("flexible mode without a picture number", 0);
  if ((first & HAS_LAYER) !== 0) {
    const byte = payload[at++];
    if (byte === undefined) return cut(at - 1);
    if ((byte & SPATIAL) !== 0) return malformed("of an upper spatial layer", at - 1);
    descriptor = {
      ...descriptor,
      layer: { temporal: byte >> 5, switchingUp: (byte & SWITCHING_UP) !== 0 },
    };
    if (!isFlexible) {
      const baseIndex = payload[at++];
      if (baseIndex === undefined) return cut(at - 1);
      descriptor = { ...descriptor, baseIndex };
    }
  }
  if (isFlexible) {
    const references = interPredicted ? readReferences(payload, at) : ok([]);
    if (!references.ok) return references;
    descriptor = { ...descriptor, references: references.value };
    at += references.value.length;
  }
  if ((first & HAS_STRUCTURE) !== 0) {
    const structure = readStructure(payload, at);
    if (!structure.ok) return structure;
    const { size, next } = structure.value;
    if (size !== undefined) descriptor = { ...descriptor, size };
    at = next;
  }
  if (at >= payload.length) return malformed("no picture behind the descriptor", at);
  const [begins, ends] = [(first & BEGINS) !== 0, (first & ENDS) !== 0];
  return ok({ begins, ends, descriptor, piece: payload.subarray(at) });
}

/** How many pictures back the references lie: seven bits each, and one that says whether another follows. */
function readReferences(payload: Uint8Array, start: number): Result<readonly number[]> {
  const references: number[] = [];
  for (;;) {
    const byte = payload[start + references.length];
    if (byte === undefined) return cut(start + references.length);
    references.push(byte >> 1);
    if (byte >> 1 === 0) return malformed("refers to itself", start + references.length - 1);
    if ((byte & 1) === 0) return ok(references);
    if (references.length === MAX_REFERENCES) return malformed("too many references", start + MAX_REFERENCES);
  }
}

/** The scalability structure (RFC 9628 section 4.2.1), and the offset after it. */
function readStructure(
  payload: Uint8Array,
  start: number,
): Result<{ readonly size?: { width: number; height: number }; readonly next: number }> {
  const head = payload[start];
  if (head === undefined) return cut(start);
  if (head >> 5 !== 0) return malformed("several spatial layers", start);
  let at = start + 1;
  let size: { width: number; height: number } | undefined;
  if ((head & HAS_SIZES) !== 0) {
    if (at + 4 > payload.length) return cut(at);
    size = { width: readU16(payload, at), height: readU16(payload, at + 2) };
    at += 4;
  }
  if ((head & HAS_GROUP) !== 0) {
    const pictures = payload[at++];
    if (pictures === undefined) return cut(at - 1);
    for (let index = 0; index < pictures; index += 1) {
      const picture = payload[at];
      if (picture === undefined) return cut(at);
      at += 1 + ((picture >> 2) & 0x03);
    }
  }
  return ok({ ...(size === undefined ? {} : { size }), next: at });
}

/** Passes over the colour configuration (section 6.2.2). */
function skipColours(bits: BitReader, profile: number): void {
  if (profile >= 2) bits.skip(1);
  const isSubsamplingTold = profile === 1 || profile === 3;
  if (bits.read(3) === SRGB) {
    if (isSubsamplingTold) bits.skip(1);
    return;
  }
  bits.skip(isSubsamplingTold ? 4 : 1);
}

function cut(at: number): Result<never> {
  return malformed("ends within its descriptor", at);
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("payload-malformed", `VP9 payload: ${message}`, `byte ${offset}`);
}

const FRAME_MARKER = 0b10;
const SYNC_CODE = 0x498342;
const SRGB = 7;
/** Most pictures that one refers to. */
const MAX_REFERENCES = 3;
// RFC 9628 section 4.2, first byte.
const HAS_PICTURE_ID = 0x80;
const INTER_PREDICTED = 0x40;
const HAS_LAYER = 0x20;
const FLEXIBLE = 0x10;
const BEGINS = 0x08;
const ENDS = 0x04;
const HAS_STRUCTURE = 0x02;
const NOT_REFERRED_TO = 0x01;
// The byte of layers.
const SWITCHING_UP = 0x10;
const SPATIAL = 0x0e;
// The scalability structure's first byte.
const HAS_SIZES = 0x10;
const HAS_GROUP = 0x08;
