/** Ends that go and come back, at the wire: what the relay lets through, what the other end is told, and which way a session goes from there. */
import { afterEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { createSigner } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import type { OfferPayload } from "../../signaling/offer.ts";
import { GENERATION_GAP } from "../../signaling/switchboard/attaching.ts";
import { DEFAULT_LIMITS, type SwitchboardConfig } from "../../signaling/switchboard/config.ts";
import { ATTACH_GRACE } from "../../signaling/switchboard/detaching.ts";
import { CLOSING_WINDOW, IDLE_LIMIT } from "../../signaling/switchboard/endings.ts";
import type { Way } from "../exchanges/ground.ts";
import { SILENT } from "../exchanges/ways.ts";
import { resultOf } from "../exchanges/wire.ts";
import { strictVerifier } from "../keys.ts";
import { type Process, ReattachScene } from "./reattach-scene.ts";
import { ORIGIN, World } from "./world.ts";

const LIMIT = DEFAULT_LIMITS.detachedSeconds * 1000;
const BOUNDED = { model: "bounded", ttl: 3_600 } as const;
const NEXT_KEY = createSigner(new Uint8Array(32).fill(0x99));
const NARROWING = { narrowing: "eyJhbGciOiJFZERTQSJ9.e30.AA" };

let worlds: World[] = [];
afterEach(() => {
  for (const { reported } of worlds.splice(0)) expect(reported).toEqual([]);
});

async function lay(session?: OfferPayload["session"], config: Partial<SwitchboardConfig> = {}) {
  const world = new World({ config });
  worlds = [...worlds, world];
  const way: Way = {
    connect: (handlers = SILENT) => world.network.connect(ORIGIN, {}, () => handlers),
    origin: ORIGIN,
    wall: () => world.clock.wall(),
    during: (promise) => world.during(promise),
    close: async () => {},
  };
  const pass = async (ms: number) => {
    await world.clock.advance(ms);
  };
  const scene = await ReattachScene.lay(way, pass, session);
  /** Where the agents' inboxes are whatever becomes of the connections of the call. */
  const [aliceInbox, bobInbox] = [await scene.process("alice"), await scene.process("bob")];
  await aliceInbox.subscribe();
  await bobInbox.subscribe();
  return { world, scene, aliceInbox, bobInbox, alice: scene.alice, bob: scene.bob };
}

const frames = (speaker: Process, from: number, count: number, more = {}) =>
  Array.from({ length: count }, (_, index) => speaker.frame({ sequence: from + index, ...more }));
const stateOf = async (asker: Process) => (await asker.about("QUERY")).result.state;

describe("a bounded call whose end breaks away", () => {
  it("goes on on another connection: the same frames never pass twice, and none from the old one", async () => {
    const { scene, alice, bob, aliceInbox } = await lay(BOUNDED);
    const first = frames(bob, 100, 3);
    await bob.send(first);
    expect(alice.heard).toEqual([100, 101, 102]);
    const oldFlow = bob.stream("send").flow;
    await bob.crash();
    expect(await aliceInbox.event("peer-detached")).toMatchObject({ leg: 1, state: "active" });
    const unheard = frames(alice, 500, 4);
    await alice.send(unheard);
    expect(await scene.counters(alice, 0)).toMatchObject({
      admitted: 4,
      forwarded: 0,
      dropped: { detached: 4 },
    });

    const back = await scene.process("bob");
    expect(await back.open(1)).toMatchObject({ result: { state: "active", attach_seq: 1, generation: 0 } });
    expect(back.stream("send")).toMatchObject({ next_sequence: 103, epoch: 0 });
    expect(back.stream("receive")).toMatchObject({ next_sequence: 504, epoch: 0 });
    expect(await aliceInbox.event("peer-attached")).toMatchObject({ leg: 1, attach_seq: 1, generation: 0 });
    const own = { signer: bob.voice.media };
    await back.send(first);
    await back.send(frames(back, 103, 2, own));
    await back.send(frames(back, 105, 1, own), oldFlow + 1_000);
    expect(alice.heard).toEqual([100, 101, 102, 103, 104]);
    expect(await scene.counters(alice, 1)).toMatchObject({ admitted: 5, refused: { replayed: 3 } });
    await alice.send(frames(alice, 504, 2));
    expect(back.heard, "and what was lost meanwhile is not sent later").toEqual([504, 505]);
    await scene.pass(ATTACH_GRACE + 1_000);
    expect(await stateOf(alice)).toBe("active");
  });

  it("ends when nobody comes back in time (T10), and not before", async () => {
    const { scene, bob, aliceInbox, alice } = await lay(BOUNDED);
    await bob.crash();
    await scene.pass(ATTACH_GRACE - 1_000);
    expect(await stateOf(alice)).toBe("active");
    await scene.pass(1_000);
    expect(await aliceInbox.event("session-ended")).toMatchObject({
      reason: "transport-closed",
      by: "server",
    });
    const late = await scene.process("bob");
    expect(await late.open(1)).toMatchObject({ status: 409, code: "session-terminated" });
  });

  it("ends at once when it leaves (T10)", async () => {
    const { bob, aliceInbox } = await lay(BOUNDED);
    await bob.leave();
    expect(await aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });
});

describe("a persistent call whose end goes away", () => {
  it("stands still (T8), and goes on with the frames of both ends (T9)", async () => {
    const { scene, alice, bob, aliceInbox } = await lay();
    await bob.send(frames(bob, 100, 2));
    await bob.leave();
    expect(await aliceInbox.event("peer-detached")).toMatchObject({
      state: "detached",
      reason: "connection-closed",
    });
    await alice.send(frames(alice, 500, 5));
    expect(await scene.counters(alice, 0)).toMatchObject({ admitted: 0, refused: { "session-state": 5 } });
    await scene.pass(LIMIT - 20_000);
    const back = await scene.process("bob");
    expect((await back.open(1)).result).toMatchObject({ state: "active" });
    await alice.send(frames(alice, 505, 3));
    await back.send(frames(back, 102, 2, { signer: bob.voice.media }));
    expect([back.heard, alice.heard]).toEqual([
      [505, 506, 507],
      [100, 101, 102, 103],
    ]);
    expect(aliceInbox.told.map(({ event }) => event)).not.toContain("frames_refused");
  });

  it("is refused what changes it, by name, and answered what reads it", async () => {
    const { scene, alice, bob } = await lay();
    await bob.crash();
    const conflict = { status: 409, code: "session-state-conflict", details: { state: "detached" } };
    expect(await alice.about("SUSPEND")).toMatchObject(conflict);
    expect(await alice.about("ADJUST", NARROWING)).toMatchObject(conflict);
    const content = { event: "interrupt", stream: 0, epoch: 1, interrupt: "AAAA" };
    expect(await alice.about("NOTIFY", { content })).toMatchObject(conflict);
    const resume = { line: `AGTP/1.0 RESUME /sessions/${scene.sessionId}`, proof: true } as const;
    expect(
      await alice.ask({ ...resume, parameters: { resumption_nonce: "AAAAAAAAAAAAAAAAAAAAAA" } }),
    ).toMatchObject(conflict);
    expect((await alice.about("QUERY")).result).toMatchObject({
      state: "detached",
      participants: [{ attached: true }, { attached: false }],
    });
    expect((await alice.about("QUERY", {}, "/records")).status).toBe(200);
  });

  it("goes on only when both are there, if both had gone", async () => {
    const { scene, alice, bob } = await lay();
    await alice.crash();
    await bob.crash();
    const [caller, callee] = [await scene.process("alice"), await scene.process("bob")];
    expect((await callee.open(1)).result).toMatchObject({ state: "detached" });
    await callee.send(frames(callee, 100, 1, { signer: bob.voice.media }));
    expect(await scene.counters(callee, 1)).toMatchObject({ refused: { "session-state": 1 } });
    expect((await caller.open(1)).result).toMatchObject({ state: "active" });
    await callee.send(frames(callee, 101, 1, { signer: bob.voice.media }));
    expect(caller.heard).toEqual([101]);
  });

  it("ends by its detach limit (T15), not by inactivity", async () => {
    const { scene, alice, bob, aliceInbox } = await lay(undefined, {
      limits: { ...DEFAULT_LIMITS, detachedSeconds: 120 },
    });
    await bob.crash();
    await scene.pass(120_000 - 1_000);
    expect(await stateOf(alice)).toBe("detached");
    await scene.pass(1_000);
    expect(await aliceInbox.event("session-ended")).toMatchObject({ reason: "detach-expired", by: "server" });
    expect(await stateOf(alice)).toBe("terminated");
    expect(120_000).toBeGreaterThan(IDLE_LIMIT);
  });

  it("ends with its lifetime by the server's clock (T14), away or not", async () => {
    const { scene, alice, bob, aliceInbox } = await lay({ model: "persistent", ttl: 90 });
    await bob.crash();
    await scene.pass(90_000);
    expect(await aliceInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
    expect(await stateOf(alice)).toBe("expired");
    const late = await scene.process("bob");
    expect(await late.open(1)).toMatchObject({ code: "session-terminated", details: { state: "expired" } });
  });

  it.each(["alice", "bob"] as const)("is hung up by %s, the other being told (T11)", async (who) => {
    const { scene, alice, bob, aliceInbox, bobInbox } = await lay();
    await bob.crash();
    const asker = who === "alice" ? alice : await scene.process("bob");
    expect(await asker.about("TERMINATE", { reason: "enough" })).toMatchObject({
      result: { state: "terminated", reason: "enough", by: asker.voice.id },
    });
    const other = who === "alice" ? bobInbox : aliceInbox;
    expect(await other.event("session-ended")).toMatchObject({ reason: "enough", by: asker.voice.id });
  });

  it("is hung up by both at once while both are away", async () => {
    const { world, scene, alice, bob } = await lay();
    await alice.crash();
    await bob.crash();
    const [caller, callee] = [await scene.process("alice"), await scene.process("bob")];
    const [one, other] = await Promise.all([
      caller.about("TERMINATE", { reason: "mine" }),
      callee.about("TERMINATE", { reason: "yours" }),
    ]);
    expect(one?.result).toMatchObject({ state: "terminated", reason: "mine" });
    expect(other, "nothing is owed, so that it is over").toMatchObject({
      ...{ status: 409, code: "session-terminated", details: { state: "terminated" } },
    });
    await scene.pass(CLOSING_WINDOW + 1_000);
    expect(world.server.sizes()).toMatchObject({
      sessions: { live: 0, routes: 0, flows: 0 },
      media: { sessions: 0 },
    });
  });

  it("ends with a server that is to end it (T17): it may be come back to until then", async () => {
    const { world, scene, bob, aliceInbox } = await lay(undefined, { stopEndsCalls: true });
    await bob.crash();
    void world.server.drain(30_000);
    await scene.pass(10_000);
    const back = await scene.process("bob");
    expect((await back.open(1)).result).toMatchObject({ state: "active" });
    await back.crash();
    await scene.pass(20_000);
    expect(await aliceInbox.event("session-ended")).toMatchObject({ reason: "server-shutdown" });
  });
});

describe("a suspended call", () => {
  const nonceOf = ({ result }: { readonly result: JsonObject }) => String(result.resumption_nonce);

  it("outlasts the loss of both connections; who comes back waits for the resumption (T6)", async () => {
    const { scene, alice, bob } = await lay();
    const nonce = nonceOf(await alice.about("SUSPEND", { reason: "lunch", ttl_seconds: 1_800 }));
    await alice.crash();
    await bob.crash();
    await scene.pass(LIMIT + 60_000);
    const [caller, callee] = [await scene.process("alice"), await scene.process("bob")];
    expect((await callee.open(1, { take_up: true })).result).toMatchObject({
      state: "suspended",
      agreement: { suspension: { by: caller.voice.id, reason: "lunch" } },
    });
    const taken = (await caller.open(1, { take_up: true })).result.agreement as JsonObject;
    expect(taken.suspension).toMatchObject({ resumption_nonce: nonce });
    const line = `AGTP/1.0 RESUME /sessions/${scene.sessionId}`;
    expect(
      (await callee.ask({ line, parameters: { resumption_nonce: nonce }, proof: true })).result,
    ).toMatchObject({ state: "active" });
    await callee.send(frames(callee, 9, 1, { signer: bob.voice.media }));
    expect(caller.heard).toEqual([9]);
  });

  it("tells the nonce to nobody but who suspended it", async () => {
    const { scene, alice } = await lay();
    await alice.about("SUSPEND", {});
    const callee = await scene.process("bob");
    const { agreement } = (await callee.open(1, { take_up: true })).result as {
      readonly agreement: JsonObject;
    };
    expect(agreement.suspension).not.toHaveProperty("resumption_nonce");
  });

  it("is detached once it is resumed without the other end (T6, T8)", async () => {
    const { scene, alice, bob, aliceInbox } = await lay();
    const nonce = nonceOf(await alice.about("SUSPEND", { ttl_seconds: 1_800 }));
    await bob.crash();
    await scene.pass(LIMIT + 60_000);
    const line = `AGTP/1.0 RESUME /sessions/${scene.sessionId}`;
    await alice.ask({ line, parameters: { resumption_nonce: nonce }, proof: true });
    expect(await stateOf(alice)).toBe("detached");
    expect(await aliceInbox.event("peer-detached")).toMatchObject({ state: "suspended" });
    expect(await aliceInbox.event("peer-detached")).toMatchObject({ state: "detached", reason: "suspended" });
    await scene.pass(LIMIT - 1_000);
    const back = await scene.process("bob");
    expect((await back.open(1)).result).toMatchObject({ state: "active" });
  });

  it("keeps its own deadline (T7)", async () => {
    const { scene, alice, bob, aliceInbox } = await lay();
    await alice.about("SUSPEND", { ttl_seconds: 60 });
    await bob.crash();
    await scene.pass(60_000);
    expect(await aliceInbox.event("session-ended")).toMatchObject({ reason: "resume-expired" });
  });
});

describe("a process that knows nothing but the session id", () => {
  it("takes the call up with a key of its own: what the older key signs is refused from then on", async () => {
    const { scene, alice, bob, aliceInbox } = await lay();
    await bob.send(frames(bob, 100, 3));
    const [before, held] = [frames(bob, 100, 3), frames(bob, 103, 2)];
    await bob.crash();
    const back = await scene.process("bob");
    const certificate = scene.mediaKey(back, 1, NEXT_KEY);
    const { result } = await back.open(1, { take_up: true, media_key: certificate });
    expect(result).toMatchObject({ state: "active", generation: 1 });
    const agreement = result.agreement as JsonObject;
    expect(agreement).toMatchObject({
      ...{ session_model: "persistent", session_ttl: 3_600 },
      peer: { status: { agent_id: alice.voice.id, status: "active" } },
      terms: { number: 1, session_id: scene.sessionId },
    });
    expect((agreement.media_keys as Record<string, string[]>)["1"]?.[1]).toBe(certificate);
    expect((agreement.media_keys as Record<string, string[]>)["0"]).toHaveLength(1);
    for (const member of ["offer", "answer", "core"]) expect(agreement[member]).toMatch(/^eyJ/);
    const from = Number(back.stream("send").next_sequence);
    expect(from).toBe(102 + GENERATION_GAP);
    expect(await aliceInbox.event("media-key-changed")).toMatchObject({
      generation: 1,
      media_key: certificate,
    });

    const [older, mine] = [{ signer: bob.voice.media }, { signer: NEXT_KEY, generation: 1 }];
    await back.send(before);
    await back.send(held);
    await back.send(frames(back, from, 2, older));
    await back.send(frames(back, from, 1, { ...older, generation: 1 }));
    await back.send(frames(back, from - 1, 1, mine));
    await back.send(frames(back, 100, 3, mine));
    expect(alice.heard).toEqual([100, 101, 102]);
    await back.send(frames(back, from, 2, mine));
    await back.send(frames(back, from, 2, mine));
    expect(alice.heard).toEqual([100, 101, 102, from, from + 1]);
    expect((await scene.counters(alice, 1)).refused).toEqual({
      replayed: 3 + 2,
      "key-generation": 2 + 2,
      signature: 1,
      window: 1 + 3,
    });
  });

  it("hears on what the other end says, and its new media key does not change that", async () => {
    const { scene, alice, bob } = await lay();
    await bob.crash();
    const back = await scene.process("bob");
    await back.open(1, { media_key: scene.mediaKey(back, 1, NEXT_KEY) });
    await alice.send(frames(alice, 700, 3));
    expect(back.heard).toEqual([700, 701, 702]);
  });

  it("with another clock says so: its frames are held against that", async () => {
    const { scene, alice, bob, aliceInbox } = await lay();
    await bob.crash();
    const back = await scene.process("bob");
    // Its clock is an hour slow, and it knows.
    const clock = { offset_ms: 3_600_000, uncertainty_ms: 5 };
    expect((await back.open(1, { clock })).code).toBeUndefined();
    expect(await aliceInbox.event("peer-attached")).toMatchObject({ clock });
    await back.send(frames(back, 1, 1, { signer: bob.voice.media }));
    expect(await scene.counters(alice, 1)).toMatchObject({ refused: { early: 1 } });
    await back.send(frames(back, 2, 1, { signer: bob.voice.media, captured: back.voice.now - 3_600_000 }));
    expect(alice.heard).toEqual([2]);
  });
});

describe("who may come back", () => {
  it("is the agent alone: another identity with the session id is turned away, and nothing moves", async () => {
    const { scene, alice, bob } = await lay();
    const mallory = await scene.process("mallory");
    expect(await mallory.open(99)).toMatchObject({ status: 401, code: "session-identity-mismatch" });
    expect(await mallory.open(99, { take_up: true })).toMatchObject({
      result: {},
      code: "session-identity-mismatch",
    });
    await bob.send(frames(bob, 1, 2));
    expect(alice.heard).toEqual([1, 2]);
  });

  it("proves itself each time: no proof, or one made for another request, opens nothing", async () => {
    const { scene, bob } = await lay();
    await bob.crash();
    const back = await scene.process("bob");
    const line = `AGTP/1.0 OPEN /sessions/${scene.sessionId}/media`;
    expect(await back.ask({ line, parameters: { attach_seq: 1 } })).toMatchObject({ code: "proof-required" });
    const moved = { path: "/sessions/sess-elsewhere/media" };
    expect(await back.ask({ line, parameters: { attach_seq: 1 }, proof: moved })).toMatchObject({
      code: "proof-invalid",
    });
    expect((await back.open(1)).status).toBe(200);
  });

  it("is one process at a time: of two that come at once with the same number one wins, and a higher number takes over", async () => {
    const { scene, alice, bob, bobInbox } = await lay();
    await bob.crash();
    const [one, two] = [await scene.process("bob"), await scene.process("bob")];
    const outcomes = await Promise.all([one.open(1), two.open(1)]);
    expect(outcomes.map(({ code }) => code).sort()).toEqual(["attach-outdated", undefined]);
    const [winner, loser] = outcomes[0]?.code === undefined ? [one, two] : [two, one];
    expect(outcomes.find(({ code }) => code !== undefined)).toMatchObject({
      status: 409,
      details: { attach_seq: 1 },
    });
    const own = { signer: bob.voice.media };
    const last = frames(winner, 10, 1, own);
    expect((await loser.open(2)).status).toBe(200);
    expect(await bobInbox.event("media-moved")).toMatchObject({ attach_seq: 2, session_id: scene.sessionId });
    await winner.send(last);
    expect(alice.heard, "what the one before still sends is nobody's").toEqual([]);
    await loser.send(frames(loser, 11, 1, own));
    expect(alice.heard).toEqual([11]);
    expect((await winner.about("QUERY")).result, "its connection has other uses").toMatchObject({
      state: "active",
    });
  });

  it("is answered again where its answer may have been lost, with the same flows", async () => {
    const { scene, bob, alice } = await lay();
    await bob.crash();
    const back = await scene.process("bob");
    const media_key = scene.mediaKey(back, 1, NEXT_KEY);
    const first = await back.open(7, { media_key });
    expect(await back.open(7, { media_key })).toMatchObject({ result: first.result });
    expect(await back.open(6)).toMatchObject({ code: "attach-outdated", details: { attach_seq: 7 } });
    expect(
      await back.open(7, { media_key: scene.mediaKey(back, 2, createSigner(new Uint8Array(32).fill(5))) }),
    ).toMatchObject({
      code: "generation-outdated",
    });
    const records = (await alice.about("QUERY", {}, "/records")).result.records as string[];
    expect(records.filter((jws) => payload(jws).event === "session-rebound")).toHaveLength(1);
  });
});

it("evidence of a call whose end came back with another key holds", async () => {
  const { world, scene, alice, bob } = await lay();
  await bob.send(frames(bob, 100, 3));
  await bob.crash();
  const back = await scene.process("bob");
  await back.open(1, { media_key: scene.mediaKey(back, 1, NEXT_KEY) });
  await back.send(
    frames(back, Number(back.stream("send").next_sequence), 3, { signer: NEXT_KEY, generation: 1 }),
  );
  await alice.about("TERMINATE");
  await scene.pass(CLOSING_WINDOW + 2_000);
  const conversation = await scene.during(
    alice.voice.say({ line: `AGTP/1.0 QUERY /sessions/${scene.sessionId}/evidence` }),
  );
  const pieces = await scene.during(conversation.all());
  const file = new TextEncoder().encode(pieces.map((piece) => String(resultOf(piece).chunk)).join(""));
  const { report } = verifyEvidence(file, { issuerKeys: [], agentIds: [] }, strictVerifier);
  expect(report.faults).toEqual([]);
  const said = report.statements.map(({ text }) => text).join("\n");
  expect(said).toMatch(/callee: without a connection \(connection-lost\)/);
  expect(said).toMatch(/callee: came back over memory, with a new key/);
  expect(world.reported).toEqual([]);
});

function payload(jws: string): JsonObject {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
}
