/** Voices that are coded elsewhere: what goes in at one end comes out at the other byte for byte, signed, verified and on record as any voice. */
import { describe, expect, it } from "vitest";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import type { OpusFrameMs } from "../../platform/opus.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { strictVerifier } from "../keys.ts";
import { codecless, HeardFrames, hex, packets, stream } from "./encoded-source.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, type Pair, Recording, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

const ENCODED = { voices: "encoded" } as const;

/** A call between two ends that have no codec. */
async function passing(world: World, profile: "frame" | "chain" = "frame"): Promise<Pair> {
  const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob")];
  return await connected(world, ada, bob, { ...ENCODED, profile }, ENCODED);
}

async function verdict(world: World, { call }: Pair): Promise<unknown> {
  await world.during(call.end());
  await world.clock.advance(500);
  const file = await world.during(call.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report, streams } = verifyEvidence(file, anchors, strictVerifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
  return streams.filter(({ leg }) => leg === 0).map(({ checkpoints }) => checkpoints.at(-1)?.totalFrames);
}

describe("an encoded voice", () => {
  it.each([10, 20, 60] as const)(
    "of %d ms is heard as sound by who has a codec, and its packets come as they were given",
    async (frameMs: OpusFrameMs) => {
      const world = new World();
      const heard: Uint8Array[] = [];
      const view = new FrameView();
      const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
        expect(parseFrame(bytes, 0, view)).toBeUndefined();
        heard.push(view.payload(bytes).slice());
      };
      const audio = { codecs: ["opus"], frameMs };
      const ada = await codecless(world, "Ada");
      const pair = await connected(world, ada, await world.agent("Bob"), { ...ENCODED, audio }, { tap });
      const recording = new Recording(pair.answered);
      const { pcm, payloads } = await packets(1.2, frameMs);
      expect(pair.call.voice?.sends).toEqual({
        ...{ name: "opus", clockRate: 48_000, channels: 1 },
        ...{ frameMs, frameTicks: 48 * frameMs },
      });
      const fates = await world.during(stream(world, pair.call, payloads, { frameMs }));
      await world.clock.advance(500);
      expect(new Set(fates)).toEqual(new Set(["sent"]));
      expect(hex(heard)).toEqual(hex(payloads));
      const { correlation, longestGap } = compareUtterance(pcm, recording.pcm(), 48_000);
      expect(correlation).toBeGreaterThan(0.9);
      expect(longestGap).toBe(0);
      expect(recording.count("concealed")).toBe(0);
      expect(await verdict(world, pair)).toEqual([payloads.length]);
      expect(world.reported).toEqual([]);
    },
  );

  it("of who has a codec is handed on frame by frame as each is verified, with its place, its time and its marks", async () => {
    const world = new World();
    const sent: string[] = [];
    const view = new FrameView();
    const outgoing = (packet: Uint8Array) => {
      expect(parseFrame(packet, 0, view)).toBeUndefined();
      sent.push(Buffer.from(view.payload(packet)).toString("hex"));
    };
    const [ada, bob] = [await world.agent("Ada"), await codecless(world, "Bob")];
    const pair = await connected(world, ada, bob, { outgoing }, ENCODED);
    const heard = new HeardFrames(world, pair.answered);
    await say(world, pair.call, 1);
    await world.clock.advance(100);
    expect(heard.payloads).toEqual(sent);
    const { frames } = heard;
    const [first, last] = [frames[0], frames.at(-1)];
    expect([first?.startOfTurn, first?.endOfTurn, last?.startOfTurn, last?.endOfTurn]).toEqual([
      ...[true, false, false, true],
    ]);
    for (const [at, frame] of frames.entries()) {
      expect(frame.sequence - (first?.sequence ?? 0)).toBe(at);
      expect((frame.timestamp - (first?.timestamp ?? 0)) >>> 0).toBe(960 * at);
      expect(Math.round(frame.capturedAt - (first?.capturedAt ?? 0))).toBe(20 * at);
      expect(frame).toMatchObject({ speaker: ada.id, epoch: 0, carriedBy: undefined, recorded: false });
      if (frame !== last) expect(frame.level).toBeLessThan(60);
    }
    expect(pair.answered.audio.hears).toBeUndefined();
    expect(pair.answered.stats().heard).toBeUndefined();
    expect(pair.answered.voice?.stats()).toMatchObject({
      heard: { handed: frames.length, verified: frames.length, refused: {}, late: 0 },
      unread: 0,
    });
    // Heard is handed on: the speaker is told so.
    const position = await world.during(pair.call.audio.heardPosition());
    expect(position).toMatchObject({ sequence: last?.sequence, samples: 960 });
    expect(await verdict(world, pair)).toEqual([frames.length]);
    expect(heard.ended).toBe(true);
  });

  it("has its levels, its ends of turns and who speaks told at the other end", async () => {
    const world = new World();
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const told: unknown[] = [];
    pair.answered.voice?.on("speaking", (event) => told.push(event));
    const { payloads } = await packets(2);
    const marks = (index: number) => ({
      level: index < 50 ? 20 : 127,
      voice: index < 50,
      endOfTurn: index === 49,
    });
    await world.during(stream(world, pair.call, payloads, { marks }));
    await world.clock.advance(100);
    expect(heard.frames.map(({ level, voice }) => [level, voice])).toEqual(
      payloads.map((_, index) => (index < 50 ? [20, true] : [127, false])),
    );
    const places = (is: "startOfTurn" | "endOfTurn") =>
      heard.frames.flatMap((frame, index) => (frame[is] ? [index] : []));
    expect([places("startOfTurn"), places("endOfTurn")]).toEqual([[0, 50], [49]]);
    expect(told).toEqual([
      { who: "peer", speaking: true },
      { who: "peer", speaking: false },
    ]);
    pair.call.voice?.endTurn();
    await world.during(
      stream(world, pair.call, payloads.slice(0, 2), {
        timestamp: (4_294_900_000 + 200 * 960) >>> 0,
        marks: () => ({ endOfTurn: false }),
      }),
    );
    await world.clock.advance(50);
    expect(heard.frames.slice(-2).map(({ endOfTurn }) => endOfTurn)).toEqual([true, false]);
  });
});

describe("the time of an encoded voice's source", () => {
  it("is kept: what was lost before it came here is a gap of timestamps and none of numbers, and what comes again or too late is left out", async () => {
    const world = new World();
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const { payloads } = await packets(1);
    const isLost = (index: number) => index === 7 || (index >= 20 && index < 25);
    const fates = await world.during(stream(world, pair.call, payloads, { came: (index) => !isLost(index) }));
    expect(fates.filter((fate) => fate === "lost")).toHaveLength(6);
    const again = { payload: payloads[0] as Uint8Array, timestamp: 4_294_900_000 };
    expect(pair.call.voice?.send(again)).toBe("late");
    await world.clock.advance(50);
    const [first] = heard.frames;
    const kept = payloads.map((_, index) => index).filter((index) => !isLost(index));
    expect(heard.frames.map(({ timestamp }) => ((timestamp - (first?.timestamp ?? 0)) >>> 0) / 960)).toEqual(
      kept,
    );
    expect(heard.frames.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual(
      kept.map((_, at) => at),
    );
    expect(pair.call.voice?.stats().sent).toMatchObject({ sent: kept.length, dropped: { late: 1 } });
  });

  it("says where it lost something: who plays it makes up for that as for a loss on the way", async () => {
    const world = new World();
    const pair = await connected(world, await codecless(world, "Ada"), await world.agent("Bob"), ENCODED);
    const recording = new Recording(pair.answered);
    const { pcm, payloads } = await packets(2);
    const isLost = (index: number) => index % 20 === 10;
    await world.during(
      stream(world, pair.call, payloads, {
        came: (index) => !isLost(index),
        marks: (index) => ({ isAfterLoss: isLost(index - 1) }),
      }),
    );
    await world.clock.advance(500);
    for (const { kind, pcm: made } of recording.frames)
      if (kind === "concealed") expect(Math.hypot(...made) / Math.sqrt(made.length)).toBeGreaterThan(500);
    expect(recording.count("concealed")).toBe(5);
    expect(compareUtterance(pcm, recording.pcm(), 48_000).correlation).toBeGreaterThan(0.9);
    expect(pair.answered.stats().heard).toMatchObject({ lost: 0, concealed: 5 });
  });

  it("may drift by a tenth of a percent, or begin anew, and nothing is left out for it", async () => {
    const world = new World();
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const payload = new Uint8Array([0x78, 1, 2, 3]);
    for (let index = 0; index < 1_500; index += 1) {
      await world.clock.advance(20);
      // A millisecond early each second, then a source that counts from somewhere else.
      const timestamp = index < 1_400 ? index * 960 : 2_000_000_000 + index * 960;
      const capturedAt = world.clock.wall() - 100 - index * 0.02;
      expect(pair.call.voice?.send({ payload, timestamp, capturedAt })).toBe("sent");
    }
    await world.clock.advance(50);
    const steps = heard.frames
      .slice(1)
      .map((frame, at) => frame.timestamp - (heard.frames[at]?.timestamp ?? 0));
    expect(new Set(steps.map((step) => step >>> 0))).toEqual(new Set([960]));
  });

  it("lasts what was agreed on: a packet of another length, or of no codec, is refused where it is given", async () => {
    const world = new World();
    const { call } = await passing(world);
    const sends = (payload: Uint8Array) => refusal(world, (async () => call.voice?.send({ payload }))());
    expect(await sends((await packets(0.1, 40)).payloads[0] as Uint8Array)).toBe("field-invalid at payload");
    expect(await sends(new Uint8Array())).toBe("payload-malformed at byte 0");
    expect(await sends(new Uint8Array([0x78, 1]))).toBe("accepted");
  });
});

describe("an encoded voice beyond what was agreed", () => {
  /** Opus of 20 ms each, of so many bits a second. */
  const large = (seconds: number, bitsPerSecond: number) =>
    Array.from({ length: seconds * 50 }, () => {
      const payload = new Uint8Array(bitsPerSecond / 400).fill(1);
      payload[0] = 0x78;
      return payload;
    });
  const count = (fates: readonly string[], fate: string) => fates.filter((one) => one === fate).length;

  it("is left out before it is signed, and the rest is heard: the server refuses nothing", async () => {
    const world = new World();
    const pair = await passing(world);
    const refused: unknown[] = [];
    pair.call.on("frames-refused", (event) => refused.push(event));
    const heard = new HeardFrames(world, pair.answered);
    const id = pair.call.streams.find(({ modality }) => modality === "audio")?.id ?? -1;
    await world.during(pair.call.propose({ streams: [{ stream: id, bitrate: 16_000 }] }));
    const fates = await world.during(stream(world, pair.call, large(6, 300_000)));
    await world.clock.advance(500);
    expect(new Set(fates)).toEqual(new Set(["sent", "rate"]));
    expect(count(fates, "rate")).toBeGreaterThan(100);
    expect(count(fates, "sent")).toBeGreaterThan(50);
    expect(pair.call.voice?.stats().sent?.dropped.rate).toBe(count(fates, "rate"));
    expect(refused).toEqual([]);
    expect(heard.frames).toHaveLength(count(fates, "sent"));
    const usual = await world.during(
      stream(world, pair.call, large(4, 16_000), { timestamp: 4_294_900_000 + 310 * 960 }),
    );
    expect(new Set(usual.slice(50)), "within it nothing is").toEqual(new Set(["sent"]));
    expect(await verdict(world, pair)).toEqual([count(fates, "sent") + count(usual, "sent")]);
    expect(world.reported).toEqual([]);
  });

  it("comes on less frames than are agreed on: more a second are left out, too", async () => {
    const world = new World();
    const pair = await passing(world);
    const refused: unknown[] = [];
    pair.call.on("frames-refused", (event) => refused.push(event));
    const fates: unknown[] = [];
    for (const [index, payload] of large(10, 8_000).entries()) {
      await world.clock.advance(8);
      fates.push(pair.call.voice?.send({ payload, timestamp: index * 960 }));
    }
    await world.clock.advance(500);
    expect(new Set(fates)).toEqual(new Set(["sent", "rate"]));
    expect(refused).toEqual([]);
  });
});

describe("what ends or stops an encoded voice", () => {
  it("an interrupt: what was said before is refused by its epoch, and what follows begins a turn", async () => {
    const way = () => new Link({ delay: 60, jitter: 0 }, new SeededRandom(1));
    const world = new World({ toServer: way(), toClient: way() });
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const { payloads } = await packets(3);
    const said = stream(world, pair.call, payloads);
    await world.clock.advance(1_000);
    const interrupted: unknown[] = [];
    pair.call.on("interrupted", (event) => interrupted.push(event));
    const before = heard.frames.length;
    await world.during(pair.answered.interrupt());
    await world.during(said);
    await world.clock.advance(300);
    expect(interrupted).toHaveLength(1);
    const since = heard.frames.slice(before);
    expect(since.every(({ epoch }) => epoch === 1)).toBe(true);
    expect(since[0]?.startOfTurn).toBe(true);
    // A way there and back of 240 ms: what was on it is dropped by the server, or refused here.
    expect(payloads.length - heard.frames.length).toBeGreaterThanOrEqual(8);
    expect(payloads.length - heard.frames.length).toBeLessThanOrEqual(14);
    expect(await verdict(world, pair)).toEqual([payloads.length]);
  });

  it("a pause: what comes is kept, all of it is handed on when it ends, and nothing after an interrupt", async () => {
    const world = new World();
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const { payloads } = await packets(3);
    const said = stream(world, pair.call, payloads);
    await world.clock.advance(510);
    pair.answered.voice?.pause();
    await world.clock.advance(500);
    expect(heard.frames).toHaveLength(25);
    pair.answered.voice?.resume();
    await world.clock.settle();
    expect(heard.frames.length).toBeGreaterThanOrEqual(49);
    pair.answered.voice?.pause();
    await world.clock.advance(400);
    await world.during(pair.answered.voice?.interrupt() ?? Promise.resolve());
    await world.during(said);
    await world.clock.advance(100);
    const lost = payloads.length - heard.frames.length;
    expect(lost).toBeGreaterThanOrEqual(19);
    expect(lost).toBeLessThanOrEqual(22);
  });

  it("being muted, suspended or narrowed: nothing leaves, each reason is counted, and the time goes on", async () => {
    const world = new World();
    const pair = await passing(world);
    const heard = new HeardFrames(world, pair.answered);
    const { call } = pair;
    const { payloads } = await packets(4);
    const said = stream(world, call, payloads);
    await world.clock.advance(510);
    if (call.voice !== undefined) call.voice.muted = true;
    await world.clock.advance(500);
    if (call.voice !== undefined) call.voice.muted = false;
    await world.clock.advance(500);
    await world.during(call.suspend({ reason: "awaiting_input" }));
    await world.clock.advance(480);
    await world.during(call.resume());
    await world.clock.advance(500);
    await world.during(call.narrow([]));
    const fates = await world.during(said);
    const count = (reason: string) => fates.filter((fate) => fate === reason).length;
    expect(count("muted")).toBe(25);
    expect(count("suspended")).toBeGreaterThanOrEqual(24);
    expect(count("forbidden")).toBeGreaterThanOrEqual(50);
    expect(heard.frames).toHaveLength(count("sent"));
    const [first] = heard.frames;
    const places = heard.frames.map(({ timestamp }) => ((timestamp - (first?.timestamp ?? 0)) >>> 0) / 960);
    expect(places).toEqual(fates.flatMap((fate, index) => (fate === "sent" ? [index] : [])));
    const { muted, suspended, forbidden } = call.voice?.stats().sent?.dropped ?? {};
    expect([muted, suspended, forbidden]).toEqual(["muted", "suspended", "forbidden"].map(count));
    expect(await verdict(world, pair)).toEqual([count("sent")]);
  });
});

describe("an encoded voice on a bad way", () => {
  it("is handed on in the order of its arrival, with nothing made up, and frames that others carried once", async () => {
    const way = (seed: number) => new Link({ delay: 30, jitter: 25, loss: 0.05 }, new SeededRandom(seed));
    const world = new World({ toServer: way(3), toClient: way(4) });
    const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob")];
    const options = { ...ENCODED, audio: { redundancy: 1 } } as const;
    const pair = await connected(world, ada, bob, options, options);
    const heard = new HeardFrames(world, pair.answered);
    const { payloads } = await packets(6);
    await world.during(stream(world, pair.call, payloads));
    await world.clock.advance(300);
    const numbers = heard.frames.map(({ sequence }) => sequence);
    expect(new Set(numbers).size).toBe(numbers.length);
    const first = Math.min(...numbers);
    for (const frame of heard.frames)
      expect(Buffer.from(frame.payload)).toEqual(Buffer.from(payloads[frame.sequence - first] ?? []));
    const carried = heard.frames.filter(({ carriedBy }) => carriedBy !== undefined);
    expect(carried.length).toBeGreaterThan(5);
    expect(heard.frames.length).toBeGreaterThan(payloads.length * 0.97);
    const { heard: counted } = pair.answered.voice?.stats() ?? {};
    expect(counted).toMatchObject({ handed: numbers.length, redundant: carried.length, refused: {} });
    expect(await verdict(world, pair)).toEqual([payloads.length]);
  });

  it("of profile chain is handed on as long as its speaker's checkpoints come, and not after", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob", {}, relay)];
    const pair = await connected(world, ada, bob, { ...ENCODED, profile: "chain" }, ENCODED);
    const heard = new HeardFrames(world, pair.answered);
    const unattributed: unknown[] = [];
    pair.answered.on("unattributed", (event) => unattributed.push(event));
    const { payloads } = await packets(3);
    await world.during(stream(world, pair.call, payloads));
    await world.clock.advance(100);
    expect(heard.payloads).toEqual(hex(payloads));
    // Its checkpoints are withheld from now on.
    relay.item = (way) => way !== "to-agent";
    const timestamp = (4_294_900_000 + 155 * 960) >>> 0;
    await world.during(stream(world, pair.call, [...payloads, ...payloads], { timestamp }));
    const { heard: counted } = pair.answered.voice?.stats() ?? {};
    expect(unattributed.length).toBeGreaterThan(0);
    expect(counted).toMatchObject({ isStopped: true });
    expect(counted?.late).toBeGreaterThan(100);
    expect(heard.frames.length).toBeLessThan(payloads.length + 160);
  });
});
