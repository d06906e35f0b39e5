/**
 * Floods a server from a process of its own, so that it disturbs nobody but through the server. Its one argument is JSON:
 * url, certificateHash and what to flood with. Runs until it is told `stop` or loses its parent; says how much it sent. It gives way to
 * everything else on the machine, as if it were on another.
 */
import { constants, setPriority } from "node:os";
import { systemClock } from "../../platform/node/clock.ts";
import type { Connection } from "../../sfu/carrier.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";

export type Flood = "datagrams" | "streams" | "requests" | "unfinished" | "connections";

export interface FlooderOptions {
  readonly url: string;
  readonly certificateHash: string;
  readonly flood: Flood;
}

export type FlooderNotice =
  | { readonly kind: "flooding" }
  | { readonly kind: "stopped"; readonly sent: number; readonly closed: readonly string[] };

/** Datagrams handed over in one turn of the loop. */
const BURST = 50;
/** Exchanges and streams under way at once. */
const AT_ONCE = 90;

setPriority(constants.priority.PRIORITY_LOW);
const options = JSON.parse(process.argv[2] ?? "{}") as FlooderOptions;
const hash = Uint8Array.from(Buffer.from(options.certificateHash, "hex"));
const random = new SeededRandom(1);
const carrier = webTransportCarrier({ clock: systemClock });
const closed: string[] = [];
const over = new WeakMap<Connection, Promise<void>>();
let isStopped = false;
let sent = 0;

process.on("message", () => {
  isStopped = true;
});
process.on("disconnect", () => process.exit());

const floods: Readonly<Record<Flood, (connection: Connection) => Promise<void>>> = {
  /** Noise, and frames of nobody's. */
  async datagrams(connection) {
    for (let index = 0; index < BURST; index += 1) {
      const bytes = random.bytes(20 + random.integer(1_000));
      bytes[0] = 1 + random.integer(63);
      connection.sendDatagram(bytes);
      sent += 1;
    }
    await nextTurn();
  },
  /** Streams of noise that nobody asked for. */
  async streams(connection) {
    await atOnce(async () => {
      const stream = await connection.openStream();
      await stream.write(Uint8Array.of(2, 0x80, 0, 0xff, 0xff, ...random.bytes(4_000)));
      await stream.finish();
    });
  },
  /** Requests as fast as they are answered. */
  async requests(connection) {
    await atOnce(async () => {
      const exchange = await connection.openExchange();
      await exchange.send.write(new TextEncoder().encode("AGTP/1.0 DISCOVER /\r\n\r\n"));
      await exchange.send.finish();
      while ((await exchange.receive.read()) !== undefined);
    });
  },
  /** Requests with a large body that never come to an end. */
  async unfinished(connection) {
    const head = new TextEncoder().encode("AGTP/1.0 QUERY /clock\r\nContent-Length: 1048576\r\n\r\n");
    await atOnce(async () => {
      const exchange = await connection.openExchange();
      await exchange.send.write(head);
      for (let piece = 0; piece < 15; piece += 1) await exchange.send.write(new Uint8Array(65_536));
      while ((await exchange.receive.read()) !== undefined);
    });
  },
  async connections() {
    await atOnce(async () => {
      const connection = await connect();
      connection.close(0, "");
    });
  },
};

process.send?.({ kind: "flooding" } satisfies FlooderNotice);
while (!isStopped) {
  try {
    const connection = await connect();
    let isOver = false;
    void over.get(connection)?.then(() => {
      isOver = true;
    });
    while (!isOver && !isStopped) await floods[options.flood](connection);
    connection.close(0, "");
  } catch {
    // Turned away: comes again.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
process.send?.({ kind: "stopped", sent, closed: [...new Set(closed)] } satisfies FlooderNotice, () =>
  process.exit(),
);

async function connect(): Promise<Connection> {
  const ended = Promise.withResolvers<void>();
  const connection = await carrier.connect(options.url, { certificateHashes: [hash] }, () => ({
    datagram() {},
    stream() {},
    exchange() {},
    closed: ({ code, reason }) => {
      closed.push(`${code} ${reason}`);
      ended.resolve();
    },
  }));
  over.set(connection, ended.promise);
  return connection;
}

async function atOnce(work: () => Promise<void>): Promise<void> {
  await Promise.allSettled(
    Array.from({ length: AT_ONCE }, async () => {
      await work();
      sent += 1;
    }),
  );
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
