/** WebRTC peers in calls, each by a leg of the gateway's: called, calling, taking what rings, and how that ends. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { random } from "../../platform/node/sodium.ts";
import { GatewayLeg, type LegMedia } from "../../src/gateway/leg.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { GatewayScene, type Known } from "./gateway-scene.ts";
import { WIRE_STREAMS, WiredPeer } from "./gateway-wire.ts";
import { Recording, refusal, say } from "./talking.ts";

const VOICE: LegMedia = { audio: "sendrecv", video: undefined, data: true };

interface Led {
  readonly leg: GatewayLeg;
  readonly peer: WiredPeer;
  /** Why the leg was over. */
  readonly ended: string[];
}

/** A leg for a peer that acts for `subject`. */
async function led(scene: GatewayScene, subject: Known, media: LegMedia = VOICE): Promise<Led> {
  const { world, gateway } = scene;
  const agent = await scene.online(scene.shown(subject, { scope: "communication:bilateral" }));
  const peer = new WiredPeer(world, { delay: 20 }, 5);
  const ended: string[] = [];
  const leg = new GatewayLeg({
    ...{ agent, media, peer, random, gatewayId: gateway.agentId, clock: world.clock },
    ended: (reason) => ended.push(reason),
    report: (error) => world.reported.push(error),
  });
  peer.handlers = leg;
  leg.join(WIRE_STREAMS);
  return { leg, peer, ended };
}

const states = ({ peer }: Led) =>
  peer.notices
    .map(
      (notice) => JSON.parse(notice) as { readonly type: string; readonly state?: string; reason?: string },
    )
    .filter(({ type }) => type === "call")
    .map(({ state, reason }) => (reason === undefined ? state : `${state}: ${reason}`));

describe("a leg of a gateway", () => {
  it("calls for its peer, and another one answers for theirs: both hear each other, and each is told of the call", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const [ada, bob] = [await scene.known("Ada"), await scene.known("Bob")];
    const [near, far] = [await led(scene, ada), await led(scene, bob)];
    const answered = far.leg.wait();
    const call = await world.during(near.leg.dial(bob.agentId));
    await world.during(answered);
    expect(call.voice?.sends?.name).toBe("opus");
    expect([states(near), states(far)]).toEqual([
      ["ringing", "up"],
      ["ringing", "up"],
    ]);
    const up = near.peer.notices.map((notice) => JSON.parse(notice)).find(({ state }) => state === "up");
    expect(up).toMatchObject({
      session_id: call.id,
      peer: { agent_id: bob.agentId, gateway: scene.gateway.agentId },
      gateway: { agent_id: scene.gateway.agentId },
    });
    near.leg.message(0, '{"type":"hang-up"}');
    await world.clock.advance(1_000);
    expect([near.ended, far.ended]).toEqual([["hung-up"], ["hung-up"]]);
    expect([states(near).at(-1), states(far).at(-1)]).toEqual(["ended: hung-up", "ended: hung-up"]);
    expect(world.reported).toEqual([]);
  });

  it("carries a voice from agent to agent through both peers", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const [ada, bob] = [await scene.known("Ada"), await scene.known("Bob")];
    const [near, far] = [await led(scene, ada), await led(scene, bob)];
    near.peer.joins(far.peer);
    const carl = await world.agent("Carl");
    const dora = await world.agent("Dora");
    void near.leg.wait();
    const taken = new Promise<Call>((resolve, reject) => {
      dora.onCall((incoming) => incoming.accept().then(resolve, reject));
    });
    const spoken = await world.during(carl.call(ada.agentId, { gateways: "accept" }));
    await world.during(far.leg.dial(dora.id));
    const heard = new Recording(await world.during(taken));
    const said = await say(world, spoken, 2);
    await world.clock.advance(500);
    expect(compareUtterance(said, heard.pcm(), 48_000).correlation).toBeGreaterThan(0.9);
    expect(near.leg.counters?.voice?.toPeer?.sent).toBe(101);
    await world.during(spoken.end("enough"));
    await world.clock.advance(500);
    expect(near.ended).toEqual(["enough"]);
    far.leg.end("ice-failed");
    await world.clock.advance(500);
    expect(far.ended).toEqual(["ice-failed"]);
    expect(states(far).at(-1)).toBe("ended: ice-failed");
    expect(world.reported).toEqual([]);
  });

  it("takes the session that it is to take, and no other", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const bob = await scene.known("Bob");
    const { leg, ended } = await led(scene, bob);
    const [carl, dora] = [await world.agent("Carl"), await world.agent("Dora")];
    const own = await world.agent("Bob", { identity: bob });
    const rang: string[] = [];
    own.onCall(({ sessionId }) => void rang.push(sessionId));
    const first = carl.call(bob.agentId, { gateways: "accept" });
    const second = dora.call(bob.agentId, { gateways: "accept" });
    first.catch(() => undefined);
    await world.clock.advance(200);
    expect(rang).toHaveLength(2);
    const call = await world.during(leg.take(rang[1] ?? ""));
    expect(call.id).toBe(rang[1]);
    expect((await world.during(second)).id).toBe(rang[1]);
    expect(ended).toEqual([]);
    leg.end("peer-closed");
    await world.clock.advance(200);
    expect(ended).toEqual(["peer-closed"]);
  });

  it("leaves what rings while it calls to its agent's other inboxes", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const ada = await scene.known("Ada");
    const own = await world.agent("Ada", { identity: ada });
    const [bob, carl] = [await world.agent("Bob"), await world.agent("Carl")];
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const { leg } = await led(scene, ada);
    await world.during(leg.dial(bob.id));
    own.onCall((incoming) => {
      world.clock.at(world.clock.now() + 5_000, () => void incoming.accept());
    });
    const call = await world.during(carl.call(ada.agentId, { gateways: "accept" }));
    expect(call.peer.gateway).toBeUndefined();
    leg.end("peer-closed");
  });

  it("is over with a name where there is no call: not there, declined, no such session, the peer gone before", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const ada = await scene.known("Ada");
    const bob = await scene.known("Bob");
    const away = await led(scene, ada);
    expect(await refusal(world, away.leg.dial(bob.agentId))).toBe("callee-unreachable");
    expect(away.ended).toEqual(["callee-unreachable"]);
    const carl = await world.agent("Carl");
    carl.onCall((incoming) => incoming.decline());
    const declined = await led(scene, ada);
    expect(await refusal(world, declined.leg.dial(carl.id))).toBe("declined");
    expect(declined.ended).toEqual(["declined"]);
    const nothing = await led(scene, ada);
    expect(await refusal(world, nothing.leg.take("sess-none"))).toBe("session-not-found");
    expect(nothing.ended).toEqual(["session-not-found"]);
    carl.onCall(() => undefined);
    const gone = await led(scene, ada);
    const dialled = refusal(world, gone.leg.dial(carl.id));
    gone.leg.end("ice-failed");
    expect(await dialled).toBe("cancelled");
    expect(gone.ended).toEqual(["ice-failed"]);
    expect(world.reported).toEqual([]);
  });
});
