import type { Fault } from "../../codecs/result.ts";
import { CLOSE_CODES, type ReceiveStream } from "../../sfu/carrier.ts";
import { type ItemTaker, readItems } from "../../sfu/item-streams.ts";
import type { UnitInlet } from "../../sfu/unit-reader.ts";
import { readStreamStart, readUnit } from "../../sfu/unit-streams.ts";

/** Longest item taken from a client: a voice or data frame, a checkpoint or a receipt. A longer one ends its stream. */
const MAX_ITEM_BYTES = 64 * 1024;

/** Who takes what comes on a stream. */
export interface StreamTaker extends ItemTaker {
  /** The stream's flow is not known yet, `stop` ends the reading of it: what is to be called when it is, as in `UnitReader.await`. */
  await(stop: () => void): () => boolean;
  /** Where the flow's streams have one video unit each: takes it. `undefined`: they have items. */
  unit(flow: number, stop: () => void): UnitInlet | undefined;
}

/** Hands out what comes on one stream until it ends, is reset or breaks its framing, which is returned; otherwise as `readItems`. */
export async function readStream(stream: ReceiveStream, taker: StreamTaker): Promise<Fault | undefined> {
  const stop = () => stream.stop(CLOSE_CODES.overloaded);
  const known = taker.await(stop);
  const start = await readStreamStart(stream);
  if (!known() || start === undefined) return undefined;
  const inlet = start.flow === undefined ? undefined : taker.unit(start.flow, stop);
  if (inlet === undefined) return await readItems(stream, start.bytes, taker, MAX_ITEM_BYTES);
  await readUnit(stream, start.bytes, inlet);
  return undefined;
}
