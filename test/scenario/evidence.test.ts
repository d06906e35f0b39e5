/** The evidence of real calls, however they end: both ends get the same file, and it says what happened. */
import { describe, expect, it } from "vitest";
import {
  encodeKeptFrames,
  type KeptFrame,
  keptFramesTitle,
  parseKeptFrames,
} from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { buildEvidence } from "../../signaling/evidence/build.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { type JudgedEvidence, verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { joined, rawLines, without } from "../evidence-edit.ts";
import { must } from "../signed-call.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

function judge(world: World, file: Uint8Array): JudgedEvidence {
  return verifyEvidence(file, { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] }, verifier);
}

async function fileOf(world: World, pair: Pair): Promise<Uint8Array> {
  const [mine, theirs] = [
    await world.during(pair.call.evidence()),
    await world.during(pair.answered.evidence()),
  ];
  expect(Buffer.compare(mine, theirs)).toBe(0);
  return mine;
}

function said({ report }: JudgedEvidence): string[] {
  return report.statements.map(({ text }) => text);
}

/** The file as the server builds it when neither end is there to ask for it. */
function fromLog(world: World, sessionId: string): Uint8Array {
  const session = world.log.session(sessionId);
  if (session === undefined) throw new Error("the log does not hold the session");
  return buildEvidence({ session, server: world.serverIdentity, now: world.clock.wall() }, verifier).bytes;
}

/** A world with some distance in it. */
function distant(delay: number, jitter: number, seed: number): World {
  return new World({
    toServer: new Link({ delay, jitter }, new SeededRandom(seed)),
    toClient: new Link({ delay, jitter }, new SeededRandom(seed + 1)),
  });
}

describe("the evidence of a real call", () => {
  it("verifies, counts every frame, and is the same for both ends", async () => {
    const world = new World();
    const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
    await say(world, pair.call, 12);
    await say(world, pair.answered, 0.5);
    await world.clock.advance(200);
    await world.during(pair.call.end());
    const judged = judge(world, await fileOf(world, pair));
    expect(judged.report).toMatchObject({ verdict: "verified", faults: [] });
    const [mine, theirs] = judged.report.streams;
    expect(mine).toMatchObject({
      frames: 601,
      received: 601,
      closedBySpeaker: true,
      closedByListener: true,
    });
    expect(mine?.checkpoints).toBeGreaterThan(1);
    expect(mine?.receipts).toBeGreaterThan(1);
    expect(theirs).toMatchObject({ frames: 26, received: 26, heard: 26 });
    expect(judged.report.records.countersigned).toBeGreaterThanOrEqual(2);
    expect(said(judged).join("\n")).not.toContain("vanished");
    expect(world.reported).toEqual([]);
  });

  it("does not verify without any one of its lines, or with one bit of any line flipped", async () => {
    const world = new World();
    const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
    await say(world, pair.call, 0.2);
    await world.during(pair.answered.end());
    const file = await fileOf(world, pair);
    const lines = rawLines(file);
    for (const [at, line] of lines.entries()) {
      const flipped = line.slice();
      const middle = line.length >> 1;
      flipped[middle] = (flipped[middle] as number) ^ 1;
      for (const changed of [without(lines, at), lines.with(at, flipped)]) {
        const { verdict, faults } = judge(world, joined(changed)).report;
        expect([verdict, faults[0]?.at]).toEqual(["invalid", expect.stringMatching(/^line \d+/)]);
      }
    }
  });

  it("holds a call in which nobody spoke, and one in which only one could", async () => {
    const world = new World();
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const silent = await connected(world, ada, bob);
    await world.during(silent.call.end());
    expect(judge(world, await fileOf(world, silent)).report).toMatchObject({ verdict: "verified" });
    const oneWay = await connected(world, ada, bob, { audio: { direction: "sendonly" } });
    await say(world, oneWay.call, 0.1);
    await world.during(oneWay.answered.end());
    const { report } = judge(world, await fileOf(world, oneWay));
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.streams.map(({ leg }) => leg)).toEqual([0]);
  });

  it("is refused while the call is up, and to those who took no part", async () => {
    const world = new World();
    const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
    expect(await refusal(world, pair.call.evidence())).toMatch(/^evidence-not-ready/);
    expect(await refusal(world, pair.answered.evidence())).toMatch(/^evidence-not-ready/);
  });
});

describe("however a call ends", () => {
  it("by both at once over a slow network, both closing statements are in the file", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const world = distant(30, 20, seed);
      const pair = await connected(world, await world.agent("Ada"), await world.agent("Bob"));
      const talking = pair.call.audio.write(new Int16Array(9600));
      await world.clock.advance(60);
      const bye = pair.call.end("bye");
      await world.clock.advance((seed - 1) * 10);
      await world.during(Promise.all([talking, bye, pair.answered.end("so-long")]));
      const judged = judge(world, await fileOf(world, pair));
      expect(judged.report, `seed ${seed}`).toMatchObject({ verdict: "verified", faults: [] });
      expect(said(judged).filter((text) => text.includes("closed the session"))).toHaveLength(2);
    }
  });

  it("by the other end while this one is still hanging up, both closing statements are in the file", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    const [ada, bob] = [await world.agent("Ada", {}, relay), await world.agent("Bob")];
    const pair = await connected(world, ada, bob);
    await say(world, pair.call, 0.1);
    relay.finishTakes = 100;
    const bye = pair.call.end("bye");
    await world.clock.advance(20);
    await world.during(pair.answered.end("so-long"));
    await world.during(bye);
    expect(await pair.call.ended).toEqual({ reason: "so-long", by: "peer" });
    const judged = judge(world, await fileOf(world, pair));
    expect(judged.report).toMatchObject({ verdict: "verified", faults: [] });
    expect(said(judged).filter((text) => text.includes("closed the session"))).toHaveLength(2);
  });

  it("by a connection that is lost: it verifies and says who vanished and what stayed open", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    const [ada, bob] = [await world.agent("Ada", {}, relay), await world.agent("Bob")];
    const pair = await connected(world, ada, bob);
    await say(world, pair.call, 11);
    (await relay.connection()).close(0, "gone");
    expect(await world.during(pair.call.ended)).toEqual({ reason: "connection-lost", by: "server" });
    expect(await world.during(pair.answered.ended)).toEqual({ reason: "transport-closed", by: "server" });
    const judged = judge(world, await world.during(pair.answered.evidence()));
    expect(judged.report).toMatchObject({ verdict: "verified", faults: [] });
    expect(judged.report.streams[0]).toMatchObject({ closedBySpeaker: false, closedByListener: true });
    expect(said(judged)).toContain("caller: vanished without a closing statement");
    expect(said(judged).join("\n")).toMatch(/the speaker never closed it, later frames may exist/);
    expect(said(judged).join("\n")).toMatch(/callee: closed the session \(transport-closed\)/);
  });

  it("by two connections that are lost: what was signed until then is there, and nothing is countersigned", async () => {
    const world = new World();
    const relays = [new HostileRelay(world), new HostileRelay(world)] as const;
    const [ada, bob] = [await world.agent("Ada", {}, relays[0]), await world.agent("Bob", {}, relays[1])];
    const pair = await connected(world, ada, bob);
    await say(world, pair.call, 11);
    for (const relay of relays) (await relay.connection()).close(0, "gone");
    await world.clock.advance(10_000);
    const judged = judge(world, fromLog(world, pair.call.id));
    expect(judged.report).toMatchObject({ verdict: "verified", records: { countersigned: 0 } });
    expect(said(judged).filter((text) => text.includes("vanished"))).toHaveLength(2);
    expect(judged.report.streams[0]?.frames).toBeGreaterThan(400);
  });
});

describe("frames that a listener kept", () => {
  it("belong to their call and to no other, and survive being written to a file", async () => {
    const world = new World();
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const files: { kept: KeptFrame[]; evidence: JudgedEvidence }[] = [];
    for (let round = 0; round < 2; round += 1) {
      const heard: KeptFrame[] = [];
      const tap = ({ leg, stream, bytes }: { leg: number; stream: number; bytes: Uint8Array }) =>
        heard.push({ leg, stream, packet: bytes });
      const pair = await connected(world, ada, bob, { tap }, { tap });
      await Promise.all([say(world, pair.call, 0.3), say(world, pair.answered, 0.2)]);
      await world.clock.advance(100);
      await world.during(pair.call.end());
      const file = Uint8Array.from(Buffer.concat([keptFramesTitle(), encodeKeptFrames(heard)]));
      const kept = must(parseKeptFrames(file));
      files.push({ kept, evidence: judge(world, await fileOf(world, pair)) });
    }
    const [first, second] = files as [(typeof files)[number], (typeof files)[number]];
    const own = verifyMedia(first.kept, first.evidence, verifier);
    expect(own.faults).toEqual([]);
    expect(own.frames).toHaveLength(16 + 11);
    expect(own.frames.every(({ checkpointed }) => checkpointed)).toBe(true);
    const foreign = verifyMedia(second.kept, first.evidence, verifier);
    expect(foreign.frames).toEqual([]);
    expect(foreign.faults).toHaveLength(second.kept.length);
  });
});
