import { ParleyError } from "../../codecs/parley-error.ts";
import type { Fault } from "../../codecs/result.ts";
import { StreamItemReader } from "../../codecs/stream-items.ts";
import { CLOSE_CODES, type ReceiveStream } from "../../sfu/carrier.ts";

/** Longest item taken from a client: a voice or data frame, a checkpoint or a receipt. A longer one ends its stream. */
const MAX_ITEM_BYTES = 64 * 1024;

/**
 * Hands out the items of one stream until it ends, is reset or breaks its framing, which is returned. An item's bytes are
 * valid only during the call; until a promise that `take` returns resolves, the stream is not read on. A stream that `take` wants
 * no more of (`ParleyError`) is stopped; other throws reject.
 */
export async function readItems(
  stream: ReceiveStream,
  take: (flow: number, item: Uint8Array) => Promise<void> | undefined,
): Promise<Fault | undefined> {
  const reader = new StreamItemReader(MAX_ITEM_BYTES);
  try {
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
      const { items, fault } = reader.push(chunk);
      for (const item of items) {
        const room = take(reader.flow as number, item);
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
