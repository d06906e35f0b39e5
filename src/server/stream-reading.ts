import { ParleyError } from "../../codecs/parley-error.ts";
import type { Fault } from "../../codecs/result.ts";
import { StreamItemReader } from "../../codecs/stream-items.ts";
import { CLOSE_CODES, type ReceiveStream } from "../../sfu/carrier.ts";
import type { UnitInlet } from "../../sfu/unit-reader.ts";
import { readStreamStart, readUnit } from "../../sfu/unit-streams.ts";

/** Longest item taken from a client: a voice or data frame, a checkpoint or a receipt. A longer one ends its stream. */
const MAX_ITEM_BYTES = 64 * 1024;

/** Who takes what comes on a stream. */
export interface StreamTaker {
  /** Where the flow's streams have one video unit each: takes it. `undefined`: they have items. */
  unit(flow: number, stop: () => void): UnitInlet | undefined;
  /** One item, valid only during the call; until a promise that it returns resolves, the stream is not read on. */
  item(flow: number, item: Uint8Array): Promise<void> | undefined;
}

/**
 * Hands out what comes on one stream until it ends, is reset or breaks its framing, which is returned. A stream that the taker wants
 * no more of (`ParleyError`) is stopped; other throws reject.
 */
export async function readStream(stream: ReceiveStream, taker: StreamTaker): Promise<Fault | undefined> {
  const start = await readStreamStart(stream);
  if (start === undefined) return undefined;
  const stop = () => stream.stop(CLOSE_CODES.overloaded);
  const inlet = start.flow === undefined ? undefined : taker.unit(start.flow, stop);
  if (inlet === undefined) return await readItems(stream, start.bytes, taker);
  await readUnit(stream, start.bytes, inlet);
  return undefined;
}

async function readItems(
  stream: ReceiveStream,
  start: Uint8Array,
  taker: StreamTaker,
): Promise<Fault | undefined> {
  const reader = new StreamItemReader(MAX_ITEM_BYTES);
  try {
    let chunk: Uint8Array | undefined = start;
    for (; chunk !== undefined; chunk = await stream.read()) {
      const { items, fault } = reader.push(chunk);
      for (const item of items) {
        const room = taker.item(reader.flow as number, item);
        if (room !== undefined) await room;
      }
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
