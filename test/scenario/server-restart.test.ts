/** Calls whose server dies and is started again on what it left. */
import { describe, expect, it } from "vitest";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { bothAreHeard, count, type End, end, hungUp, link, online, scene, upTo } from "./returning.ts";
import { connected, utterance } from "./talking.ts";
import { World } from "./world.ts";

const persistent: OutgoingCallOptions = { model: "persistent" };
/** Longer than frames of an earlier process could have been let through, and than it takes to come back. */
const A_WHILE = 4_000;
/** Number of the terms that both ends agreed on. */
const AGREED = 1;

/** The server's process dies in the middle of what it does, and another one takes its place `downtime` ms later. */
async function restart(world: World, downtime = 500): Promise<void> {
  await world.server.close();
  await world.stopServer();
  await world.clock.advance(downtime);
  world.startServer();
}

function statements(world: World, sessionId: string): string[] {
  const session = world.log.session(sessionId);
  if (session === undefined) throw new Error("the log does not hold the session");
  const server = world.serverIdentity;
  const { bytes } = buildEvidence({ session, server, now: world.clock.wall() }, strictVerifier);
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(bytes, anchors, strictVerifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  return report.statements.map(({ by, text }) => `${by}: ${text}`);
}

describe("a persistent call", () => {
  it("goes on after a restart: both are heard again, every message came once, and the evidence says what happened", async () => {
    const { world, ada, bob } = await scene(persistent);
    await bothAreHeard(world, ada, bob);
    const counted = Promise.all([count(world, ada.call, 60), count(world, bob.call, 60)]);
    void ada.call.audio.write(utterance(4, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await restart(world);
    await world.clock.advance(100);
    expect([ada.call.state, bob.call.state]).toEqual(["detached", "detached"]);
    await world.during(counted);
    await world.clock.advance(A_WHILE);
    expect([ada.call.state, bob.call.state]).toEqual(["active", "active"]);
    await bothAreHeard(world, ada, bob);
    expect([ada.told, bob.told]).toEqual([upTo(60), upTo(60)]);
    await hungUp(world, ada.call, bob.call);
    await world.clock.advance(10_000);
    const { sessions, media } = world.server.sizes();
    expect(sessions).toMatchObject({ live: 0, connections: 0, routes: 0, flows: 0 });
    expect(media).toMatchObject({ sessions: 0, connections: 0, mediaFlows: 0, unread: 0 });
    const said = statements(world, ada.call.id).join("\n");
    expect(said).toMatch(
      /server-claimed: .*: the server was started anew \(server-restarted\) and went on with it/,
    );
    expect(said).toMatch(/server-claimed: .*: caller: came back over memory, with the same key/);
    expect(said).toMatch(/server-claimed: .*: callee: came back over memory, with the same key/);
    expect(said).not.toMatch(/no checkpoint speaks/);
    expect(world.reported).toEqual([]);
  });

  it("goes on after restart upon restart, with what was interrupted, given up and suspended", async () => {
    const { world, ada, bob } = await scene(persistent);
    void ada.call.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(bob.call.interrupt());
    await restart(world, 100);
    await world.clock.advance(A_WHILE);
    await bothAreHeard(world, ada, bob);
    const { nonce } = await world.during(bob.call.suspend({ reason: "awaiting_input" }));
    await restart(world, 20_000);
    await world.clock.advance(A_WHILE);
    expect([ada.call.suspended, bob.call.suspended]).toMatchObject([
      { reason: "awaiting_input" },
      { reason: "awaiting_input", nonce },
    ]);
    await world.during(bob.call.resume());
    await world.clock.advance(200);
    await bothAreHeard(world, ada, bob);
    void ada.call.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(bob.call.interrupt());
    await restart(world, 100);
    await world.clock.advance(A_WHILE);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, bob.call, ada.call);
    const said = statements(world, ada.call.id);
    expect(said.filter((text) => text.includes("the server was started anew"))).toHaveLength(3);
    expect(said.filter((text) => text.includes("interrupted by the callee, epoch"))).toHaveLength(2);
    expect(world.reported).toEqual([]);
  });

  it("knows what an end gave up as its connection broke, though it was never answered: both ends go by the same terms", async () => {
    for (const lead of [0, 30]) {
      const { world, ada, bob } = await scene(persistent);
      await bothAreHeard(world, ada, bob);
      const scope = (ada.call.terms.legs[0]?.scope ?? []).filter((token) => !token.includes(":audio:"));
      const narrowing = ada.call.narrow(scope).catch(() => undefined);
      await world.clock.advance(lead);
      ada.way.isDown = true;
      ada.way.cut();
      await world.clock.advance(200);
      await restart(world, 30_000);
      ada.way.isDown = false;
      await world.clock.advance(40_000);
      await world.during(narrowing);
      expect(ada.call.terms.number).toBe(AGREED + 1);
      expect(bob.call.terms).toEqual(ada.call.terms);
      await world.during(bob.call.narrow(scope));
      await world.clock.advance(200);
      expect(ada.call.terms).toMatchObject({ number: AGREED + 2, legs: [{ scope }, { scope }] });
      expect(bob.call.terms).toEqual(ada.call.terms);
      await hungUp(world, ada.call, bob.call);
      statements(world, ada.call.id);
      expect(world.reported).toEqual([]);
    }
  });

  it("ends where an end was hanging up when the server died, however long the restart takes", async () => {
    for (const lead of [0, 60]) {
      const { world, ada, bob } = await scene(persistent);
      await bothAreHeard(world, ada, bob);
      const hanging = ada.call.end("goodbye");
      await world.clock.advance(lead);
      await restart(world, 30_000);
      await world.clock.advance(40_000);
      await world.during(hanging);
      expect(await ada.call.ended).toEqual({ reason: "goodbye", by: "me" });
      expect(await bob.call.ended).toEqual({ reason: "goodbye", by: "peer" });
      expect(await world.during(ada.agent.sessions())).toEqual([]);
      expect(statements(world, ada.call.id).join("\n")).toMatch(/server-claimed: ended: goodbye, by/);
    }
  });

  it.each([0, 10, 30, 50, 70, 90])(
    "hung up when the server dies %i ms later has in its evidence what its closing statements count",
    async (lead) => {
      const { world, ada, bob } = await scene(persistent);
      await bothAreHeard(world, ada, bob);
      const counted = count(world, ada.call, 40).catch(() => undefined);
      await world.clock.advance(1_000);
      const hanging = ada.call.end("goodbye");
      await world.clock.advance(lead);
      await restart(world, 100);
      await world.clock.advance(A_WHILE);
      await world.during(Promise.all([hanging, counted, ada.call.settled, bob.call.settled]));
      expect(await ada.call.ended).toEqual({ reason: "goodbye", by: "me" });
      await world.clock.advance(10_000);
      const said = statements(world, ada.call.id);
      expect(said.join("\n")).toMatch(/server-claimed: ended: goodbye, by/);
      expect(said.join("\n")).toMatch(/speaker-signed: caller: closed the session \(goodbye\)/);
      expect(world.reported).toEqual([]);
    },
  );

  it("goes on in a fresh process when an agent's dies with the server, and the evidence has the gap", async () => {
    const world = new World({ toServer: link, toClient: link });
    const identity = world.identity({ name: "Ada" });
    const first = await online(world, "Ada", { identity, reconnect: false });
    const other = await online(world, "Bob");
    const { call, answered } = await connected(world, first.agent, other.agent, persistent);
    const bob = end(other, answered);
    let ada: End = end(first, call);
    await bothAreHeard(world, ada, bob);
    void ada.call.audio.write(utterance(14, 48_000)).catch(() => undefined);
    await world.clock.advance(12_500);
    await restart(world);
    await world.clock.advance(1_000);
    const again = await online(world, "Ada", { identity });
    expect(await world.during(again.agent.sessions())).toMatchObject([
      { sessionId: call.id, model: "persistent", peer: other.agent.id, attached: false, generation: 0 },
    ]);
    ada = end(again, await world.during(again.agent.takeUp(call.id)));
    await world.clock.advance(A_WHILE);
    await bothAreHeard(world, ada, bob);
    await hungUp(world, bob.call, ada.call);
    const said = statements(world, call.id).join("\n");
    expect(said).toMatch(
      /speaker-signed: caller: signs media with a new key, generation 1, by its identity key/,
    );
    expect(said).toMatch(
      /speaker-signed: caller, stream 1 .*generation 1; no checkpoint speaks of frames \d+ to \d+/,
    );
    expect(said).toMatch(/listener-signed: caller, stream 1 \(audio\): received \d+ of frames \d+ to \d+/);
    expect(said).toMatch(/server-claimed: .*: caller: moved its media over memory, with a new key/);
    expect(world.reported).toEqual([]);
  });

  it("ends as expired when one end does not come back in time", async () => {
    const { world, ada, bob } = await scene(persistent);
    ada.way.isDown = true;
    await restart(world);
    await world.clock.advance(A_WHILE);
    expect(bob.call.state).toBe("active");
    expect(bob.events).toContain("peer-detached");
    await world.clock.advance(610_000);
    expect(await bob.call.ended).toEqual({ reason: "detach-expired", by: "server" });
    await world.clock.advance(10_000);
    expect(world.server.sizes().media).toMatchObject({ sessions: 0, connections: 0, mediaFlows: 0 });
    const said = statements(world, bob.call.id);
    expect(said).toContain("server-claimed: caller: vanished without a closing statement");
    expect(said).toContain("server-claimed: ended: detach-expired, by server");
  });
});

describe("a bounded call", () => {
  it("ends with the server that it was up on", async () => {
    const { world, ada, bob } = await scene();
    await restart(world);
    await world.clock.advance(20_000);
    for (const { call } of [ada, bob]) expect((await call.ended).by).toBe("server");
    expect(statements(world, ada.call.id)).toContain("server-claimed: ended: server-restarted, by server");
  });
});
