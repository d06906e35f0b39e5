/** Several data streams in one call: complete and in order, or the latest value; and what goes over them, texts and requests. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { QualityTold } from "../../agent/call-notices.ts";
import type { DataValue } from "../../codecs/data-message.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { dataOf, EVERY_KIND, heardOn, textsOf, valuesOf } from "./data-kinds.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

/** A voice alone, with authority for data beside it. */
const WITH_ROOM = { audio: { codecs: ["pcmu"] }, scope: ["communication:bilateral"] };

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
    const heard = labels.map((label) => heardOn(dataOf(answered, label)));
    const said: DataValue[] = [{ task: 1 }, "héllo", Uint8Array.of(0, 255), { x: 1 }];
    const sends = labels.map((label, index) => dataOf(call, label).send(said[index]));
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
    const position = dataOf(call, "position");
    const heard = heardOn(dataOf(answered, "position"));
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

describe("texts", () => {
  it("arrive as a model makes them: appended, finished, or cancelled, many tokens in a message", async () => {
    const { call, answered } = await connected(world, ada, bob, EVERY_KIND);
    const heard = textsOf(answered);
    const parts: string[] = [];
    const [spoken, dropped] = [call.text(), call.text()];
    for (let token = 0; token < 300; token += 1) {
      await spoken.append(`token${token} `);
      if (token < 100) await dropped.append("never mind ");
      if (token === 100) void dropped.cancel("barge-in");
      await world.clock.advance(3);
      const [first] = heard;
      if (token === 60 && first !== undefined)
        void (async () => {
          for await (const { text } of first.parts) parts.push(text);
        })();
    }
    await world.during(spoken.finish());
    await world.clock.advance(50);
    const said = Array.from({ length: 300 }, (_, token) => `token${token} `).join("");
    expect(heard.map(({ state, reason }) => [state, reason])).toEqual([
      ["finished", undefined],
      ["cancelled", "barge-in"],
    ]);
    expect([heard[0]?.text, parts.join("")]).toEqual([said, said]);
    expect(dropped.state).toBe("cancelled");
    // Two texts of 300 and 100 appends in 900 ms: a message each 20 ms or so.
    const { sent } = dataOf(call, "parley.text").stats();
    expect(sent?.sent).toBeLessThan(80);
    await world.during(call.end());
    expect(() => call.text()).toThrow(expect.objectContaining({ code: "closed" }));
    expect(world.reported).toEqual([]);
  });
});

describe("requests", () => {
  it("are answered both ways, fail at their deadline, and end with the call", async () => {
    const { call, answered } = await connected(world, ada, bob, EVERY_KIND);
    answered.onRpc("add", (params, { caller }) => ({
      sum: (params as number[]).reduce((a, b) => a + b),
      caller,
    }));
    let reason: unknown;
    answered.onRpc("hang", (_, { signal }) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      return new Promise(() => undefined);
    });
    call.onRpc("name", () => "Ada");
    const both = Promise.all([call.rpc("add", [1, 2, 3]), answered.rpc("name", null)]);
    expect(await world.during(both)).toEqual([{ sum: 6, caller: ada.id }, "Ada"]);
    expect(await refusal(world, call.rpc("hang", null, { deadlineMs: 200 }))).toBe("rpc-timeout");
    // Its own deadline, or the news that nobody waits any more: whichever comes first.
    expect(reason).toMatchObject({ code: expect.stringMatching(/^rpc-(timeout|cancelled)$/) });
    expect(await refusal(world, call.rpc("none", null))).toBe("rpc-unknown-method");
    const open = refusal(world, call.rpc("hang", null, { deadlineMs: 60_000 }));
    await world.clock.advance(50);
    await world.during(answered.end());
    expect(await open).toBe("closed");
    expect(reason).toMatchObject({ code: "closed" });
    expect(world.reported).toEqual([]);
  });

  it("open their stream when first needed, as texts do, whichever end needs it", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_ROOM, { scope: WITH_ROOM.scope });
    expect(call.streams.map(({ modality }) => modality)).toEqual(["audio"]);
    answered.onRpc("name", () => "Bob");
    call.onRpc("name", () => "Ada");
    const text = answered.text();
    void text.append("said without being asked");
    const heard = textsOf(call);
    // Both ends at the same moment, and more than one request before the stream is there.
    const names = [call.rpc("name", null), answered.rpc("name", null), call.rpc("name", null)];
    expect(await world.during(Promise.all([...names, text.finish()]))).toEqual([
      "Bob",
      "Ada",
      "Bob",
      undefined,
    ]);
    await world.clock.advance(100);
    expect(heard.map((one) => one.text)).toEqual(["said without being asked"]);
    const labels = call.streams.flatMap((one) => ("label" in one ? [one.label] : []));
    expect([...new Set(labels)].toSorted()).toEqual(["parley.rpc", "parley.text"]);
    expect(call.data).toBeUndefined();
    expect(world.reported).toEqual([]);
  });

  it("fail by name where the other end takes no data", async () => {
    const taking = { data: false, scope: WITH_ROOM.scope };
    const { call } = await connected(world, ada, bob, WITH_ROOM, taking);
    expect(await refusal(world, call.rpc("name", null))).toBe("change-rejected");
    const text = call.text();
    await text.append("to nobody");
    expect(await refusal(world, text.finish())).toBe("change-rejected");
    expect(await refusal(world, call.open({ modality: "data", label: "parley.rpc" }))).toBe(
      "field-invalid at label",
    );
  });

  it("end with the stream that they went over, and open another one", async () => {
    const { call, answered } = await connected(world, ada, bob, EVERY_KIND);
    answered.onRpc("hang", () => new Promise(() => undefined));
    answered.onRpc("name", () => "Bob");
    const open = refusal(world, call.rpc("hang", null));
    await world.clock.advance(50);
    await world.during(dataOf(call, "parley.rpc").close());
    expect(await open).toBe("closed");
    await world.clock.advance(200);
    expect(await world.during(call.rpc("name", null))).toBe("Bob");
    expect(world.reported).toEqual([]);
  });
});

describe("a slow reader", () => {
  it("is told of at both ends and on record, holds its writer, and nobody else", async () => {
    const { call, answered } = await connected(world, ada, bob, {
      ...EVERY_KIND,
      audio: { codecs: ["pcmu"] },
    });
    const told: { readonly at: string; readonly event: QualityTold }[] = [];
    for (const [at, end] of [["caller", call] as const, ["callee", answered] as const])
      end.on("quality", (event) => told.push({ at, event }));
    const [tasks, captions] = [dataOf(call, "tasks"), dataOf(call, "captions")];
    const others = heardOn(dataOf(answered, "captions"));
    const big = Array.from({ length: 200 }, (_, at) => `${at} ${"x".repeat(15_000)}`);
    let sent = 0;
    const writing = (async () => {
      for (const message of big) {
        await tasks.send(message);
        sent += 1;
      }
    })();
    // As many as may wait for a reader, and one more that waits for a second.
    const unread = () => dataOf(answered, "tasks").stats().heard?.unread ?? 0;
    for (let waited = 0; unread() < 64 && waited < 6_000; waited += 10) await world.clock.advance(10);
    await world.clock.advance(990);
    expect(told).toEqual([]);
    await world.clock.advance(40);
    expect(sent).toBeLessThan(big.length);
    const slow = { degraded: true, leg: 1, reason: "slow-receiver", by: bob.id, stream: tasks.id };
    expect(told).toEqual([
      { at: "callee", event: slow },
      { at: "caller", event: slow },
    ]);
    // The others go on as before.
    await world.during(Promise.all([captions.send("still here"), say(world, call, 0.2)]));
    await world.clock.advance(50);
    expect(valuesOf(others)).toEqual(["still here"]);
    const heard = heardOn(dataOf(answered, "tasks"));
    await world.during(writing);
    await world.clock.advance(200);
    expect(valuesOf(heard)).toEqual(big);
    expect(told.slice(2).map(({ at, event }) => [at, event.degraded])).toEqual([
      ["callee", false],
      ["caller", false],
    ]);
    expect(world.reported).toEqual([]);
  });

  it("of latest values gets the newest, and its writer does not wait", async () => {
    const { call, answered } = await connected(world, ada, bob, EVERY_KIND);
    const position = dataOf(call, "position");
    for (let at = 0; at < 20; at += 1) {
      expect(await world.during(position.send({ at }))).toBe("sent");
      await world.clock.advance(20);
    }
    const heard = heardOn(dataOf(answered, "position"));
    await world.clock.advance(10);
    expect(valuesOf(heard)).toEqual([{ at: 19 }]);
    expect(dataOf(answered, "position").stats().heard).toMatchObject({
      verified: 20,
      replaced: 19,
      unread: 0,
    });
  });
});

it.each(["frame", "chain"] as const)("all kinds stand in the evidence, profile %s", async (profile) => {
  const kept: KeptFrame[] = [];
  const tap = ({ leg, stream, bytes }: { leg: number; stream: number; bytes: Uint8Array }) =>
    void kept.push({ leg, stream, packet: bytes });
  const { call, answered } = await connected(world, ada, bob, { ...EVERY_KIND, profile }, { tap });
  const labels = ["tasks", "captions", "blobs", "position"];
  const heard = labels.map((label) => heardOn(dataOf(answered, label)));
  const texts = textsOf(answered);
  answered.onRpc("echo", (params) => params);
  const said: readonly DataValue[] = ["task", "caption", Uint8Array.of(7), { x: 1 }];
  for (let round = 0; round < 3; round += 1) {
    for (const [index, label] of labels.entries()) await world.during(dataOf(call, label).send(said[index]));
    await world.clock.advance(20);
  }
  const text = call.text();
  await text.append("said in a text");
  await world.during(Promise.all([text.finish(), call.rpc("echo", { asked: true })]));
  await world.clock.advance(100);
  expect(heard.map((messages) => messages.length)).toEqual([3, 3, 3, 3]);
  expect(texts.map((one) => one.text)).toEqual(["said in a text"]);
  await world.during(call.end());
  await world.during(answered.settled);
  const evidence = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
  expect(evidence.report.faults).toEqual([]);
  const spoken = evidence.report.streams.filter(({ leg }) => leg === 0);
  expect(spoken.map(({ modality, frames, received, heard }) => [modality, frames, received, heard])).toEqual([
    ["data", 3, 3, 3],
    ["data", 3, 3, 3],
    ["data", 3, 3, 3],
    ["data", 3, 3, 3],
    ["data", 1, 1, 1],
    ["data", 1, 1, 1],
  ]);
  const media = verifyMedia(kept, evidence, verifier);
  expect(media.faults).toEqual([]);
  expect(media.frames.length).toBe(14);
  expect(media.frames.every(({ checkpointed }) => checkpointed)).toBe(true);
});

it("a stream of latest values opened in mid-call is as fresh as one offered, beside the voice, and closes alone", async () => {
  const { call, answered } = await connected(world, ada, bob, WITH_ROOM, { scope: WITH_ROOM.scope });
  const wanted = { modality: "data", label: "cursor", delivery: "latest", deadlineMs: 100 } as const;
  const cursor = await world.during(call.open(wanted));
  await world.clock.advance(100);
  const heard = heardOn(dataOf(answered, "cursor"));
  const filler = "x".repeat(700);
  for (let at = 0; at < 100; at += 1) {
    void cursor.send({ at, filler });
    await world.clock.advance(20);
  }
  expect(heard.length).toBeGreaterThan(95);
  expect(Math.max(...heard.map(({ age }) => age))).toBeLessThanOrEqual(120);
  await world.during(cursor.close());
  await world.clock.advance(100);
  expect(answered.streams.map(({ modality }) => modality)).toEqual(["audio"]);
  expect(await refusal(world, cursor.send({ at: 0 }))).toBe("closed");
  await say(world, call, 0.2);
  await world.during(call.end());
  await world.during(answered.settled);
  const evidence = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
  expect(evidence.report.faults).toEqual([]);
  expect(world.reported).toEqual([]);
});
