import { describe, expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Carrier, CloseInfo, DuplexStream } from "../../sfu/carrier.ts";
import { ORIGIN, World } from "./world.ts";

describe("a connection whose streams break before it says why", () => {
  it("ends with the server's word", async () => {
    const { world, closed, breakStreams } = await online();
    breakStreams();
    await world.clock.advance(300);
    expect(closed).toEqual([]);
    await world.during(world.server.drain(0));
    await world.clock.advance(100);
    expect(closed).toEqual([{ code: 4, reason: "server-shutdown" }]);
  });

  it("ends from here when the server has none", async () => {
    const { world, closed, breakStreams } = await online();
    breakStreams();
    await world.clock.advance(1_100);
    expect(closed).toEqual([{ code: 3, reason: "inbox lost" }]);
  });
});

/** An agent whose streams the test can break while its connection stands. */
async function online() {
  const world = new World();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const fragile = ({ send, receive }: DuplexStream): DuplexStream => ({
    send,
    receive: {
      read: () => Promise.race([receive.read(), broken.promise]),
      stop: (code) => receive.stop(code),
    },
  });
  const carrier: Carrier = {
    async connect(url, options, accept) {
      const connection = await world.network.connect(url, options, accept);
      return new Proxy(connection, {
        get: (target, name) => {
          if (name === "openExchange") return async () => fragile(await target.openExchange());
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
  const agent = await world.during(
    connectAgent({ ...world.platform(), carrier }, ORIGIN, { identity: world.identity({ name: "Ada" }) }),
  );
  const closed: CloseInfo[] = [];
  agent.on("closed", (info) => closed.push(info));
  const lost = new ParleyError({ code: "connection-lost", message: "The stream ended." });
  return { world, closed, breakStreams: () => broken.reject(lost) };
}
