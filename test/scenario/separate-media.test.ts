/** Calls of agents whose requests and media have connections of their own, among themselves and with others. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { Interrupted } from "../../agent/call-interrupts.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CLOSE_CODES, type Connection, type DuplexStream, SESSION_OVER } from "../../sfu/carrier.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { strictVerifier } from "../keys.ts";
import { SlowLog } from "./slow-log.ts";
import { connected, Recording, refusal, say, utterance } from "./talking.ts";
import { World, type WorldOptions } from "./world.ts";

const ONE_WAY = 20;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};
const CAPTURE = "communication:audio:capture";

type Way = "separate" | "network";

async function scene(ada: Way = "separate", bob: Way = "network", options: WorldOptions = {}) {
  const world = new World({ toServer: link, toClient: link, ...options });
  const media: Connection[] = [];
  /** Whether the connection of the next request breaks before it is heard. */
  const requests = { breakNext: false };
  /** Each breaks the connection of one subscription, in order of subscribing. */
  const inboxes: (() => void)[] = [];
  const noting = {
    connect: async (...[url, options, handlers]: Parameters<typeof world.separate.connect>) => {
      const connection = await world.separate.connect(url, options, handlers);
      const door = connection.media;
      if (door === undefined) throw new Error("no door");
      const open: typeof door.open = async (...asked) => {
        const opening = await door.open(...asked);
        if (opening.connection !== undefined) media.push(opening.connection);
        return opening;
      };
      const exchange = connection.openExchange.bind(connection);
      const openExchange: typeof exchange = async () => {
        const stream = await exchange();
        if (!requests.breakNext) return breakable(stream, inboxes);
        requests.breakNext = false;
        stream.send.reset(CLOSE_CODES.normal);
        const lost = new ParleyError({ code: "connection-lost", message: "It broke." });
        return { ...stream, receive: { read: () => Promise.reject(lost), stop() {} } };
      };
      return Object.assign(connection, { media: { open }, openExchange });
    },
  };
  const way = (which: Way) => (which === "separate" ? noting : world.network);
  return {
    world,
    media,
    requests,
    inboxes,
    ada: await world.agent("Ada", {}, way(ada)),
    bob: await world.agent("Bob", {}, way(bob)),
  };
}

/** The exchange; where it is a subscription, what breaks it is noted. */
function breakable(stream: DuplexStream, inboxes: (() => void)[]): DuplexStream {
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const write = async (bytes: Uint8Array) => {
    if (/^AGTP\S* SUBSCRIBE/.test(new TextDecoder().decode(bytes))) {
      inboxes.push(() => {
        broken.reject(new ParleyError({ code: "connection-lost", message: "It broke." }));
        stream.send.reset(CLOSE_CODES.normal);
        stream.receive.stop(CLOSE_CODES.normal);
      });
    }
    await stream.send.write(bytes);
  };
  const { send, receive } = stream;
  return {
    ...stream,
    send: { write, finish: () => send.finish(), reset: (code) => send.reset(code) },
    receive: {
      read: () => Promise.race([receive.read(), broken.promise]),
      stop: (code) => receive.stop(code),
    },
  };
}

function evidenceOf(world: World, file: Uint8Array) {
  const issuerKeys = [world.issuer.signer.publicKey];
  return verifyEvidence(file, { issuerKeys, agentIds: [] }, strictVerifier).report;
}

/** Everything sent as data at one end arrives at the other, in order. */
async function exchangeData(world: World, from: Call, to: Call): Promise<void> {
  const heard: unknown[] = [];
  void (async () => {
    for await (const { value } of to.data ?? []) heard.push(value);
  })();
  for (let number = 0; number < 5; number += 1)
    await world.during(from.data?.send({ number }) ?? Promise.resolve());
  await world.clock.advance(200);
  expect(heard).toEqual([0, 1, 2, 3, 4].map((number) => ({ number })));
}

const WAYS: readonly (readonly [Way, Way])[] = [
  ["separate", "network"],
  ["network", "separate"],
  ["separate", "separate"],
];

describe.each(WAYS)("a call from %s to %s", (from, to) => {
  it("carries voice, data and steering both ways, and its evidence verifies", async () => {
    const { world, ada, bob, media } = await scene(from, to);
    const { call, answered } = await connected(world, ada, bob, { data: true }, { data: true });
    expect(media).toHaveLength([from, to].filter((way) => way === "separate").length);
    const heard = [new Recording(answered), new Recording(call)] as const;
    const said = [await say(world, call, 1), await say(world, answered, 1)] as const;
    await world.clock.advance(300);
    for (const side of [0, 1] as const) {
      const { correlation } = compareUtterance(said[side], heard[side].pcm(), 48_000);
      expect(correlation).toBeGreaterThan(0.9);
    }
    await exchangeData(world, call, answered);
    await exchangeData(world, answered, call);

    const told: Interrupted[] = [];
    call.on("interrupted", (event) => told.push(event));
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    expect(told).toMatchObject([{ epoch: 1, by: bob.id }]);
    void call.audio.write(utterance(2, 48_000)).catch(() => undefined);
    await world.clock.advance(300);
    await world.during(call.narrow([CAPTURE]));
    await world.clock.advance(100);
    expect(answered.terms.number).toBe(2);
    const events = (await world.during(call.records())).map(({ event }) => event);
    expect(events.filter((event) => event === "media-attached")).toHaveLength(media.length);

    await world.during(call.end("goodbye"));
    await world.during(answered.settled);
    expect(await world.during(answered.ended)).toEqual({ reason: "goodbye", by: "peer" });
    const report = evidenceOf(world, await world.during(call.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    expect(report.statements.filter(({ text }) => text.includes("vanished"))).toEqual([]);
    await world.clock.advance(1_000);
    expect(world.server.overview().connections.tls ?? 0, "media connections are closed").toBeLessThan(3);
    expect(world.server.sizes().media).toMatchObject({
      sessions: 0,
      connections: 0,
      mediaFlows: 0,
      unread: 0,
    });
    expect(world.reported).toEqual([]);
  });
});

describe.each(WAYS)("when both ends of a call from %s to %s hang up at once", (from, to) => {
  // Beyond the second that a server waits before it closes, the answers come after the media connection is gone.
  it.each([0, 500, 1_500])(
    "each has hung up, or been hung up on, when the disk takes %d ms",
    async (held) => {
      const log = new SlowLog();
      const { world, ada, bob } = await scene(from, to, { log });
      const { call, answered } = await connected(world, ada, bob);
      await world.clock.advance(100);
      log.held = held > 0;
      const left = Promise.all([call.end("ada-ends"), answered.end("bob-ends")]);
      await world.clock.advance(held);
      log.release();
      await world.during(left);
      const ends = await world.during(Promise.all([call.ended, answered.ended]));
      expect(["me", "peer"]).toContain(ends[0].by);
      expect(["me", "peer"]).toContain(ends[1].by);
      expect(ends.map(({ reason }) => reason)).not.toContain("connection-lost");
      const report = evidenceOf(world, await world.during(call.evidence()));
      expect(report.faults).toEqual([]);
      expect(report.statements.filter(({ text }) => text.includes("vanished"))).toEqual([]);
      expect(world.reported).toEqual([]);
    },
  );
});

describe("an agent whose requests have connections of their own", () => {
  it("proves itself on each of them, and sends data that waits for the other end's media", async () => {
    const { world, ada, bob } = await scene("network", "separate");
    const { call, answered } = await connected(world, ada, bob, { audio: false, data: true }, { data: true });
    const heard: unknown[] = [];
    void (async () => {
      for await (const { value } of answered.data ?? []) heard.push(value);
    })();
    await world.during(call.data?.send("at once") ?? Promise.resolve());
    await world.clock.advance(200);
    expect(heard).toEqual(["at once"]);
    expect(world.reported).toEqual([]);
  });

  it("goes on over another connection when the one for media is lost, without coming online anew", async () => {
    const { world, ada, bob, media } = await scene("separate", "separate");
    const { call, answered } = await connected(world, ada, bob, { data: true }, { data: true });
    const heard = [new Recording(answered), new Recording(call)] as const;
    const states: string[] = [];
    call.on("detached", () => states.push(call.state));
    call.on("reattached", () => states.push(call.state));
    await say(world, call, 0.5);
    media[0]?.close(CLOSE_CODES.normal, "pulled");
    await world.clock.advance(1_000);
    expect(states).toEqual(["detached", "active"]);
    expect([ada.isOnline, media.length]).toEqual([true, 3]);
    const before = heard.map((recording) => recording.pcm().length) as [number, number];
    const said = [await say(world, call, 1), await say(world, answered, 1)] as const;
    await world.clock.advance(300);
    for (const side of [0, 1] as const) {
      const pcm = heard[side].pcm().subarray(before[side]);
      expect(compareUtterance(said[side], pcm, 48_000).correlation).toBeGreaterThan(0.9);
    }
    await exchangeData(world, call, answered);
    await exchangeData(world, answered, call);
    await world.during(call.end("goodbye"));
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(call.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.statements.filter(({ text }) => text.includes("vanished"))).toEqual([]);
    expect(world.reported).toEqual([]);
  });

  it("subscribes to its inbox again when the connection of that breaks, and goes on calling", async () => {
    const { world, ada, bob, inboxes } = await scene("separate", "separate");
    const { call, answered } = await connected(world, ada, bob);
    inboxes[0]?.();
    await world.clock.advance(1_000);
    expect([ada.isOnline, inboxes.length, call.state]).toEqual([true, 3, "active"]);
    const told: Interrupted[] = [];
    call.on("interrupted", (event) => told.push(event));
    void call.audio.write(utterance(2, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    expect(told).toMatchObject([{ epoch: 1, by: bob.id }]);
    ada.onCall(async (incoming) => void (await incoming.accept()));
    expect((await world.during(bob.call(ada.id))).peer.agentId).toBe(ada.id);
    expect(world.reported).toEqual([]);
  });

  it("hangs up though the connection on which it asks for that breaks", async () => {
    const { world, ada, bob, requests } = await scene();
    const { call, answered } = await connected(world, ada, bob);
    requests.breakNext = true;
    void call.end("enough");
    await world.clock.advance(1_000);
    expect([await call.ended, await answered.ended]).toEqual([
      { reason: "enough", by: "me" },
      { reason: "enough", by: "peer" },
    ]);
    expect(requests.breakNext).toBe(false);
    expect(world.reported).toEqual([]);
  });

  it("hangs up over another connection when the one it asked on is lost before it is answered", async () => {
    const world = new World({ toServer: link, toClient: link });
    let losses = 0;
    const losing = {
      connect: async (...given: Parameters<typeof world.separate.connect>) => {
        const connection = await world.separate.connect(...given);
        const openExchange = connection.openExchange.bind(connection);
        return Object.assign(connection, {
          openExchange: async () => {
            const stream = await openExchange();
            const isHangUp = (bytes: Uint8Array) =>
              /^AGTP\S* TERMINATE/.test(new TextDecoder().decode(bytes));
            let isCut = false;
            const write = async (bytes: Uint8Array) => {
              isCut = isHangUp(bytes) && losses++ === 0;
              await stream.send.write(bytes);
            };
            const read = async () => {
              const answer = await stream.receive.read();
              if (isCut) throw new ParleyError({ code: "connection-lost", message: "It is cut." });
              return answer;
            };
            return {
              ...stream,
              send: {
                write,
                finish: () => stream.send.finish(),
                reset: (code: number) => stream.send.reset(code),
              },
              receive: { read, stop: (code: number) => stream.receive.stop(code) },
            };
          },
        });
      },
    };
    const ada = await world.agent("Ada", {}, losing);
    const bob = await world.agent("Bob", {}, world.separate);
    const { call, answered } = await connected(world, ada, bob);
    await world.during(call.end("goodbye"));
    expect(losses).toBe(2);
    expect(await world.during(call.ended)).toEqual({ reason: "goodbye", by: "me" });
    expect(await world.during(answered.ended)).toEqual({ reason: "goodbye", by: "peer" });
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence())).faults).toEqual([]);
    expect(world.reported).toEqual([]);
  });

  it("waits for the news when the server closes the connection of a session that is over, and not for ever", async () => {
    const { world, ada, bob, media } = await scene();
    const { call } = await connected(world, ada, bob);
    // What the server's close makes of it, before any word of the end.
    media[0]?.close(CLOSE_CODES.normal, SESSION_OVER);
    await world.clock.advance(1_000);
    expect(ada.calls).toHaveLength(1);
    await world.clock.advance(1_100);
    expect(await world.during(call.ended)).toEqual({ reason: "connection-lost", by: "server" });
  });

  it("refuses data as closed, not as stalled, when the media is over with the session and the news of it comes late", async () => {
    const { world, ada, bob, media } = await scene("separate", "separate");
    const { call } = await connected(world, ada, bob, { data: true }, { data: true });
    media[0]?.close(CLOSE_CODES.normal, SESSION_OVER);
    media[1]?.close(CLOSE_CODES.normal, SESSION_OVER);
    const sent = refusal(world, call.data?.send("late") ?? Promise.resolve());
    expect(await sent).toBe("closed");
    expect(call.stats().data?.sent?.undelivered).toEqual({ closed: 1 });
  });

  it("has two calls at once, each over a connection for itself", async () => {
    const { world, ada, bob, media } = await scene("separate", "separate");
    const first = await connected(world, ada, bob);
    const second = await connected(world, bob, ada);
    expect(media).toHaveLength(4);
    const heard = [new Recording(first.answered), new Recording(second.answered)] as const;
    await Promise.all([say(world, first.call, 0.5), say(world, second.call, 0.5)]);
    await world.clock.advance(300);
    expect(heard[0].count("speech")).toBeGreaterThan(20);
    expect(heard[1].count("speech")).toBeGreaterThan(20);
    await world.during(first.call.end());
    await world.clock.advance(500);
    expect([ada.calls, bob.calls].map((calls) => calls.length)).toEqual([1, 1]);
    await say(world, second.answered, 0.5);
  });

  it("leaves nothing at the server but what an ended session is remembered by", async () => {
    const { world, ada, bob } = await scene("separate", "separate");
    const sizes: unknown[] = [];
    for (let calls = 0; calls < 3; calls += 1) {
      const { call, answered } = await connected(world, ada, bob, { data: true }, { data: true });
      await say(world, call, 0.2);
      await world.during(call.end());
      await world.during(answered.settled);
      await world.clock.advance(20_000);
      const { sessions, media, connections, timers, peers } = world.server.sizes();
      sizes.push({ ...sessions, past: 0, media, connections, timers, peers });
    }
    expect(sizes[1]).toEqual(sizes[0]);
    expect(sizes[2]).toEqual(sizes[0]);
    expect(sizes[0]).toMatchObject({
      live: 0,
      agents: 0,
      connections: { up: 2 },
      routes: 0,
      flows: 0,
      peers: 2,
    });
    expect(world.reported).toEqual([]);
  });

  it("ends a call whose media the server does not let it open", async () => {
    const { world, bob } = await scene();
    const refusing = {
      connect: async (...given: Parameters<typeof world.separate.connect>) => {
        const connection = await world.separate.connect(...given);
        const door = connection.media;
        const open: NonNullable<typeof door>["open"] = (request, handlers) => {
          if (door === undefined) throw new Error("no door");
          return door.open(async (binding) => {
            const message = await request(binding);
            return { ...message, path: message.path.replace(/sess-[^/]+/, "sess-elsewhere") };
          }, handlers);
        };
        return Object.assign(connection, { media: { open } });
      },
    };
    const cleo: Agent = await world.agent("Cleo", {}, refusing);
    bob.onCall(async (incoming) => {
      await incoming.accept();
    });
    expect(await refusal(world, cleo.call(bob.id))).toBe("field-invalid");
    await world.clock.advance(1_000);
    expect(bob.calls).toEqual([]);
  });
});
