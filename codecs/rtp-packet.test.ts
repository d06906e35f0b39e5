import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHROMIUM_VIDEOS, chromiumPackets } from "../test/generators/chromium-rtp.ts";
import { ntpToUnixMs, unixMsToNtp } from "./ntp.ts";
import { isRtcp } from "./rtcp.ts";
import {
  type AudioLevel,
  audioLevelBytes,
  captureTimeBytes,
  readAudioLevel,
  readCaptureTime,
} from "./rtp-extensions.ts";
import { parseRtpPacket, type RtpPacket, writeRtpPacket } from "./rtp-packet.ts";

const PLAIN: RtpPacket = {
  marker: true,
  payloadType: 96,
  sequence: 65_535,
  timestamp: 2 ** 32 - 1,
  ssrc: 0x01020304,
  extensions: [],
  payload: Uint8Array.of(9, 8, 7),
};

function parsed(bytes: Uint8Array): RtpPacket {
  const packet = parseRtpPacket(bytes);
  if (!packet.ok) throw new Error(`${packet.fault.message} at ${packet.fault.at}`);
  return packet.value;
}

describe("an RTP packet", () => {
  it("is read as it was written, with elements of either form", () => {
    const bytes = (most: number) => fc.uint8Array({ minLength: 0, maxLength: most });
    const element = fc.oneof(
      fc.record({
        id: fc.integer({ min: 1, max: 14 }),
        data: fc.uint8Array({ minLength: 1, maxLength: 16 }),
      }),
      fc.record({ id: fc.integer({ min: 1, max: 255 }), data: bytes(255) }),
    );
    const packets = fc.record({
      marker: fc.boolean(),
      payloadType: fc.nat(127),
      sequence: fc.nat(65_535),
      timestamp: fc.nat(2 ** 32 - 1),
      ssrc: fc.nat(2 ** 32 - 1),
      extensions: fc.array(element, { maxLength: 6 }),
      payload: bytes(50),
    });
    fc.assert(
      fc.property(packets, (packet) => {
        expect(parsed(writeRtpPacket(packet))).toEqual(packet);
      }),
    );
  });

  it.each([...CHROMIUM_VIDEOS.map(({ name }) => name), "opus"])(
    "by Chromium is read, and written again byte for byte: %s",
    (name) => {
      const packets = chromiumPackets(name).filter((bytes) => !isRtcp(bytes, 0));
      for (const bytes of packets) {
        const packet = parsed(bytes);
        // Padding is not kept: those that have it are nothing else.
        const padding = bytes.length - writeRtpPacket(packet).length;
        expect(padding > 0).toBe(packet.payload.length === 0);
        if (padding === 0) expect(writeRtpPacket(packet)).toEqual(bytes);
      }
      expect(packets.length).toBeGreaterThan(40);
    },
  );

  it("is read with contributing sources, padding and an extension of unknown shape passed over", () => {
    const plain = writeRtpPacket(PLAIN);
    const odd = Uint8Array.of(
      ...[0xb1, ...plain.subarray(1, 12), 1, 1, 1, 1],
      ...[0xab, 0xcd, 0, 1, 5, 5, 5, 5, 9, 8, 7, 0, 2],
    );
    expect(parsed(odd)).toEqual(PLAIN);
  });

  it.each([
    ["shorter than its header", [0x80, 96, 0, 1]],
    ["of another version", [0x40, ...new Array(11).fill(0)]],
    ["padding", [0xa0, ...new Array(10).fill(0), 9]],
    ["padding", [0xa0, ...new Array(11).fill(0)]],
    ["contributing sources pass the end", [0x81, ...new Array(11).fill(0)]],
    ["extensions pass the end", [0x90, ...new Array(11).fill(0)]],
    ["extensions pass the end", [0x90, ...new Array(11).fill(0), 0xbe, 0xde, 0, 1, 0]],
  ])("is refused: %s", (message, bytes) => {
    expect(parseRtpPacket(Uint8Array.from(bytes))).toMatchObject({
      ok: false,
      fault: { code: "rtp-malformed", message },
    });
  });

  it("ends its elements at one that is cut, or at identifier 15", () => {
    const head = [0x90, ...new Array(11).fill(0), 0xbe, 0xde, 0, 2];
    const cut = parsed(Uint8Array.of(...head, 0x10, 7, 0, 0, 0x2f, 1, 1, 1));
    expect(cut.extensions).toEqual([{ id: 1, data: Uint8Array.of(7) }]);
    const ended = parsed(Uint8Array.of(...head, 0x10, 7, 0xf0, 1, 0x20, 1, 0, 0));
    expect(ended.extensions).toEqual([{ id: 1, data: Uint8Array.of(7) }]);
  });

  it.each([
    { ...PLAIN, sequence: 65_536 },
    { ...PLAIN, payloadType: 128 },
    { ...PLAIN, timestamp: -1 },
    { ...PLAIN, extensions: [{ id: 0, data: Uint8Array.of(1) }] },
    { ...PLAIN, extensions: [{ id: 15, data: new Uint8Array(256) }] },
  ])("is not written with what does not fit: %#", (packet) => {
    expect(() => writeRtpPacket(packet)).toThrow();
  });
});

describe("what an element says", () => {
  it("is how loud a packet is, and whether it is voice", () => {
    for (const level of [0, 1, 64, 127])
      for (const voice of [true, false])
        expect(readAudioLevel(audioLevelBytes({ level, voice }))).toEqual<AudioLevel>({ level, voice });
    expect(readAudioLevel(audioLevelBytes({ level: 300, voice: false }))?.level).toBe(127);
    expect(readAudioLevel(new Uint8Array())).toBeUndefined();
  });

  it("is when something was captured, by which clock", () => {
    const captured = unixMsToNtp(1_795_000_000_123);
    const data = captureTimeBytes(captured);
    expect(readCaptureTime(data)).toEqual({ captured });
    // A clock that is a quarter of a second behind.
    const behind = Uint8Array.of(...data, 0xff, 0xff, 0xff, 0xff, 0xc0, 0, 0, 0);
    expect(readCaptureTime(behind)).toEqual({ captured, offsetMs: -250 });
    expect(readCaptureTime(data.subarray(1))).toBeUndefined();
  });

  it("is what Chromium says: voice of a level, and a capture time not long before the packets of its capture", () => {
    const packets = chromiumPackets("opus")
      .filter((bytes) => !isRtcp(bytes, 0))
      .map(parsed);
    const levels = packets.flatMap(({ extensions }) =>
      extensions.flatMap(({ id, data }) => (id === 1 ? [readAudioLevel(data)?.level ?? -1] : [])),
    );
    expect(levels).toHaveLength(packets.length);
    expect(Math.min(...levels)).toBeGreaterThanOrEqual(0);
    const times = packets.flatMap(({ extensions, timestamp }) =>
      extensions.flatMap(({ id, data }) => {
        const time = id === 5 ? readCaptureTime(data) : undefined;
        if (time === undefined) return [];
        return [{ timestamp, at: ntpToUnixMs(time.captured.seconds, time.captured.fraction) }];
      }),
    );
    expect(times.length).toBeGreaterThan(1);
    const [first, last] = [times[0], times.at(-1)] as [(typeof times)[0], (typeof times)[0]];
    expect(new Date(first.at).getUTCFullYear()).toBe(2026);
    const passed = (((last.timestamp - first.timestamp) >>> 0) * 1_000) / 48_000;
    expect(Math.abs(last.at - first.at - passed)).toBeLessThan(60);
  });
});
