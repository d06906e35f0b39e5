import { type Result, refuse } from "../../codecs/result.ts";
import { readVarint, varintLength, varintSize, writeVarint } from "../../codecs/varint.ts";
import { MAX_DATAGRAM_BYTES } from "../../sfu/carrier.ts";

/** Stream bytes in one message, at most. */
export const MAX_CHUNK_BYTES = 16 * 1024;
/** UTF-8 bytes of a close reason, at most. */
const MAX_REASON_BYTES = 1_024;
/** Largest message: type, stream identifier and a full chunk. */
export const MAX_MESSAGE_BYTES = 1 + 8 + MAX_CHUNK_BYTES;

/** What one message says. docs/wire-websocket.md shows the bytes. */
export type MuxFrame =
  | { readonly type: "datagram"; readonly bytes: Uint8Array }
  | { readonly type: "open"; readonly stream: number }
  | { readonly type: "data"; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly type: "finish"; readonly stream: number }
  | { readonly type: "reset"; readonly stream: number; readonly code: number }
  | { readonly type: "stop"; readonly stream: number; readonly code: number }
  /** The stream may carry `limit` bytes altogether. */
  | { readonly type: "credit"; readonly stream: number; readonly limit: number }
  /** The receiver may open `limit` streams of this kind altogether. */
  | { readonly type: "streams"; readonly kind: StreamKind; readonly limit: number }
  /** Bytes of all datagram and data messages taken since the connection began. */
  | { readonly type: "taken"; readonly total: number }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

export type StreamKind = "exchange" | "stream";

/** First byte of each message. */
const FRAME_TYPES = {
  datagram: 0,
  open: 1,
  data: 2,
  finish: 3,
  reset: 4,
  stop: 5,
  credit: 6,
  streams: 7,
  taken: 8,
  close: 9,
} as const satisfies Record<MuxFrame["type"], number>;

const NAMES = Object.keys(FRAME_TYPES) as MuxFrame["type"][];
const KINDS: readonly StreamKind[] = ["exchange", "stream"];

/** The message for `frame`, in bytes of its own. Throws `field-invalid` for numbers that are no varint. */
export function encodeFrame(frame: MuxFrame): Uint8Array {
  switch (frame.type) {
    case "datagram":
      return message(frame.type, [], frame.bytes);
    case "data":
      return message(frame.type, [frame.stream], frame.bytes);
    case "open":
    case "finish":
      return message(frame.type, [frame.stream]);
    case "reset":
    case "stop":
      return message(frame.type, [frame.stream, frame.code]);
    case "credit":
      return message(frame.type, [frame.stream, frame.limit]);
    case "streams":
      return message(frame.type, [KINDS.indexOf(frame.kind), frame.limit]);
    case "taken":
      return message(frame.type, [frame.total]);
    case "close":
      return message(frame.type, [frame.code], new TextEncoder().encode(frame.reason));
  }
}

/** Reads one message; `bytes` of the result look into it. Refuses with `mux-malformed`. */
export function decodeFrame(bytes: Uint8Array): Result<MuxFrame> {
  const type = NAMES[bytes[0] ?? NAMES.length];
  if (type === undefined) return malformed("no such type");
  let offset = 1;
  const next = (): number => {
    const value = readVarint(bytes, offset);
    if (value <= Number.MAX_SAFE_INTEGER) offset += varintLength(bytes[offset] as number);
    return value;
  };
  const whole = (frame: MuxFrame, ...numbers: number[]): Result<MuxFrame> => {
    if (!numbers.every(Number.isSafeInteger)) return malformed("a number is cut off or too large");
    return offset === bytes.length ? { ok: true, value: frame } : malformed("bytes follow its end");
  };
  if (type === "datagram") {
    const datagram = bytes.subarray(1);
    if (datagram.length > MAX_DATAGRAM_BYTES) return malformed("a datagram is too large");
    return { ok: true, value: { type, bytes: datagram } };
  }
  const first = next();
  switch (type) {
    case "open":
    case "finish":
      return whole({ type, stream: first }, first);
    case "data": {
      if (!Number.isSafeInteger(first)) return malformed("a number is cut off or too large");
      const data = bytes.subarray(offset);
      if (data.length === 0 || data.length > MAX_CHUNK_BYTES)
        return malformed("a chunk is empty or too large");
      return { ok: true, value: { type, stream: first, bytes: data } };
    }
    case "reset":
    case "stop": {
      const code = next();
      return whole({ type, stream: first, code }, first, code);
    }
    case "credit": {
      const limit = next();
      return whole({ type, stream: first, limit }, first, limit);
    }
    case "streams": {
      const kind = KINDS[first];
      const limit = next();
      return kind === undefined ? malformed("no such kind") : whole({ type, kind, limit }, first, limit);
    }
    case "taken":
      return whole({ type, total: first }, first);
    case "close": {
      if (!Number.isSafeInteger(first)) return malformed("a number is cut off or too large");
      if (bytes.length - offset > MAX_REASON_BYTES) return malformed("the reason is too long");
      try {
        const reason = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(offset));
        return { ok: true, value: { type, code: first, reason } };
      } catch {
        return malformed("the reason is no text");
      }
    }
  }
}

function message(type: MuxFrame["type"], numbers: readonly number[], rest?: Uint8Array): Uint8Array {
  const size = numbers.reduce((sum, number) => sum + varintSize(number), 1);
  const bytes = new Uint8Array(size + (rest?.length ?? 0));
  bytes[0] = FRAME_TYPES[type];
  let offset = 1;
  for (const number of numbers) offset = writeVarint(bytes, offset, number);
  if (rest !== undefined) bytes.set(rest, offset);
  return bytes;
}

function malformed(why: string): Result<never> {
  return refuse("mux-malformed", `The message is malformed: ${why}.`);
}
