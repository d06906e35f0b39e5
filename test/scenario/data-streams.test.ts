/** Several data streams in one call: complete and in order, or the latest value; and what goes over them, texts and requests. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallData, DataMessage } from "../../agent/call-data.ts";
import type { DataValue } from "../../codecs/data-message.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const EVERY_KIND = {
  audio: false,
  data: [
    { label: "tasks" },
    { label: "captions", format: "text" },
    { label: "blobs", format: "binary" },
    { label: "position", delivery: "latest", deadlineMs: 300 },
  ],
  text: true,
  rpc: true,
} as const;

/** The data stream of a label. */
function stream(call: Call, label: string): CallData<DataValue> {
  const found = call.streams.find((one) => "label" in one && one.label === label);
  if (found === undefined) throw new Error(`no stream ${label}`);
  return found as CallData<DataValue>;
}

/** What `data` hands out from now on. */
function heardOn(data: CallData<DataValue>): DataMessage<DataValue>[] {
  const heard: DataMessage<DataValue>[] = [];
  void (async () => {
    for await (const message of data) heard.push(message);
  })();
  return heard;
}

const valuesOf = (messages: readonly DataMessage<DataValue>[]) => messages.map(({ value }) => value);

let world: World;
let ada: Agent;
let bob: Agent;

beforeEach(async () => {
  world = new World();
  ada = await world.agent("Ada");
  bob = await world.agent("Bob");
});

describe("data streams of every kind in one call", () => {
  it("carry JSON, text and bytes, each to its own reader, attributed", async () => {
    const { call, answered } = await connected(world, ada, bob, EVERY_KIND);
    expect(call.data?.label).toBe("tasks");
    const labels = ["tasks", "captions", "blobs", "position"];
    const heard = labels.map((label) => heardOn(stream(answered, label)));
    const said: DataValue[] = [{ task: 1 }, "héllo", Uint8Array.of(0, 255), { x: 1 }];
    const sends = labels.map((label, index) => stream(call, label).send(said[index]));
    expect(await world.during(Promise.all(sends))).toEqual(["sent", "sent", "sent", "sent"]);
    await world.clock.advance(50);
    expect(heard.map(valuesOf)).toEqual(said.map((value) => [value]));
    expect(heard[3]?.[0]).toMatchObject({ speaker: ada.id, verified: true, age: expect.any(Number) });
    expect(world.reported).toEqual([]);
  });
});

describe("latest values", () => {
  it("arrive fresh whatever the backlog: the newest alone waits, and none is older than its deadline", async () => {
    // Less than half of what is offered gets through.
    const slow = () => new Link({ ...PRESETS.wifi, rate: 200_000 }, new SeededRandom(3));
    world = new World({ toServer: slow() });
    [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const { call, answered } = await connected(world, ada, bob, {
      ...EVERY_KIND,
      audio: { codecs: ["pcmu"] },
    });
    const position = stream(call, "position");
    const heard = heardOn(stream(answered, "position"));
    const fates: string[] = [];
    const filler = "x".repeat(500);
    for (let at = 0; at < 500; at += 1) {
      void position.send({ at, filler }).then((fate) => fates.push(fate));
      await world.clock.advance(10);
    }
    await world.clock.advance(1_000);
    const numbers = heard.map(({ value }) => (value as { at: number }).at);
    expect(numbers.length).toBeGreaterThan(30);
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    // Never silent for long, up to the last.
    expect(numbers.at(-1)).toBeGreaterThan(480);
    const uncertainty = 20;
    expect(Math.max(...heard.map(({ age }) => age))).toBeLessThanOrEqual(300 + uncertainty);
    expect(fates).toHaveLength(500);
    expect(fates.filter((fate) => fate === "replaced").length).toBeGreaterThan(200);
    expect(world.reported).toEqual([]);
  });
});
