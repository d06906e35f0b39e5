/** Calls in which a gateway speaks for an agent: what it signs, what the other end is told, and what the evidence says of it. */
import { describe, expect, it } from "vitest";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { must } from "../signed-call.ts";
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
