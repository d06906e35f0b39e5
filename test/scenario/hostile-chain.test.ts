/** A relay that tampers with a call of profile `chain`: the listener finds out, and so does who verifies the evidence. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { FramesContradicted } from "../../agent/call-events.ts";
import type { UnattributedTold } from "../../agent/call-notices.ts";
import type { CallOptions } from "../../agent/call-options.ts";
import { parseCheckpoint } from "../../codecs/checkpoint.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { isRtcp } from "../../codecs/rtcp.ts";
import { readVarint, varintLength } from "../../codecs/varint.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { type JudgedEvidence, verifyEvidence } from "../../signaling/evidence/verify.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
/** Before Ada, who speaks, and before Bob, who listens. */
let first: HostileRelay;
let last: HostileRelay;
let ada: Agent;
let bob: Agent;
let pair: Pair;
let kept: KeptFrame[];
let told: (UnattributedTold & { readonly at: string })[];

async function begin(taking: CallOptions = {}): Promise<void> {
  kept = [];
  told = [];
  const tap: CallOptions["tap"] = ({ leg, stream, bytes }) => kept.push({ leg, stream, packet: bytes });
  pair = await connected(world, ada, bob, { profile: "chain" }, { tap, ...taking });
  for (const call of [pair.call, pair.answered]) {
    const at = call === pair.call ? "Ada" : "Bob";
    call.on("unattributed", (event) => told.push({ ...event, at }));
  }
}

beforeEach(async () => {
  world = new World();
  [first, last] = [new HostileRelay(world), new HostileRelay(world)];
  ada = await world.agent("Ada", {}, first);
  bob = await world.agent("Bob", {}, last);
});

function isFrame(bytes: Uint8Array): boolean {
  return readVarint(bytes, 0) > 0 && !isRtcp(bytes, varintLength(bytes[0] as number));
}

function isCheckpoint(bytes: Uint8Array): boolean {
  return parseCheckpoint(bytes, "chain").ok;
}

/** Frames to Bob: what goes on in place of each. */
function frames(
  relay: HostileRelay,
  way: "to-agent" | "to-server",
  change: (bytes: Uint8Array) => readonly Uint8Array[],
): void {
  relay.datagram = (going, bytes) => (going === way && isFrame(bytes) ? change(bytes) : [bytes]);
}

/** Checkpoints of Ada: what goes on in place of each, by its place in the order they come. */
function checkpoints(
  relay: HostileRelay,
  way: "to-agent" | "to-server",
  change: (bytes: Uint8Array, index: number) => boolean | readonly Uint8Array[],
): void {
  let index = 0;
  relay.item = (going, _flow, bytes) =>
    going === way && isCheckpoint(bytes) ? change(bytes, index++) : true;
}

const heard = () => pair.answered.stats().heard;

async function judged(): Promise<JudgedEvidence> {
  await world.during(pair.call.end());
  await world.clock.advance(500);
  const file = await world.during(pair.answered.evidence());
  return verifyEvidence(file, { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] }, verifier);
}

function said({ report }: JudgedEvidence): string {
  return report.statements.map(({ text }) => text).join("\n");
}

describe("frames", () => {
  it("with any one bit flipped on their way to the listener are refused, one by one, and the stream goes on", async () => {
    await begin();
    let bit = 0;
    let altered = 0;
    frames(last, "to-agent", (bytes) => {
      const flipped = bytes.slice();
      const at = varintLength(bytes[0] as number) + ((bit >> 3) % (bytes.length - 1));
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
      bit += 97;
      altered += 1;
      return altered % 2 === 0 ? [bytes] : [flipped, bytes];
    });
    await say(world, pair.call, 3);
    await world.clock.advance(200);
    const { verified = 0, refused = {} } = heard() ?? {};
    expect(verified).toBe(altered);
    expect(Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(Math.ceil(altered / 2));
    expect(told).toEqual([]);
    const evidence = await judged();
    expect(evidence.report.verdict).toBe("verified");
    expect(verifyMedia(kept, evidence, verifier)).toMatchObject({ faults: [] });
  });

  it("altered on their way to the server pass it, are refused by the listener, and contradict their checkpoint: both ends and the evidence say so", async () => {
    await begin();
    const contradicted: (FramesContradicted & { readonly at: string })[] = [];
    pair.call.on("frames-contradicted", (event) => contradicted.push({ ...event, at: "Ada" }));
    pair.answered.on("frames-contradicted", (event) => contradicted.push({ ...event, at: "Bob" }));
    let count = 0;
    frames(first, "to-server", (bytes) => {
      count += 1;
      if (count % 10 !== 0) return [bytes];
      const altered = bytes.slice();
      altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
      return [altered];
    });
    await say(world, pair.call, 3);
    await world.clock.advance(1_500);
    const wrong = Math.floor(count / 10);
    expect(heard()).toMatchObject({ verified: count - wrong, lost: wrong, refused: { signature: wrong } });
    const by = (at: string) =>
      contradicted.filter((event) => event.at === at).reduce((sum, event) => sum + event.count, 0);
    expect([by("Ada"), by("Bob")]).toEqual([wrong, wrong]);
    const evidence = await judged();
    expect(evidence.report.verdict).toBe("verified");
    expect(said(evidence)).toContain(`${wrong} frames that came were listed otherwise`);
  });

  it("invented, repeated, turned round or moved from the other direction are refused", async () => {
    await begin();
    const mine: Uint8Array[] = [];
    const theirs: Uint8Array[] = [];
    frames(last, "to-agent", (bytes) => {
      mine.push(bytes);
      return [bytes];
    });
    await say(world, pair.call, 0.3);
    last.datagram = (way, bytes) => {
      if (way === "to-server" && isFrame(bytes)) theirs.push(bytes);
      return [bytes];
    };
    await say(world, pair.answered, 0.3);
    await world.clock.advance(100);
    const { verified } = heard() ?? {};
    const newest = mine.at(-1) as Uint8Array;
    const invented = newest.slice();
    const view = new FrameView();
    parseFrame(invented, varintLength(invented[0] as number), view);
    new DataView(invented.buffer).setUint16(view.start + 2, (view.sequence + 1) % 65_536);
    invented.fill(0x5a, view.tagOffset, view.tagOffset + view.tagLength);
    last.deliver(invented);
    last.deliver(newest);
    // What Bob said, under the flow, format and SSRC of what he hears.
    const turned = (theirs.at(-1) as Uint8Array).slice();
    turned.set(newest.subarray(0, view.start), 0);
    new DataView(turned.buffer).setUint32(view.start + 8, view.ssrc);
    last.deliver(turned);
    expect(heard()?.verified).toBe(verified);
    const { signature = 0, replayed = 0, window = 0 } = heard()?.refused ?? {};
    expect([replayed, signature + window]).toEqual([1, 2]);
  });

  it("dropped are missed by the listener, and by who compares receipts with checkpoints", async () => {
    await begin();
    let count = 0;
    frames(last, "to-agent", (bytes) => (++count % 10 === 0 ? [] : [bytes]));
    await say(world, pair.call, 2);
    await world.clock.advance(1_500);
    const lost = Math.floor(count / 10);
    expect(heard()).toMatchObject({ verified: count - lost, refused: {} });
    const evidence = await judged();
    expect(said(evidence)).toContain(`${count - lost} of ${count} frames sent and received`);
    expect(verifyMedia(kept, evidence, verifier).faults).toEqual([]);
  });

  it("of the other profile are refused: neither the relay nor a thief of it chooses the profile", async () => {
    await begin();
    frames(first, "to-server", (bytes) => {
      const other = bytes.slice();
      const at = varintLength(bytes[0] as number) + 18;
      other[at] = ((other[at] ?? 0) & 0x0f) | 0x10;
      return [other];
    });
    await say(world, pair.call, 0.5);
    await world.clock.advance(100);
    expect(heard()).toBeUndefined();
  });
});

describe("checkpoints", () => {
  /** Says `seconds`, and how many seconds of it Bob heard. */
  async function heardOf(seconds: number): Promise<number> {
    const recording = new Recording(pair.answered);
    await say(world, pair.call, seconds);
    await world.clock.advance(500);
    return recording.count("speech") / 50;
  }

  it.each([
    ["withheld", () => false],
    ["altered", (bytes: Uint8Array) => [bytes.map((byte, at) => (at === 111 ? byte ^ 1 : byte))]],
    ["put in the place of one another", (bytes: Uint8Array, index: number) => (index === 0 ? [] : [bytes])],
  ] as const)(
    "%s stop the stream 2 s after what they should have covered was played, and that is told and recorded",
    async (_, change) => {
      await begin();
      checkpoints(last, "to-agent", change);
      const seconds = await heardOf(6);
      // The first frame that is played is overdue after 2 s.
      expect(seconds).toBeGreaterThan(1.9);
      expect(seconds).toBeLessThan(2.3);
      expect(heard()).toMatchObject({ isStopped: true });
      expect(told.map(({ at, by }) => [at, by]).sort()).toEqual([
        ["Ada", bob.id],
        ["Bob", bob.id],
      ]);
      const evidence = await judged();
      // Blames neither: the server had every checkpoint, and one end says that it did not.
      expect(evidence.report.verdict).toBe("verified");
      expect(said(evidence)).toMatch(
        /callee: played what it found unattributed, stream 1, frames \d+ to \d+/,
      );
    },
  );

  it("withheld do not stop a listener that wants to go on, which is told all the same", async () => {
    await begin({ unattributed: "go-on" });
    checkpoints(last, "to-agent", () => false);
    expect(await heardOf(6)).toBeGreaterThan(5.9);
    expect(heard()).toMatchObject({ isStopped: false });
    expect(told.map(({ at }) => at).sort()).toEqual(["Ada", "Bob"]);
  });

  it("that come late stop the stream until they are there", async () => {
    await begin();
    const held: Uint8Array[] = [];
    let isHeld = true;
    checkpoints(last, "to-agent", (bytes) => {
      held.push(bytes.slice());
      return isHeld ? [] : held.splice(0);
    });
    const recording = new Recording(pair.answered);
    const saying = say(world, pair.call, 8);
    await world.clock.advance(4_000);
    expect(heard()).toMatchObject({ isStopped: true });
    const before = recording.count("speech");
    isHeld = false;
    await saying;
    await world.clock.advance(500);
    expect(heard()).toMatchObject({ isStopped: false, checkpoints: { bad: 0, contradicted: 0 } });
    expect(recording.count("speech") - before).toBeGreaterThan(100);
    expect(told.map(({ at }) => at).sort()).toEqual(["Ada", "Bob"]);
  });

  it("invented beside the true ones are counted as bad and change nothing", async () => {
    await begin();
    checkpoints(last, "to-agent", (bytes) => [bytes.map((byte, at) => (at >= 110 ? 0xab : byte)), bytes]);
    expect(await heardOf(4)).toBeGreaterThan(3.9);
    expect(heard()).toMatchObject({ isStopped: false, unattributed: 0 });
    expect(heard()?.checkpoints.bad).toBeGreaterThanOrEqual(3);
  });

  it("withheld from the server stop the stream, and the file lacks what the speaker's closing statement counts", async () => {
    await begin();
    checkpoints(first, "to-server", (_, index) => index !== 1);
    const seconds = await heardOf(6);
    expect(seconds).toBeGreaterThan(2.9);
    expect(seconds).toBeLessThan(4.3);
    expect(told).toHaveLength(2);
    const { report } = await judged();
    expect(report.verdict).toBe("invalid");
    expect(report.faults.map(({ message }) => message).join()).toMatch(/a statement is missing/);
  });
});
