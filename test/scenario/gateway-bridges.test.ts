/** Two calls joined by what two gateways write for their WebRTC peers: Ada, a gateway, RTP, another gateway, Bob. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { CallData } from "../../agent/call-data.ts";
import type { PacketTap } from "../../agent/frame-intake.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import type { LinkConditions } from "../../src/emulation/link.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { chromiumPackets } from "../generators/chromium-rtp.ts";
import { strictVerifier } from "../keys.ts";
import { codecless, hex } from "./encoded-source.ts";
import { GatewayEnd } from "./gateway-wire.ts";
import { Camera, film, show, Watched } from "./showing.ts";
import { connected, Recording, say, utterance } from "./talking.ts";
import { World } from "./world.ts";

const OWN_TURN = '{"type":"end-of-turn","who":"me"}';

interface Scene {
  readonly world: World;
  readonly ada: Call;
  readonly bob: Call;
  /** Ada's gateway and Bob's. */
  readonly near: GatewayEnd;
  readonly far: GatewayEnd;
  readonly nearCall: Call;
  readonly farCall: Call;
}

/** Ada calls one gateway, the other one calls Bob, and both are each other's peer. */
async function joined(
  way: LinkConditions = { delay: 20 },
  options: { readonly codec?: VideoFormatName; readonly adaptation?: boolean; readonly tap?: PacketTap } = {},
): Promise<Scene> {
  const world = new World();
  const { codec = "vp8", adaptation = true, tap } = options;
  const media = { audio: { codecs: ["opus"] }, video: { codecs: [codec] }, data: true, adaptation } as const;
  const extra = tap === undefined ? {} : { tap };
  const gateway = { ...media, voices: "encoded" } as const;
  const [one, two] = [await codecless(world, "Gate one"), await codecless(world, "Gate two")];
  const first = await connected(world, await world.agent("Ada"), one, media, gateway);
  const second = await connected(world, two, await world.agent("Bob"), gateway, { ...media, ...extra });
  const near = new GatewayEnd(world, first.answered, way, 1);
  const far = new GatewayEnd(world, second.call, way, 2);
  near.joins(far);
  const calls = { ada: first.call, nearCall: first.answered, farCall: second.call, bob: second.answered };
  return { world, near, far, ...calls };
}

describe("a voice through two gateways", () => {
  it("arrives byte for byte, with its levels, and both calls' evidence holds", async () => {
    const heard: string[] = [];
    const view = new FrameView();
    const tap: PacketTap = ({ bytes, stream }) => {
      if (stream !== 1 || parseFrame(bytes, 0, view) !== undefined) return;
      heard.push(`${view.audioLevel}:${Buffer.from(view.payload(bytes)).toString("hex")}`);
    };
    const scene = await joined({ delay: 20 }, { tap });
    const { world, ada, bob, near, far, nearCall } = scene;
    const recording = new Recording(bob);
    const sent: string[] = [];
    // What the first gateway verified.
    void (async () => {
      for await (const { level, payload } of nearCall.voice ?? [])
        sent.push(`${level}:${Buffer.from(payload).toString("hex")}`);
    })();
    const said = await say(world, ada, 2);
    await world.clock.advance(500);
    expect(heard).toHaveLength(101);
    expect(heard).toEqual(sent);
    const { correlation, longestGap } = compareUtterance(said, recording.pcm(), 48_000);
    expect(correlation).toBeGreaterThan(0.9);
    expect(longestGap).toBe(0);
    expect(far.voice).toMatchObject({ fates: { sent: 101, late: 0 }, unfit: 0, malformed: 0 });
    expect(near.voice?.toPeer).toMatchObject({ sent: 101, gaps: 0 });
    for (const call of [ada, bob]) {
      await world.during(call.end());
      await world.clock.advance(500);
      const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
      const { report } = verifyEvidence(await world.during(call.evidence()), anchors, strictVerifier);
      expect(report).toMatchObject({ verdict: "verified", faults: [] });
    }
    expect(world.reported).toEqual([]);
  });

  it("outlasts losses and packets that overtake each other: what is missing is made up where it is heard", async () => {
    const { world, ada, bob, far } = await joined({ delay: 30, jitter: 12, loss: 0.04, reorder: true });
    const recording = new Recording(bob);
    const said = await say(world, ada, 5);
    await world.clock.advance(500);
    const { order, fates } = far.voice ?? {};
    expect(order?.missing).toBeGreaterThan(3);
    expect(fates).toMatchObject({ sent: order?.received, late: 0 });
    expect(compareUtterance(said, recording.pcm(), 48_000).correlation).toBeGreaterThan(0.8);
    expect(bob.stats().heard?.lost).toBe(0);
    expect(recording.count("concealed")).toBeGreaterThanOrEqual(order?.missing ?? 0);
  });

  it("has turns by its loudness, and by what its peer says", async () => {
    const { world, ada, bob, far } = await joined();
    const recording = new Recording(bob);
    const quiet = new Int16Array(48_000 * 2).map((_, at) => ((at * 7_919) % 13) - 6);
    const pcm = [utterance(1.5, 48_000), quiet, utterance(1.5, 48_000), quiet];
    const written = (async () => {
      for (const piece of pcm) await ada.audio.write(piece);
    })();
    await world.during(written);
    await world.clock.advance(1_000);
    const ends = recording.frames.filter((frame) => frame.kind === "speech" && frame.endOfTurn);
    expect(ends).toHaveLength(2);
    const turns = () => far.notices.filter((notice) => notice.includes("end-of-turn"));
    expect(turns()).toEqual([OWN_TURN, OWN_TURN]);
    const again = world.during(ada.audio.write(utterance(1, 48_000)));
    await again;
    far.bridge.message(0, '{"type":"end-of-turn"}');
    await world.during(ada.audio.endTurn());
    await world.clock.advance(300);
    expect(turns()).toEqual([OWN_TURN, OWN_TURN, OWN_TURN]);
    expect(recording.frames.filter((frame) => frame.kind === "speech" && frame.endOfTurn)).toHaveLength(3);
  });

  it("is interrupted by the other end, and its peer is told", async () => {
    const { world, ada, bob, far } = await joined();
    const recording = new Recording(bob);
    void ada.audio.write(utterance(4, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.during(bob.interrupt());
    await world.clock.advance(500);
    expect(far.notices).toContain('{"type":"interrupted"}');
    const epochs = far.voice?.fates.sent ?? 0;
    expect(epochs).toBeGreaterThan(50);
    expect(recording.count("speech")).toBeGreaterThan(50);
  });

  it("may be Chromium's own packets", async () => {
    const { world, bob, far } = await joined();
    const recording = new Recording(bob);
    for (const packet of chromiumPackets("opus")) {
      far.bridge.packet("audio", packet);
      await world.clock.advance(20);
    }
    await world.clock.advance(500);
    const { fates, unfit } = far.voice ?? {};
    expect(fates?.sent).toBeGreaterThan(30);
    expect(unfit).toBe(0);
    expect(recording.count("speech")).toBe(fates?.sent);
  });
});

describe("a video through two gateways", () => {
  it.each([
    ["vp8-small", "vp8"],
    ["vp9-superframes", "vp9"],
    ["av1-svt", "av1"],
  ] as const)("arrives unit for unit: %s", async (name, codec) => {
    const { world, ada, bob, near, far } = await joined(
      { delay: 15, jitter: 10, reorder: true },
      { codec, adaptation: false },
    );
    const watched = new Watched(world, bob);
    // So slowly that the ways, of which nothing is known yet, take them.
    const units = film(name).units.map((unit) => ({ ...unit, at: 4 * unit.at }));
    expect(new Set(await show(world, ada, units))).toEqual(new Set(["sent"]));
    await world.clock.advance(1_000);
    expect(hex(watched.units.map(({ data }) => data))).toEqual(hex(units.map(({ data }) => data)));
    expect(far.video).toMatchObject({ sent: units.length, dropped: 0, unfit: 0, malformed: 0 });
    expect(near.packets.video).toEqual([]);
    expect(world.reported).toEqual([]);
  });

  it("goes on after losses with a key frame, which is asked for all the way back to who makes it", async () => {
    const { world, ada, bob, near, far } = await joined({ delay: 15 });
    const watched = new Watched(world, bob);
    const camera = new Camera(world, ada);
    await world.clock.advance(2_000);
    let count = 0;
    near.passes = () => {
      count += 1;
      return count > 5;
    };
    await world.clock.advance(1_500);
    expect(camera.keyFrames).toBe(2);
    expect(far.keyFramesAsked).toBeGreaterThanOrEqual(1);
    const gap = Math.max(...watched.at.slice(1).map((at, index) => at - (watched.at[index] ?? 0)));
    expect(gap).toBeLessThan(1_200);
    expect(watched.units.at(-1)?.capturedAt).toBeGreaterThan(world.clock.wall() - 500);
    bob.video?.requestKeyFrame();
    await world.clock.advance(1_000);
    expect(camera.keyFrames).toBe(3);
    expect(watched.units.filter(({ key }) => key)).toHaveLength(3);
    camera.off();
    near.close();
    far.close();
    expect(world.reported).toEqual([]);
  });
});

describe("data through two gateways", () => {
  it("is JSON, text or bytes, as it was said", async () => {
    const { world, ada, bob, near, far } = await joined();
    const heard: unknown[] = [];
    const listen = async (stream: CallData) => {
      for await (const { value } of stream) heard.push(value);
    };
    bob.on("stream-opened", ({ stream }) => {
      if (stream.modality === "data") void listen(stream as CallData);
    });
    if (bob.data !== undefined) void listen(bob.data);
    const values = [{ a: [1, null] }, "a text", "5", 5, true];
    for (const value of values) await world.during(ada.data?.send(value) ?? Promise.resolve());
    await world.clock.advance(200);
    expect(heard).toEqual(values);
    expect(near.messages).toEqual(['{"a":[1,null]}', "a text", '"5"', "5", "true"]);
    far.bridge.message(1, new Uint8Array([1, 2, 3]));
    far.bridge.message(1, new Uint8Array(20_000));
    far.bridge.message(1, new Uint8Array([4]));
    await world.clock.advance(500);
    expect(heard.slice(values.length)).toEqual([new Uint8Array([1, 2, 3]), new Uint8Array([4])]);
    expect(far.bridge.counters.data).toEqual({ fromPeer: 7, toPeer: 0, dropped: { fromPeer: 1, toPeer: 0 } });
    expect(world.reported).toEqual([]);
  });
});

describe("rates through a gateway", () => {
  it("pass both ways: the peer makes what the call takes, and the call what the peer's way takes", async () => {
    const { world, ada, near, far } = await joined();
    const camera = new Camera(world, ada);
    await world.clock.advance(6_500);
    const before = ada.video?.wants.bitsPerSecond ?? 0;
    expect(before).toBeGreaterThan(150_000);
    // What is asked of the far gateway's peer, whose video goes on to Bob: more as its call takes more.
    expect(far.limits.at(-1)).toBeGreaterThan(far.limits[0] ?? 0);
    near.bridge.bitrate(100_000);
    await world.clock.advance(1_500);
    expect(ada.video?.wants.bitsPerSecond).toBeLessThan(100_000);
    expect(settingOf(ada.terms, 0, ada.video?.id ?? 0)?.bitrate_bps).toBeLessThan(100_000);
    camera.off();
    expect(world.reported).toEqual([]);
  });
});

describe("the control channel of a gateway", () => {
  it("tells what was verified each second, who speaks, and who is muted, and takes orders at a pace", async () => {
    const { world, ada, near } = await joined();
    await say(world, ada, 1.5);
    ada.streams.find(({ modality }) => modality === "audio")?.mute();
    await world.clock.advance(1_200);
    const told = near.notices.map((notice) => JSON.parse(notice) as { readonly type: string });
    expect(told.filter(({ type }) => type === "verified").at(-1)).toMatchObject({ frames: 76, refused: 0 });
    expect(told).toContainEqual({ type: "speaking", who: "peer", speaking: true });
    expect(told).toContainEqual({ type: "speaking", who: "peer", speaking: false });
    expect(told).toContainEqual({ type: "muted", who: "peer", muted: true });
    for (let count = 0; count < 50; count += 1) near.bridge.message(0, '{"type":"end-of-turn"}');
    for (const nothing of ["{", '{"type":"dance"}', new Uint8Array(3)]) near.bridge.message(0, nothing);
    expect([near.orders.length, near.control.passedOver]).toEqual([20, 33]);
    await world.clock.advance(1_000);
    near.bridge.message(0, JSON.stringify({ type: "end-of-turn", more: "x".repeat(1_024) }));
    near.bridge.message(0, '{"type":"end-of-turn"}');
    expect([near.orders.length, near.control.passedOver]).toEqual([21, 34]);
  });

  it("interrupts and mutes for the peer", async () => {
    const { world, ada, bob, near, far } = await joined();
    const interrupted: unknown[] = [];
    ada.on("interrupted", (event) => interrupted.push(event));
    const muted: unknown[] = [];
    bob.on("stream-muted", (event) => muted.push(event));
    void ada.audio.write(utterance(4, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    near.bridge.message(0, '{"type":"interrupt"}');
    far.bridge.message(0, '{"type":"mute","muted":true}');
    await world.clock.advance(300);
    expect(interrupted).toHaveLength(1);
    expect(muted).toEqual([expect.objectContaining({ muted: true })]);
    const sent = far.voice?.fates.sent;
    void ada.audio.write(utterance(1, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    expect(far.voice?.fates.sent).toBe(sent);
    expect(far.voice?.fates.muted).toBeGreaterThan(30);
    far.bridge.message(0, '{"type":"mute","muted":false}');
    await world.clock.advance(200);
    expect(muted).toHaveLength(2);
    expect(world.reported).toEqual([]);
  });
});
