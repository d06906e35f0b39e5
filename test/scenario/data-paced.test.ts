/** Reliable data as fast as it goes beside a voice, on a way that is thin for both. */
import { expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

const VOICE_AND_DATA = { data: true } as const;
/** A router with room for four seconds of what its line takes. */
const THIN: LinkConditions = { delay: 20, rate: 300_000, queue: 4_000 };
const PERFECT: LinkConditions = { delay: 20 };
const MESSAGE = "x".repeat(8_000);

function link(conditions: LinkConditions, seed: number): Link {
  return new Link(conditions, new SeededRandom(seed));
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * share)] ?? Number.NaN;
}

/** Sends message after message until told to end; returns how many were taken. */
function bulk(call: Call): () => Promise<number> {
  let isOver = false;
  const sent = (async () => {
    let number = 0;
    for (; !isOver; number += 1) await call.data?.send({ number, text: MESSAGE });
    return number;
  })();
  return () => {
    isOver = true;
    return sent;
  };
}

it("to the server, data has what the voice leaves, and the voice loses no frame and is in time", async () => {
  const world = new World();
  const ages: number[] = [];
  const ssrcs: number[] = [];
  const view = new FrameView();
  const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
    if (parseFrame(bytes, 0, view) !== undefined || view.ssrc !== ssrcs[0]) return;
    ages.push(world.clock.wall() - view.captureMs);
  };
  const thin = world.way({ toServer: link(THIN, 1), toClient: link(PERFECT, 2) });
  const ada = await world.agent("Ada", {}, thin);
  const bob = await world.agent("Bob");
  const { call, answered } = await connected(world, ada, bob, VOICE_AND_DATA, { ...VOICE_AND_DATA, tap });
  const audio = call.session.terms.streams.find(({ modality }) => modality === "audio");
  ssrcs.push(audio?.ssrcs[0] ?? 0);
  const heard: unknown[] = [];
  void (async () => {
    for await (const { value } of answered.data ?? []) heard.push((value as { number: number }).number);
  })();
  await say(world, call, 5);
  const alone = percentile(ages.splice(0), 0.95);
  const stop = bulk(call);
  await say(world, call, 20);
  const count = await world.during(stop());
  await world.clock.advance(3_000);
  expect(heard).toEqual(Array.from({ length: count }, (_, number) => number));
  // 120 kbit/s are the voice's, with what goes around it; 200 are the data's.
  expect(count * MESSAGE.length * 8).toBeGreaterThan(20 * 180_000);
  expect(percentile(ages, 0.95) - alone).toBeLessThan(150);
  expect(call.stats().hop?.dropped).toMatchObject({ stale: 0, "queue-full": 0 });
  expect(answered.stats().heard).toMatchObject({ lost: 0, refused: {} });
  expect(world.reported).toEqual([]);
});

it("whose reader stands still, data leaves the way as it was for the voice", async () => {
  const world = new World({ toServer: link(PERFECT, 3), toClient: link(PERFECT, 4) });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  const { call, answered } = await connected(world, ada, bob, VOICE_AND_DATA);
  const stop = bulk(call);
  await say(world, call, 4);
  // Nobody reads; a pause of the voice longer than silence on the way may be.
  await world.clock.advance(5_000);
  const before = call.stats().hop?.estimate?.bitsPerSecond ?? 0;
  expect(before).toBeGreaterThan(300_000);
  await say(world, call, 2);
  expect(call.stats().hop?.dropped).toMatchObject({ stale: 0, "queue-full": 0 });
  expect(answered.stats().heard).toMatchObject({ lost: 0, refused: {} });
  let heard = 0;
  void (async () => {
    for await (const _ of answered.data ?? []) heard += 1;
  })();
  const count = await world.during(stop());
  await world.clock.advance(3_000);
  expect(heard).toBe(count);
  expect(world.reported).toEqual([]);
});
