import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { LinkConditions } from "./link.ts";
import { startTcpEmulator } from "./tcp-emulator.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A server that sends everything back, an emulator before it, and a client with what it got back. */
async function path(toServer: LinkConditions, toClient: LinkConditions = { delay: 0 }) {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => new Promise((resolve) => server.close(resolve)));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await startTcpEmulator({ target, toServer, toClient, seed: 1 });
  open.unshift(() => emulator.close());
  const client: Socket = connect({ port: Number(emulator.address.split(":")[1]), host: "127.0.0.1" });
  client.on("error", () => undefined);
  const got: Buffer[] = [];
  client.on("data", (data: Buffer) => got.push(data));
  await once(client, "connect");
  return { emulator, client, got: () => Buffer.concat(got) };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

test("carries octets in order, whatever the delay and loss of each, and their end", async () => {
  const { client, got } = await path({ delay: 5, jitter: 5, loss: 0.1 }, { delay: 5, jitter: 5 });
  const sent = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, at) => at % 251));
  client.end(sent);
  await once(client, "close");
  expect(got().equals(sent)).toBe(true);
});

test("delays both ways", async () => {
  const { client, got } = await path({ delay: 40 }, { delay: 30 });
  const from = performance.now();
  client.write("x");
  await until(() => got().length === 1);
  expect(performance.now() - from).toBeGreaterThanOrEqual(69);
});

test("keeps what is sent into the dark until it is light", async () => {
  const { client, emulator, got } = await path({ delay: 5 }, { delay: 5 });
  emulator.darken(150);
  const from = performance.now();
  client.write("x");
  await until(() => got().length === 1);
  expect(performance.now() - from).toBeGreaterThanOrEqual(150);
});

test("breaks every connection when it is told to", async () => {
  const { client, emulator } = await path({ delay: 0 });
  const closed = new Promise((resolve) => client.once("close", resolve));
  emulator.cut();
  await closed;
});
