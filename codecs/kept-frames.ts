/** A file of frames that an agent kept from a call: a title line, then items of leg, stream and packet. */
import { readU16, readU32, writeU16, writeU32 } from "./big-endian.ts";
import { ok, type Result, refuse } from "./result.ts";
import { encodeStreamItems, encodeStreamStart, StreamItemReader } from "./stream-items.ts";

/** One frame as it arrived: the whole RTP packet without flow identifier, and whose it is. */
export interface KeptFrame {
  /** Leg of the speaker. */
  readonly leg: number;
  readonly stream: number;
  readonly packet: Uint8Array;
}

/** First bytes of a file of kept frames. */
export function keptFramesTitle(): Uint8Array {
  return TITLE.slice();
}

/** Frames as the bytes that follow the title or earlier frames. */
export function encodeKeptFrames(frames: readonly KeptFrame[]): Uint8Array {
  return encodeStreamItems(
    frames.map(({ leg, stream, packet }) => {
      const item = new Uint8Array(PLACE_BYTES + packet.length);
      writeU32(item, writeU16(item, 0, leg), stream);
      item.set(packet, PLACE_BYTES);
      return item;
    }),
  );
}

/** Reads a whole file. Faults: `stream-malformed` naming the byte. */
export function parseKeptFrames(bytes: Uint8Array): Result<KeptFrame[]> {
  if (bytes.length < TITLE.length || TITLE.some((byte, at) => bytes[at] !== byte)) {
    return refuse("stream-malformed", "This is no file of kept frames.", "byte 0");
  }
  const reader = new StreamItemReader();
  // Items are framed as on a media stream, whose flow identifier a file does not have.
  reader.push(encodeStreamStart(0));
  const { items, fault } = reader.push(bytes.subarray(TITLE.length));
  const broken = fault ?? reader.end();
  if (broken !== undefined) return { ok: false, fault: broken };
  const frames: KeptFrame[] = [];
  for (const [index, item] of items.entries()) {
    if (item.length <= PLACE_BYTES)
      return refuse("stream-malformed", "A kept frame without a packet.", `frame ${index}`);
    frames.push({ leg: readU16(item, 0), stream: readU32(item, 2), packet: item.slice(PLACE_BYTES) });
  }
  return ok(frames);
}

const PLACE_BYTES = 6;
const TITLE = new TextEncoder().encode("parley kept frames v1\n");
