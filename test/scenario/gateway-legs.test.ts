/** WebRTC peers in calls, each by a leg of the gateway's: called, calling, taking what rings, and how that ends. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { parseRtpPacket } from "../../codecs/rtp-packet.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { GatewayLeg, type LegMedia, type LegStreams } from "../../src/gateway/leg.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { must } from "../signed-call.ts";
import { hex } from "./encoded-source.ts";
import { GatewayScene, type Known } from "./gateway-scene.ts";
import { WIRE_STREAMS, WiredPeer } from "./gateway-wire.ts";
import { film, show } from "./showing.ts";
import { Recording, refusal, say } from "./talking.ts";

const VOICE: LegMedia = { audio: "sendrecv", video: undefined, data: true };
const PICTURES: LegMedia = {
  ...VOICE,
  video: { direction: "sendrecv", codecs: ["vp8", "vp9", "av1"] },
};

interface Led {
  readonly leg: GatewayLeg;
  readonly peer: WiredPeer;
  /** Why the leg was over. */
  readonly ended: string[];
}

/** A leg for a peer that acts for `subject`. */
async function led(
  scene: GatewayScene,
  subject: Known,
  media: LegMedia = VOICE,
  { takesCalls = true, streams = WIRE_STREAMS }: { takesCalls?: boolean; streams?: LegStreams } = {},
): Promise<Led> {
  const { world, gateway } = scene;
  const shown = scene.shown(subject, { scope: "communication:bilateral" });
  const agent = await scene.online(shown, { takesCalls });
  const peer = new WiredPeer(world, { delay: 20 }, 5);
  const ended: string[] = [];
  const leg = new GatewayLeg({
    ...{ agent, media, peer, gatewayId: gateway.agentId, clock: world.clock, random: world.random() },
    ended: (reason) => ended.push(reason),
    report: (error) => world.reported.push(error),
  });
  peer.handlers = leg;
  leg.join(streams);
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

  it("that only calls does not have its agent look as if it could be called", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const ada = await scene.known("Ada");
    const [bob, carl] = [await world.agent("Bob"), await world.agent("Carl")];
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const { leg } = await led(scene, ada, VOICE, { takesCalls: false });
    const isOnline = async () => {
      const listed = await world.during(carl.directory());
      return listed.find(({ agentId }) => agentId === ada.agentId)?.online;
    };
    expect(await isOnline()).toBe(false);
    const call = await world.during(leg.dial(bob.id));
    expect(await isOnline(), "in its call").toBe(false);
    const before = world.clock.now();
    expect(await refusal(world, carl.call(ada.agentId, { gateways: "accept" }))).toBe("callee-unreachable");
    expect(world.clock.now() - before, "at once").toBeLessThan(1_000);
    expect(call.state).toBe("active");
    leg.end("peer-closed");
    expect(world.reported).toEqual([]);
  });

  it("shows its peer the pictures that the other end opens in mid-call, where there is a place for them, one after the other", async () => {
    const scene = new GatewayScene();
    const { world } = scene;
    const ada = await scene.known("Ada");
    const streams = { ...WIRE_STREAMS, fromPeer: ["audio"] } as const;
    const { leg, peer } = await led(scene, ada, PICTURES, { streams });
    const sink = new WiredPeer(world, { delay: 20 }, 6);
    peer.joins(sink);
    const waited = leg.wait();
    const carl = await world.agent("Carl");
    const claimed = ["audio", "video"].flatMap((what) =>
      ["capture", "transmit"].map((act) => `communication:${what}:${act}`),
    );
    const voice = { gateways: "accept", adaptation: false, scope: claimed } as const;
    const call = await world.during(carl.call(ada.agentId, voice));
    await world.during(waited);
    const wanted = { modality: "video", direction: "sendonly", maxHeight: 360 } as const;
    const { units } = film("vp8-small");
    const shown = async () => {
      const picture = await world.during(call.open({ ...wanted, codecs: ["vp8"] }));
      await show(world, call, units);
      await world.clock.advance(500);
      return picture;
    };
    const first = await shown();
    expect(await refusal(world, call.open({ ...wanted, codecs: ["vp8"] })), "there is one").toBe(
      "change-rejected",
    );
    await world.during(first.close());
    expect(await refusal(world, call.open({ ...wanted, codecs: ["vp9"] }))).toBe("change-rejected");
    await shown();
    const packets = sink.packets.video.map((bytes) => must(parseRtpPacket(bytes)));
    const frames = new RtpFrames("vp8");
    const seen: Uint8Array[] = [];
    for (const packet of packets) {
      frames.insert(packet, 0);
      for (let unit = frames.next(0); unit !== undefined; unit = frames.next(0)) seen.push(unit.data);
    }
    expect(hex(seen)).toEqual(hex([...units, ...units].map(({ data }) => data)));
    const steps = packets
      .slice(1)
      .map(({ sequence }, at) => (sequence - (packets[at]?.sequence ?? 0)) & 0xffff);
    expect(new Set(steps), "one stream to the peer").toEqual(new Set([1]));
    expect(peer.keyFramesAsked).toBe(0);
    leg.end("peer-closed");
    expect(world.reported).toEqual([]);
  });

  it.each([
    [["vp9", "vp8"], "vp8"],
    [["vp9"], undefined],
  ] as const)(
    "whose peer was told of VP8 before the call has no other pictures: a callee with %j",
    async (codecs, agreed) => {
      const scene = new GatewayScene();
      const { world } = scene;
      const ada = await scene.known("Ada");
      const { leg } = await led(scene, ada, PICTURES);
      const carl = await world.agent("Carl");
      carl.onCall(async (incoming) => void (await incoming.accept({ video: { codecs } })));
      const call = await world.during(leg.dial(carl.id));
      expect(call.video?.codec).toBe(agreed);
      leg.end("peer-closed");
    },
  );

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
