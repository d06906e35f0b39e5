/** Paths that go dark in the middle of a call, and the way around them. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { HeardAudio } from "../../agent/heard-audio.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { TwoWays } from "./two-ways.ts";

const SECOND = 1_000;
const NETWORK = { delay: 40, jitter: 5, loss: 0.01, burst: 2 };
/** From the first moment of darkness to sound again, ms: see docs/operations.md. */
const SOUND_BACK_MS = 4_000;

/** What an agent tells of its being online. */
function diary(agent: Agent): string[] {
  const told: string[] = [];
  agent.on("offline", () => told.push("offline"));
  agent.on("online", ({ carrier }) => told.push(`online over ${carrier.kind}`));
  agent.on("carrier-changed", ({ carrier, before }) => told.push(`${before.kind} to ${carrier.kind}`));
  agent.on("closed", () => told.push("closed"));
  return told;
}

/** Talks without pause until it is told to stop. */
function talking(call: Call): () => void {
  const pcm = utterance(6, 48_000);
  let isOver = false;
  void (async () => {
    for (let at = 0; !isOver; at = (at + 4_800) % pcm.length)
      await call.audio.write(pcm.subarray(at, at + 4_800));
  })().catch(() => undefined);
  return () => {
    isOver = true;
  };
}

/** The longest time, ms, in which `call` heard nothing from the other end, since the recording had `from` frames. */
function longestSilence(recording: Recording, from: number): number {
  let [longest, present] = [0, 0];
  for (const { kind, pcm } of recording.frames.slice(from)) {
    present = kind === "speech" ? 0 : present + pcm.length / 48;
    longest = Math.max(longest, present);
  }
  return longest;
}

/** Ada, who comes over UDP, and Bob talk, or one of them does. */
async function talkingPair(ways: TwoWays, who: readonly ("ada" | "bob")[]) {
  const [ada, bob] = [await ways.agent("Ada"), await ways.world.agent("Bob")];
  const pair = await connected(ways.world, ada, bob);
  const stops = who.map((name) => talking(name === "ada" ? pair.call : pair.answered));
  /** By who is heard. */
  const recordings = { ada: new Recording(pair.answered), bob: new Recording(pair.call) };
  await ways.world.clock.advance(SECOND);
  const stop = (): void => {
    for (const each of stops) each();
  };
  return { ada, bob, ...pair, recordings, stop };
}

describe("a call whose UDP is blocked", () => {
  it.each([
    ["both ways", ["ada"], ["toServer", "toClient"]],
    ["to the server", [], ["toServer"]],
    ["from the server", [], ["toClient"]],
  ] as const)(
    "%s goes on over WebSocket in the same session, and is heard again soon",
    async (_, who, blocked) => {
      const ways = new TwoWays(NETWORK);
      const { world } = ways;
      const { ada, call, answered, recordings, stop } = await talkingPair(ways, who);
      const told = diary(ada);
      const events: string[] = [];
      for (const name of ["detached", "reattached"] as const) call.on(name, () => events.push(name));
      const heard = { ada: recordings.ada.frames.length, bob: recordings.bob.frames.length };
      expect(ada.carrier.kind).toBe("webtransport");
      for (const link of blocked) ways.udp[link].darken(world.clock.now(), Number.POSITIVE_INFINITY);
      const from = world.clock.now();
      let backAfter = Number.POSITIVE_INFINITY;
      call.on("reattached", () => {
        backAfter = world.clock.now() - from;
      });
      await world.clock.advance(5 * SECOND);
      expect(backAfter).toBeLessThan(SOUND_BACK_MS);
      expect(told).toEqual(["webtransport to websocket"]);
      expect(ada.carrier.reason).toBe("WebTransport had no answer any more");
      expect(events).toEqual(["detached", "reattached"]);
      for (const name of who) {
        expect(longestSilence(recordings[name], heard[name])).toBeLessThan(SOUND_BACK_MS);
        const last = recordings[name].frames.slice(-40).filter(({ kind }) => kind === "speech");
        expect(last.length).toBeGreaterThan(36);
      }
      stop();
      await world.during(call.end());
      await world.during(answered.settled);
      const evidence = await world.during(answered.evidence());
      const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [world.serverId] };
      const { report } = verifyEvidence(evidence, anchors, verifier);
      expect(report.faults).toEqual([]);
      const carriers = report.statements.map(({ text }) => text).filter((text) => text.includes("over web"));
      expect(carriers.map((text) => text.replace(/^\S+ /, ""))).toEqual([
        "caller: has media over webtransport",
        expect.stringMatching(/^caller: (came back|moved its media) over websocket, with the same key$/),
      ]);
      expect(world.reported).toEqual([]);
    },
  );
});

describe("five seconds in which nothing gets through at all", () => {
  it("are survived, with the delay of before and no burst of old words", async () => {
    const ways = new TwoWays(NETWORK);
    const { world } = ways;
    const { ada, call, answered, recordings, stop } = await talkingPair(ways, ["ada"]);
    const told = diary(ada);
    const before = answered.stats().heard;
    const from = recordings.ada.frames.length;
    for (const way of [ways.udp, ways.tcp]) way.darken(5 * SECOND);
    await world.clock.advance(10 * SECOND);
    const after = answered.stats().heard;
    // Whichever way answers first carries the call on.
    expect([[], ["webtransport to websocket"]]).toContainEqual(told);
    expect(call.state).toBe("active");
    expect(longestSilence(recordings.ada, from)).toBeLessThan(5 * SECOND + 2 * SECOND);
    // Nothing that was said in the dark is played later, and what is said then is about as young as before.
    const ages = (frames: readonly HeardAudio[]) =>
      frames.flatMap((frame) => (frame.kind === "speech" ? [frame.playedAt - frame.capturedAt] : []));
    const oldest = Math.max(...ages(recordings.ada.frames.slice(0, from)));
    expect(Math.max(...ages(recordings.ada.frames.slice(from)))).toBeLessThan(oldest + 300);
    expect(recordings.ada.frames.slice(from).length * 20).toBeLessThanOrEqual(10 * SECOND + 200);
    expect(after?.verified).toBeGreaterThan((before?.verified ?? 0) + 100);
    stop();
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });
});

describe("an agent that went over to WebSocket", () => {
  it("goes back when its call is over and a minute has passed, and its next call comes over WebTransport", async () => {
    const ways = new TwoWays(NETWORK);
    const { world } = ways;
    const { ada, bob, call } = await talkingPair(ways, []);
    const told = diary(ada);
    ways.udp.darken(30 * SECOND);
    await world.clock.advance(10 * SECOND);
    expect(ada.carrier.kind).toBe("websocket");
    await world.clock.advance(30 * SECOND);
    // A call is never moved for the sake of a better way.
    await world.clock.advance(60 * SECOND);
    expect(told).toEqual(["webtransport to websocket"]);
    await world.during(call.end());
    await world.clock.advance(10 * SECOND);
    expect(told).toEqual(["webtransport to websocket", "websocket to webtransport"]);
    await connected(world, ada, bob);
    expect([ada.carrier.kind, ada.isOnline]).toEqual(["webtransport", true]);
    expect(world.reported).toEqual([]);
  });

  it("asks a blocked way less and less often, and trusts one less that went dark again", async () => {
    const ways = new TwoWays({ delay: 20 });
    const { world } = ways;
    const ada = await ways.agent("Ada");
    const told = diary(ada);
    ways.udp.darken();
    await world.clock.advance(20 * SECOND);
    expect(told).toEqual(["webtransport to websocket"]);
    const before = ways.dialled.udp;
    await world.clock.advance(3_600 * SECOND);
    expect(told).toEqual(["webtransport to websocket"]);
    // After 1, 2, 4, 8, 16 and 32 minutes: at most six.
    expect(ways.dialled.udp - before).toBeLessThanOrEqual(6);
    expect(ways.dialled.udp - before).toBeGreaterThanOrEqual(4);
    expect(ways.dialled.tcp).toBe(1);
  });

  it("does nothing where the path has answers again before the other way is ready", async () => {
    const ways = new TwoWays({ delay: 20 });
    const { world } = ways;
    const ada = await ways.agent("Ada");
    const told = diary(ada);
    ways.tcp.darken();
    for (let time = 0; time < 3; time += 1) {
      ways.udp.darken(8 * SECOND);
      await world.clock.advance(30 * SECOND);
    }
    expect(told).toEqual([]);
    expect(ways.dialled.tcp).toBeGreaterThan(0);
    expect(ada.isOnline).toBe(true);
    await world.during(ada.close());
    await world.clock.advance(30 * SECOND);
    const tried = ways.dialled.tcp;
    await world.clock.advance(60 * SECOND);
    expect(ways.dialled.tcp).toBe(tried);
  });
});
