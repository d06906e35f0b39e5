/** How far a voice was really heard: signed by who hears it, told to who speaks, and in the evidence. */
import { describe, expect, it } from "vitest";
import type { HeardPosition } from "../../agent/call-heard.ts";
import { parseReceipt } from "../../codecs/receipt.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { strictVerifier } from "../keys.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, Recording, say, utterance } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;

interface Scene extends Pair {
  readonly world: World;
  readonly recording: Recording;
  readonly told: HeardPosition[];
}

async function talking(): Promise<Scene> {
  const conditions = { delay: ONE_WAY / 2, jitter: 4 };
  const world = new World({
    toServer: new Link(conditions, new SeededRandom(3)),
    toClient: new Link(conditions, new SeededRandom(4)),
  });
  const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
  const told: HeardPosition[] = [];
  pair.call.on("heard", (position) => told.push(position));
  return { world, ...pair, recording: new Recording(pair.answered), told };
}

/** Milliseconds of speech that the application was given, by the timeline of the recording. */
function spoken({ recording }: Scene): number {
  return recording.frames.reduce((sum, { kind, pcm }) => sum + (kind === "speech" ? pcm.length / 48 : 0), 0);
}

describe("how far it was heard", () => {
  it("is signed at once after an interrupt, and agrees with the PCM within 20 ms", async () => {
    for (const wait of [700, 1_313, 2_048]) {
      const scene = await talking();
      const { world, call, answered, recording, told } = scene;
      void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
      await world.clock.advance(wait);
      await world.during(answered.interrupt());
      await world.clock.advance(ONE_WAY + 30);
      const [position] = told;
      const last = recording.frames.findLast((frame) => frame.kind === "speech");
      expect(told).toHaveLength(1);
      expect(position).toMatchObject({
        epoch: 0,
        samples: 960,
        sequence: last?.kind === "speech" ? last.sequence : 0,
      });
      expect(Math.abs((position?.playedMs ?? 0) - spoken(scene))).toBeLessThanOrEqual(20);
      await world.during(call.end());
      expect(world.reported).toEqual([]);
    }
  });

  it("is said when asked, to the sample, and nothing before anything was heard", async () => {
    const scene = await talking();
    const { world, call } = scene;
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    const offsets = new Set<number>();
    for (const wait of [500, 1_007, 611]) {
      await world.clock.advance(wait);
      const position = await world.during(call.audio.heardPosition());
      const { samples = 0, playedMs = 0, at = 0 } = position ?? {};
      offsets.add(samples);
      expect(samples).toBeGreaterThanOrEqual(0);
      expect(samples).toBeLessThanOrEqual(960);
      // What is heard was said a way, a frame and the playout delay ago, and the receipt came a way ago.
      const since = world.clock.wall() - at;
      expect(since).toBeGreaterThanOrEqual(ONE_WAY / 2);
      expect(since).toBeLessThanOrEqual(2 * ONE_WAY);
      expect(Math.abs(playedMs + since - spoken(scene))).toBeLessThanOrEqual(25);
    }
    expect(offsets.size).toBe(3);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("counts each turn from its beginning", async () => {
    const { world, call } = await talking();
    await say(world, call, 2);
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    const position = await world.during(call.audio.heardPosition());
    expect(position?.playedMs).toBeGreaterThan(850);
    expect(position?.playedMs).toBeLessThan(1_000);
    await world.during(call.end());
  });

  it("stands in the evidence for each turn that was cut off, and at the end", async () => {
    const { world, call, answered, told } = await talking();
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(900);
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    await say(world, call, 1);
    await world.clock.advance(300);
    await world.during(call.end());
    const evidence = await world.during(call.evidence());
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const { report } = verifyEvidence(evidence, anchors, strictVerifier);
    expect([report.verdict, report.faults]).toEqual(["verified", []]);
    const played = report.streams.find(({ leg, modality }) => leg === 0 && modality === "audio")?.played;
    expect(played?.map(({ epoch }) => epoch)).toEqual([0, 1]);
    const { epoch, sequence, samples } = told[0] as HeardPosition;
    expect(played?.[0]).toMatchObject({ epoch, sequence, samples });
    expect(report.statements).toContainEqual({
      by: "listener-signed",
      text: `caller, stream 1 (audio): played up to ${samples} samples of frame ${sequence} of media epoch 0`,
    });
  });

  it("is told once, however often a relay brings the receipt", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    relay.item = (_way, _flow, bytes) => (parseReceipt(bytes).ok ? [bytes, bytes] : true);
    const pair = await connected(world, await world.agent("Ada", {}, relay), await world.agent("Bob"));
    const told: HeardPosition[] = [];
    pair.call.on("heard", (position) => told.push(position));
    void pair.call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(700);
    await world.during(pair.call.audio.heardPosition());
    await world.clock.advance(300);
    expect(told).toHaveLength(1);
  });
});
