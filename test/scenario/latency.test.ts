/** How long a voice takes from one end's microphone to the other's loudspeaker. */
import { expect, it } from "vitest";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

/** What AGTP-COMMUNICATION asks of audio, milliseconds. */
const MOST = 150;
const FRAME = 20;
/** Share of the frames that may be made up although they were not lost. */
const MOST_MADE_UP = 0.01;

it.each([
  ["a clean network", { delay: 1 }, "both ends"],
  ["wifi", PRESETS.wifi, "both ends"],
  ["a way that loses 3 % and varies by 30 ms", { delay: 30, jitter: 30, loss: 0.03 }, "the speaker's end"],
] as const)(
  "over %s a frame is heard within 150 ms of its capture, 99 in 100 and more",
  async (_, conditions, where) => {
    const way = {
      toServer: new Link(conditions, new SeededRandom(21)),
      toClient: new Link(conditions, new SeededRandom(22)),
    };
    const world = new World(where === "both ends" ? way : {});
    const ada = await world.agent("Ada", {}, where === "both ends" ? undefined : world.way(way));
    const captured = new Map<number, number>();
    const pair = await connected(world, ada, await world.agent("Bob"), {
      watch: ({ direction, fate, sequence, at }) => {
        // It leaves once its last sample is there.
        if (direction === "sent" && fate === "sent" && sequence !== undefined)
          captured.set(sequence, at - FRAME);
      },
    });
    const recording = new Recording(pair.answered);
    await say(world, pair.call, 10);
    await world.clock.advance(1_000);
    const sinceEpoch = world.clock.wall() - world.clock.now();
    const delays = recording.frames.flatMap((frame) => {
      if (frame.kind !== "speech") return [];
      return [frame.playedAt - sinceEpoch - (captured.get(frame.sequence) ?? Number.NEGATIVE_INFINITY)];
    });
    expect(captured.size).toBe(501);
    expect(delays.length).toBeGreaterThan(475);
    delays.sort((a, b) => a - b);
    expect(delays[0]).toBeGreaterThan(FRAME);
    expect(delays[Math.floor(delays.length * 0.99)]).toBeLessThan(MOST);
    const lost = pair.answered.stats().heard?.lost ?? Number.NaN;
    expect(recording.count("concealed") - lost).toBeLessThan(MOST_MADE_UP * captured.size);
    expect(world.reported).toEqual([]);
  },
);
