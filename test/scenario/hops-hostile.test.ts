/** Ends that do not do their part on their hop: they stop reading, flood, or say what is not so. Others' calls go on. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import { buildFrame, FrameSigningContext, FrameView, parseFrame, signFrame } from "../../codecs/frame.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import { isRtcp } from "../../codecs/rtcp.ts";
import type { Signer } from "../../codecs/signer.ts";
import { encodeVarint, readVarint, varintLength } from "../../codecs/varint.ts";
import { createSigner } from "../../platform/node/sodium.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, utterance } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

const VOICE = { audio: { codecs: ["pcmu"] } } as const;
const WAY = { delay: 20 };
const SOON = { firstDelay: 500, maxDelay: 1_000 };

let world: World;
beforeEach(() => {
  const link = (seed: number) => new Link(WAY, new SeededRandom(seed));
  world = new World({ toServer: link(1), toClient: link(2) });
});

/** Talks until the call ends; nobody minds that it does. */
function talk(call: Call, seconds = 60): void {
  void call.audio.write(utterance(seconds, 8_000)).catch(() => undefined);
}

/** A voice from a new agent to another; `ages` has how old each frame was when it came, ms. */
async function neighbours(): Promise<{ readonly pair: Pair; readonly ages: number[] }> {
  const view = new FrameView();
  const ages: number[] = [];
  const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
    parseFrame(bytes, 0, view);
    ages.push(world.clock.wall() - view.captureMs);
  };
  const [carl, dora] = [await world.agent("Carl"), await world.agent("Dora")];
  const pair = await connected(world, carl, dora, VOICE, { ...VOICE, tap });
  talk(pair.call);
  return { pair, ages };
}

const drops = (): Record<string, number> => ({ ...world.server.overview().frames.dropped });
const legs = () => world.server.overview().legs;

describe("a listener that stops reading", () => {
  let relay: HostileRelay;
  let reads: boolean;
  let ada: Agent;
  let pair: Pair;

  beforeEach(async () => {
    relay = new HostileRelay(world);
    reads = true;
    // The carrier's own pings pass: only media and its feedback stop.
    relay.datagram = (_way, bytes) => (reads || readVarint(bytes, 0) === 0 ? [bytes] : []);
    ada = await world.agent("Ada");
    pair = await connected(world, ada, await world.agent("Bob", { reconnect: SOON }, relay), VOICE, VOICE);
    talk(pair.call);
    await world.clock.advance(3_000);
  });

  it("has 200 ms of frames kept for it and little on its way, and the speaker and others are served as before", async () => {
    const { ages } = await neighbours();
    await world.clock.advance(2_000);
    reads = false;
    const before = world.server.overview().frames;
    const [forwarded, admitted] = [before.forwarded, before.admitted];
    let held = 0;
    for (let look = 0; look < 100; look += 1) {
      await world.clock.advance(100);
      held = Math.max(held, legs().held);
    }
    const after = world.server.overview().frames;
    const [sent, came] = [after.forwarded - forwarded, after.admitted - admitted];
    // Carl's to Dora all leave; of Ada's those under way before it was seen, then five a second.
    expect(came).toBeGreaterThan(980);
    expect(sent - came / 2).toBeLessThan(110);
    expect(held).toBeGreaterThan(5);
    expect(held).toBeLessThanOrEqual(11);
    expect(legs().degraded).toBe(1);
    expect(drops().stale).toBeGreaterThan(300);
    expect(Math.max(...ages)).toBeLessThan(100);
    expect(pair.call.stats().hop?.estimate?.behind).toBe(32_000);
  });

  it("hears in time again a moment after it reads", async () => {
    reads = false;
    await world.clock.advance(5_000);
    reads = true;
    const before = pair.answered.stats().heard?.verified ?? 0;
    await world.clock.advance(1_000);
    expect((pair.answered.stats().heard?.verified ?? 0) - before).toBeGreaterThan(30);
    await world.clock.advance(8_000);
    expect(legs()).toMatchObject({ degraded: 0, held: 0 });
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["an interrupt", () => pair.answered.interrupt(), "epoch"],
    ["a suspension", () => pair.call.suspend(), "session-state"],
    ["giving up the right to speak", () => pair.call.narrow([]), "scope"],
    ["the end", () => pair.call.end(), "session-state"],
  ])("%s takes back what waits for it", async (_name, act, reason) => {
    reads = false;
    await world.clock.advance(2_000);
    expect(legs().held).toBeGreaterThan(5);
    const before = drops()[reason] ?? 0;
    await world.during(act());
    expect((drops()[reason] ?? 0) - before).toBeGreaterThan(3);
    await world.clock.advance(500);
    expect(legs().held).toBeLessThanOrEqual(11);
  });

  it("that goes and comes back begins anew: nothing of before is sent to it", async () => {
    reads = false;
    await world.clock.advance(2_000);
    const closed = drops().closed ?? 0;
    (await relay.connection()).close(CLOSE_CODES.livenessTimeout, "cut");
    reads = true;
    await world.clock.advance(3_000);
    expect((drops().closed ?? 0) - closed).toBeGreaterThan(3);
    expect(legs().held).toBe(0);
    const before = pair.answered.stats().heard?.verified ?? 0;
    await world.clock.advance(2_000);
    expect((pair.answered.stats().heard?.verified ?? 0) - before).toBeGreaterThan(90);
    await world.during(pair.call.end());
    await world.clock.advance(10_000);
    expect(world.server.sizes().media).toMatchObject({ legs: 0, legFlows: 0, laid: 0, activeLegs: 0 });
  });
});

it("a listener that floods the server with feedback, true, malformed or of others' flows, is told apart and changes nothing", async () => {
  const relay = new HostileRelay(world);
  const own: Uint8Array[] = [];
  relay.datagram = (way, bytes) => {
    if (way === "to-server" && isRtcp(bytes, varintLength(bytes[0] as number))) own.push(bytes);
    return [bytes];
  };
  const bob = await world.agent("Bob", {}, relay);
  const pair = await connected(world, await world.agent("Ada"), bob, VOICE, VOICE);
  const { ages } = await neighbours();
  talk(pair.call);
  await world.clock.advance(2_000);
  const flow = readVarint(own[0] as Uint8Array, 0);
  for (let round = 0; round < 200; round += 1) {
    await world.clock.advance(20);
    for (let copy = 0; copy < 20; copy += 1) {
      relay.inject(own.at(-1) as Uint8Array);
      relay.inject(Uint8Array.of(...encodeVarint(flow), 0x80, 205, 0, 99));
      relay.inject(Uint8Array.of(...encodeVarint(60), 0x80, 205, 0, 0));
    }
  }
  await world.clock.advance(50);
  const { feedback, strayFeedback } = legs();
  expect(feedback.tooMany).toBeGreaterThan(7_000);
  expect(feedback.malformed).toBeLessThan(300);
  expect(strayFeedback).toBe(4_000);
  const { admitted, forwarded } = world.server.overview().frames;
  expect(forwarded).toBe(admitted);
  expect(Math.max(...ages)).toBeLessThan(100);
});

it("a speaker that floods is cut to its agreed rate, and others hear as before", async () => {
  const relay = new HostileRelay(world);
  const first: Uint8Array[] = [];
  relay.datagram = (way, bytes) => {
    if (way === "to-server" && readVarint(bytes, 0) > 0) first.push(bytes);
    return [bytes];
  };
  let key: Signer | undefined;
  const platform = {
    ...world.platform(relay),
    createSigner(seed: Uint8Array) {
      key = createSigner(seed);
      return key;
    },
  };
  const flooder = await world.during(
    connectAgent(platform, ORIGIN, {
      identity: world.identity({ name: "Flooder" }),
      anchors: [world.issuer.signer.publicKey],
      report: () => {},
    }),
  );
  const pair = await connected(world, flooder, await world.agent("Bob"), VOICE, VOICE);
  const { ages } = await neighbours();
  await world.during(pair.call.audio.write(new Int16Array(160)));
  await world.clock.advance(500);
  const view = new FrameView();
  const bytes = first[0] as Uint8Array;
  const flow = encodeVarint(readVarint(bytes, 0));
  expect(parseFrame(bytes, flow.length, view)).toBeUndefined();
  const context = new FrameSigningContext(pair.call.sessionDigest, pair.call.leg, 1);
  const heard = () => pair.answered.stats().heard?.verified ?? 0;
  const before = heard();
  let sequence = view.sequence;
  for (let round = 0; round < 500; round += 1) {
    await world.clock.advance(10);
    for (let copy = 0; copy < 10; copy += 1) {
      sequence += 1;
      const capture = unixMsToNtp(world.clock.wall());
      const frame = buildFrame({
        ...{ profile: "frame", keyGeneration: 0, sequence, payloadType: view.payloadType, ssrc: view.ssrc },
        ...{
          captureSeconds: capture.seconds,
          captureFraction: capture.fraction,
          timestamp: (sequence * 160) % 2 ** 32,
        },
        payload: new Uint8Array(160),
      });
      signFrame(context, frame, key as Signer);
      relay.inject(Uint8Array.of(...flow, ...frame));
    }
  }
  // Five seconds of 63 frames, and two in advance; a thousand a second came.
  expect(heard() - before).toBeLessThan(7 * 63 + 10);
  expect(heard() - before).toBeGreaterThan(5 * 50);
  expect(world.server.overview().frames.refused.rate).toBeGreaterThan(4_000);
  expect(Math.max(...ages)).toBeLessThan(100);
});
