/** Calls of profile `chain`: tags that only the two ends can make, and checkpoints for everybody else. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let ada: Agent;
let bob: Agent;
/** Before Bob. */
let lossy: HostileRelay;

beforeEach(async () => {
  world = new World();
  ada = await world.agent("Ada");
  lossy = new HostileRelay(world);
  bob = await world.agent("Bob", {}, lossy);
});

describe("a call of profile chain", () => {
  it("is agreed on by who takes it, and carries both voices, each frame proved by its tag and by a checkpoint", async () => {
    const kept: KeptFrame[] = [];
    const { call, answered } = await connected(
      world,
      ada,
      bob,
      { profile: "chain" },
      { tap: ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes }) },
    );
    expect(call.terms.profile).toBe("chain");
    const recordings = [new Recording(answered), new Recording(call)] as const;
    const said = [await say(world, call, 2.5), await say(world, answered, 1)] as const;
    await world.clock.advance(1_500);
    for (const side of [0, 1] as const) {
      const { correlation, longestGap } = compareUtterance(said[side], recordings[side].pcm(), 48_000);
      expect(correlation).toBeGreaterThan(0.9);
      expect(longestGap).toBe(0);
    }
    const view = new FrameView();
    for (const { packet } of kept) {
      expect(parseFrame(packet, 0, view)).toBeUndefined();
      expect([view.profile, view.tagLength]).toEqual(["chain", 16]);
    }
    const { heard } = answered.stats();
    expect(heard).toMatchObject({
      verified: kept.length,
      refused: {},
      unattributed: 0,
      isStopped: false,
      checkpoints: { bad: 0, contradicted: 0 },
    });
    // Two and a half seconds: no frame waits for its checkpoint longer than one, give or take the quarter of a second between looks.
    expect(heard?.checkpoints.good).toBeGreaterThanOrEqual(3);
  });
});

describe("redundant copies in profile chain", () => {
  it("are proved by the tag of the frame that carries them, and never claimed as received", async () => {
    const audio = { redundancy: 1 } as const;
    const { call, answered } = await connected(world, ada, bob, { profile: "chain", audio }, { audio });
    let count = 0;
    lossy.datagram = (way, bytes) => {
      if (way !== "to-agent" || bytes.length < 60) return [bytes];
      count += 1;
      return count % 10 === 5 ? [] : [bytes];
    };
    const recording = new Recording(answered);
    const said = await say(world, call, 2);
    await world.clock.advance(1_500);
    expect(compareUtterance(said, recording.pcm(), 48_000).correlation).toBeGreaterThan(0.9);
    const { heard } = answered.stats();
    expect(heard?.redundant).toBeGreaterThan(5);
    expect(heard).toMatchObject({ refused: {}, unattributed: 0, isStopped: false });
    expect(heard?.verified).toBeLessThan(call.stats().sent?.sent ?? 0);
  });
});

describe("a change of profile while the call is up", () => {
  it.each([
    ["frame", "chain"],
    ["chain", "frame"],
  ] as const)(
    "from %s to %s, by both ends' signatures, is not heard, and neither end refuses a frame",
    async (before, after) => {
      const profiles = { profile: [before, after] } as const;
      const { call, answered } = await connected(world, ada, bob, profiles, profiles);
      expect(call.terms.profile).toBe(before);
      const recordings = [new Recording(answered), new Recording(call)] as const;
      const saying = Promise.all([say(world, call, 4), say(world, answered, 4)]);
      await world.clock.advance(1_500);
      const changed = await world.during(call.propose({ profile: after }, "thin network"));
      expect(changed.profile).toBe(after);
      const said = await saying;
      await world.clock.advance(1_500);
      expect(answered.terms.profile).toBe(after);
      for (const side of [0, 1] as const) {
        const { correlation, longestGap } = compareUtterance(said[side], recordings[side].pcm(), 48_000);
        expect(correlation).toBeGreaterThan(0.9);
        expect(longestGap).toBe(0);
        expect([answered, call][side]?.stats().heard).toMatchObject({
          ...{ refused: {}, lost: 0, unattributed: 0 },
          checkpoints: { bad: 0, contradicted: 0 },
        });
      }
    },
  );

  it("from chain to frame and back leaves evidence of every frame, the longer checkpoints of profile frame among those of chain", async () => {
    const kept: KeptFrame[] = [];
    const { call, answered } = await connected(
      world,
      ada,
      bob,
      { profile: ["chain", "frame"] },
      { tap: ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes }) },
    );
    const saying = say(world, call, 9);
    await world.clock.advance(2_500);
    await world.during(call.propose({ profile: "frame" }, "proof of each frame"));
    await world.clock.advance(3_500);
    await world.during(answered.propose({ profile: "chain" }, "thin network"));
    await saying;
    await world.clock.advance(1_500);
    expect(answered.stats().heard).toMatchObject({ refused: {}, unattributed: 0, checkpoints: { bad: 0 } });
    await world.during(call.end());
    await world.clock.advance(500);
    const file = await world.during(answered.evidence());
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const judged = verifyEvidence(file, anchors, verifier);
    expect(judged.report).toMatchObject({ verdict: "verified", faults: [] });
    const sizes = judged.streams
      .find(({ leg }) => leg === 0)
      ?.checkpoints.map(({ digests }) => digests.length);
    const long = sizes?.findIndex((size) => size > 60) ?? -1;
    expect(long).toBeGreaterThanOrEqual(2);
    expect(sizes?.slice(long + 1).length).toBeGreaterThanOrEqual(2);
    expect(sizes?.filter((size) => size > 60)).toHaveLength(1);
    const media = verifyMedia(kept, judged, verifier);
    expect(media.faults).toEqual([]);
    expect(media.frames).toHaveLength(call.stats().sent?.sent ?? 0);
    const runs = media.frames.map(({ profile }) => profile).filter((one, at, all) => one !== all[at - 1]);
    expect(runs).toEqual(["chain", "frame", "chain"]);
    expect(media.frames.every(({ checkpointed }) => checkpointed)).toBe(true);
  });
});
