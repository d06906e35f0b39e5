/** Ends whose connection breaks, over each carrier, and that never come back: what becomes of a bounded call and of a persistent one. */
import { expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { type Agent, createIdentity, nodePlatform } from "../../agent/node.ts";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";
import { ATTACH_GRACE } from "../../signaling/switchboard/detaching.ts";
import { connectCall } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { tcpProxy } from "../tcp-proxy.ts";
import { until, within } from "../waiting.ts";

type On = "webtransport" | "websocket" | "tls";

/** Between an end's leave and the news of it, at most, milliseconds: what liveness and a busy machine take. */
const NEWS_MS = 5_000;

it.concurrent.for<On>(["webtransport", "websocket", "tls"])(
  "over %s: the bounded call ends once it was waited for, the persistent one stays until it is hung up",
  { timeout: 60_000 },
  // Tests that run side by side each have their own clean-up.
  async (carrier, { onTestFinished }) => {
    const proxy = await tcpProxy();
    const server = await realServer({ origins: [`https://127.0.0.1:${proxy.port}`] });
    onTestFinished(() => server.stop());
    proxy.leadTo(server.port);
    let own: Connection | undefined;
    const online = async (name: string, choice: On, port: number): Promise<Agent> => {
      const platform = nodePlatform({ choice, webSocketUrl: `wss://127.0.0.1:${port}/agtp` });
      const watched: typeof platform.carrier = {
        connect: async (...dialled) => {
          const connection = await platform.carrier.connect(...dialled);
          if (name === "Ada") own = connection;
          return connection;
        },
      };
      return await connectAgent({ ...platform, carrier: watched }, `https://127.0.0.1:${port}/agtp`, {
        identity: createIdentity({ name }).identity,
        certificateHashes: server.certificateHashes,
        reconnect: false,
      });
    };
    const ada = await online("Ada", carrier, carrier === "webtransport" ? server.port : proxy.port);
    const bob = await online("Bob", "webtransport", server.port);
    onTestFinished(() => bob.close());
    const { answered: bounded } = await connectCall(ada, bob);
    const { answered: persistent } = await connectCall(ada, bob, { model: "persistent" });
    const told: string[] = [];
    for (const [name, call] of [
      ["bounded", bounded],
      ["persistent", persistent],
    ] as const)
      call.on("peer-detached", () => told.push(name));

    const broke = performance.now();
    await proxy.stop();
    if (carrier === "webtransport") own?.close(CLOSE_CODES.livenessTimeout, "cut");
    await until("the news at the other end", () => told.length === 2);
    expect(performance.now() - broke).toBeLessThan(NEWS_MS);
    expect(told.sort()).toEqual(["bounded", "persistent"]);
    const end = await within("the bounded call's end", bounded.ended, ATTACH_GRACE + NEWS_MS);
    expect(end).toEqual({ reason: "transport-closed", by: "server" });
    expect(performance.now() - broke).toBeGreaterThan(ATTACH_GRACE - 1_000);
    expect(persistent.state).not.toBe("ended");
    await within("the persistent call's end", persistent.end("nobody-there"));
    expect(await persistent.ended).toEqual({ reason: "nobody-there", by: "me" });
    await ada.close();
  },
);
