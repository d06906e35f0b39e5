/** Frames that carry the ones before them, over a network that loses packets. */
import { expect, it } from "vitest";
import type { CallAudioOptions } from "../../agent/call-options.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

const LOSSY = { delay: 30, jitter: 3, loss: 0.08, burst: 1.5 };

/** Eight seconds of speech from the caller, as its listener has them. */
async function spoken(audio: CallAudioOptions, taking: CallAudioOptions = {}) {
  const world = new World({ toServer: new Link(LOSSY, new SeededRandom(21)) });
  const pair = await connected(
    world,
    await world.agent("Ada"),
    await world.agent("Bob"),
    { audio: { codecs: ["pcmu"], ...audio } },
    { audio: { codecs: ["pcmu"], ...taking } },
  );
  const recording = new Recording(pair.answered);
  const said = await say(world, pair.call, 8);
  await world.clock.advance(1_500);
  const { heard } = pair.answered.stats();
  const { sent } = pair.call.stats();
  if (heard === undefined || sent === undefined) throw new Error("nothing was said");
  const { correlation } = compareUtterance(said, recording.pcm(), 8_000);
  await world.during(pair.call.end());
  await world.during(pair.answered.ended);
  expect(world.reported).toEqual([]);
  return { heard, sent, recording, correlation };
}

it("fills in what was lost: less is concealed, and what is heard so says which frame carried it", async () => {
  const bare = await spoken({ redundancy: 0 });
  const once = await spoken({ redundancy: 1 });
  const twice = await spoken({ redundancy: 2 });
  for (const { heard } of [bare, once, twice]) {
    expect(heard.refused).toEqual({});
    expect(heard.undecodable).toBe(0);
  }
  expect(bare.heard.redundant).toBe(0);
  expect(bare.heard.concealed).toBeGreaterThan(20);
  expect(once.heard.concealed).toBeLessThan(bare.heard.concealed / 2);
  expect(twice.heard.concealed).toBeLessThan(once.heard.concealed);
  expect(twice.heard.concealed).toBeLessThan(10);
  expect(once.correlation).toBeGreaterThan(bare.correlation);
  // What the network took is counted as lost whether or not something filled it in.
  for (const { heard } of [bare, once, twice]) expect(heard.lost).toBeGreaterThan(20);
});

it("marks are honest: no frame is heard twice, and a carried one names a later frame that came itself", async () => {
  const { recording, heard, sent } = await spoken({ redundancy: 2 });
  const speech = recording.frames.filter((frame) => frame.kind === "speech");
  const numbers = speech.map((frame) => frame.sequence);
  expect(new Set(numbers).size).toBe(numbers.length);
  const own = new Set(speech.filter((frame) => frame.carriedBy === undefined).map((frame) => frame.sequence));
  const carried = speech.filter((frame) => frame.carriedBy !== undefined);
  expect(carried.length).toBe(heard.redundant);
  expect(carried.length).toBeGreaterThan(20);
  for (const { sequence, carriedBy = 0, level } of carried) {
    expect(carriedBy - sequence).toBeGreaterThanOrEqual(1);
    expect(carriedBy - sequence).toBeLessThanOrEqual(2);
    expect(own.has(sequence)).toBe(false);
    // Its level was signed in the frame itself, which did not come.
    expect(level).toBeUndefined();
  }
  expect(speech.length).toBe(heard.heard);
  expect(sent.redundantBytes).toBeGreaterThan(sent.sent * 300);
});

it("an end that does not take them gets none", async () => {
  const { heard, sent } = await spoken({ redundancy: 2 }, { redundancy: false });
  expect(heard.refused).toEqual({});
  expect(heard.redundant).toBe(0);
  expect(sent.redundantBytes).toBe(0);
});
