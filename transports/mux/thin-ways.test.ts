/** Audio beside a bulk stream on thin ways, on virtual time. docs/wire-websocket.md shows the figures. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ReceiveStream } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { Mux } from "./mux.ts";

interface Way {
  readonly kbits: number;
  readonly oneWay: number;
}

const RUN_MS = 30_000;
const PACKET_BYTES = 160;
const PACKET_EVERY_MS = 20;
/** A WebSocket's header and mask, a TLS record, and a share of the TCP segment. */
const OVERHEAD_BYTES = 40;

/** What audio of 50 packets a second, and streams without an end, came to. */
async function run(first: Way, change?: { readonly at: number; readonly to: Way }, streams = 1) {
  const clock = new VirtualClock();
  let way = first;
  if (change !== undefined)
    clock.at(change.at, () => {
      way = change.to;
    });
  const audio: { readonly at: number; readonly extra: number }[] = [];
  const bulk: { readonly at: number; readonly bytes: number }[] = [];
  const carry = (to: () => Mux): ((message: Uint8Array) => void) => {
    let free = 0;
    let last = 0;
    return (message) => {
      free = Math.max(free, clock.now()) + (message.length + OVERHEAD_BYTES) / (way.kbits / 8);
      last = Math.max(last, free + way.oneWay);
      clock.at(last, () => to().receive(message));
    };
  };
  const common = {
    exchange() {},
    closed() {},
    violated(why: string) {
      throw new Error(why);
    },
    over: () => undefined,
  };
  const read = async (stream: ReceiveStream): Promise<void> => {
    for (let chunk = await stream.read(); chunk; chunk = await stream.read())
      bulk.push({ at: clock.now(), bytes: chunk.length });
  };
  const client: Mux = new Mux("client", clock, {
    ...common,
    send: carry(() => server),
    datagram() {},
    stream() {},
  });
  const server: Mux = new Mux("server", clock, {
    ...common,
    send: carry(() => client),
    datagram(bytes) {
      const sentAt = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
      audio.push({ at: sentAt, extra: clock.now() - sentAt - way.oneWay });
    },
    stream: (stream) => void read(stream),
  });
  const packet = new Uint8Array(PACKET_BYTES);
  const speak = (): void => {
    new DataView(packet.buffer).setFloat64(0, clock.now());
    client.sendDatagram(packet);
    clock.at(clock.now() + PACKET_EVERY_MS, speak);
  };
  speak();
  for (let i = 0; i < streams; i++) {
    const stream = await client.openStream();
    void (async () => {
      for (;;) await stream.write(new Uint8Array(20_000));
    })();
  }
  await clock.advance(RUN_MS);
  return {
    /** Milliseconds beyond the way's own, for this share of the packets sent from `from` on. */
    extra(share: number, from = 0): number {
      const sorted = audio.filter(({ at }) => at >= from).map(({ extra }) => extra);
      sorted.sort((a, b) => a - b);
      return Math.round(sorted[Math.ceil(share * (sorted.length - 1))] as number);
    },
    late: client.drops.late,
    full: client.drops.full,
    /** kbit/s of the streams from `from` on. */
    bulk: (from = 0): number =>
      (bulk.reduce((sum, { at, bytes }) => sum + (at >= from ? bytes : 0), 0) * 8) / (RUN_MS - from),
  };
}

describe("audio beside a bulk stream", () => {
  test("waits no longer than the documentation says", async () => {
    const page = readFileSync(new URL("../../docs/wire-websocket.md", import.meta.url), "utf8");
    const rows: string[] = [];
    for (const kbits of [200, 500, 2_000]) {
      const { extra, late, bulk } = await run({ kbits, oneWay: 50 });
      const name = kbits < 1_000 ? `${kbits} kbit/s` : `${kbits / 1_000} Mbit/s`;
      rows.push(
        `| ${name} | ${extra(0.5)} ms | ${extra(0.95)} ms | ${extra(1)} ms | ${late} of 1,500 | ${Math.round(bulk())} kbit/s |`,
      );
      if (kbits >= 500) expect(extra(0.95)).toBeLessThan(100);
    }
    expect(page.split("\n").filter((line) => rows.includes(line))).toEqual(rows);
  });

  test("recovers when the way becomes thinner", async () => {
    const { extra, bulk } = await run(
      { kbits: 4_000, oneWay: 50 },
      { at: 10_000, to: { kbits: 500, oneWay: 50 } },
    );
    expect(extra(0.95, 12_000)).toBeLessThan(100);
    expect(bulk(12_000)).toBeGreaterThan(300);
  });

  // One stream carries no more than its credit of 64 KiB in a round trip: these are several.
  test("leaves to streams what a better way gives", async () => {
    const better = { kbits: 4_000, oneWay: 50 };
    const { bulk } = await run({ kbits: 500, oneWay: 50 }, { at: 10_000, to: better }, 3);
    expect(bulk(13_000)).toBeGreaterThan(3_000);
  });

  test("learns that the way became longer, and fills it again", async () => {
    const { bulk, extra } = await run(
      { kbits: 2_000, oneWay: 20 },
      { at: 5_000, to: { kbits: 2_000, oneWay: 120 } },
      3,
    );
    expect(bulk(20_000)).toBeGreaterThan(1_400);
    expect(extra(0.95, 20_000)).toBeLessThan(100);
  });
});
