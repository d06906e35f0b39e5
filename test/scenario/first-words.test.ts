/** What is said at the very beginning of a call, while the other end's media is not ready yet. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { connected, Recording, say, utterance } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

const RATE = 48_000;
const FRAME_MS = 20;

function linked(oneWay: number): World {
  const link = {
    datagram: (_bytes: number, now: number) => now + oneWay,
    reliable: (_bytes: number, now: number) => now + oneWay,
  };
  return new World({ toServer: link, toClient: link });
}

/** An agent whose codec takes so many milliseconds to load before its media can be ready: a page, or a busy process. */
async function slowAgent(world: World, name: string, late: number): Promise<Agent> {
  const platform = world.platform();
  const createAudioCodec: typeof platform.createAudioCodec = async (...made) => {
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + late, resolve));
    return await platform.createAudioCodec(...made);
  };
  const identity = world.identity({ name });
  const report = (error: unknown) => world.reported.push(error);
  const anchors = [world.issuer.signer.publicKey];
  return await world.during(
    connectAgent({ ...platform, createAudioCodec }, ORIGIN, { identity, anchors, report }),
  );
}

/** Both ends of a call from Ada to Bob, each as soon as it is up. */
function calling(ada: Agent, bob: Agent) {
  const answered = new Promise<Call>((resolve, reject) => {
    bob.onCall((incoming) => incoming.accept().then(resolve, reject));
  });
  return { call: ada.call(bob.id), answered };
}

/** Writes as a microphone does, from when the call is up: 20 ms at a time, whoever listens. */
async function speaks(world: World, end: Promise<Call>, pcm: Int16Array): Promise<Call> {
  const call = await end;
  const piece = (RATE / 1000) * FRAME_MS;
  for (let at = 0; at < pcm.length; at += piece) {
    void call.audio.write(pcm.subarray(at, at + piece));
    await new Promise<void>((resolve) => world.clock.at(world.clock.now() + FRAME_MS, resolve));
  }
  await call.audio.endTurn();
  return call;
}

describe.each(["callee", "caller"])("while the media of the %s comes up", (who) => {
  it.each([200, 1_000, 3_000])(
    "%i ms late, what is said is kept and heard from the first word",
    async (late) => {
      const world = linked(40);
      const ada = await (who === "caller" ? slowAgent(world, "Ada", late) : world.agent("Ada"));
      const bob = await (who === "callee" ? slowAgent(world, "Bob", late) : world.agent("Bob"));
      const { call, answered } = calling(ada, bob);
      const [early, behind] = who === "callee" ? [call, answered] : [answered, call];
      const pcm = utterance(6, RATE);
      const spoken = speaks(world, early, pcm);
      const heard = behind.then((end) => ({ end, recording: new Recording(end) }));
      const speaker = await world.during(spoken);
      await world.clock.advance(1_000);
      const { end, recording } = await world.during(heard);
      const { sent = 0, leftOut = 0, unsent } = speaker.stats().sent ?? {};
      expect([sent + leftOut, unsent]).toEqual([301, 0]);
      const numbers = recording.frames.flatMap((frame) => (frame.kind === "speech" ? [frame.sequence] : []));
      expect(numbers).toEqual(Array.from({ length: sent }, (_, index) => (numbers[0] ?? 0) + index));
      expect([end.stats().heard?.late, end.stats().heard?.refused]).toEqual([0, {}]);
      const start = recording.frames.findIndex(({ kind }) => kind === "speech");
      const first = recording.frames.slice(start, start + 25).flatMap((frame) => [...frame.pcm]);
      const { correlation } = compareUtterance(pcm.subarray(0, RATE / 2), Int16Array.from(first), RATE);
      expect(correlation).toBeGreaterThan(0.9);
      // What follows the wait is as late as the media was, less what the speaker left out of its pauses, and no more.
      const last = recording.frames.findLast(({ kind }) => kind === "speech");
      const lag = last?.kind === "speech" ? last.playedAt - last.capturedAt : 0;
      expect(lag).toBeLessThan(250);
      expect(world.reported).toEqual([]);
    },
  );
});

describe("in an ordinary call", () => {
  it.each([5, 40, 150])(
    "over %i ms each way nothing waits, and the first word is heard at once",
    async (oneWay) => {
      const world = linked(oneWay);
      const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
      const sentAt: number[] = [];
      const { call, answered } = await connected(world, ada, bob, {
        watch: ({ direction, fate, at }) => void (direction === "sent" && fate === "sent" && sentAt.push(at)),
      });
      const firstHeard = (async () => {
        for await (const { kind } of answered.audio) if (kind === "speech") return world.clock.now();
        return undefined;
      })();
      const began = world.clock.now();
      await say(world, call, 3);
      const gaps = sentAt.slice(1).map((at, index) => at - (sentAt[index] ?? 0));
      expect([sentAt.length, Math.max(...gaps)]).toEqual([151, FRAME_MS]);
      expect(((await firstHeard) ?? 0) - began).toBeLessThanOrEqual(2 * oneWay + 15);
    },
  );
});

describe("to an end that shows no sign of itself", () => {
  it("words wait for four seconds, and go on then", async () => {
    const world = linked(40);
    const [ada, bob] = [await world.agent("Ada"), await slowAgent(world, "Bob", 30_000)];
    const { call: asked, answered } = calling(ada, bob);
    const call = await world.during(asked);
    void call.audio.write(utterance(20, RATE)).catch(() => undefined);
    const sent = () => call.stats().sent?.sent ?? 0;
    await world.clock.advance(1_000);
    const waiting = sent();
    await world.clock.advance(3_500);
    expect([waiting, sent()]).toEqual([waiting, waiting]);
    await world.clock.advance(1_500);
    expect(sent()).toBeGreaterThan(waiting + 50);
    await world.during(answered);
  });
});

describe("to an end that has yet to open a connection for its media", () => {
  it("words wait for that, and none is lost", async () => {
    const world = linked(200);
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob", {}, world.separate)];
    const { call: asked, answered } = calling(ada, bob);
    const speaking = speaks(world, asked, utterance(3, RATE));
    const recording = answered.then((end) => new Recording(end));
    const call = await world.during(speaking);
    await world.clock.advance(2_000);
    const { sent = 0, unsent } = call.stats().sent ?? {};
    expect([sent, unsent]).toEqual([151, 0]);
    expect((await world.during(recording)).count("speech")).toBe(sent);
    expect(world.reported).toEqual([]);
  });
});
