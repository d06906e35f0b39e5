/** VP8 as RTP carries it (RFC 7741), a frame in one payload or in several, and what a frame says of itself in its first bytes (RFC 6386 section 9.1). */
import { type PictureId, pictureIdBytes, readPictureId } from "./picture-id.ts";
import { ok, type Result, refuse } from "./result.ts";
import type { VideoUnitFacts } from "./video-formats.ts";

/** What stands before the frame (RFC 7741 section 4.2), whatever is the same in every payload that is a whole frame left out. */
export interface Vp8Descriptor {
  /** Whether no other frame refers to this one. */
  readonly nonReference?: boolean;
  readonly pictureId?: PictureId;
  /** Running number of the base layer's frames, 0 to 255: of this frame, or of the last one before it. Only beside `layer`. */
  readonly baseIndex?: number;
  /** Temporal layer, 0 to 3. */
  readonly layer?: number;
  /** Whether the frame depends on nothing but the base layer. */
  readonly layerSync?: boolean;
  /** Running number of key frames, 0 to 31. */
  readonly keyIndex?: number;
}

/** One payload taken apart. `frame` is a view on it. */
export interface Vp8Payload {
  readonly descriptor: Vp8Descriptor;
  readonly frame: Uint8Array;
}

/** One payload taken apart that may be a piece of a frame. `piece` is a view on it. */
export interface Vp8Fragment {
  readonly descriptor: Vp8Descriptor;
  /** Whether a frame begins here. */
  readonly begins: boolean;
  readonly piece: Uint8Array;
}

/** Key or not, and the size that a key frame has. Refuses with `payload-malformed` what no VP8 frame begins with. */
export function readVp8Frame(frame: Uint8Array): Result<VideoUnitFacts> {
  if (frame.length < FRAME_TAG_BYTES) return malformed("frame shorter than its tag", frame.length);
  const [first, second, third] = frame as Uint8Array & [number, number, number];
  const key = (first & NOT_KEY) === 0;
  const header = key ? KEY_HEADER_BYTES : FRAME_TAG_BYTES;
  if (frame.length < header) return malformed("key frame shorter than its header", frame.length);
  const firstPartition = (first >> 5) | (second << 3) | (third << 11);
  if (firstPartition > frame.length - header) return malformed("first partition passes the end", 0);
  if (!key) return ok({ key });
  if (START_CODE.some((byte, index) => frame[FRAME_TAG_BYTES + index] !== byte)) {
    return malformed("key frame without its start code", FRAME_TAG_BYTES);
  }
  // Fourteen bits each, little-endian; two more say how to scale for display.
  const width = (frame[6] as number) | (((frame[7] as number) & 0x3f) << 8);
  const height = (frame[8] as number) | (((frame[9] as number) & 0x3f) << 8);
  return width === 0 || height === 0 ? malformed("a picture of no size", 6) : ok({ key, width, height });
}

/** The payload of one whole frame, a new array. */
export function writeVp8Payload(descriptor: Vp8Descriptor, frame: Uint8Array): Uint8Array {
  return writeVp8Fragment(descriptor, frame, true);
}

/** The payload of a piece of a frame, a new array; `begins`: of its first piece. */
export function writeVp8Fragment(descriptor: Vp8Descriptor, piece: Uint8Array, begins: boolean): Uint8Array {
  const { pictureId, baseIndex, layer, layerSync = false, keyIndex } = descriptor;
  const extension =
    (pictureId === undefined ? 0 : HAS_PICTURE_ID) |
    (baseIndex === undefined ? 0 : HAS_BASE_INDEX) |
    (layer === undefined ? 0 : HAS_LAYER) |
    (keyIndex === undefined ? 0 : HAS_KEY_INDEX);
  const head = [
    (begins ? START_OF_PARTITION : 0) |
      (extension === 0 ? 0 : EXTENDED) |
      (descriptor.nonReference === true ? NON_REFERENCE : 0),
  ];
  if (extension !== 0) head.push(extension);
  if (pictureId !== undefined) head.push(...pictureIdBytes(pictureId));
  if (baseIndex !== undefined) head.push(baseIndex);
  if (layer !== undefined || keyIndex !== undefined) {
    head.push(((layer ?? 0) << 6) | (layerSync ? LAYER_SYNC : 0) | (keyIndex ?? 0));
  }
  const payload = new Uint8Array(head.length + piece.length);
  payload.set(head);
  payload.set(piece, head.length);
  return payload;
}

/**
 * Takes a payload apart. Refuses with `payload-malformed` a descriptor that is cut, and one of a piece of a frame that is not its
 * beginning. Bits that RFC 7741 keeps for later are passed over.
 */
export function parseVp8Payload(payload: Uint8Array): Result<Vp8Payload> {
  const fragment = parseVp8Fragment(payload);
  if (!fragment.ok) return fragment;
  const { begins, descriptor, piece } = fragment.value;
  return begins ? ok({ descriptor, frame: piece }) : malformed("not the beginning of a frame", 0);
}

/** Takes the payload of a frame, or of a piece of one, apart. Refuses with `payload-malformed` a descriptor that is cut. */
export function parseVp8Fragment(payload: Uint8Array): Result<Vp8Fragment> {
  const first = payload[0];
  if (first === undefined) return malformed("empty", 0);
  const begins = (first & START_OF_PARTITION) !== 0 && (first & PARTITION) === 0;
  const extended = (first & EXTENDED) !== 0;
  const extension = extended ? payload[1] : 0;
  if (extension === undefined) return cut(1);
  let at = extended ? 2 : 1;
  let descriptor: Vp8Descriptor = (first & NON_REFERENCE) === 0 ? {} : { nonReference: true };
  if ((extension & HAS_PICTURE_ID) !== 0) {
    const read = readPictureId(payload, at);
    if (read === undefined) return cut(at);
    descriptor = { ...descriptor, pictureId: read.pictureId };
    at = read.next;
  }
  if ((extension & HAS_BASE_INDEX) !== 0) {
    if ((extension & HAS_LAYER) === 0) return malformed("base layer index without a layer", 1);
    const baseIndex = payload[at++];
    if (baseIndex === undefined) return cut(at - 1);
    descriptor = { ...descriptor, baseIndex };
  }
  if ((extension & (HAS_LAYER | HAS_KEY_INDEX)) !== 0) {
    const byte = payload[at++];
    if (byte === undefined) return cut(at - 1);
    if ((extension & HAS_LAYER) !== 0) {
      descriptor = { ...descriptor, layer: byte >> 6, layerSync: (byte & LAYER_SYNC) !== 0 };
    }
    if ((extension & HAS_KEY_INDEX) !== 0) descriptor = { ...descriptor, keyIndex: byte & KEY_INDEX };
  }
  if (at >= payload.length) return malformed("no frame behind the descriptor", at);
  return ok({ begins, descriptor, piece: payload.subarray(at) });
}

function cut(at: number): Result<never> {
  return malformed("ends within its descriptor", at);
}

function malformed(message: string, offset: number): Result<never> {
  return refuse("payload-malformed", `VP8 payload: ${message}`, `byte ${offset}`);
}

const FRAME_TAG_BYTES = 3;
const KEY_HEADER_BYTES = 10;
const START_CODE = [0x9d, 0x01, 0x2a];
const NOT_KEY = 0x01;
// RFC 7741 section 4.2, first byte.
const EXTENDED = 0x80;
const NON_REFERENCE = 0x20;
const START_OF_PARTITION = 0x10;
const PARTITION = 0x07;
// Second byte.
const HAS_PICTURE_ID = 0x80;
const HAS_BASE_INDEX = 0x40;
const HAS_LAYER = 0x20;
const HAS_KEY_INDEX = 0x10;
// The byte of layer and key index.
const LAYER_SYNC = 0x20;
const KEY_INDEX = 0x1f;
