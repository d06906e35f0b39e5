import { ItemPieces } from "../codecs/item-pieces.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Fault } from "../codecs/result.ts";
import { MAX_STREAM_ITEM_BYTES, StreamItemReader } from "../codecs/stream-items.ts";
import type { ArrivedPiece } from "../codecs/unit-stream.ts";
import { CLOSE_CODES, type ReceiveStream } from "./carrier.ts";

/** What a read waited for so long, ms, had not come before. */
const FRESH_MS = 3;

/** Who takes what comes on streams of items. */
export interface ItemTaker {
  /** One item, valid only during the call; until a promise that it returns resolves, the stream is not read on. */
  item(flow: number, item: Uint8Array): Promise<void> | void;
  /** A piece of the stream came; not `isTimed`: it may have come long before it was read. */
  piece(flow: number, piece: ArrivedPiece, isTimed: boolean): void;
  /** Now, milliseconds of the clock by which reading is timed. */
  now(): number;
}

/**
 * Hands out the items of one stream until it ends, is reset or breaks its framing, which is returned. `start`: what came of it already, its flow
 * identifier first. A stream that the taker wants no more of (`ParleyError`) is stopped; other throws reject.
 */
export async function readItems(
  stream: ReceiveStream,
  start: Uint8Array,
  taker: ItemTaker,
  maxItemBytes: number = MAX_STREAM_ITEM_BYTES,
): Promise<Fault | undefined> {
  const reader = new StreamItemReader(maxItemBytes);
  const pieces = new ItemPieces();
  let isTimed = true;
  let askedAt = taker.now();
  try {
    let chunk: Uint8Array | undefined = start;
    for (; chunk !== undefined; chunk = await stream.read()) {
      // After a standstill there is something to read until reading has to wait for it.
      isTimed ||= taker.now() - askedAt >= FRESH_MS;
      const { items, fault } = reader.push(chunk);
      const { flow } = reader;
      if (flow !== undefined) for (const piece of pieces.push(chunk)) taker.piece(flow, piece, isTimed);
      for (const item of items) {
        const room = taker.item(reader.flow as number, item);
        if (room === undefined) continue;
        isTimed = false;
        await room;
      }
      askedAt = taker.now();
      if (fault === undefined) continue;
      stream.stop(CLOSE_CODES.protocolViolation);
      return fault;
    }
  } catch (error) {
    // A reset stream has delivered what came before.
    if (!(error instanceof ParleyError)) throw error;
    stream.stop(CLOSE_CODES.overloaded);
  }
  return undefined;
}
