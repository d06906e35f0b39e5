/** A relay that plays tricks with frames, checkpoints and endings: what the listener refuses, and what a relay can do. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { isRtcp } from "../../codecs/rtcp.ts";
import { readVarint, varintLength, varintSize, writeVarint } from "../../codecs/varint.ts";
import { verifier } from "../../platform/node/sodium.ts";
import type { Refusal } from "../../signaling/admission.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
/** Before Bob, who listens. */
let relay: HostileRelay;
let ada: Agent;
let bob: Agent;
let pair: Pair;
/** Frames the server sent to Bob. */
let seen: Uint8Array[];

beforeEach(async () => {
  world = new World();
  relay = new HostileRelay(world);
  ada = await world.agent("Ada");
  bob = await world.agent("Bob", {}, relay);
  seen = [];
  relay.datagram = (way, bytes) => {
    if (way === "to-agent" && isFrame(bytes)) seen.push(bytes);
    return [bytes];
  };
  pair = await connected(world, ada, bob);
  await say(world, pair.call, 0.1);
  await world.clock.advance(100);
});

/** Flow 0 is the carrier's own ping; RTCP is the hop's own. */
function isFrame(bytes: Uint8Array): boolean {
  return readVarint(bytes, 0) > 0 && !isRtcp(bytes, varintLength(bytes[0] as number));
}

/** What Bob refused in his call, by reason. */
function refused(call: Call = pair.answered): Partial<Record<Refusal, number>> {
  return call.stats().heard?.refused ?? {};
}

function verified(call: Call = pair.answered): number {
  return call.stats().heard?.verified ?? 0;
}

function viewOf(datagram: Uint8Array): FrameView {
  const view = new FrameView();
  expect(parseFrame(datagram, varintLength(datagram[0] as number), view)).toBeUndefined();
  return view;
}

/** The same packet under another flow identifier. */
function onFlow(datagram: Uint8Array, flow: number): Uint8Array {
  const packet = datagram.subarray(varintLength(datagram[0] as number));
  const copy = new Uint8Array(varintSize(flow) + packet.length);
  writeVarint(copy, 0, flow);
  copy.set(packet, varintSize(flow));
  return copy;
}

/** The same packet with another SSRC: what a relay must write to pass the first checks of another call. */
function withSsrc(datagram: Uint8Array, ssrc: number): Uint8Array {
  const copy = datagram.slice();
  new DataView(copy.buffer).setUint32(varintLength(copy[0] as number) + 8, ssrc);
  return copy;
}

/** Adds `step` to the number that ends with the byte at `offset` of the packet. */
function raised(datagram: Uint8Array, offset: number, step = 1): Uint8Array {
  const copy = datagram.slice();
  let at = varintLength(copy[0] as number) + offset;
  let sum = (copy[at] as number) + step;
  copy[at] = sum;
  while (sum > 255 || sum < 0) {
    at -= 1;
    sum = (copy[at] as number) + Math.sign(step);
    copy[at] = sum;
  }
  return copy;
}

/**
 * Numbers begin anywhere, so another call's frame under this one's SSRC is behind the window as often as it fails by its
 * signature.
 */
function withoutLuck({ window = 0, signature = 0, ...rest }: Partial<Record<Refusal, number>>) {
  return { ...rest, "signature or window": window + signature };
}

const SEQUENCE = 2;
const TIMESTAMP = 4;
/** The attribution element stands first: four octets of extension header, two of its own, then its fields. */
const ATTRIBUTION = 12 + 4 + 2;
const SEQUENCE_HIGH = ATTRIBUTION + 1;
const CAPTURE_TIME = SEQUENCE_HIGH + 4;

/** A frame that Bob has not had: held back by the relay. */
async function heldFrame(): Promise<Uint8Array> {
  const passes = relay.datagram;
  const held: Uint8Array[] = [];
  relay.datagram = (way, bytes) => {
    if (way !== "to-agent" || !isFrame(bytes)) return [bytes];
    held.push(bytes);
    return [];
  };
  await say(world, pair.call, 0.02);
  await world.clock.advance(20);
  relay.datagram = passes;
  return held[0] as Uint8Array;
}

describe("a frame on its way to the listener", () => {
  it.each([
    ["its payload", -1],
    ["its sequence number", SEQUENCE + 1],
    ["its timestamp", TIMESTAMP + 3],
    ["its place after a wrap of the 16-bit number", SEQUENCE_HIGH + 3],
    ["its capture time by a little", CAPTURE_TIME + 4],
  ])("with %s altered is refused: signature", async (_name, offset) => {
    const frame = await heldFrame();
    const before = verified();
    const end = frame.length - varintLength(frame[0] as number);
    relay.deliver(raised(frame, offset < 0 ? end + offset : offset));
    expect([verified() - before, refused()]).toEqual([0, { signature: 1 }]);
    relay.deliver(frame);
    expect(verified() - before).toBe(1);
  });

  it("with its capture time altered by more than freshness is refused before its signature is looked at", async () => {
    const frame = await heldFrame();
    relay.deliver(raised(frame, CAPTURE_TIME + 3, 4));
    relay.deliver(raised(frame, CAPTURE_TIME + 3, -4));
    expect(refused()).toEqual({ early: 1, stale: 1 });
  });

  it("with its profile or key generation altered is refused by that name", async () => {
    const frame = await heldFrame();
    relay.deliver(raised(frame, ATTRIBUTION, 16));
    relay.deliver(raised(frame, ATTRIBUTION, 1));
    expect(refused()).toEqual({ malformed: 1, "key-generation": 1 });
  });

  it("replayed is refused: replayed", () => {
    const before = verified();
    for (const frame of seen) relay.deliver(frame);
    expect([verified() - before, refused()]).toEqual([0, { replayed: seen.length }]);
  });

  it("held back for longer than freshness allows is refused: stale", async () => {
    const frame = await heldFrame();
    await world.clock.advance(2_000);
    relay.deliver(frame);
    expect(refused()).toEqual({ stale: 1 });
  });

  it("reflected to its speaker is refused: terms, and by signature or window once it names the other's SSRC", async () => {
    const mirror = new HostileRelay(world);
    const carol = await world.agent("Carol", {}, mirror);
    const sent: Uint8Array[] = [];
    const received: Uint8Array[] = [];
    mirror.datagram = (way, bytes) => {
      if (isFrame(bytes)) (way === "to-server" ? sent : received).push(bytes);
      return [bytes];
    };
    const { call, answered } = await connected(world, carol, bob);
    await Promise.all([say(world, call, 0.1), say(world, answered, 0.1)]);
    await world.clock.advance(100);
    const flow = readVarint(received[0] as Uint8Array, 0);
    const { ssrc } = viewOf(received[0] as Uint8Array);
    const before = verified(call);
    const reflected = onFlow(sent[0] as Uint8Array, flow);
    mirror.deliver(reflected);
    mirror.deliver(withSsrc(reflected, ssrc));
    expect([verified(call) - before, withoutLuck(refused(call))]).toEqual([
      0,
      { terms: 1, "signature or window": 1 },
    ]);
  });

  it("routed into another call is refused: terms, and by signature or window once it names that call's SSRC", async () => {
    const carol = await world.agent("Carol");
    const own = seen.length;
    const other = await connected(world, carol, bob);
    await say(world, other.call, 0.1);
    await world.clock.advance(100);
    const foreign = seen[own] as Uint8Array;
    const frame = await heldFrame();
    const routed = onFlow(frame, readVarint(foreign, 0));
    relay.deliver(routed);
    relay.deliver(withSsrc(routed, viewOf(foreign).ssrc));
    expect(withoutLuck(refused(other.answered))).toEqual({ terms: 1, "signature or window": 1 });
    expect(refused()).toEqual({});
  });

  it("kept from an earlier call of the same two is refused in the next: terms, signature or window", async () => {
    const old = await heldFrame();
    await world.during(pair.call.end());
    const own = seen.length;
    const next = await connected(world, ada, bob);
    await say(world, next.call, 0.1);
    await world.clock.advance(100);
    const fresh = seen[own] as Uint8Array;
    const moved = onFlow(old, readVarint(fresh, 0));
    relay.deliver(moved);
    relay.deliver(withSsrc(moved, viewOf(fresh).ssrc));
    expect(withoutLuck(refused(next.answered))).toEqual({ terms: 1, "signature or window": 1 });
  });

  it("made up, or of a flow nobody has, is heard by nobody", async () => {
    const before = verified();
    const flow = readVarint(seen[0] as Uint8Array, 0);
    relay.deliver(onFlow(seen[0] as Uint8Array, 4_000));
    relay.deliver(Uint8Array.of(flow, 1, 2, 3));
    relay.deliver(new Uint8Array(0));
    relay.deliver(Uint8Array.of(0xff));
    await world.clock.advance(1_000);
    expect([verified() - before, refused()]).toEqual([0, { malformed: 1 }]);
    expect(world.reported).toEqual([]);
  });
});

describe("what a relay can do, and where it shows", () => {
  const judge = (file: Uint8Array) =>
    verifyEvidence(file, { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] }, verifier).report;

  it("drop frames: the listener conceals them, and sent and received differ in the evidence", async () => {
    const recording = new Recording(pair.answered);
    let count = 0;
    relay.datagram = (way, bytes) => {
      if (way === "to-server" || !isFrame(bytes)) return [bytes];
      count += 1;
      return count % 10 === 0 ? [] : [bytes];
    };
    await say(world, pair.call, 1);
    await world.clock.advance(200);
    expect(recording.count("concealed")).toBeGreaterThanOrEqual(5);
    await world.during(pair.call.end());
    const report = judge(await world.during(pair.call.evidence()));
    expect(report.verdict).toBe("verified");
    const [stream] = report.streams;
    expect(stream?.frames).toBe((stream?.received ?? 0) + Math.floor(count / 10));
  });

  it("delay frames within freshness: they are late, not refused", async () => {
    const late = await heldFrame();
    await world.clock.advance(1_500);
    relay.deliver(late);
    expect(refused()).toEqual({});
    expect(pair.answered.stats().heard?.verified).toBe(seen.length + 1);
  });

  it("withhold checkpoints from the listener: it counts none, and the call goes on", async () => {
    relay.item = (way) => way === "to-server";
    await say(world, pair.call, 11);
    await world.clock.advance(500);
    expect(pair.answered.stats().heard?.checkpoints).toEqual({ good: 0, bad: 0, contradicted: 0 });
    expect(pair.call.stats().sent?.checkpoints).toBeGreaterThan(0);
    expect(bob.calls).toEqual([pair.answered]);
  });

  it("withhold an end's checkpoints or receipts from the evidence: its closing statement tells", async () => {
    relay.item = (way) => way === "to-agent";
    await say(world, pair.answered, 0.2);
    await world.during(pair.answered.end());
    const { verdict, faults } = judge(await world.during(pair.answered.evidence()));
    expect(verdict).toBe("invalid");
    expect(faults.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^The callee closed with \d+ frames sent, the file holds 0/),
      expect.stringMatching(/^The callee closed with 1 checkpoints signed, the file holds 0/),
      expect.stringMatching(/^The callee closed with 2 receipts signed, the file holds 1/),
      expect.stringMatching(/^The callee closed with \d+ frames received, the file holds 1/),
    ]);
  });

  it("hand a forged checkpoint on: the listener counts it as bad", async () => {
    relay.item = (_way, _flow, bytes) => {
      bytes[40] = (bytes[40] as number) ^ 1;
      return true;
    };
    await say(world, pair.call, 11);
    await world.clock.advance(500);
    expect(pair.answered.stats().heard?.checkpoints).toEqual({ good: 0, bad: 1, contradicted: 0 });
  });

  it("say that the other end hung up when it did not: the evidence holds no closing statement of that end", async () => {
    let told = false;
    relay.answer = (_, result) => {
      if (told || result.event !== "heartbeat") return result;
      told = true;
      return { event: "session-ended", session_id: pair.answered.id, reason: "done", by: ada.id };
    };
    expect(await world.during(pair.answered.ended)).toEqual({ reason: "done", by: "peer" });
    expect(ada.calls).toEqual([pair.call]);
  });
});
