import { ParleyError } from "../codecs/parley-error.ts";
import { MAX_VARINT_BYTES, readVarint, varintLength } from "../codecs/varint.ts";
import type { ReceiveStream } from "./carrier.ts";
import type { UnitInlet } from "./unit-reader.ts";

/** What came of a stream until its flow was known. */
export interface StreamStart {
  /** `undefined`: it names none that can be. */
  readonly flow: number | undefined;
  /** Everything that came, the flow included. */
  readonly bytes: Uint8Array;
}

/** Reads a stream until its flow is known; `undefined` where nothing comes, or it is reset. */
export async function readStreamStart(stream: ReceiveStream): Promise<StreamStart | undefined> {
  let bytes = new Uint8Array(0);
  try {
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
      if (bytes.length === 0) bytes = new Uint8Array(chunk);
      else bytes = Uint8Array.from([...bytes, ...chunk]);
      const first = bytes[0];
      if (first !== undefined && bytes.length >= varintLength(first)) {
        const flow = readVarint(bytes, 0, MAX_VARINT_BYTES);
        return { flow: Number.isFinite(flow) ? flow : undefined, bytes };
      }
    }
    return bytes.length === 0 ? undefined : { flow: undefined, bytes };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return undefined;
  }
}

/** Reads the one unit of a stream to its end, or until the inlet wants no more of it. `start`: what came of it already. */
export async function readUnit(stream: ReceiveStream, start: Uint8Array, inlet: UnitInlet): Promise<void> {
  try {
    inlet.push(start);
    for (let chunk = await next(stream, inlet); chunk !== undefined; chunk = await next(stream, inlet))
      inlet.push(chunk);
    inlet.end();
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    inlet.abort();
  }
}

async function next(stream: ReceiveStream, inlet: UnitInlet): Promise<Uint8Array | undefined> {
  return inlet.isOver ? undefined : await stream.read();
}
