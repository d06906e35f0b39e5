/** Calls in which a gateway speaks for an agent: what it signs, what the other end is told, and what the evidence says of it. */
import { describe, expect, it } from "vitest";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { newIdentity } from "../../agent/new-identity.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { seedSigner, strictVerifier } from "../keys.ts";
import { must } from "../signed-call.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { stream } from "./encoded-source.ts";
import { FINGERPRINT, GatewayScene } from "./gateway-scene.ts";
import { connected, type Pair, Recording, refusal, say } from "./talking.ts";

const accepting = { gateways: "accept" } as const;

/** Both ends speak and are heard; then the caller hangs up, and the evidence is judged. */
async function talked(scene: GatewayScene, { call, answered }: Pair) {
  const { world } = scene;
  const [atCaller, atCallee] = [new Recording(call), new Recording(answered)];
  await say(world, call, 1);
  await say(world, answered, 1);
  await world.clock.advance(400);
  await world.during(call.end());
  expect(atCallee.count("speech"), "the caller is heard").toBeGreaterThan(45);
  expect(atCaller.count("speech"), "the callee is heard").toBeGreaterThan(45);
  return scene.judge(await world.during(call.evidence()));
}

/** What the records of a session say of who asked. */
function askers({ world }: GatewayScene, sessionId: string): string[] {
  const records = world.log.session(sessionId)?.records ?? [];
  const named = records.map((jws) => {
    const { counterparty_agent_id: agent, extra } = must(readRecord(jws));
    return `${agent} by ${String(extra?.gateway ?? "itself")}, ${String(extra?.identity_assurance ?? "unproved")}`;
  });
  return [...new Set(named.filter((text) => !text.startsWith("undefined")))];
}

describe("an agent calls one for which a gateway answers", () => {
  it("talks with it, knows that it is a gateway, and the evidence says whose word is whose", async () => {
    const scene = new GatewayScene();
    const { world, gateway } = scene;
    const bob = await scene.known("Bob");
    const shown = scene.shown(bob);
    const leg = await scene.online(shown);
    const ada = await world.agent("Ada");
    expect(leg.id, "it is called by the agent's name").toBe(bob.agentId);
    const pair = await connected(world, ada, leg, accepting);
    expect(pair.call.peer).toMatchObject({
      agentId: gateway.agentId,
      name: "Gateway",
      gateway: { agentId: gateway.agentId, ...shown.statement },
    });
    expect(pair.answered.peer).not.toHaveProperty("gateway");
    expect(pair.call.session.core.payload.legs).toMatchObject([
      { leg: 0, agent_id: ada.id },
      {
        leg: 1,
        agent_id: gateway.agentId,
        role: "gateway",
        on_behalf_of: { subject: bob.agentId, issuer: world.serverId },
        evidence: shown.statement.evidence,
      },
    ]);
    const report = await talked(scene, pair);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(
      report.parties.map(({ role, agentId, gateway: stated }) => [role, agentId, stated?.subject]),
    ).toEqual([
      ["server", world.serverId, undefined],
      ["caller", ada.id, undefined],
      ["callee", gateway.agentId, bob.agentId],
    ]);
    const texts = report.statements.map(({ by, text }) => `${by}: ${text}`).join("\n");
    expect(texts).toContain(
      `speaker-signed: callee: as stated by gateway ${gateway.agentId}, for agent ${bob.agentId}, token ${shown.statement.evidence.jti} issued by ${world.serverId}`,
    );
    expect(texts).toContain(`DTLS fingerprint ${FINGERPRINT}; the agent itself signed nothing`);
    expect(texts).toMatch(
      /speaker-signed: callee, stream 1 \(audio\): .*, as stated by the gateway of the callee/,
    );
    expect(texts).toMatch(
      /listener-signed: caller, stream 1 \(audio\): received .*, as stated by the gateway of the callee/,
    );
    expect(texts).toMatch(
      /speaker-signed: callee: closed the session .*, as stated by the gateway of the callee/,
    );
    expect(texts).not.toMatch(/speaker-signed: caller, stream .* as stated/);
    expect(askers(scene, pair.call.id).sort()).toEqual(
      [`${ada.id} by itself, proof-bound`, `${bob.agentId} by ${gateway.agentId}, unproved`].sort(),
    );
    expect(world.reported).toEqual([]);
  });

  it("is told that a gateway alone is there where it takes none, and rings at the agent's own inbox alone", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const leg = await scene.online(scene.shown(bob));
    const rangAtGateway: IncomingCall[] = [];
    leg.onCall((incoming) => void rangAtGateway.push(incoming));
    const ada = await world.agent("Ada");
    const listed = async () =>
      (await world.during(ada.directory())).find(({ agentId }) => agentId === bob.agentId);
    expect(await listed()).toMatchObject({ online: true, gateway: true });
    await expect(world.during(ada.call(bob.agentId))).rejects.toMatchObject({
      code: "callee-unreachable",
      details: { gateway: true },
    });
    const own = await world.agent("Bob", { identity: bob });
    expect(await listed()).toEqual({ agentId: bob.agentId, name: "Bob", online: true });
    const { call } = await connected(world, ada, own);
    expect(call.peer).toMatchObject({ agentId: bob.agentId });
    expect(call.peer).not.toHaveProperty("gateway");
    expect(rangAtGateway).toEqual([]);
    await world.during(call.end());
    own.onCall(() => undefined);
    const both = ada.call(bob.agentId, accepting);
    await world.clock.advance(200);
    expect(rangAtGateway, "who takes gateways rings at all inboxes").toHaveLength(1);
    const answered = await world.during(rangAtGateway[0]?.accept() ?? Promise.reject());
    expect((await world.during(both)).peer.gateway?.subject).toBe(bob.agentId);
    expect(answered.peer.agentId).toBe(ada.id);
    expect(world.reported).toEqual([]);
  });

  it("goes on ringing at the gateway when the agent's own inbox is gone, where it takes gateways", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const leg = await scene.online(scene.shown(bob));
    const own = await world.agent("Bob", { identity: bob });
    for (const agent of [leg, own]) agent.onCall(() => undefined);
    const [ada, eve] = [await world.agent("Ada"), await world.agent("Eve")];
    const plain = refusal(world, ada.call(bob.agentId));
    const ringing = eve.call(bob.agentId, accepting);
    ringing.catch(() => undefined);
    await world.clock.advance(200);
    leg.onCall(() => undefined);
    await world.during(own.close());
    expect(await plain).toBe("callee-unreachable");
    const rest = await refusal(world, ringing);
    expect(rest).toBe("no-answer");
  });
});

describe("a gateway calls for an agent", () => {
  it("is heard, and an allow-list of agents does not hold it for the agent", async () => {
    const scene = new GatewayScene();
    const { world, gateway } = scene;
    const bob = await scene.known("Bob");
    const shown = scene.shown(bob, { by: bob });
    const leg = await scene.online(shown);
    const ada = await world.agent("Ada");
    const rang: IncomingCall["caller"][] = [];
    const answered = new Promise<Pair["answered"]>((resolve) => {
      ada.onCall(async (incoming) => {
        rang.push(incoming.caller);
        resolve(await incoming.accept());
      });
    });
    const call = await world.during(leg.call(ada.id));
    const report = await talked(scene, { call, answered: await world.during(answered) });
    expect(rang).toMatchObject([
      {
        agentId: gateway.agentId,
        gateway: { subject: bob.agentId, issuer: bob.agentId, evidence: shown.statement.evidence },
      },
    ]);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.parties[1]).toMatchObject({ role: "caller", gateway: shown.statement });
    expect(world.reported).toEqual([]);
  });

  it("talks to another gateway, each leg for its own agent", async () => {
    const scene = new GatewayScene();
    const { world, gateway } = scene;
    const [bob, eve] = [await scene.known("Bob"), await scene.known("Eve")];
    const [first, second] = [await scene.online(scene.shown(bob)), await scene.online(scene.shown(eve))];
    const pair = await connected(world, first, second, accepting);
    expect(pair.call.session.core.payload.legs).toMatchObject([
      { agent_id: gateway.agentId, on_behalf_of: { subject: bob.agentId } },
      { agent_id: gateway.agentId, on_behalf_of: { subject: eve.agentId } },
    ]);
    const report = await talked(scene, pair);
    expect(await pair.answered.ended).toEqual({ reason: "done", by: "peer" });
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.parties.map(({ gateway: stated }) => stated?.subject)).toEqual([
      undefined,
      bob.agentId,
      eve.agentId,
    ]);
    const both = report.statements.filter(({ by }) => by === "both");
    for (const { gateways } of both) expect(gateways).toEqual(["caller", "callee"]);
    expect(world.reported).toEqual([]);
  });

  it("meets a call of the agent that it calls: one of both stands, by the agents' names", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const leg = await scene.online(scene.shown(bob));
    const ada = await world.agent("Ada");
    for (const agent of [leg, ada]) agent.onCall(async (incoming) => void (await incoming.accept()));
    const [mine, theirs] = await world.during(
      Promise.all([ada.call(bob.agentId, accepting), leg.call(ada.id)]),
    );
    expect(mine.id).toBe(theirs.id);
    expect(new Set([mine.leg, theirs.leg])).toEqual(new Set([0, 1]));
    expect(world.reported).toEqual([]);
  });
});

it("a server counts an owner by its name and by who vouches for it", async () => {
  const { world } = new GatewayScene();
  const owned = async (name: string, owner: string) =>
    (await world.agent(name, { identity: world.identity({ name, owner }) })).id;
  const [desk, phone, other] = [
    await owned("Desk", "ann"),
    await owned("Phone", "ann"),
    await owned("Bob", "bob"),
  ];
  const eve = { name: "Eve", owner: "ann" };
  const identity = newIdentity(eve, seedSigner(5), undefined, world.clock.wall() - 60_000, strictVerifier);
  const claimed = (await world.agent("Eve", { identity })).id;
  const ann = world.server.ownerOf(desk);
  expect(world.server.ownerOf(phone)).toBe(ann);
  expect(new Set([desk, other, claimed].map((id) => world.server.ownerOf(id))).size).toBe(3);
  expect(world.server.ownerOf("00".repeat(32))).toBeUndefined();
});

describe("a token with a cap", () => {
  it("holds the gateway to it: what its peer says beyond it is left out before it is signed", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const capped = "communication:audio:*, communication:limit:bitrate-bps:24000";
    const leg = await scene.online(scene.shown(bob, { scope: capped }));
    const ada = await world.agent("Ada");
    const { call, answered } = await connected(world, ada, leg, accepting, { voices: "encoded" });
    const refused: unknown[] = [];
    answered.on("frames-refused", (event) => refused.push(event));
    const heard = new Recording(call);
    const payloads = Array.from({ length: 300 }, () => {
      const payload = new Uint8Array(120).fill(1);
      payload[0] = 0x78;
      return payload;
    });
    const fates = await world.during(stream(world, answered, payloads));
    await world.clock.advance(500);
    expect(new Set(fates)).toEqual(new Set(["sent", "limit"]));
    expect(answered.voice?.stats().sent?.dropped.limit).toBe(fates.filter((fate) => fate === "limit").length);
    expect(refused).toEqual([]);
    expect(heard.count("speech")).toBe(fates.filter((fate) => fate === "sent").length);
    expect(world.reported).toEqual([]);
  });

  it.each([
    ["limit", "its cap", 60_000, 40],
    ["rate", "the frame rate that was agreed", 5_000_000, 8],
  ] as const)("holds pictures to it as well (%s: %s)", async (reason, _what, cap, everyMs) => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const scope = `communication:bilateral, communication:limit:bitrate-bps:${cap}`;
    const leg = await scene.online(scene.shown(bob, { scope }));
    const ada = await world.agent("Ada");
    const media = { video: true, adaptation: false } as const;
    const passing = { ...media, voices: "encoded" } as const;
    const { answered } = await connected(world, ada, leg, { ...media, ...accepting }, passing);
    const refused: unknown[] = [];
    answered.on("frames-refused", (event) => refused.push(event));
    const fates: Promise<unknown>[] = [];
    for (let index = 0; index < 500; index += 1) {
      await world.clock.advance(everyMs);
      const isKey = answered.video?.wants.keyFrame === true;
      fates.push(answered.video?.send({ data: vp8Frame(isKey, 600) }) ?? Promise.reject());
    }
    const became = await world.during(Promise.all(fates));
    const { leftOut, lost = 0, sent = 0 } = answered.video?.stats().sent[0] ?? {};
    expect(leftOut?.[reason]).toBeGreaterThan(0);
    expect(became.filter((fate) => fate === "sent")).toHaveLength(sent - lost);
    expect(sent).toBeGreaterThan(100);
    expect(refused).toEqual([]);
    expect(world.reported).toEqual([]);
  });
});

describe("what a gateway signs in a call", () => {
  it("narrows, changes terms, interrupts, suspends and closes, and is named by the agent it acts for", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const leg = await scene.online(
      scene.shown(bob, { scope: "communication:audio:*, communication:data:*" }),
    );
    const ada = await world.agent("Ada");
    const taking = { data: true, changes: () => "accept" as const };
    const options = { ...taking, ...accepting };
    const { call, answered } = await connected(world, ada, leg, options, taking);
    const changes: unknown[] = [];
    call.on("terms-changed", ({ by, number }) => changes.push([by, number]));
    const interrupted: unknown[] = [];
    call.on("interrupted", ({ by }) => interrupted.push(by));
    await world.during(answered.propose({ profile: "chain" }, "thin network"));
    await world.during(call.propose({ profile: "frame" }, "enough room"));
    void call.audio.write((await say(world, call, 0.2)).slice()).catch(() => undefined);
    await world.clock.advance(100);
    await world.during(answered.interrupt());
    const { nonce } = await world.during(answered.suspend({ reason: "awaiting_input" }));
    expect(call.suspended?.by).toBe(bob.agentId);
    expect(nonce).toBeDefined();
    await world.during(answered.resume());
    const scope = (answered.terms.legs[1]?.scope ?? []).filter((token) => !token.includes(":data:"));
    await world.during(answered.narrow(scope));
    await world.clock.advance(300);
    expect(changes.map((each) => (each as [string])[0])).toContain(bob.agentId);
    expect(interrupted).toEqual([bob.agentId]);
    await world.during(answered.end("bye"));
    expect(await call.ended).toEqual({ reason: "bye", by: "peer" });
    const report = scene.judge(await world.during(call.evidence()));
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    const texts = report.statements.map(({ text }) => text).join("\n");
    expect(texts).toMatch(/gave up scope.*as stated by the gateway of the callee/);
    expect(texts).toMatch(/suspended by the callee/);
    expect(texts).toMatch(/interrupted by the callee, epoch 1, as stated by the gateway of the callee/);
    expect(world.reported).toEqual([]);
  });

  it("holds after a restart of the server: a persistent call goes on, checked as it was agreed", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const again = { firstDelay: 800, maxDelay: 2_000 };
    const shown = scene.shown(bob);
    const leg = await scene.online(shown, { reconnect: again });
    const ada = await world.agent("Ada", { reconnect: again });
    const pair = await connected(world, ada, leg, { model: "persistent", ...accepting });
    await say(world, pair.call, 0.5);
    await world.server.close();
    await world.stopServer();
    await world.clock.advance(500);
    world.startServer();
    await world.clock.advance(6_000);
    expect([pair.call.state, pair.answered.state]).toEqual(["active", "active"]);
    const report = await talked(scene, pair);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.parties[2]).toMatchObject({ gateway: shown.statement });
    expect(world.reported).toEqual([]);
  });

  it("is not taken up by the agent itself, which may end it and nothing else", async () => {
    const scene = new GatewayScene();
    const { world, gateway } = scene;
    const bob = await scene.known("Bob");
    const leg = await scene.online(scene.shown(bob));
    const ada = await world.agent("Ada");
    const pair = await connected(world, ada, leg, { model: "persistent", ...accepting });
    const own = await world.agent("Bob", { identity: bob });
    expect(await world.during(own.sessions())).toMatchObject([
      { sessionId: pair.call.id, gateway: gateway.agentId },
    ]);
    expect(await refusal(world, own.takeUp(pair.call.id))).toBe("session-identity-mismatch");
    expect(await world.during(leg.sessions())).toHaveLength(1);
    const another = await scene.online(scene.shown(await scene.known("Eve")));
    expect(await world.during(another.sessions()), "another agent's").toEqual([]);
    await say(world, pair.call, 0.2);
    expect([pair.call.state, pair.answered.state]).toEqual(["active", "active"]);
    expect(world.reported).toEqual([]);
  });
});

describe("a call with a gateway ends", () => {
  async function up(lifetime?: number) {
    const scene = new GatewayScene();
    const bob = await scene.known("Bob");
    const leg = await scene.online(scene.shown(bob, lifetime === undefined ? {} : { lifetime }));
    const ada = await scene.world.agent("Ada");
    return { scene, bob, ...(await connected(scene.world, ada, leg, accepting)) };
  }

  it("with the token that its agent was shown by", async () => {
    const { scene, call, answered } = await up(60);
    await scene.world.clock.advance(60_000 + 20_000);
    expect(await call.ended).toMatchObject({ reason: "token-expired", by: "server" });
    expect(await answered.ended).toMatchObject({ reason: "token-expired", by: "server" });
  });
});
