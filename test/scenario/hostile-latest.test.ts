/** A relay that tampers with latest values, and a server that lays data streams out otherwise than both ends signed. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { varintLength } from "../../codecs/varint.ts";
import { dataOf, EVERY_KIND, heardOn, valuesOf } from "./data-kinds.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, refusal } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let relay: HostileRelay;

beforeEach(() => {
  world = new World();
  relay = new HostileRelay(world);
});

describe("a relay that tampers with latest values", () => {
  let call: Call;
  let answered: Call;
  let heard: ReturnType<typeof heardOn>;

  beforeEach(async () => {
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob", {}, relay);
    ({ call, answered } = await connected(world, ada, bob, EVERY_KIND));
    heard = heardOn(dataOf(answered, "position"));
  });

  const counters = () => dataOf(answered, "position").stats().heard;

  /** What goes on in place of each frame on its way to Bob. */
  function tamper(change: (frame: Uint8Array) => readonly Uint8Array[]): void {
    relay.datagram = (way, bytes) => {
      const isFrame = parseFrame(bytes, varintLength(bytes[0] ?? 0), new FrameView()) === undefined;
      return way === "to-agent" && isFrame ? change(bytes) : [bytes];
    };
  }

  async function send(...values: readonly number[]): Promise<void> {
    for (const at of values) {
      await world.during(dataOf(call, "position").send({ at }));
      await world.clock.advance(20);
    }
  }

  it("and repeats, turns round or alters them: a reader sees each once, the newest last, none altered", async () => {
    const passed: Uint8Array[] = [];
    tamper((frame) => {
      passed.push(frame);
      return [frame, frame];
    });
    await send(1, 2);
    expect(valuesOf(heard)).toEqual([{ at: 1 }, { at: 2 }]);
    expect(counters()?.refused).toEqual({ replayed: 2 });
    // The third comes after the fourth.
    const held: Uint8Array[] = [];
    tamper((frame) => (held.push(frame) === 1 ? [] : [frame, held[0] ?? frame]));
    await send(3, 4);
    expect(valuesOf(heard).slice(2)).toEqual([{ at: 4 }]);
    expect(counters()).toMatchObject({ overtaken: 1 });
    tamper((frame) => {
      const last = frame.length - 2;
      frame[last] = (frame[last] ?? 0) ^ 1;
      return [frame];
    });
    await send(5);
    expect(valuesOf(heard)).toHaveLength(3);
    expect(counters()?.refused).toEqual({ replayed: 2, signature: 1 });
  });

  it("and holds them back: what is past its deadline is not handed out", async () => {
    const held: Uint8Array[] = [];
    tamper((frame) => {
      held.push(frame);
      return [];
    });
    await send(1);
    await world.clock.advance(320);
    for (const frame of held) relay.deliver(frame);
    await world.clock.advance(10);
    expect(valuesOf(heard)).toEqual([]);
    expect(counters()).toMatchObject({ verified: 0, refused: { stale: 1 } });
  });
});

it.each([
  ["another label", { label: "orders" }],
  ["another delivery", { delivery: undefined }],
  ["another deadline", { deadline_ms: 10_000 }],
  ["another format", { format: "text" }],
])("a server that lays a stream out with %s is found out", async (_, change) => {
  const ada = await world.agent("Ada", {}, relay);
  const bob = await world.agent("Bob");
  bob.onCall((incoming) => void incoming.accept().catch(() => undefined));
  relay.answer = (request, result) => {
    if (request.method !== "ESTABLISH" || !Array.isArray(result.streams)) return result;
    const streams = result.streams.map((stream) => {
      const entry = stream as JsonObject;
      if (entry.label !== "position") return entry;
      const changed = Object.entries({ ...entry, ...change }).filter(([, value]) => value !== undefined);
      return Object.fromEntries(changed) as JsonObject;
    });
    return { ...result, streams };
  };
  expect(await refusal(world, ada.call(bob.id, EVERY_KIND))).toMatch(/^session-core-mismatch/);
});

it("labels of Parley's own are not an application's", async () => {
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  for (const label of ["parley.rpc", "parley.other"])
    expect(await refusal(world, ada.call(bob.id, { data: [{ label }] }))).toMatch(/^field-invalid/);
  expect(await refusal(world, ada.call(bob.id, { data: [{ deadlineMs: 100 }] }))).toMatch(/^field-invalid/);
});
