/** The WebSocket carrier under whole calls, on virtual time. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { Carrier } from "../../sfu/carrier.ts";
import type { MessageSocket } from "../../transports/mux/muxed.ts";
import { WebSocketConnection } from "../../transports/websocket/connection.ts";
import { connected, Recording, say } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

/** WebSockets to the world's server that take 5 ms. */
function webSockets(world: World): Carrier {
  const { clock } = world;
  return {
    async connect(_url, _options, accept) {
      const facts = { url: "wss://127.0.0.1:4480/agtp" };
      const port = (other: () => WebSocketConnection): MessageSocket => ({
        send: (message) => void clock.at(clock.now() + 5, () => other().message(message)),
        buffered: 0,
        close: () => void clock.at(clock.now() + 5, () => other().gone("closed")),
      });
      const options = { clock, fault: (error: unknown) => void world.reported.push(error) };
      const client: WebSocketConnection = new WebSocketConnection(
        "client",
        port(() => server),
        facts,
        options,
      );
      const server: WebSocketConnection = new WebSocketConnection(
        "server",
        port(() => client),
        facts,
        options,
      );
      server.start((connection) => world.server.accept(connection, [ORIGIN]));
      client.start(accept);
      return client;
    },
  };
}

it("two ends that both write and do not read hold up neither their requests nor the voice, and lose nothing", async () => {
  const world = new World();
  const carrier = webSockets(world);
  const ada = await world.agent("Ada", {}, carrier);
  const bob = await world.agent("Bob", {}, carrier);
  const { call, answered } = await connected(world, ada, bob, { audio: { codecs: ["pcmu"] }, data: true });
  const recording = new Recording(answered);
  const values = Array.from({ length: 120 }, (_, number) => `${number} ${"x".repeat(12_000)}`);
  const written = { ada: 0, bob: 0 };
  const write = async (end: Call, name: "ada" | "bob"): Promise<void> => {
    for (const value of values) {
      await end.data?.send(value);
      written[name]++;
    }
  };
  const writing = Promise.all([write(call, "ada"), write(answered, "bob")]);
  await world.clock.advance(8_000);
  const held = { ...written };
  await world.clock.advance(500);
  // Nobody reads: both are held up, each by the other.
  expect(written).toEqual(held);
  expect(Math.max(held.ada, held.bob)).toBeLessThan(values.length);
  await say(world, call, 0.2);
  await world.clock.advance(200);
  expect(recording.count("speech")).toBeGreaterThanOrEqual(9);
  expect((await world.during(call.records())).length).toBeGreaterThan(0);
  const heard = await world.during(
    Promise.all([readAll(call, values.length), readAll(answered, values.length)]),
  );
  expect(heard).toEqual([values, values]);
  await world.during(writing);
  await world.during(call.end());
  expect(world.reported).toEqual([]);
});

async function readAll(call: Call, count: number): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of call.data ?? []) if (values.push(value) === count) break;
  return values;
}
