/** Agents that come online again: when, how often, and when not. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { connectAgent } from "../../agent/connect.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { connected, refusal } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

const MINUTE = 60_000;

/** What an agent says of its being online, with the time of each. */
function diary(world: World, agent: Agent) {
  const entries: { readonly at: number; readonly event: string; readonly retryIn?: number }[] = [];
  const at = () => world.clock.now();
  agent.on("offline", ({ retryAt }) =>
    entries.push({ at: at(), event: "offline", retryIn: retryAt - world.clock.wall() }),
  );
  agent.on("online", ({ carrier }) => entries.push({ at: at(), event: `online over ${carrier.kind}` }));
  agent.on("closed", ({ code }) => entries.push({ at: at(), event: `closed ${code}` }));
  return { entries, events: () => entries.map(({ event }) => event) };
}

describe("an agent told to reconnect", () => {
  it("comes online again after a minute without a server, and can call and be called as before", async () => {
    const world = new World();
    const ada = await world.agent("Ada", { reconnect: true });
    const bob = await world.agent("Bob", { reconnect: true });
    const { call } = await connected(world, ada, bob);
    const { entries, events } = diary(world, ada);
    await world.stopServer();
    await world.clock.advance(10);
    expect([ada.isOnline, ada.calls, call.state]).toEqual([false, [call], "detached"]);
    const offline = await ada.call(bob.id).catch((error) => error);
    expect(offline).toMatchObject({ code: "offline" });
    // The first wait may be over before a hundredth of a second is.
    const { at = 0, retryIn = 0 } = entries.at(-1) ?? {};
    expect(offline.details.retry_at).toBeCloseTo(world.clock.wall() + retryIn - (world.clock.now() - at), 3);
    await world.clock.advance(MINUTE);
    expect(await call.ended).toEqual({ reason: "connection-lost", by: "server" });
    expect(ada.calls).toEqual([]);
    const tries = entries.length;
    expect(tries).toBeGreaterThan(4);
    for (const [index, { event, retryIn }] of entries.entries()) {
      expect(event).toBe("offline");
      expect(retryIn).toBeLessThanOrEqual(Math.min(30_000, 1_000 * 2 ** index));
    }
    world.startServer();
    await world.clock.advance(31_000);
    expect(events().slice(tries)).toEqual(["online over memory"]);
    expect([ada.isOnline, ada.serverId]).toEqual([true, world.serverId]);
    // The handler that Bob was given before still decides.
    const again = await world.during(ada.call(bob.id));
    expect(again.peer.agentId).toBe(bob.id);
    expect(world.reported).toEqual([]);
  });

  it("does not fight for its place: the newest one stays, the older is closed as replaced", async () => {
    const world = new World();
    const identity = world.identity({ name: "Ada" });
    const older = await world.agent("Ada", { identity, reconnect: true });
    const { events } = diary(world, older);
    const newer = await world.agent("Ada", { identity, reconnect: true });
    await world.clock.advance(10 * MINUTE);
    expect(events()).toEqual([`closed ${CLOSE_CODES.replaced}`]);
    expect(await refusal(world, older.call(newer.id))).toBe("closed");
    expect([older.isOnline, newer.isOnline]).toEqual([false, true]);
    const bob = await world.agent("Bob");
    newer.onCall(async (incoming) => void (await incoming.accept()));
    expect((await world.during(bob.call(newer.id))).peer.agentId).toBe(newer.id);
  });

  it("tries again with a fresh address after its token was refused, and not at all where it is forbidden", async () => {
    for (const [code, told] of [
      [CLOSE_CODES.tokenRefused, ["offline", "online over memory"]],
      [CLOSE_CODES.forbidden, [`closed ${CLOSE_CODES.forbidden}`]],
    ] as const) {
      const world = new World();
      const dialled: string[] = [];
      const close: ((code: number) => void)[] = [];
      const connect: typeof world.network.connect = async (url, options, handlers) => {
        dialled.push(url);
        const connection = await world.network.connect(url, options, handlers);
        close.push((code) => connection.close(code, "refused"));
        return connection;
      };
      let lookUps = 0;
      const address = async () => ({ url: `${ORIGIN}?token=${++lookUps}` });
      const identity = world.identity({ name: "Ada" });
      const platform = world.platform({ connect });
      const ada = await world.during(connectAgent(platform, address, { identity, reconnect: true }));
      const { events } = diary(world, ada);
      close[0]?.(code);
      await world.clock.advance(3_000);
      expect(events()).toEqual(told);
      expect(dialled).toHaveLength(code === CLOSE_CODES.tokenRefused ? 2 : 1);
      expect(new Set(dialled).size).toBe(dialled.length);
    }
  });

  it("may be closed while it waits, and tries no more", async () => {
    const world = new World();
    const ada = await world.agent("Ada", { reconnect: true });
    const { events } = diary(world, ada);
    await world.stopServer();
    await world.clock.advance(1);
    expect(events()).toEqual(["offline"]);
    await world.during(ada.close());
    expect(events()).toEqual(["offline", "closed 0"]);
    const pending = world.clock.pending;
    world.startServer();
    await world.clock.advance(2 * MINUTE);
    expect(events()).toHaveLength(2);
    expect(world.server.connections).toBe(0);
    expect(world.clock.pending).toBeLessThanOrEqual(pending);
    expect(await refusal(world, ada.call(ada.id))).toBe("closed");
  });

  it("may be closed while it tries: the connection it gets is given back", async () => {
    const world = new World();
    const looking: (() => void)[] = [];
    let lookUps = 0;
    const address = async () => {
      lookUps += 1;
      if (lookUps > 1) await new Promise<void>((resolve) => looking.push(resolve));
      return { url: ORIGIN };
    };
    const identity = world.identity({ name: "Ada" });
    const ada = await world.during(connectAgent(world.platform(), address, { identity, reconnect: true }));
    const { events } = diary(world, ada);
    await world.stopServer();
    world.startServer();
    await world.clock.advance(1_500);
    expect(looking).toHaveLength(1);
    await world.during(ada.close());
    looking[0]?.();
    await world.clock.advance(1_000);
    expect(events()).toEqual(["offline", "closed 0"]);
    expect(world.server.connections).toBe(0);
  });

  it("looks the address up before every try, as certificates change with restarts", async () => {
    const world = new World();
    const shown: (readonly Uint8Array[] | undefined)[] = [];
    const socketUrls: (string | undefined)[] = [];
    const carrier: typeof world.network.connect = (url, options, handlers) => {
      shown.push(options.certificateHashes);
      socketUrls.push(options.webSocketUrl);
      return world.network.connect(url, options, handlers);
    };
    const identity = world.identity({ name: "Ada" });
    let certificate = 1;
    const address = async () => ({
      url: ORIGIN,
      webSocketUrl: `wss://${certificate}.test/agtp`,
      certificateHashes: [`${certificate}`.padStart(64, "0")],
    });
    const platform = world.platform({ connect: carrier });
    const ada = await world.during(connectAgent(platform, address, { identity, reconnect: true }));
    certificate = 2;
    await world.stopServer();
    world.startServer();
    await world.clock.advance(3_000);
    expect(ada.isOnline).toBe(true);
    expect(shown.map((hashes) => hashes?.[0]?.at(-1))).toEqual([1, 2]);
    expect(socketUrls).toEqual(["wss://1.test/agtp", "wss://2.test/agtp"]);
  });

  it("takes a look-up that fails or hangs as a failed try", async () => {
    const world = new World();
    let lookUps = 0;
    const address = async () => {
      lookUps += 1;
      if (lookUps === 2) throw new TypeError("fetch failed");
      if (lookUps === 3) await new Promise(() => {});
      return { url: ORIGIN };
    };
    const identity = world.identity({ name: "Ada" });
    const ada = await world.during(connectAgent(world.platform(), address, { identity, reconnect: true }));
    const failures: unknown[] = [];
    ada.on("offline", ({ failure }) => failures.push(failure));
    await world.stopServer();
    world.startServer();
    await world.clock.advance(MINUTE);
    expect(failures).toEqual([
      undefined,
      expect.any(TypeError),
      expect.objectContaining({ code: "connect-timeout" }),
    ]);
    expect(ada.isOnline).toBe(true);
  });

  it("does not dial without pause a server that drops it at once each time", async () => {
    const world = new World();
    const identity = world.identity({ name: "Ada" });
    let dials = 0;
    const drop: { now?: () => void } = {};
    const platform = world.platform({
      connect: async (url, options, handlers) => {
        dials += 1;
        const connection = await world.network.connect(url, options, handlers);
        drop.now = () => connection.close(CLOSE_CODES.overloaded, "too many");
        return connection;
      },
    });
    const ada = await world.during(connectAgent(platform, ORIGIN, { identity, reconnect: true }));
    ada.on("online", () => drop.now?.());
    drop.now?.();
    await world.clock.advance(10 * MINUTE);
    // On average every 15 s once the delay has grown.
    expect(dials).toBeGreaterThan(15);
    expect(dials).toBeLessThan(90);
  });

  it("spreads 200 agents that lost their server together", async () => {
    const world = new World();
    const agents = await world.during(
      Promise.all(
        Array.from({ length: 200 }, (_, index) => world.connecting(`Agent ${index}`, { reconnect: true })),
      ),
    );
    const back: number[] = [];
    for (const agent of agents) agent.on("online", () => back.push(world.clock.now()));
    await world.stopServer();
    const from = world.clock.now();
    await world.clock.advance(20_000);
    world.startServer();
    await world.clock.advance(40_000);
    expect(back).toHaveLength(200);
    expect(world.server.connections).toBe(200);
    const perSecond = new Map<number, number>();
    for (const at of back) {
      const second = Math.floor((at - from) / 1_000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...perSecond.values())).toBeLessThan(40);
  });
});

describe("an agent not told to", () => {
  it("stays closed, and tells how it ended", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const { events } = diary(world, ada);
    await world.stopServer();
    world.startServer();
    await world.clock.advance(2 * MINUTE);
    expect(events()).toEqual([`closed ${CLOSE_CODES.shutdown}`]);
    expect(await refusal(world, ada.directory())).toBe("closed");
  });

  it("is not kept trying by a first connection that fails, even with reconnect", async () => {
    const world = new World();
    await world.stopServer();
    expect(await refusal(world, world.connecting("Ada", { reconnect: true }))).toBe("connect-refused");
    expect(world.clock.pending).toBe(0);
  });
});
