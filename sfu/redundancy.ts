import {
  MAX_RED_BLOCK_BYTES,
  MAX_RED_OFFSET,
  parseRed,
  RED_BLOCK_HEADER_BYTES,
  RED_LAST_HEADER_BYTES,
  writeRed,
} from "../codecs/red.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { MAX_PAYLOAD_BYTES } from "../signaling/negotiate-audio.ts";

/** How many of the frames before it a frame carries once more. */
export type RedundancyLevel = 0 | 1 | 2;

interface EarlierPayload {
  readonly position: number;
  readonly payload: Uint8Array;
}

/** What a frame is sent as. */
export interface WrappedPayload {
  readonly payloadType: number;
  readonly payload: Uint8Array;
  /** Bytes of it that are not the frame's own: what the redundancy costs. */
  readonly extra: number;
}

/**
 * Lets each frame of a stream carry the ones before it. They are the frames right before it by sequence number, without a gap: so who
 * receives one knows the number of each. What would not fit a datagram with the frame is left out, the oldest first.
 */
export class RedundancyWriter {
  level: RedundancyLevel = 0;
  readonly #payloadType: number;
  readonly #redPayloadType: number;
  /** Of the frames before the next, oldest first, as many as a level asks for at most. */
  readonly #earlier: EarlierPayload[] = [];

  constructor(options: { readonly payloadType: number; readonly redPayloadType: number }) {
    this.#payloadType = options.payloadType;
    this.#redPayloadType = options.redPayloadType;
  }

  /** What was said is not to be carried any further: another turn or another epoch begins. */
  restart(): void {
    this.#earlier.length = 0;
  }

  /** The next frame's payload and its place on the RTP clock, which does not go back. */
  wrap(payload: Uint8Array, position: number): WrappedPayload {
    const { level } = this;
    while (this.#earlier.length > level) this.#earlier.shift();
    let room = MAX_PAYLOAD_BYTES - RED_LAST_HEADER_BYTES - payload.length;
    let from = this.#earlier.length;
    for (; from > 0; from--) {
      const before = this.#earlier[from - 1] as EarlierPayload;
      room -= RED_BLOCK_HEADER_BYTES + before.payload.length;
      const isFar = position - before.position > MAX_RED_OFFSET;
      if (room < 0 || isFar || before.payload.length > MAX_RED_BLOCK_BYTES) break;
    }
    const earlier = this.#earlier.slice(from).map((before) => ({
      payloadType: this.#payloadType,
      timestampOffset: position - before.position,
      payload: before.payload,
    }));
    if (level > 0) this.#earlier.push({ position, payload: payload.slice() });
    if (earlier.length === 0) return { payloadType: this.#payloadType, payload, extra: 0 };
    const wrapped = writeRed({ earlier, payloadType: this.#payloadType, payload });
    return { payloadType: this.#redPayloadType, payload: wrapped, extra: wrapped.length - payload.length };
  }
}

/** A frame that another one carried. */
export interface CarriedFrame {
  readonly sequence: number;
  /** RTP timestamp. */
  readonly timestamp: number;
  /** Capture time, milliseconds. */
  readonly captured: number;
  readonly payload: Uint8Array;
}

/** What a frame with the redundant payload type carries: its own payload, and those of the frames right before it, oldest first. */
export interface UnwrappedPayload {
  readonly payload: Uint8Array;
  readonly earlier: readonly CarriedFrame[];
}

/** Takes a redundant payload apart. `frame` is the one that carries it. Fault: `payload-malformed`. The payloads are views. */
export function unwrapRedundant(
  frame: CarriedFrame,
  agreed: { readonly payloadType: number; readonly clockRate: number },
): Result<UnwrappedPayload> {
  const red = parseRed(frame.payload);
  if (!red.ok) return red;
  const { earlier, payload, payloadType } = red.value;
  if ([payloadType, ...earlier.map((block) => block.payloadType)].some((type) => type !== agreed.payloadType))
    return refuse("payload-malformed", "The redundant payload carries a format that was not agreed.");
  // Each lies before the next, and all before the frame itself.
  const offsets = [...earlier.map((block) => block.timestampOffset), 0];
  const isOrdered = offsets.every((offset, index) => index === 0 || offset < (offsets[index - 1] as number));
  if (!isOrdered || frame.sequence < earlier.length)
    return refuse("payload-malformed", "The redundant payload carries frames out of order.");
  return ok({
    payload,
    earlier: earlier.map((block, index) => ({
      sequence: frame.sequence - (earlier.length - index),
      timestamp: (frame.timestamp - block.timestampOffset) >>> 0,
      captured: frame.captured - (block.timestampOffset * 1000) / agreed.clockRate,
      payload: block.payload,
    })),
  });
}
