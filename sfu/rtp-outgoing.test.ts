import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIvf } from "../codecs/ivf.ts";
import { ntpToUnixMs } from "../codecs/ntp.ts";
import { readAudioLevel, readCaptureTime } from "../codecs/rtp-extensions.ts";
import { parseRtpPacket, type RtpPacket } from "../codecs/rtp-packet.ts";
import { readVideoUnit } from "../codecs/video-payload.ts";
import { RtpFrames } from "./rtp-frames.ts";
import { RtpOrder } from "./rtp-order.ts";
import { MOST_PACKET_BYTES, OutgoingVideo } from "./rtp-outgoing-video.ts";
import { MOST_LOST_FRAMES, MOST_OVERTAKEN, OutgoingVoice } from "./rtp-outgoing-voice.ts";
import type { VoiceFrame } from "./voice-frame.ts";

const WALL = 1_795_000_000_000;
const FIRST = { sequence: 65_530, timestamp: 2 ** 32 - 4_000 };
const EXTENSIONS = { audioLevel: 6, captureTime: 10 };

function voice(): OutgoingVoice {
  const stream = { ssrc: 77, payloadType: 111, clockRate: 48_000, first: FIRST, extensions: EXTENSIONS };
  return new OutgoingVoice({ ...stream, frameTicks: 960 });
}

/** The frame of that number of a voice that speaks without pause; `shift`: of another source. */
function frame(index: number, more: Partial<VoiceFrame> = {}): VoiceFrame {
  return {
    payload: Uint8Array.of(0x78, index & 0xff),
    sequence: 2 ** 32 + index,
    timestamp: (2 ** 32 - 10_000 + index * 960) >>> 0,
    epoch: 0,
    capturedAt: WALL + index * 20,
    level: 20,
    voice: true,
    startOfTurn: false,
    ...more,
  };
}

function read(bytes: Uint8Array | undefined): RtpPacket {
  const packet = bytes && parseRtpPacket(bytes);
  if (packet?.ok !== true) throw new Error("no packet");
  return packet.value;
}

/** How far a packet is from the first: in numbers, and in ticks. */
function distance({ sequence, timestamp }: RtpPacket): [number, number] {
  return [((sequence - FIRST.sequence) << 16) >> 16, (timestamp - FIRST.timestamp) | 0];
}

describe("a voice that goes out", () => {
  it("keeps the distances of its frames, over the wrap, so that what is missing looks like loss", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(150), { minLength: 1, maxLength: 60 }), (some) => {
        const out = voice();
        const indices = some.sort((a, b) => a - b);
        const [first] = indices as [number];
        const packets = indices.map((index) => read(out.send(frame(index))));
        expect(packets.map(distance)).toEqual(indices.map((index) => [index - first, (index - first) * 960]));
        expect(packets.map(({ marker }) => marker)).toEqual(indices.map((_, at) => at === 0));
        expect(out.counters).toMatchObject({
          sent: indices.length,
          gaps: (indices.at(-1) ?? 0) - first + 1 - indices.length,
          resumptions: 0,
        });
        expect(packets[0]?.payload).toEqual(frame(first).payload);
      }),
    );
  });

  it("sends what was overtaken in its place, unless that is long over", () => {
    const out = voice();
    const order = [0, 1, 3, 2, 4 + MOST_OVERTAKEN, 4, 3];
    const sent = order.map((index) => out.send(frame(index)));
    expect(sent.map((bytes) => bytes && distance(read(bytes))[0])).toEqual([
      ...[0, 1, 3, 2, 4 + MOST_OVERTAKEN, 4],
      undefined,
    ]);
    expect(out.counters.dropped.late).toBe(1);
  });

  it("goes on without a gap in its numbers after an interrupt, and never back to what was said before it", () => {
    const out = voice();
    for (let index = 0; index < 5; index += 1) out.send(frame(index));
    // Ten frames were flushed.
    const next = read(out.send(frame(15, { epoch: 1 })));
    expect(distance(next)).toEqual([5, 15 * 960]);
    expect(next.marker).toBe(true);
    expect(out.send(frame(6))).toBeUndefined();
    expect(distance(read(out.send(frame(16, { epoch: 1 }))))).toEqual([6, 16 * 960]);
    expect(out.counters).toMatchObject({ gaps: 0, resumptions: 1, dropped: { outdated: 1 } });
  });

  it("goes on where another stream takes its place, or its speaker begins anew, with numbers and times of its own", () => {
    const out = voice();
    for (let index = 0; index < 5; index += 1) out.send(frame(index, { epoch: 7 }));
    out.replaced();
    const other = { sequence: 3, timestamp: 5, capturedAt: WALL + 200 };
    expect(distance(read(out.send(frame(0, other))))).toEqual([5, 10 * 960]);
    expect(
      distance(read(out.send(frame(0, { sequence: 4, timestamp: 965, capturedAt: WALL + 220 })))),
    ).toEqual([...[6, 11 * 960]]);
    const anew = { sequence: 400, timestamp: 2 ** 31, capturedAt: WALL + 2_000 };
    expect(distance(read(out.send(frame(0, anew))))).toEqual([7, 100 * 960]);
    expect(out.counters).toMatchObject({ gaps: 0, resumptions: 2 });
  });

  it("does not go back to before a turn for what was overtaken by its first frame", () => {
    const out = voice();
    for (let index = 0; index < 5; index += 1) out.send(frame(index));
    out.send(frame(15, { epoch: 1 }));
    expect(out.send(frame(14, { epoch: 1 }))).toBeUndefined();
    expect(out.counters.dropped.late).toBe(1);
  });

  it("goes on in time where its speaker begins anew with other timestamps", () => {
    const out = voice();
    out.send(frame(0));
    const anew = frame(1, { timestamp: 2 ** 31 });
    expect(distance(read(out.send(anew)))).toEqual([1, 960]);
    expect(out.counters.resumptions).toBe(1);
  });

  it("takes a gap that nobody would make up for a pause", () => {
    const out = voice();
    out.send(frame(0));
    expect(distance(read(out.send(frame(MOST_LOST_FRAMES))))[0]).toBe(MOST_LOST_FRAMES);
    const far = read(out.send(frame(2 * MOST_LOST_FRAMES + 1)));
    expect(distance(far)).toEqual([MOST_LOST_FRAMES + 1, (2 * MOST_LOST_FRAMES + 1) * 960]);
    expect(far.marker).toBe(true);
  });

  it("does not go back in time where the clocks of two streams disagree", () => {
    const out = voice();
    out.send(frame(10));
    out.replaced();
    expect(distance(read(out.send(frame(0, { sequence: 1, timestamp: 1 }))))).toEqual([1, 960]);
  });

  it("says how loud it is, where that was signed, and once a second when it was captured", () => {
    const out = voice();
    const packets = Array.from({ length: 101 }, (_, index) =>
      read(out.send(frame(index, index === 3 ? { level: undefined } : {}))),
    );
    const of = (id: number) =>
      packets.flatMap(({ extensions }, index) =>
        extensions.flatMap((one) => (one.id === id ? [{ index, data: one.data }] : [])),
      );
    expect(of(6).map(({ index }) => index)).toEqual(
      packets.map((_, index) => index).filter((at) => at !== 3),
    );
    expect(readAudioLevel(of(6)[0]?.data ?? new Uint8Array())).toEqual({ level: 20, voice: true });
    expect(of(10).map(({ index }) => index)).toEqual([0, 50, 100]);
    const time = readCaptureTime(of(10)[1]?.data ?? new Uint8Array());
    expect(ntpToUnixMs(time?.captured.seconds ?? 0, time?.captured.fraction ?? 0)).toBeCloseTo(
      WALL + 1_000,
      3,
    );
  });

  it("reports what time its timestamps are of", () => {
    const out = voice();
    expect(out.report(WALL)).toBeUndefined();
    for (let index = 0; index < 10; index += 1) out.send(frame(index));
    const report = out.report(WALL + 1_000);
    expect(report).toMatchObject({ sender: 77, packets: 10, octets: 20, blocks: [] });
    expect(((report?.timestamp ?? 0) - FIRST.timestamp) | 0).toBe(48_000);
    expect(ntpToUnixMs(report?.time.seconds ?? 0, report?.time.fraction ?? 0)).toBeCloseTo(WALL + 1_000, 3);
  });

  it("comes out of what puts RTP in order, whatever came of it", () => {
    const out = voice();
    const order = new RtpOrder<RtpPacket>();
    for (const index of [0, 1, 2, 5, 6]) order.insert(read(out.send(frame(index))), index * 20);
    const heard: [number, number][] = [];
    for (let one = order.next(500); one !== undefined; one = order.next(500))
      heard.push([one.packet.payload[1] as number, one.missing]);
    expect(heard).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [5, 2],
      [6, 0],
    ]);
  });
});

describe.each(["vp8-layers", "vp9-superframes", "av1-libaom"])("a video that goes out: %s", (name) => {
  const file = new URL(`../test/vectors/ffmpeg/${name}.ivf`, import.meta.url);
  const ivf = parseIvf(new Uint8Array(readFileSync(file)));
  if (!ivf.ok) throw new Error(ivf.fault.message);
  const { format } = ivf.value;
  const units = ivf.value.frames.map(({ data }, index) => {
    const facts = readVideoUnit(format, data);
    return { data, key: facts.ok && facts.value.key, capturedAt: WALL + index * 33.4 };
  });
  const video = () =>
    new OutgoingVideo({
      ...{ format, ssrc: 78, payloadType: 96, firstPicture: 32_760 },
      ...{ first: FIRST, extensions: EXTENSIONS },
    });
  const send = (out: OutgoingVideo, unit: (typeof units)[number]): RtpPacket[] => {
    const packets = out.send(unit);
    if (!packets.ok) throw new Error(packets.fault.message);
    for (const { length } of packets.value) expect(length).toBeLessThanOrEqual(MOST_PACKET_BYTES);
    return packets.value.map(read);
  };

  it("is its units again at the receiver, byte for byte, each with its time", () => {
    const out = video();
    const frames = new RtpFrames(format);
    let packets = 0;
    units.forEach((unit, index) => {
      const sent = send(out, unit);
      packets += sent.length;
      expect(sent.map(({ marker }) => marker)).toEqual(sent.map((_, at) => at === sent.length - 1));
      for (const packet of sent) frames.insert(packet, index);
      const got = frames.next(index);
      expect(got?.data).toEqual(unit.data);
      expect(((got?.timestamp ?? 0) - FIRST.timestamp) | 0).toBe(Math.round(index * 33.4 * 90));
    });
    expect(out.counters).toMatchObject({ units: units.length, packets, dropped: { "awaiting-key": 0 } });
    expect(frames.counters.incomplete).toBe(0);
  });

  it("begins with a key frame, and so does what takes its place, without a gap", () => {
    const out = video();
    const frames = new RtpFrames(format);
    expect(send(out, units[1] as (typeof units)[number])).toEqual([]);
    expect(out.awaitsKey).toBe(true);
    const [key, ...deltas] = units
      .filter(({ key }) => key)
      .slice(0, 1)
      .concat(units.slice(1, 4)) as typeof units;
    for (const unit of [key, ...deltas] as typeof units)
      for (const packet of send(out, unit)) frames.insert(packet, 0);
    out.replaced();
    expect(send(out, units[2] as (typeof units)[number])).toEqual([]);
    // Captured a moment before what was shown last, by another clock.
    for (const packet of send(out, { ...(key as (typeof units)[number]), capturedAt: WALL + 10 }))
      frames.insert(packet, 1);
    const times: number[] = [];
    for (let unit = frames.next(1); unit !== undefined; unit = frames.next(1)) times.push(unit.timestamp | 0);
    expect(times).toHaveLength(5);
    for (let at = 1; at < 5; at += 1)
      expect(((times[at] as number) - (times[at - 1] as number)) | 0).toBeGreaterThan(0);
    expect(out.counters.dropped["awaiting-key"]).toBe(2);
  });

  it("needs a key frame after what is no unit", () => {
    const out = video();
    send(out, units[0] as (typeof units)[number]);
    expect(out.send({ data: Uint8Array.of(0xff), key: false, capturedAt: WALL })).toMatchObject({
      ok: false,
    });
    expect(out.awaitsKey).toBe(true);
    expect(out.counters.dropped.malformed).toBe(1);
  });

  it("reports what time its timestamps are of", () => {
    const out = video();
    send(out, units[0] as (typeof units)[number]);
    const report = out.report(WALL + 500);
    expect(((report?.timestamp ?? 0) - FIRST.timestamp) | 0).toBe(45_000);
  });
});
