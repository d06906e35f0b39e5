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

/** The voice's frames as they come to the listener: how late, milliseconds. */
function agesOfVoice(world: World) {
  const ages: number[] = [];
  const view = new FrameView();
  let ssrc = -1;
  return {
    ages,
    tap: ({ bytes }: { readonly bytes: Uint8Array }) => {
      if (parseFrame(bytes, 0, view) === undefined && view.ssrc === ssrc)
        ages.push(world.clock.wall() - view.captureMs);
    },
    of: (call: Call) => {
      const audio = call.session.terms.streams.find(({ modality }) => modality === "audio");
      ssrc = audio?.ssrcs[0] ?? -1;
    },
  };
}

function numbersHeard(call: Call): unknown[] {
  const heard: unknown[] = [];
  void (async () => {
    for await (const { value } of call.data ?? []) heard.push((value as { number: number }).number);
  })();
  return heard;
}

it.each(["to the server", "to the listener"])(
  "%s, data has what the voice leaves, and the voice loses no frame and is in time",
  async (where) => {
    const world = new World();
    const voice = agesOfVoice(world);
    const [thin, perfect] = [link(THIN, 1), link(PERFECT, 2)];
    const toServer = world.way({ toServer: thin, toClient: perfect });
    const toListener = world.way({ toServer: perfect, toClient: thin });
    const ada = await world.agent("Ada", {}, where === "to the server" ? toServer : undefined);
    const bob = await world.agent("Bob", {}, where === "to the server" ? undefined : toListener);
    const { call, answered } = await connected(world, ada, bob, VOICE_AND_DATA, {
      ...VOICE_AND_DATA,
      tap: voice.tap,
    });
    voice.of(call);
    const heard = numbersHeard(answered);
    await say(world, call, 5);
    const alone = percentile(voice.ages.splice(0), 0.95);
    const stop = bulk(call);
    await say(world, call, 12);
    const count = await world.during(stop());
    await world.clock.advance(10_000);
    expect(heard).toEqual(Array.from({ length: count }, (_, number) => number));
    // 120 kbit/s are the voice's, with what goes around it; 200 are the data's.
    expect(count * MESSAGE.length * 8).toBeGreaterThan(12 * 180_000);
    expect(percentile(voice.ages, 0.95) - alone).toBeLessThan(150);
    expect(call.stats().hop?.dropped).toMatchObject({ stale: 0, "queue-full": 0 });
    expect(answered.stats().heard).toMatchObject({ lost: 0, refused: {} });
    expect(world.reported).toEqual([]);
  },
);

it("to a listener who alone speaks, data is paced by what the listener says of it", async () => {
  const world = new World();
  const [thin, perfect] = [link(THIN, 1), link(PERFECT, 2)];
  const [ada, bob] = [
    await world.agent("Ada"),
    await world.agent("Bob", {}, world.way({ toServer: perfect, toClient: thin })),
  ];
  const options = { audio: { direction: "recvonly" }, data: true } as const;
  const { call, answered } = await connected(world, ada, bob, options, VOICE_AND_DATA);
  const heard = numbersHeard(answered);
  const stop = bulk(call);
  let longest = 0;
  for (let second = 0; second < 10; second += 1) {
    await say(world, answered, 1);
    longest = Math.max(longest, thin.backlog(world.clock.now()));
  }
  const count = await world.during(stop());
  await world.clock.advance(12_000);
  expect(heard).toEqual(Array.from({ length: count }, (_, number) => number));
  // Unpaced, the router would keep all that comes: 4 s of it.
  expect(longest).toBeLessThan(500);
  expect(count * MESSAGE.length * 8).toBeGreaterThan(10 * 250_000);
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
  const heard = numbersHeard(answered);
  const count = await world.during(stop());
  await world.clock.advance(3_000);
  expect(heard).toHaveLength(count);
  expect(world.reported).toEqual([]);
});
