/** Calls that ended because a connection was lost: what can be read of them afterwards, over the next one. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let relay: HostileRelay;
let ada: Agent;
let call: Call;
let answered: Call;

beforeEach(async () => {
  world = new World();
  relay = new HostileRelay(world);
  ada = await world.agent("Ada", { reconnect: true }, relay);
  const bob = await world.agent("Bob", { reconnect: true });
  ({ call, answered } = await connected(world, ada, bob));
  await say(world, call, 1);
  await world.clock.advance(500);
});

async function judged(of: Call) {
  const file = await world.during(of.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(file, anchors, strictVerifier);
  return { verdict: report.verdict, faults: report.faults };
}

describe("the evidence of a call whose connection was lost", () => {
  it("is read by both ends once they are online again, after a restart of the server", async () => {
    await world.stopServer();
    await world.clock.advance(10_100);
    expect(await call.ended).toEqual({ reason: "connection-lost", by: "server" });
    expect(await refusal(world, call.evidence())).toBe("offline");
    expect(await refusal(world, call.records())).toBe("offline");
    world.startServer();
    await world.clock.advance(31_000);
    expect(ada.isOnline).toBe(true);
    for (const end of [call, answered]) {
      expect(await judged(end)).toEqual({ verdict: "verified", faults: [] });
    }
  });

  it("and its records, where the server stayed: over the next connection", async () => {
    (await relay.connection()).close(0, "lost");
    await world.clock.advance(2_000);
    expect([ada.isOnline, (await call.ended).reason]).toEqual([true, "transport-closed"]);
    await world.clock.advance(15_000);
    expect(await judged(call)).toEqual({ verdict: "verified", faults: [] });
    const records = await world.during(call.records());
    expect(records.at(-1)).toMatchObject({ event: "session-terminated" });
    expect(world.reported).toEqual([]);
  });

  it("is not to be had without a connection to come", async () => {
    await world.during(ada.close());
    expect(await refusal(world, call.evidence())).toBe("closed");
  });
});
