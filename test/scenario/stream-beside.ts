/** One stream of a call that comes and goes, again and again, beside others that are to be heard as if nothing happened. */
import { expect } from "vitest";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connected, Recording } from "./talking.ts";
import { World } from "./world.ts";

/** How long one coming and going takes, ms. */
const EACH_MS = 240;
const MESSAGE_MS = 50;
const STEP_MS = 4;

/** A tone that swells, so that no two frames are the same. */
function tone(seconds: number): Int16Array {
  return Int16Array.from({ length: seconds * 8_000 }, (_, at) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * at) / 8_000) * (0.6 + 0.4 * Math.sin(at / 3_000))),
  );
}

/** Lets time pass in steps that a frame spans several of, until the promise settles. */
async function during<Some>(world: World, promise: Promise<Some>): Promise<Some> {
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  promise.then(settled, settled);
  for (let waited = 0; !isSettled && waited < 60_000; waited += STEP_MS) await world.clock.advance(STEP_MS);
  return await promise;
}

/**
 * Opens, changes, mutes, holds and closes one stream `times` times, by either end, while a voice and a stream of data go on beside it: none of their frames is
 * lost, late or made up, and the evidence of it all verifies.
 */
export async function comesAndGoes(times: number): Promise<void> {
  const world = new World();
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  const { call, answered } = await connected(world, ada, bob, { audio: { codecs: ["pcmu"] }, data: true });
  const heard = new Recording(answered);
  const messages: { readonly number: unknown; readonly late: number }[] = [];
  void (async () => {
    for await (const { value, age } of answered.data ?? []) messages.push({ number: value, late: age });
  })();
  answered.on("stream-opened", ({ stream }) => {
    void (async () => {
      for await (const _ of stream as unknown as AsyncIterable<unknown>);
    })();
  });
  const seconds = (times * EACH_MS) / 1_000;
  const said = call.audio.write(tone(seconds)).then(() => call.audio.endTurn());
  const sent = (async () => {
    for (let number = 0; number < (seconds * 1_000) / MESSAGE_MS; number += 1) {
      await call.data?.send(number);
      await new Promise<void>((resolve) => world.clock.at(world.clock.now() + MESSAGE_MS, resolve));
    }
  })();
  const opened: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const began = world.clock.now();
    const [opener, other] = time % 2 === 0 ? [call, answered] : [answered, call];
    const stream = await during(world, opener.open({ modality: "data" }));
    opened.push(stream.id);
    await during(world, stream.send({ time }));
    await during(world, opener.propose({ streams: [{ stream: stream.id, bitrate: 100_000 + time }] }));
    stream.mute();
    other.streams.find(({ id }) => id === stream.id)?.hold();
    await world.clock.advance(20);
    stream.unmute();
    await during(
      world,
      (time % 3 === 0 ? other.streams.find(({ id }) => id === stream.id) : stream)?.close() ??
        Promise.resolve(),
    );
    await world.clock.advance(Math.max(0, EACH_MS - (world.clock.now() - began)));
  }
  await during(world, Promise.all([said, sent]));
  await world.clock.advance(1_000);
  expect(new Set(opened).size).toBe(times);
  expect(call.streams.map(({ id }) => id)).toEqual([1, 2]);
  // Not a frame of the voice is lost, late or made up.
  const frames = call.stats().sent?.sent ?? 0;
  expect(frames).toBeGreaterThanOrEqual(seconds * 50);
  expect(answered.stats().heard).toMatchObject({ verified: frames, lost: 0, concealed: 0, refused: {} });
  expect([heard.count("speech"), heard.count("concealed")]).toEqual([frames, 0]);
  // Every message comes, in order and at once.
  expect(messages.map(({ number }) => number)).toEqual(messages.map((_, number) => number));
  expect(messages).toHaveLength((seconds * 1_000) / MESSAGE_MS);
  expect(Math.max(...messages.map(({ late }) => late))).toBeLessThan(20);
  await during(world, call.end());
  await world.clock.advance(6_000);
  const { report } = verifyEvidence(await during(world, call.evidence()), undefined, verifier);
  expect(report.faults).toEqual([]);
  expect(world.reported).toEqual([]);
}
