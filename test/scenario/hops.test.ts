/** Calls over ways that take less than is said, stand still, lose, or lead to an end that does not do its part. */
import { describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import type { LinkModel } from "../../transports/memory.ts";
import { connected, type Pair, say, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** G.711: 50 frames a second of about 265 bytes, 106 kbit/s on these links. */
const VOICE = { audio: { codecs: ["pcmu"] } } as const;
const PERFECT: LinkConditions = { delay: 20 };
/** A router with room for ten seconds of what its line takes. */
const BLOATED = { delay: 20, queue: 10_000 } as const;

/** After this a way must be known, ms. */
const LEARNT_MS = 3_000;

/** When a frame came, and how old it was, ms. */
interface Arrival {
  readonly at: number;
  readonly age: number;
}

/** A voice from Ada over `toServer` and on over `toClient` to Bob, each end on a way of its own; `toBob` has every frame that came. */
async function voice(toServer: LinkModel, toClient: LinkModel) {
  const world = new World();
  const good = link(PERFECT, 9);
  const toBob: Arrival[] = [];
  const view = new FrameView();
  const tap = ({ bytes }: { readonly bytes: Uint8Array }) => {
    parseFrame(bytes, 0, view);
    const now = world.clock.wall();
    toBob.push({ at: world.clock.now(), age: now - view.captureMs });
  };
  const ada = await world.agent("Ada", {}, world.way({ toServer, toClient: good }));
  const bob = await world.agent("Bob", {}, world.way({ toServer: good, toClient }));
  const pair = await connected(world, ada, bob, VOICE, { ...VOICE, tap });
  return { world, pair, toBob };
}

/** The longest time without a frame, ms, from a while after the first one until the last. */
function longestGap(arrivals: readonly Arrival[], after: number): number {
  const from = (arrivals[0]?.at ?? 0) + after;
  const gaps = arrivals.slice(1).map(({ at }, index) => (at > from ? at - (arrivals[index]?.at ?? at) : 0));
  return Math.max(...gaps);
}

function oldest(arrivals: readonly Arrival[]): number {
  return Math.max(...arrivals.map(({ age }) => age));
}

function link(conditions: LinkConditions, seed = 1): Link {
  return new Link(conditions, new SeededRandom(seed));
}

/** What waited at Ada's end and at the server and did not leave. */
function dropped({ call }: Pair, world: World) {
  const { stale = 0 } = call.stats().hop?.dropped ?? {};
  const atServer: Record<string, number> = world.server.overview().frames.dropped;
  return { atSpeaker: stale, atServer: atServer.stale ?? 0 };
}

describe("a way that takes less than the voice", () => {
  it.each([
    ["75 kbit/s to the server", 75_000, "atSpeaker", 200],
    ["60 kbit/s to the server", 60_000, "atSpeaker", 260],
    // One answer of the server's to a request of its listener's, 2 KB with its signed record.
    ["75 kbit/s to the listener", 75_000, "atServer", 280],
    ["60 kbit/s to the listener", 60_000, "atServer", 330],
  ] as const)(
    "of %s delays it by half a second, and what is signed beside it hardly stops it",
    async (_name, rate, where, gap) => {
      const [thin, good] = [link({ ...BLOATED, rate }), link(PERFECT)];
      const { world, pair, toBob } =
        where === "atSpeaker" ? await voice(thin, good) : await voice(good, thin);
      // Where they were of the largest size, two checkpoints; receipts, and what both ends are told of how it comes.
      await say(world, pair.call, 21);
      await world.clock.advance(3_000);
      // None was so late that it was refused.
      expect(pair.answered.stats().heard?.refused).toEqual({});
      const learnt = toBob.filter(({ at }) => at > (toBob[0]?.at ?? 0) + LEARNT_MS).map(({ age }) => age);
      expect(learnt.length).toBeGreaterThan(18 * 17);
      expect(learnt.sort((one, other) => one - other)[learnt.length >> 1]).toBeLessThan(450);
      expect(longestGap(toBob, LEARNT_MS)).toBeLessThanOrEqual(gap);
      // Nor is the beginning, while nothing is known of the way, a second late.
      expect(oldest(toBob)).toBeLessThan(900);
      expect(dropped(pair, world)[where]).toBeGreaterThan(400);
      const { estimate } = pair.call.stats().hop ?? {};
      const told = where === "atSpeaker" ? estimate?.bitsPerSecond : estimate?.behind;
      expect(told).toBeLessThan(200_000);
      expect(world.reported).toEqual([]);
    },
  );
});

const mute = async ({ audio }: Call) => {
  audio.muted = true;
};

it.each<[string, (call: Call) => Promise<unknown>, "epoch" | "session-state"]>([
  ["muting", mute, "epoch"],
  ["flushing", (call) => call.audio.flush(), "epoch"],
  ["suspending", (call) => call.suspend(), "epoch"],
  ["hanging up", (call) => call.end(), "session-state"],
])("%s takes back what waits at the speaker's own end", async (_name, act, reason) => {
  const { world, pair } = await voice(link({ ...BLOATED, rate: 75_000 }), link(PERFECT));
  void pair.call.audio.write(utterance(30, 8_000)).catch(() => undefined);
  await world.clock.advance(5_000);
  const before = pair.call.stats().hop;
  expect(before?.waiting).toBeGreaterThan(3);
  const acted = act(pair.call);
  await world.clock.advance(1);
  if (reason === "epoch") {
    const after = pair.call.stats().hop;
    expect(after?.waiting).toBeLessThanOrEqual(1);
    expect((after?.dropped.epoch ?? 0) - (before?.dropped.epoch ?? 0)).toBeGreaterThan(3);
  }
  await world.during(acted);
  if (reason === "session-state") expect(pair.call.stats().hop).toMatchObject({ waiting: 0 });
});

it("a way that stands still for three seconds: a moment later what is said is heard again in time", async () => {
  const way = new Standstill();
  const { world, pair, toBob } = await voice(link(PERFECT), way);
  way.now = () => world.clock.now();
  void pair.call.audio.write(utterance(15, 8_000)).catch(() => undefined);
  await world.clock.advance(5_000);
  way.stop(3_000);
  await world.clock.advance(3_000);
  const again = world.clock.now();
  await world.clock.advance(3_000);
  const after = toBob.filter(({ at }) => at >= again);
  // What was on its way before that was known, and a frame now and then that asks whether it goes on.
  expect(after.filter(({ age }) => age > 300).length).toBeLessThan(20);
  const late = after.filter(({ at, age }) => at > again + 100 && age > 300);
  expect(late).toEqual([]);
  expect(after.length).toBeGreaterThan(140);
  expect(dropped(pair, world).atServer + dropped(pair, world).atSpeaker).toBeGreaterThan(75);
});

it("40 % lost on the way: nothing waits, and what the way still carries is not given up", async () => {
  const { world, pair, toBob } = await voice(link({ ...PERFECT, loss: 0.4 }, 3), link(PERFECT, 4));
  await say(world, pair.call, 10);
  await world.clock.advance(2_000);
  const { hop, sent } = pair.call.stats();
  expect(oldest(toBob)).toBeLessThan(100);
  expect(toBob.length / (sent?.sent ?? 0)).toBeGreaterThan(0.5);
  expect(hop?.estimate?.lossShare).toBeGreaterThan(0.2);
  expect(hop?.dropped.stale).toBe(0);
});

/** A way that can stand still: what is under way waits, and comes all at once when it goes on. */
class Standstill implements LinkModel {
  now: () => number = () => 0;
  #until = 0;

  stop(ms: number): void {
    this.#until = this.now() + ms;
  }

  datagram(_bytes: number, now: number): number {
    return Math.max(now, this.#until) + PERFECT.delay;
  }

  reliable(_bytes: number, now: number): number {
    return Math.max(now, this.#until) + PERFECT.delay;
  }
}
