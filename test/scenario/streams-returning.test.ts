/** Streams that were opened in mid-call, when connections, processes and the server come and go; and a relay that plays foul with them. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { bothAreHeard, end, hungUp, judged, link, online, scene } from "./returning.ts";
import { connected, refusal } from "./talking.ts";
import { World } from "./world.ts";

const DATA = { modality: "data" } as const;
const persistent = { model: "persistent" } as const;

/** What comes on streams of data that are opened from now on. */
function valuesAt(call: Call): unknown[] {
  const values: unknown[] = [];
  call.on("stream-opened", ({ stream }) => read(stream, values));
  return values;
}

function read(stream: CallStream, values: unknown[]): void {
  void (async () => {
    for await (const { value } of stream as unknown as AsyncIterable<{ value: unknown }>) values.push(value);
  })();
}

const idsOf = (call: Call) => call.streams.map(({ id }) => id);

describe("a stream that was opened in mid-call", () => {
  it.each(["opener", "other"] as const)(
    "goes on when the connection of the %s is lost, complete and in order",
    async (who) => {
      const { world, ada, bob } = await scene();
      const heard = valuesAt(bob.call);
      const stream = await world.during(ada.call.open(DATA));
      await world.clock.advance(200);
      const sent = (async () => {
        for (let number = 0; number < 40; number += 1) {
          await stream.send(number);
          await new Promise<void>((resolve) => world.clock.at(world.clock.now() + 30, resolve));
        }
      })();
      await world.clock.advance(500);
      (who === "opener" ? ada : bob).way.cut();
      await world.during(sent);
      await world.clock.advance(3_000);
      expect(heard).toEqual(Array.from({ length: 40 }, (_, number) => number));
      await bothAreHeard(world, ada, bob);
      await hungUp(world, ada.call, bob.call);
      expect(world.reported).toEqual([]);
    },
  );

  it.each(["opener", "other"] as const)(
    "comes up where the connection of the %s is lost while it is asked for, or is not opened",
    async (who) => {
      const { world, ada, bob } = await scene();
      const heard = valuesAt(bob.call);
      const opening = ada.call.open(DATA);
      await world.clock.advance(50);
      (who === "opener" ? ada : bob).way.cut();
      const stream = await world.during(opening.catch((error: ParleyError) => error.code));
      await world.clock.advance(4_000);
      if (typeof stream !== "string") {
        await world.during(stream.send("came up"));
        await world.clock.advance(500);
        expect(heard).toEqual(["came up"]);
      }
      // Whatever became of it, both know the same streams, and another one can be opened.
      expect(idsOf(ada.call)).toEqual(idsOf(bob.call));
      const next = await world.during(ada.call.open(DATA));
      await world.clock.advance(200);
      await world.during(next.send("next"));
      await world.clock.advance(200);
      expect(heard.at(-1)).toBe("next");
      await hungUp(world, ada.call, bob.call);
    },
  );

  it("is closed while an end is away: that one learns of it when it is back", async () => {
    const { world, ada, bob } = await scene();
    const stream = await world.during(ada.call.open(DATA));
    await world.clock.advance(200);
    bob.way.cut();
    bob.way.isDown = true;
    await world.clock.advance(500);
    await world.during(stream.close());
    bob.way.isDown = false;
    await world.clock.advance(4_000);
    expect([idsOf(ada.call), idsOf(bob.call)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, ada.call, bob.call);
    expect(world.reported).toEqual([]);
  });

  it("goes on after a restart of the server, and those that were closed do not come back", async () => {
    const { world, ada, bob } = await scene(persistent);
    const heard = valuesAt(bob.call);
    const gone = await world.during(ada.call.open(DATA));
    const stream = await world.during(ada.call.open(DATA));
    await world.clock.advance(200);
    await world.during(gone.close());
    await world.during(stream.send("before"));
    await world.clock.advance(6_000);
    await world.server.close();
    await world.stopServer();
    await world.clock.advance(500);
    world.startServer();
    await world.clock.advance(6_000);
    await world.during(stream.send("after"));
    await world.clock.advance(500);
    expect(heard).toEqual(["before", "after"]);
    expect([idsOf(ada.call), idsOf(bob.call)]).toEqual([
      [1, 2, 4],
      [1, 2, 4],
    ]);
    expect((await world.during(bob.call.open(DATA))).id).toBe(5);
    await hungUp(world, ada.call, bob.call);
  });

  it("is taken up with its session by another process", async () => {
    const world = new World({ toServer: link, toClient: link });
    const identity = world.identity({ name: "Ada" });
    const ada = await online(world, "Ada", { identity, reconnect: false });
    const other = await online(world, "Bob");
    const { call, answered } = await connected(
      world,
      ada.agent,
      other.agent,
      { data: true, ...persistent },
      { data: true },
    );
    const bob = end(other, answered);
    const heard = valuesAt(answered);
    const stream = await world.during(call.open(DATA));
    await world.during(stream.send("from the first"));
    await world.clock.advance(500);
    ada.way.cut();
    await world.clock.advance(1_000);
    const again = await online(world, "Ada", { identity });
    const taken = end(again, await world.during(again.agent.takeUp(call.id)));
    await world.clock.advance(500);
    expect(idsOf(taken.call)).toEqual([1, 2, 3]);
    const own = taken.call.streams.find(({ id }) => id === 3) as typeof stream;
    await world.during(own.send("from the second"));
    await world.clock.advance(500);
    expect(heard).toEqual(["from the first", "from the second"]);
    await bothAreHeard(world, taken, bob);
    await world.during(taken.call.end());
    await world.during(answered.settled);
    expect((await judged(world, taken.call)).faults).toEqual([]);
  });

  it("was held by the process before is heard by the one that takes the call up", async () => {
    const world = new World({ toServer: link, toClient: link });
    const identity = world.identity({ name: "Bob" });
    const [ada, bob] = [await online(world, "Ada"), await online(world, "Bob", { identity })];
    const options = { data: true, ...persistent };
    const { call, answered } = await connected(world, ada.agent, bob.agent, options, { data: true });
    const told: unknown[] = [];
    call.on("stream-held", ({ stream, held }) => told.push([stream, held]));
    answered.streams.at(-1)?.hold();
    await world.clock.advance(500);
    bob.way.isDown = true;
    bob.way.cut();
    await world.clock.advance(1_000);
    const again = await online(world, "Bob", { identity });
    const taken = end(again, await world.during(again.agent.takeUp(call.id)));
    await world.during(call.data?.send("to the second") ?? Promise.resolve());
    await world.clock.advance(500);
    expect(taken.told).toEqual(["to the second"]);
    expect(told).toEqual([
      [2, true],
      [2, false],
    ]);
  });
});

/** A call whose callee hears of everything through a relay of ill will. */
async function betrayed(told: (fields: JsonObject) => JsonObject) {
  const world = new World();
  const relay = new HostileRelay(world);
  relay.answer = (_, result) => told(result);
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob", {}, relay);
  const pair = await connected(world, ada, bob, { data: true }, { data: true });
  const codes = () => world.reported.map((error) => (error as ParleyError).code);
  return { world, ...pair, codes };
}

describe("a relay that", () => {
  const altered = (change: JsonObject) => (fields: JsonObject) =>
    Array.isArray(fields.laid_out)
      ? { ...fields, laid_out: (fields.laid_out as JsonObject[]).map((entry) => ({ ...entry, ...change })) }
      : fields;

  it.each([
    ["another source", { ssrc: 7 }],
    ["another format", { format: "text" }],
    ["another payload type", { payload_type: 99 }],
    ["the other direction twice", { direction: "send", leg: 1 }],
  ])(
    "lays an opened stream out with %s than signed is caught: it is closed, and the call goes on",
    async (_, change) => {
      const { world, call, answered, codes } = await betrayed(altered(change));
      await world.during(call.open(DATA));
      await world.clock.advance(1_000);
      expect(codes()).toContain("session-core-mismatch");
      expect([idsOf(call), idsOf(answered)]).toEqual([
        [1, 2],
        [1, 2],
      ]);
      await world.during(call.data?.send("still there") ?? Promise.resolve());
    },
  );

  it("tells of a stream that nobody signed makes none", async () => {
    const entry = {
      ...{
        stream: 9,
        modality: "data",
        leg: 0,
        direction: "receive",
        flow: 90,
        checkpoint_flow: 92,
        receipt_flow: 94,
      },
      ...{ ssrc: 9, payload_type: 100, clock_rate: 1_000, format: "json" },
    };
    const { world, call, answered } = await betrayed((fields) =>
      fields.event === "terms-changed" ? { ...fields, laid_out: [entry] } : fields,
    );
    await refusal(world, call.propose({ streams: [{ bitrate: 14_000 }] }));
    await world.clock.advance(200);
    expect(idsOf(answered)).toEqual([1, 2]);
  });
});
