import { expect, test } from "vitest";
import { CLOSE_CODES, type CloseInfo } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { encodeFrame } from "../mux/frames.ts";
import { WebSocketConnection } from "./connection.ts";

const MIB = 1024 * 1024;

/** A connection whose socket keeps all that is sent, `before` bytes of an earlier time among it. */
function stuck(before: number) {
  const clock = new VirtualClock();
  const closed: CloseInfo[] = [];
  let kept = before;
  let isSocketClosed = false;
  const port = {
    send(message: Uint8Array) {
      kept += message.length;
    },
    get buffered() {
      return kept;
    },
    close() {
      isSocketClosed = true;
    },
  };
  const facts = { url: "ws://127.0.0.1:8480/agtp" };
  const connection = new WebSocketConnection("server", port, facts, { clock, liveness: false });
  connection.start(() => ({
    datagram() {},
    stream() {},
    exchange() {},
    closed: (info) => closed.push(info),
  }));
  return { clock, closed, connection, kept: () => kept, isSocketClosed: () => isSocketClosed };
}

test("a peer that sends on and reads nothing is closed once its answers fill 4 MiB", async () => {
  const { clock, closed, connection, kept, isSocketClosed } = stuck(4 * MIB - 5_000);
  const datagram = encodeFrame({ type: "datagram", bytes: Uint8Array.of(1) });
  let sent = 0;
  while (!isSocketClosed() && sent < 100_000) {
    connection.message(datagram);
    sent++;
  }
  await clock.settle();
  expect(closed).toEqual([{ code: CLOSE_CODES.overloaded, reason: "the peer does not read" }]);
  expect(kept()).toBeGreaterThan(4 * MIB);
  expect(kept()).toBeLessThan(4 * MIB + 100);
  expect(connection.sendDatagram(Uint8Array.of(1))).toBe("closed");
});

test("what this side says of its own will stays within the window, whatever the peer does not read", async () => {
  const { clock, closed, connection, kept } = stuck(0);
  const stream = await connection.openStream();
  stream.write(new Uint8Array(10 * MIB)).catch(() => {});
  for (let i = 0; i < 5_000; i++) {
    connection.sendDatagram(new Uint8Array(1_000));
    await clock.advance(20);
  }
  expect(kept()).toBeLessThan(64 * 1024);
  expect(connection.drops.late).toBeGreaterThan(4_000);
  expect(closed).toEqual([]);
});
