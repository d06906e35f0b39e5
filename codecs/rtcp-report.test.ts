import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHROMIUM_VIDEOS, chromiumPackets, chromiumRtp } from "../test/generators/chromium-rtp.ts";
import { concatBytes } from "./concat-bytes.ts";
import { ntpToUnixMs } from "./ntp.ts";
import type { Result } from "./result.ts";
import { isRtcp, parseRtcp, type RtcpPacket } from "./rtcp.ts";
import { encodeFullIntra, parseFullIntra } from "./rtcp-fir.ts";
import { encodePictureLoss, parsePictureLoss } from "./rtcp-pli.ts";
import {
  encodeReceiverReport,
  encodeSenderReport,
  parseReceiverReport,
  parseSenderReport,
} from "./rtcp-report.ts";
import { encodeCanonicalName, encodeGoodbye, parseGoodbye } from "./rtcp-source.ts";

const u32 = fc.nat(2 ** 32 - 1);
const block = fc.record({
  ssrc: u32,
  fractionLost: fc.nat(255),
  lost: fc.integer({ min: -(2 ** 23), max: 2 ** 23 - 1 }),
  highest: u32,
  jitter: u32,
  lastReport: u32,
  delay: u32,
});
const receiver = fc.record({ sender: u32, blocks: fc.array(block, { maxLength: 31 }) });
const sender = fc.record({
  sender: u32,
  blocks: fc.array(block, { maxLength: 31 }),
  time: fc.record({ seconds: u32, fraction: u32 }),
  timestamp: u32,
  packets: u32,
  octets: u32,
});

/** Reads the packet of that place in a compound. */
function read<T>(
  bytes: Uint8Array,
  parse: (bytes: Uint8Array, packet: RtcpPacket) => Result<T>,
  place = 0,
): Result<T> {
  const packets = parseRtcp(bytes);
  if (!packets.ok) return packets;
  return parse(bytes, packets.value[place] as RtcpPacket);
}

describe("a report", () => {
  it("is read as it was written, of a sender and of a receiver", () => {
    fc.assert(
      fc.property(sender, receiver, (one, other) => {
        expect(read(encodeSenderReport(one), parseSenderReport)).toEqual({ ok: true, value: one });
        expect(read(encodeReceiverReport(other), parseReceiverReport)).toEqual({ ok: true, value: other });
      }),
    );
  });

  it("is refused where it has fewer blocks than it counts, or is something else", () => {
    const none = encodeReceiverReport({ sender: 1, blocks: [] });
    const counting = none.slice();
    counting[0] = 0x81;
    for (const refused of [
      read(counting, parseReceiverReport),
      read(none, parseSenderReport),
      read(Uint8Array.of(0x80, 200, 0, 1, 0, 0, 0, 1), parseSenderReport),
      read(Uint8Array.of(0x80, 203, 0, 0), parseReceiverReport),
    ])
      expect(refused).toMatchObject({ ok: false, fault: { code: "rtcp-malformed" } });
  });

  it.each(CHROMIUM_VIDEOS)("by Chromium says what time its timestamps are of: $name", ({ name }) => {
    const reports = chromiumPackets(name).filter((bytes) => isRtcp(bytes, 0));
    expect(reports.length).toBeGreaterThan(0);
    const rtp = chromiumRtp(name);
    for (const bytes of reports) {
      const report = read(bytes, parseSenderReport);
      if (!report.ok) throw new Error(report.fault.message);
      const { time, timestamp, packets, sender: ssrc } = report.value;
      expect(ssrc).toBe(rtp[0]?.ssrc);
      expect(packets).toBeLessThanOrEqual(rtp.length);
      expect(new Date(ntpToUnixMs(time.seconds, time.fraction)).getUTCFullYear()).toBe(2026);
      // Of a moment in the two seconds after the first picture.
      expect((timestamp - (rtp[0]?.timestamp ?? 0)) >>> 0).toBeLessThan(2 * 90_000);
    }
  });
});

describe("a compound", () => {
  it("has a report, the source's name, requests for key frames and a goodbye, each to be read", () => {
    const bytes = concatBytes([
      encodeSenderReport({
        ...{ sender: 7, blocks: [], time: { seconds: 1, fraction: 2 } },
        ...{ timestamp: 3, packets: 4, octets: 5 },
      }),
      encodeCanonicalName({ ssrc: 7, name: "parley" }),
      encodePictureLoss({ sender: 7, ssrc: 8 }),
      encodeFullIntra({
        sender: 7,
        streams: [
          { ssrc: 9, number: 200 },
          { ssrc: 10, number: 0 },
        ],
      }),
      encodeGoodbye({ streams: [7], reason: "over" }),
    ]);
    const types = parseRtcp(bytes);
    expect(types.ok && types.value.map(({ type }) => type)).toEqual([200, 202, 206, 206, 203]);
    expect(read(bytes, parseSenderReport)).toMatchObject({ ok: true });
    expect(read(bytes, parsePictureLoss, 2)).toEqual({ ok: true, value: { sender: 7, ssrc: 8 } });
    expect(read(bytes, parseFullIntra, 3)).toEqual({
      ok: true,
      value: {
        sender: 7,
        streams: [
          { ssrc: 9, number: 200 },
          { ssrc: 10, number: 0 },
        ],
      },
    });
    expect(read(bytes, parseGoodbye, 4)).toEqual({ ok: true, value: { streams: [7], reason: "over" } });
    expect(read(bytes, parseFullIntra, 2)).toMatchObject({ ok: false });
    expect(read(bytes, parseGoodbye, 3)).toMatchObject({ ok: false });
  });
});

describe("a full intra request", () => {
  it("is refused where it names no stream, or a part of one", () => {
    for (const entries of [[], [0, 0, 0, 1]]) {
      const words = 2 + entries.length / 4;
      const bytes = Uint8Array.of(0x84, 206, 0, words, 0, 0, 0, 1, 0, 0, 0, 0, ...entries);
      expect(read(bytes, parseFullIntra)).toMatchObject({ ok: false });
    }
    expect(() => encodeFullIntra({ sender: 1, streams: [] })).toThrow();
  });
});

describe("a goodbye", () => {
  it("need give no reason, and is refused where its reason or its sources pass the end", () => {
    expect(read(encodeGoodbye({ streams: [] }), parseGoodbye)).toEqual({ ok: true, value: { streams: [] } });
    expect(read(Uint8Array.of(0x81, 203, 0, 0), parseGoodbye)).toMatchObject({ ok: false });
    expect(read(Uint8Array.of(0x80, 203, 0, 1, 9, 65, 65, 65), parseGoodbye)).toMatchObject({ ok: false });
  });
});
