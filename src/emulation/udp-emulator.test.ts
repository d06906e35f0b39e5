import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import type { LinkConditions } from "./link.ts";
import { startUdpEmulator, type UdpEmulator } from "./udp-emulator.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function socket(): Promise<Socket> {
  const made = createSocket("udp4");
  made.bind(0, "127.0.0.1");
  await once(made, "listening");
  open.push(() => new Promise<void>((resolve) => made.close(() => resolve())));
  return made;
}

/** A server that sends every packet back, an emulator before it, and a client with what it got back. */
async function path(toServer: LinkConditions, toClient: LinkConditions = { delay: 0 }, seed = 1) {
  const server = await socket();
  server.on("message", (packet, from) => server.send(packet, from.port, from.address));
  const emulator = await startUdpEmulator({
    target: `127.0.0.1:${server.address().port}`,
    toServer,
    toClient,
    seed,
  });
  open.push(() => emulator.close());
  const client = await socket();
  const got: { at: number; id: number }[] = [];
  client.on("message", (packet) => got.push({ at: performance.now(), id: packet.readUInt16BE(0) }));
  const send = (id: number): void => {
    const packet = Buffer.alloc(100);
    packet.writeUInt16BE(id);
    client.send(packet, Number(emulator.address.split(":")[1]), "127.0.0.1");
  };
  return { emulator, got, send };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function offered(emulator: UdpEmulator, count: number): Promise<void> {
  await until(() => emulator.toServer.offered === count);
  await until(() => emulator.toClient.offered === count - emulator.toServer.lost);
  await new Promise((resolve) => setTimeout(resolve, 20));
}

test("delays both ways", async () => {
  const { got, send } = await path({ delay: 40 }, { delay: 30 });
  const sent = performance.now();
  send(1);
  await until(() => got.length === 1);
  const took = (got[0]?.at ?? 0) - sent;
  expect(took).toBeGreaterThanOrEqual(69);
  expect(took).toBeLessThan(250);
});

test("loses the same packets with the same seed, others with another", async () => {
  const run = async (seed: number): Promise<number[]> => {
    const { emulator, got, send } = await path({ delay: 1, loss: 0.3, burst: 2 }, { delay: 0 }, seed);
    for (let id = 0; id < 200; id++) {
      send(id);
      if (id % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await offered(emulator, 200);
    expect(got.length).toBe(200 - emulator.toServer.lost);
    return got.map(({ id }) => id).sort((a, b) => a - b);
  };
  const first = await run(3);
  expect(first.length).toBeLessThan(190);
  expect(await run(3)).toEqual(first);
  expect(await run(4)).not.toEqual(first);
});

test("new conditions count from when they are set", async () => {
  const { emulator, got, send } = await path({ delay: 0 });
  send(1);
  await until(() => got.length === 1);
  emulator.change({ toServer: { delay: 0, loss: 1 } });
  send(2);
  await until(() => emulator.toServer.lost === 1);
  emulator.change({ toServer: { delay: 0 } });
  send(3);
  await until(() => got.length === 2);
  expect(got.map(({ id }) => id)).toEqual([1, 3]);
});

test("lets nothing through in the dark", async () => {
  const { emulator, got, send } = await path({ delay: 0 });
  emulator.darken(100);
  send(1);
  await until(() => emulator.toServer.lost === 1);
  await new Promise((resolve) => setTimeout(resolve, 110));
  send(2);
  await until(() => got.length === 1);
  expect(got.map(({ id }) => id)).toEqual([2]);
});

test("gives a client another port, and another address, when it rebinds; answers to the one before are lost", async () => {
  const server = await socket();
  const seen: { readonly address: string; readonly port: number }[] = [];
  server.on("message", (_, { address, port }) => seen.push({ address, port }));
  const target = `127.0.0.1:${server.address().port}`;
  const options = { target, toServer: { delay: 0 }, toClient: { delay: 0 }, seed: 1 };
  const emulator = await startUdpEmulator(options);
  open.push(() => emulator.close());
  const client = await socket();
  const got: string[] = [];
  client.on("message", (packet) => got.push(packet.toString()));
  const [, port] = emulator.address.split(":");
  const say = async (count: number): Promise<void> => {
    client.send("ping", Number(port), "127.0.0.1");
    await until(() => seen.length === count);
  };
  await say(1);
  emulator.rebind();
  await say(2);
  emulator.rebind("127.0.0.9");
  await say(3);
  expect(seen.map(({ address }) => address)).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.9"]);
  expect(new Set(seen.map((from) => from.port)).size).toBe(3);
  for (const [at, from] of seen.entries()) server.send(`answer ${at}`, from.port, from.address);
  await until(() => got.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(got).toEqual(["answer 2"]);
});
