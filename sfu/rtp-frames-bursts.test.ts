import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseIvf } from "../codecs/ivf.ts";
import { parseRtpPacket, type RtpPacket } from "../codecs/rtp-packet.ts";
import { readVideoUnit } from "../codecs/video-payload.ts";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import { RtpFrames } from "./rtp-frames.ts";
import { OutgoingVideo } from "./rtp-outgoing-video.ts";

const SECONDS = 60;
const INTERVAL_MS = 33;
const ONE_WAY_MS = 40;
/** Of bursts: one in so many packets begins one, and then one in so many ends it: 5 % are lost. */
const BEGINS = 76;
const ENDS = 4;

const file = new URL("../test/vectors/ffmpeg/vp8-small.ivf", import.meta.url);
const ivf = parseIvf(new Uint8Array(readFileSync(file)));
if (!ivf.ok) throw new Error(ivf.fault.message);
const units = ivf.value.frames.map(({ data }) => {
  const facts = readVideoUnit("vp8", data);
  return { data, key: facts.ok && facts.value.key };
});

/** A minute of video over a way that loses packets in bursts; `repeats`: the share of these that come after all, a round trip later. */
function watch(seed: number, repeats: number) {
  const random = new SeededRandom(seed);
  const out = new OutgoingVideo({
    ...{ format: "vp8", ssrc: 1, payloadType: 96, firstPicture: 0 },
    first: { sequence: 65_000, timestamp: 0 },
  });
  const frames = new RtpFrames("vp8");
  let arrivals: { readonly at: number; readonly packet: RtpPacket }[] = [];
  let [index, isBurst, keyAt, lost, sent] = [0, false, Number.POSITIVE_INFINITY, 0, 0];
  const shown: number[] = [];
  for (let now = 0; now < SECONDS * 1_000; now += 1) {
    if (now % INTERVAL_MS === 0) {
      // Who is asked for a key frame goes on with the clip's next one.
      if (now >= keyAt) while (units[index % units.length]?.key !== true) index += 1;
      if (now >= keyAt) keyAt = Number.POSITIVE_INFINITY;
      const unit = units[index++ % units.length] as (typeof units)[number];
      const packets = out.send({ ...unit, capturedAt: now });
      if (!packets.ok) throw new Error(packets.fault.message);
      for (const bytes of packets.value) {
        const packet = parseRtpPacket(bytes);
        if (!packet.ok) throw new Error(packet.fault.message);
        sent += 1;
        isBurst = isBurst ? random.integer(ENDS) !== 0 : random.integer(BEGINS) === 0;
        const isRepeated = isBurst && random.integer(100) < 100 * repeats;
        if (isBurst) lost += 1;
        if (isBurst && !isRepeated) continue;
        const at = now + ONE_WAY_MS + random.integer(5) + (isRepeated ? 2 * ONE_WAY_MS + 20 : 0);
        arrivals.push({ at, packet: packet.value });
      }
    }
    const due = arrivals.filter(({ at }) => at <= now);
    arrivals = arrivals.filter(({ at }) => at > now);
    for (const { packet } of due) frames.insert(packet, now);
    while (frames.next(now) !== undefined) shown.push(now);
    if (frames.asksKeyFrame(now, 2 * ONE_WAY_MS)) keyAt = Math.min(keyAt, now + ONE_WAY_MS);
  }
  const longest = Math.max(...shown.map((at, one) => at - (shown[one - 1] ?? 0)));
  return { lost: lost / sent, shown: shown.length, longest, ...frames.counters };
}

describe("a video of which 5 % are lost in bursts", () => {
  it.each([1, 2, 3])("is shown whole where all of them are sent again (seed %i)", (seed) => {
    const { lost, shown, incomplete, longest, keyFramesAsked } = watch(seed, 1);
    expect(lost).toBeGreaterThan(0.03);
    expect(incomplete).toBe(0);
    expect(keyFramesAsked).toBe(0);
    expect(shown).toBeGreaterThan((SECONDS * 1_000) / INTERVAL_MS - 10);
    expect(longest).toBeLessThan(250);
  });

  it.each([1, 2, 3])("goes on with a key frame each time where none is (seed %i)", (seed) => {
    const { lost, incomplete, keyFramesAsked, longest } = watch(seed, 0);
    expect(lost).toBeGreaterThan(0.03);
    expect(incomplete).toBeGreaterThan(20);
    expect(keyFramesAsked).toBeGreaterThan(0);
    // Where the key frame that was asked for is lost, too, another one is.
    expect(longest).toBeLessThan(1_500);
  });
});
