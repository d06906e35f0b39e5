/** What a listener hears goes on over a further way that takes less: who sends it learns of that, sends less, and has it agreed on. */
import { describe, expect, it } from "vitest";
import type { BandwidthTold } from "../../agent/call-notices.ts";
import { settingOf } from "../../signaling/terms-change.ts";
import { codecless, HeardFrames, packets, stream } from "./encoded-source.ts";
import { Camera, Watched } from "./showing.ts";
import { connected, refusal } from "./talking.ts";
import { World } from "./world.ts";

const WITH_VIDEO = { voices: "encoded", video: { codecs: ["vp8"], maxHeight: 720 } } as const;

describe("a limit that a listener sets", () => {
  it("makes the other end's video less within a second, by agreement and on record, and more again when it is gone", async () => {
    const world = new World();
    const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob")];
    const { call, answered } = await connected(world, ada, bob, WITH_VIDEO, WITH_VIDEO);
    const heard = new HeardFrames(world, answered);
    const watched = new Watched(world, answered);
    const camera = new Camera(world, call);
    const told: BandwidthTold[] = [];
    call.on("bandwidth-estimate", (event) => told.push(event));
    const { payloads } = await packets(13);
    const said = stream(world, call, payloads);
    const wanted = () => call.video?.wants.bitsPerSecond ?? 0;
    await world.clock.advance(6_500);
    expect(wanted()).toBeGreaterThan(200_000);
    answered.limit(200_000);
    await world.clock.advance(1_000);
    // The voice takes some 85 kbit/s of it, and a tenth stays free.
    expect(wanted()).toBeLessThan(100_000);
    expect(settingOf(answered.terms, 0, call.video?.id ?? 0)?.bitrate_bps).toBe(wanted());
    await world.clock.advance(500);
    const from = watched.units.length;
    await world.clock.advance(1_500);
    const bits = watched.units.slice(from).reduce((sum, { data }) => sum + 8 * data.length, 0);
    expect(bits).toBeLessThan(1.5 * 110_000);
    expect(watched.units.length - from).toBeGreaterThan(10);
    expect(told.at(-1)).toMatchObject({ by: bob.id });
    expect(told.at(-1)?.bits_per_second).toBeLessThanOrEqual(200_000);
    // Nobody follows what is asked of the voice: its rate is left as it is.
    expect(settingOf(answered.terms, 0, 1)?.bitrate_bps).toBeUndefined();
    const least = wanted();
    answered.limit(undefined);
    await world.during(said);
    await world.clock.advance(7_000);
    expect(wanted()).toBeGreaterThan(least);
    expect(heard.frames).toHaveLength(payloads.length);
    camera.off();
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("is told to a voice whose encoder follows what it is asked for, and to no other", async () => {
    for (const isFollowed of [true, false]) {
      const world = new World();
      const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob")];
      const audio = { bitrate: 48_000 };
      const options = { voices: "encoded", audio } as const;
      const { call, answered } = await connected(world, ada, bob, options, options);
      const wanted: (number | undefined)[] = [];
      if (isFollowed) call.voice?.on("wants", ({ bitrate }) => wanted.push(bitrate));
      const said = stream(world, call, (await packets(5)).payloads);
      await world.clock.advance(1_000);
      answered.limit(90_000);
      await world.during(said);
      const agreed = settingOf(answered.terms, 0, 1)?.bitrate_bps;
      if (isFollowed) {
        expect(wanted.at(-1)).toBeLessThan(30_000);
        expect(agreed).toBe(wanted.at(-1));
      } else expect(agreed).toBeUndefined();
      expect(call.voice?.wants.bitrate).toBe(agreed ?? 48_000);
      // So with what the other end asks for: frames beyond what is agreed would be refused.
      const asked = answered.propose({ streams: [{ leg: 0, stream: 1, bitrate: 12_000 }] }, "thin");
      expect(await refusal(world, asked)).toBe(isFollowed ? "accepted" : "change-rejected");
      if (isFollowed) expect(wanted.at(-1)).toBe(12_000);
    }
  });

  it("is a number of bits", async () => {
    const world = new World();
    const [ada, bob] = [await codecless(world, "Ada"), await codecless(world, "Bob")];
    const { call } = await connected(world, ada, bob, WITH_VIDEO, WITH_VIDEO);
    for (const bits of [0, -1, Number.NaN, 1e13])
      expect(() => call.limit(bits)).toThrow(expect.objectContaining({ code: "field-invalid" }));
  });
});
