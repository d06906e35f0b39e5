/** Pictures over ways that change: they give way before the voice does, by agreement, and come back. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import { Link, type LinkConditions, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { strictVerifier } from "../keys.ts";
import { Camera, Watched } from "./showing.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** Before the fall. */
const FULL: LinkConditions = { delay: 20, rate: 2_500_000, queue: 300 };
const OPTIONS = { audio: { codecs: ["opus"] }, video: { codecs: ["vp8"] }, data: true } as const;

/** Talks on and on, as a microphone does; the returned function stops. */
function talk(world: World, call: Call): () => void {
  const pcm = utterance(2, 48_000);
  let [at, isTalking] = [0, true];
  const next = (): void => {
    if (!isTalking) return;
    call.audio.write(pcm.subarray(at, at + 960)).catch(() => undefined);
    at = (at + 960) % pcm.length;
    world.clock.at(world.clock.now() + 20, next);
  };
  next();
  return () => {
    isTalking = false;
  };
}

/** Says something as data four times a second. */
function note(world: World, call: Call): void {
  const next = (): void => {
    if (call.state === "ended") return;
    void call.data?.send({ seen: "x".repeat(200), at: world.clock.now() }).catch(() => undefined);
    world.clock.at(world.clock.now() + 250, next);
  };
  next();
}

async function scene(toServer: LinkConditions, toClient: LinkConditions = { delay: 20 }, seed = 3) {
  const [up, down] = [
    new Link(toServer, new SeededRandom(seed)),
    new Link(toClient, new SeededRandom(seed + 1)),
  ];
  const good = () => new Link({ delay: 20 }, new SeededRandom(9));
  const world = new World({ opusComplexity: 5 });
  const ada = await world.agent("Ada", {}, world.way({ toServer: up, toClient: good() }));
  const bob = await world.agent("Bob", {}, world.way({ toServer: good(), toClient: down }));
  const pair = await connected(world, ada, bob, OPTIONS, OPTIONS);
  const heard = new Recording(pair.answered);
  const watched = new Watched(world, pair.answered);
  const camera = new Camera(world, pair.call);
  const hush = talk(world, pair.call);
  note(world, pair.call);
  return { world, up, down, ...pair, heard, watched, camera, hush };
}

const settingAt = (call: Call) => settingOf(call.terms, 0, 3);
const voiceAt = (call: Call) => settingOf(call.terms, 0, 1);

/** The longest time without a picture from then on, ms. */
function longestGap({ at }: Watched, from: number, until: number): number {
  const shown = [from, ...at.filter((time) => time >= from && time <= until), until];
  return Math.max(...shown.slice(1).map((time, index) => time - (shown[index] ?? time)));
}

describe("a way that falls from 2.5 to 0.3 Mbit/s with voice, picture and data on it", () => {
  it.each([
    ["to the server", FULL, { delay: 20 }],
    ["to the listener", { delay: 20 }, FULL],
  ] as const)(
    "%s: the voice keeps its rate, the picture steps down by agreement within a second, and both ends have it on record",
    async (where, toServer, toClient) => {
      const { world, up, down, call, answered, heard, watched, camera, hush } = await scene(
        toServer,
        toClient,
      );
      await world.clock.advance(15_000);
      const before = call.video?.wants.bitsPerSecond ?? 0;
      expect(before).toBeGreaterThan(500_000);
      const [concealed, from] = [heard.count("concealed"), world.clock.now()];
      let steppedAfter = Number.POSITIVE_INFINITY;
      answered.on("terms-changed", () => {
        if ((settingAt(answered)?.bitrate_bps ?? before) < 0.5 * before)
          steppedAfter = Math.min(steppedAfter, world.clock.now() - from);
      });
      (where === "to the server" ? up : down).change({ ...FULL, rate: 300_000 }, from);
      await world.clock.advance(2_000);
      expect(steppedAfter).toBeLessThan(1_000);
      expect(voiceAt(answered)).toBeUndefined();
      // What stood in the queue as the way fell, and what did not fit into it: half a second, once.
      expect(heard.count("concealed") - concealed).toBeLessThan(25);
      expect(call.terms.settings).toEqual(answered.terms.settings);
      await world.clock.advance(2_000);
      const gap = longestGap(watched, from, from + 4_000);
      expect(gap).toBeLessThan(where === "to the server" ? 1_000 : 2_000);
      // It goes on, through the checkpoints and terms that go by, and the voice is as it was.
      await world.clock.advance(8_000);
      expect(longestGap(watched, from + 2_000, from + 12_000)).toBeLessThan(1_500);
      expect(watched.at.filter((time) => time > from + 2_000).length).toBeGreaterThan(10 * 5);
      expect(voiceAt(answered)).toBeUndefined();
      hush();
      camera.off();
      await world.during(call.end());
      const file = await world.during(answered.evidence());
      const trust = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
      const { report } = verifyEvidence(file, trust, strictVerifier);
      expect(report).toMatchObject({ verdict: "verified", faults: [] });
      expect(report.statements.some(({ text }) => text.includes("bandwidth"))).toBe(true);
      expect(world.reported).toEqual([]);
    },
  );
});

describe("the same way, full of a picture at its best", () => {
  it.each([
    ["to the server", FULL, { delay: 20 }],
    ["to the listener", { delay: 20 }, FULL],
  ] as const)("%s: within a second both ends have agreed on less", async (where, toServer, toClient) => {
    const { world, up, down, call, answered, camera, hush } = await scene(toServer, toClient);
    const wanted = () => call.video?.wants.bitsPerSecond ?? 0;
    while (wanted() < 2_300_000 && world.clock.now() < 60_000) await world.clock.advance(100);
    const [before, from] = [wanted(), world.clock.now()];
    expect(before).toBeGreaterThan(2_300_000);
    const after = {
      wanted: Number.POSITIVE_INFINITY,
      sender: Number.POSITIVE_INFINITY,
      listener: Number.POSITIVE_INFINITY,
    };
    const note = (what: keyof typeof after, bitsPerSecond: number): void => {
      if (bitsPerSecond < 0.5 * before) after[what] = Math.min(after[what], world.clock.now() - from);
    };
    call.video?.on("wants", ({ bitsPerSecond }) => note("wanted", bitsPerSecond));
    call.on("terms-changed", () => note("sender", settingAt(call)?.bitrate_bps ?? before));
    answered.on("terms-changed", () => note("listener", settingAt(answered)?.bitrate_bps ?? before));
    (where === "to the server" ? up : down).change({ ...FULL, rate: 300_000 }, from);
    await world.clock.advance(2_000);
    expect(after.wanted).toBeLessThan(400);
    // 24 KB stand on the way at 0.3 Mbit/s, before what asks.
    expect(after.sender).toBeLessThan(1_000);
    // Who listens behind it agreed before that, and is told over the same way that it is so.
    expect(after.listener).toBeLessThan(1_200);
    hush();
    camera.off();
    expect(world.reported).toEqual([]);
  });
});

describe("a way of 600 kbit/s with voice, picture and data on it", () => {
  it.each(["to the server", "to the listener"] as const)("%s carries all of it steadily", async (where) => {
    const [thin, wide] = [{ ...FULL, rate: 600_000 }, { delay: 20 }];
    const [toServer, toClient] = where === "to the server" ? [thin, wide] : [wide, thin];
    const { world, answered, watched } = await scene(toServer, toClient);
    const from = world.clock.now();
    await world.clock.advance(25_000);
    expect(longestGap(watched, from + 5_000, from + 25_000)).toBeLessThan(1_000);
    expect(voiceAt(answered)).toBeUndefined();
    expect(world.reported).toEqual([]);
  });
});

describe("a picture beside a voice that is silent", () => {
  it.each([1, 20])("has what a wide way of %d ms shows that it takes within two seconds", async (delay) => {
    const link = (seed: number) => new Link({ delay }, new SeededRandom(seed));
    const world = new World({ opusComplexity: 5 });
    const ada = await world.agent("Ada", {}, world.way({ toServer: link(1), toClient: link(2) }));
    const bob = await world.agent("Bob", {}, world.way({ toServer: link(3), toClient: link(4) }));
    const options = { audio: { codecs: ["opus"] }, video: { codecs: ["vp8"] } } as const;
    const { call, answered } = await connected(world, ada, bob, options, options);
    const watched = new Watched(world, answered);
    const camera = new Camera(world, call);
    await world.clock.advance(2_000);
    expect(call.video?.wants.bitsPerSecond).toBeGreaterThan(300_000);
    // It stays there: what a voice would take is not taken from it before anybody speaks.
    const from = world.clock.now();
    for (let second = 0; second < 10; second += 1) {
      await world.clock.advance(1_000);
      expect(call.video?.wants.bitsPerSecond).toBeGreaterThan(300_000);
    }
    expect(longestGap(watched, from, from + 10_000)).toBeLessThan(500);
    camera.off();
    expect(world.reported).toEqual([]);
  });

  it("gives way at once to a voice on a way that is full of both", async () => {
    const thin: LinkConditions = { delay: 20, rate: 400_000, queue: 300 };
    const world = new World({ opusComplexity: 5 });
    const ada = await world.agent("Ada", {}, world.way({ toServer: new Link(thin, new SeededRandom(1)) }));
    const bob = await world.agent("Bob");
    const options = { audio: { codecs: ["opus"] }, video: { codecs: ["vp8"] } } as const;
    const { call, answered } = await connected(world, ada, bob, options, options);
    const heard = new Recording(answered);
    const camera = new Camera(world, call);
    await world.clock.advance(4_000);
    const silent = heard.count("concealed");
    const hush = talk(world, call);
    await world.clock.advance(6_000);
    hush();
    // Of 300 frames.
    expect(heard.count("concealed") - silent).toBeLessThan(25);
    expect(voiceAt(answered)).toBeUndefined();
    camera.off();
    expect(world.reported).toEqual([]);
  });
});

describe("a picture alone", () => {
  it("is seen again within four seconds after a standstill of ten on the way to its listener", async () => {
    const down = new Link({ delay: 20 }, new SeededRandom(2));
    const world = new World({ opusComplexity: 5 });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob", {}, world.way({ toClient: down }));
    const options = { audio: false, video: { codecs: ["vp8"] } } as const;
    const { call, answered } = await connected(world, ada, bob, options, options);
    const watched = new Watched(world, answered);
    const camera = new Camera(world, call);
    await world.clock.advance(10_000);
    // Nothing was in its way: it had long come to all that it asks for.
    expect(call.video?.wants.bitsPerSecond).toBeGreaterThan(1_500_000);
    const from = world.clock.now();
    down.darken(from, from + 10_000);
    await world.clock.advance(14_000);
    expect(watched.at.some((time) => time > from + 10_000)).toBe(true);
    const shown = watched.at.length;
    await world.clock.advance(6_000);
    expect(watched.at.length - shown).toBeGreaterThan(6 * 5);
    camera.off();
    expect(world.reported).toEqual([]);
  });
});

describe("a picture beside a voice", () => {
  it.each([1, 2, 7])("is in step with it through cellular whatever is lost where: seed %d", async (seed) => {
    const { world, answered, heard } = await scene(PRESETS.cellular, PRESETS.cellular, seed);
    await world.clock.advance(30_000);
    expect(answered.video?.stats().skew.p95).toBeLessThan(40);
    // The voice waits for what is seen, and by nothing that is heard: four in a hundred are lost on both ways.
    expect(heard.count("concealed")).toBeLessThan(0.06 * (30_000 / 20));
  });

  it.each(["wifi", "cellular"] as const)(
    "is shown in step with it through %s: apart by less than 40 ms for 95 of 100 pictures",
    async (network) => {
      const { world, answered } = await scene(PRESETS[network], PRESETS[network]);
      await world.clock.advance(15_000);
      const { compared, p95 } = answered.video?.stats().skew ?? { compared: 0, p95: undefined };
      expect(compared).toBeGreaterThan(200);
      expect(p95).toBeLessThan(40);
    },
  );
});
