import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIvf } from "../codecs/ivf.ts";
import { splitVideoPayload } from "../codecs/rtp-fragment.ts";
import type { RtpPacket } from "../codecs/rtp-packet.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import { readVideoUnit, VideoPayloadWriter } from "../codecs/video-payload.ts";
import { CHROMIUM_VIDEOS, chromiumRtp } from "../test/generators/chromium-rtp.ts";
import { vp8Frame } from "../test/vp8-frame.ts";
import { MAX_WAITING_FRAGMENTS, MISSING_FRAGMENT_MS, RtpFrames, type RtpUnit } from "./rtp-frames.ts";

const FIRST_TIMESTAMP = 2 ** 32 - 30_000;
const INTERVAL = 6_000;
const CLIPS = ["vp8-layers", "vp9-superframes", "av1-svt"] as const;

interface Clip {
  readonly format: VideoFormatName;
  readonly units: readonly { readonly data: Uint8Array; readonly key: boolean }[];
  readonly packets: readonly RtpPacket[];
}

const clips = new Map(CLIPS.map((name) => [name, packetsOf(name)]));

/** RTP of a clip, the sequence number and the timestamp about to wrap, and every fifth unit followed by padding. */
function packetsOf(name: string): Clip {
  const file = new URL(`../test/vectors/ffmpeg/${name}.ivf`, import.meta.url);
  const ivf = parseIvf(new Uint8Array(readFileSync(file)));
  if (!ivf.ok) throw new Error(ivf.fault.message);
  const { format, frames } = ivf.value;
  const writer = new VideoPayloadWriter(format, { picture: 32_760, base: 0 });
  const packets: RtpPacket[] = [];
  let sequence = 65_500;
  const add = (index: number, payload: Uint8Array, marker: boolean) => {
    const timestamp = (FIRST_TIMESTAMP + index * INTERVAL) >>> 0;
    packets.push({ marker, payloadType: 96, sequence, timestamp, ssrc: 7, extensions: [], payload });
    sequence = (sequence + 1) & 0xffff;
  };
  frames.forEach(({ data }, index) => {
    const made = writer.write(data);
    const pieces = made.ok ? splitVideoPayload(format, made.value.payload, 150) : made;
    if (!pieces.ok) throw new Error(pieces.fault.message);
    pieces.value.forEach((piece, at) => {
      add(index, piece, at === pieces.value.length - 1);
    });
    if (index % 5 === 0) for (let at = 0; at < 3; at += 1) add(index, new Uint8Array(), false);
  });
  const units = frames.map(({ data }) => {
    const facts = readVideoUnit(format, data);
    if (!facts.ok) throw new Error(facts.fault.message);
    return { data, key: facts.value.key };
  });
  return { format, units, packets };
}

function clipOf(name: (typeof CLIPS)[number]): Clip {
  return clips.get(name) as Clip;
}

/** What comes out when packets come one a millisecond, and everything that is due after them. */
function run(frames: RtpFrames, packets: readonly RtpPacket[], start = 0) {
  const units: RtpUnit[] = [];
  let now = start;
  let asked = 0;
  const drive = () => {
    for (let unit = frames.next(now); unit !== undefined; unit = frames.next(now)) units.push(unit);
    if (frames.asksKeyFrame(now)) asked += 1;
  };
  for (const packet of packets) {
    now += 1;
    frames.insert(packet, now);
    drive();
  }
  for (let wake = 0; wake < 3; wake += 1) {
    now = Math.max(now, frames.nextTimeout() ?? now);
    drive();
  }
  return { units, asked, now };
}

/** Packets in an order in which none is more than `most` places from its own. */
function shaken(packets: readonly RtpPacket[], shifts: readonly number[], most: number): RtpPacket[] {
  const order = packets.map((packet, index) => ({
    packet,
    at: index + ((shifts[index % shifts.length] as number) % (most + 1)),
  }));
  return order.sort((a, b) => a.at - b.at).map(({ packet }) => packet);
}

describe.each(CLIPS)("the packets of %s", (name) => {
  const { format, units, packets } = clipOf(name);

  it("make its units again, byte for byte, in whatever order they come and however often", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(40), { minLength: 7, maxLength: 60 }),
        fc.array(fc.nat(packets.length - 1), { maxLength: 30 }),
        (shifts, repeated) => {
          const doubled = packets.flatMap((packet, index) =>
            repeated.includes(index) ? [packet, packet] : [packet],
          );
          const frames = new RtpFrames(format);
          const { units: given, asked } = run(frames, shaken(doubled, shifts, 40));
          expect(given.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
          expect(given.map(({ key }) => key)).toEqual(units.map(({ key }) => key));
          expect(asked).toBe(0);
          expect(frames.counters).toMatchObject({ given: units.length, incomplete: 0, passedOver: 0 });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("make only units that can be decoded where some are lost, and a key frame is asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(packets.length - 1), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(10), { minLength: 7, maxLength: 30 }),
        (lost, shifts) => {
          const left = packets.filter((_, index) => !lost.includes(index));
          const frames = new RtpFrames(format, 30);
          const { units: given, asked } = run(frames, shaken(left, shifts, 10));
          const indices = given.map(({ timestamp }) => ((timestamp - FIRST_TIMESTAMP) >>> 0) / INTERVAL);
          indices.forEach((index, at) => {
            expect(given[at]?.data).toEqual(units[index]?.data);
            expect(index).toBeGreaterThan(indices[at - 1] ?? -1);
            if (index !== (indices[at - 1] ?? -1) + 1) expect(units[index]?.key).toBe(true);
          });
          if (frames.counters.incomplete > 0) expect(asked).toBeGreaterThan(0);
          expect(frames.size).toBeLessThan(120);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a unit that is not whole", () => {
  const { format, units, packets } = clipOf("vp8-layers");
  const firstOfSecond = packets.findIndex(({ marker }) => marker) + 4;

  it("is waited for so long, and no longer", () => {
    const frames = new RtpFrames(format);
    const missing = packets[firstOfSecond] as RtpPacket;
    const some = packets.slice(0, firstOfSecond + 12).filter((packet) => packet !== missing);
    let now = 0;
    const given: RtpUnit[] = [];
    for (const packet of some) {
      now += 1;
      frames.insert(packet, now);
      for (let unit = frames.next(now); unit !== undefined; unit = frames.next(now)) given.push(unit);
    }
    expect(given).toHaveLength(1);
    const due = frames.nextTimeout() as number;
    // The one after it came after it would have.
    expect(due).toBe(firstOfSecond + 1 + MISSING_FRAGMENT_MS);
    expect(frames.next(due - 1)).toBeUndefined();
    expect(frames.asksKeyFrame(due - 1)).toBe(false);
    expect(frames.next(due)).toBeUndefined();
    expect(frames.counters.incomplete).toBe(1);
    expect(frames.asksKeyFrame(due)).toBe(true);
    expect(frames.asksKeyFrame(due + 400)).toBe(false);
    frames.insert(missing, due + 1);
    expect(frames.next(due + 1)).toBeUndefined();
  });

  it("goes on in time where the missing packet is sent again", () => {
    const frames = new RtpFrames(format);
    const missing = packets[firstOfSecond] as RtpPacket;
    const rest = packets.filter((packet) => packet !== missing);
    const late = [...rest.slice(0, 60), missing, ...rest.slice(60)];
    expect(run(frames, late).units.map(({ data }) => data)).toEqual(units.map(({ data }) => data));
  });

  it("was padding alone where the picture after it is the next one", () => {
    const paddings = packets.flatMap(({ payload }, index) => (payload.length === 0 ? [index] : []));
    const frames = new RtpFrames(format);
    const left = packets.filter((_, index) => !paddings.includes(index));
    const { units: given, asked } = run(frames, left);
    expect(given).toHaveLength(units.length);
    expect(asked).toBe(0);
    expect(frames.counters.incomplete).toBe(0);
  });

  it("goes with the oldest where more waits than may", () => {
    const frames = new RtpFrames(format);
    const [first] = packets as [RtpPacket];
    let most = 0;
    for (let index = 0; index < MAX_WAITING_FRAGMENTS + 500; index += 1) {
      // Never its end.
      frames.insert(
        {
          ...(packets[1] as RtpPacket),
          ...(index === 0 ? first : {}),
          sequence: (first.sequence + index) & 0xffff,
          marker: false,
        },
        0,
      );
      frames.next(0);
      most = Math.max(most, frames.size);
    }
    expect(most).toBe(MAX_WAITING_FRAGMENTS);
    expect(frames.counters.overflow).toBe(1);
  });

  it("goes with the oldest also before the first key frame", () => {
    const frames = new RtpFrames(format);
    const delta = packets.find(({ timestamp }) => timestamp !== packets[0]?.timestamp) as RtpPacket;
    for (let sequence = 0; sequence < MAX_WAITING_FRAGMENTS + 500; sequence += 1) {
      frames.insert({ ...delta, sequence, marker: false }, 0);
      frames.next(0);
    }
    expect(frames.size).toBeLessThanOrEqual(MAX_WAITING_FRAGMENTS);
    expect(frames.counters.passedOver).toBeGreaterThanOrEqual(500);
  });

  it("was padding alone also where the sender counts its pictures up to 127", () => {
    // RFC 7741: begins a picture, with a number of 7 bits.
    const picture = (number: number, sequence: number, isKey: boolean): RtpPacket => ({
      ...(packets[0] as RtpPacket),
      ...{ sequence, timestamp: number * 3_000, marker: true },
      payload: Uint8Array.of(0x90, 0x80, number, ...vp8Frame(isKey, 20)),
    });
    const frames = new RtpFrames("vp8");
    for (const packet of [picture(127, 10, true), picture(0, 12, false)]) frames.insert(packet, 0);
    expect([frames.next(0), frames.next(0)].map((unit) => unit?.key)).toEqual([true, false]);
  });
});

describe("a sender that begins anew", () => {
  it("is gone on with from its next key frame, after two packets in a row that are far from all others", () => {
    const { format, units, packets } = clipOf("vp8-layers");
    const frames = new RtpFrames(format);
    const half = packets.slice(0, 100);
    const again = packets.map((packet) => ({ ...packet, sequence: (packet.sequence + 20_000) & 0xffff }));
    const { units: given } = run(frames, [...half, ...again]);
    expect(frames.counters).toMatchObject({ restarts: 1, stray: 1 });
    // The first packet of the first key frame was the one that was far from all others.
    const keys = units.flatMap(({ key }, index) => (key ? [index] : []));
    expect(given.slice(-(units.length - (keys[1] as number))).map(({ data }) => data)).toEqual(
      units.slice(keys[1]).map(({ data }) => data),
    );
  });

  it("waits for nothing of before", () => {
    const { format, packets } = clipOf("vp8-layers");
    const frames = new RtpFrames(format);
    run(frames, packets.slice(0, 100));
    const [first] = packets as [RtpPacket];
    const unit = packets.filter(({ timestamp }) => timestamp === first.timestamp);
    frames.insert({ ...first, sequence: 29_999 }, 5_000);
    unit.forEach((packet, at) => {
      frames.insert({ ...packet, sequence: 30_000 + at }, 5_000);
    });
    expect(frames.next(5_000)).toMatchObject({ key: true });
  });

  it("is no single packet of an odd number", () => {
    const { format, units, packets } = clipOf("av1-svt");
    const frames = new RtpFrames(format);
    const odd = { ...(packets[0] as RtpPacket), sequence: 30_000 };
    const { units: given } = run(frames, [...packets.slice(0, 9), odd, ...packets.slice(9)]);
    expect(given).toHaveLength(units.length);
    expect(frames.counters).toMatchObject({ restarts: 0, stray: 1 });
  });
});

describe.each(CHROMIUM_VIDEOS)("what Chromium sends as $name", ({ name, format }) => {
  const packets = chromiumRtp(name);
  const whole = run(new RtpFrames(format), packets).units;

  it("is a unit for each marker, from a key frame on, with another where one was asked for", () => {
    expect(whole).toHaveLength(packets.filter(({ marker }) => marker).length);
    expect(whole.length).toBeGreaterThan(15);
    expect(whole[0]).toMatchObject({ key: true, width: 320, height: 180 });
    expect(whole.slice(1).some(({ key }) => key)).toBe(true);
    expect(new Set(whole.map(({ layer }) => layer))).toEqual(
      new Set(name === "vp9-layers" ? [0, 1, 2] : [undefined]),
    );
  });

  it("is the same in whatever order it comes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { minLength: 5, maxLength: 40 }), (shifts) => {
        const { units } = run(new RtpFrames(format), shaken(packets, shifts, 12));
        expect(units.map(({ data }) => data)).toEqual(whole.map(({ data }) => data));
      }),
      { numRuns: 20 },
    );
  });

  it("is passed over up to the next key frame where a packet of the first one is lost", () => {
    const frames = new RtpFrames(format);
    const { units, asked } = run(frames, packets.slice(1), 0);
    const second = whole.findIndex(({ key }, index) => index > 0 && key);
    expect(units.map(({ data }) => data)).toEqual(whole.slice(second).map(({ data }) => data));
    expect(asked).toBe(0);
    expect(frames.counters.passedOver).toBeGreaterThan(5);
  });
});
