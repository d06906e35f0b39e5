/** How a call ends, and what each end sees of it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { CallEnd } from "../../agent/call-ending.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let ada: Agent;
let bob: Agent;

beforeEach(async () => {
  world = new World();
  ada = await world.agent("Ada");
  bob = await world.agent("Bob");
});

describe("a call that ends", () => {
  it("because both hang up at once, ends for both without complaint", async () => {
    const { call: mine, answered } = await connected(world, ada, bob);
    await world.during(Promise.all([mine.end("bye"), answered.end("so-long")]));
    const ends = await world.during(Promise.all([mine.ended, answered.ended]));
    expect(new Set(ends.map(({ reason }) => reason)).size).toBeLessThanOrEqual(2);
    expect(ends.map(({ by }) => by)).not.toContain("server");
    const { report } = verifyEvidence(await world.during(mine.evidence()), undefined, verifier);
    expect(report).toMatchObject({ verdict: "unanchored", faults: [] });
    expect(report.statements.filter(({ text }) => text.includes("vanished"))).toEqual([]);
    expect([ada.calls, bob.calls]).toEqual([[], []]);
  });

  it("ends once, however often it is ended", async () => {
    const { call: mine, answered } = await connected(world, ada, bob);
    const ends: CallEnd[] = [];
    mine.on("ended", (end) => ends.push(end));
    await world.during(Promise.all([mine.end("first"), mine.end("second")]));
    await world.during(mine.end("third"));
    await world.clock.advance(50);
    await world.during(answered.end("fourth"));
    expect(await world.during(Promise.all([mine.ended, answered.ended]))).toEqual([
      { reason: "first", by: "me" },
      { reason: "first", by: "peer" },
    ]);
    expect(ends).toHaveLength(1);
    expect(() => mine.audio.write(new Int16Array(960))).toThrow(expect.objectContaining({ code: "closed" }));
  });

  it("takes no reason that a closing statement cannot hold", async () => {
    const { call: mine } = await connected(world, ada, bob);
    for (const reason of ["", "two\nlines", "x".repeat(65)]) {
      expect(
        await refusal(
          world,
          Promise.resolve().then(() => mine.end(reason)),
        ),
      ).toMatch(/^field-invalid/);
    }
    expect(ada.calls).toEqual([mine]);
    await world.during(mine.end("done"));
  });

  it("with its agent: closing is idempotent, hangs up, and nothing works afterwards", async () => {
    const { answered } = await connected(world, ada, bob);
    const closing = ada.close();
    expect(ada.close()).toBe(closing);
    await world.during(closing);
    expect(await world.during(answered.ended)).toEqual({ reason: "agent-closed", by: "peer" });
    await expect(ada.call(bob.id)).rejects.toMatchObject({ code: "closed" });
    await world.clock.advance(1_000);
    expect(bob.calls).toEqual([]);
  });

  it("with its life: ttl-expired for both", async () => {
    const { call: mine, answered } = await connected(world, ada, bob, { ttl: 30 });
    expect(await world.during(Promise.all([mine.ended, answered.ended]))).toEqual([
      { reason: "ttl-expired", by: "server" },
      { reason: "ttl-expired", by: "server" },
    ]);
  });

  it("not with silence: both ends still sign what they hear", async () => {
    const { call: mine } = await connected(world, ada, bob);
    await say(world, mine, 0.1);
    await world.clock.advance(120_000);
    expect([ada.calls, bob.calls.length]).toEqual([[mine], 1]);
  });

  it("with the server: it says so, drains, and closes the connections", async () => {
    const { call: mine, answered } = await connected(world, ada, bob);
    const told: unknown[] = [];
    ada.on("server-shutdown", (event) => told.push(event));
    const drained = world.server.drain(3_000);
    await world.clock.advance(100);
    expect(told).toHaveLength(1);
    expect(await refusal(world, bob.call(ada.id))).toMatch(/^draining/);
    expect(ada.calls).toEqual([mine]);
    expect(await world.during(Promise.all([mine.ended, answered.ended]))).toEqual([
      { reason: "server-shutdown", by: "server" },
      { reason: "server-shutdown", by: "server" },
    ]);
    await world.during(drained);
  });
});
