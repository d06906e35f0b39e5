import { decodeHex } from "../../codecs/hex.ts";
import { createClock } from "../../platform/browser/clock.ts";
import type { Carrier, CloseInfo, ReceiveStream } from "../../sfu/carrier.ts";
import { webSocketCarrier } from "../../transports/websocket/browser-client.ts";
import { webTransportCarrier } from "../../transports/webtransport/browser-client.ts";

declare global {
  var tryCarrier: (kind: "webtransport" | "websocket", url: string, hash: string) => Promise<CarrierReport>;
  var sendAndBeBusy: (url: string, hash: string, count: number) => Promise<BusyReport>;
}

/** What a page saw of one connection. */
export interface CarrierReport {
  readonly carrier: string;
  readonly isPinned: boolean;
  readonly echoed: number;
  readonly datagram: readonly number[];
  readonly fromServer: number;
  readonly toServer: number;
  readonly closed: CloseInfo;
}

/** What became of datagrams while the page's only thread did something else. */
export interface BusyReport {
  /** When it was done, Unix milliseconds. */
  readonly doneAt: number;
  readonly received: number;
}

/** How long it does. */
const BUSY_MS = 1_500;

globalThis.tryCarrier = async (kind, url, hash) => {
  const clock = createClock();
  const carrier: Carrier =
    kind === "websocket" ? webSocketCarrier({ clock }) : webTransportCarrier({ clock });
  const pinned = decodeHex(hash, 32, "hash");
  if (!pinned.ok) throw new Error(pinned.fault.message);
  const datagram = Promise.withResolvers<number[]>();
  const stream = Promise.withResolvers<ReceiveStream>();
  const closed = Promise.withResolvers<CloseInfo>();
  const options = { certificateHashes: [pinned.value] };
  const connection = await carrier.connect(url, options, () => ({
    datagram: (bytes) => datagram.resolve([...bytes]),
    stream: stream.resolve,
    exchange() {},
    closed: closed.resolve,
  }));
  const exchange = await connection.openExchange();
  // Read while writing: the echo comes back through a window.
  const written = exchange.send.write(new Uint8Array(300_000).fill(7)).then(() => exchange.send.finish());
  const echoed = await lengthOf(exchange.receive);
  await written;
  connection.sendDatagram(Uint8Array.of(5, 6, 7));
  const sending = await connection.openStream();
  await sending.write(new Uint8Array(40_000));
  await sending.finish();
  const fromServer = await lengthOf(await stream.promise);
  const answered = await connection.openExchange();
  await answered.send.write(Uint8Array.of(1));
  await answered.send.finish();
  const toServer = await lengthOf(answered.receive);
  return {
    carrier: connection.carrier,
    isPinned: connection.pinned !== undefined,
    echoed,
    datagram: await datagram.promise,
    fromServer,
    toServer,
    closed: await closed.promise,
  };
};

globalThis.sendAndBeBusy = async (url, hash, count) => {
  const pinned = decodeHex(hash, 32, "hash");
  if (!pinned.ok) throw new Error(pinned.fault.message);
  const options = { certificateHashes: [pinned.value] };
  let received = 0;
  const all = Promise.withResolvers<void>();
  const connection = await webTransportCarrier({ clock: createClock() }).connect(url, options, () => ({
    datagram() {
      received += 1;
      if (received === count) all.resolve();
    },
    stream() {},
    exchange() {},
    closed: () => all.resolve(),
  }));
  for (let index = 0; index < count; index += 1) connection.sendDatagram(Uint8Array.of(9, index));
  // The browser takes them over promise by promise; then the thread is busy.
  for (let turn = 0; turn < 20 * count; turn += 1) await Promise.resolve();
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until);
  const doneAt = Date.now();
  setTimeout(all.resolve, BUSY_MS);
  await all.promise;
  connection.close(0, "");
  return { doneAt, received };
};

async function lengthOf(stream: ReceiveStream): Promise<number> {
  let length = 0;
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read())
    length += chunk.length;
  return length;
}
