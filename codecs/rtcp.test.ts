import { describe, expect, it } from "vitest";
import { decodeHex, encodeHex } from "./hex.ts";
import { isRtcp, parseRtcp, type RtcpPacket } from "./rtcp.ts";
import {
  type ArrivalReport,
  arrivalEntry,
  arrivalOf,
  ecnOf,
  encodeArrivalReport,
  hasArrived,
  parseArrivalReport,
} from "./rtcp-arrivals.ts";
import { encodeRemb, parseRemb } from "./rtcp-remb.ts";

/** RFC 8888, section 3.1, figure 1, filled in by hand. */
const REPORT_OCTETS = [
  "8bcd000b", // version 2, FMT 11, PT 205, twelve words in all
  "01020304", // who reports
  "aabbccdd", // first stream
  "fffe0003", // from sequence number 65,534, three packets
  "8400", // arrived 1,024/1,024 s before the report
  "0000", // did not arrive
  "e001", // arrived, congestion experienced, 1/1,024 s before
  "0000", // padding to 32 bits
  "00000007", // second stream
  "00100000", // nothing
  "00000008", // third stream
  "00110002", // two packets from 17
  "9ffe", // arrived longer ago than can be told
  "9fff", // arrived at a time that is not told
  "fffefdfc", // when the report was made
].join("");
const REPORT: ArrivalReport = {
  sender: 0x01020304,
  streams: [
    { ssrc: 0xaabbccdd, begin: 65_534, packets: Uint16Array.of(0x8400, 0, 0xe001) },
    { ssrc: 7, begin: 16, packets: new Uint16Array(0) },
    { ssrc: 8, begin: 17, packets: Uint16Array.of(0x9ffe, 0x9fff) },
  ],
  time: 0xfffefdfc,
};

/** draft-alvestrand-rmcat-remb-03, section 2.2, filled in by hand: 0x28000 * 2^3 = 1,310,720 bit/s of two streams. */
const REMB_OCTETS = "8fce0006" + "01020304" + "00000000" + "52454d42" + "020e8000" + "00000007" + "00000008";

describe("RTCP", () => {
  it("is told from RTP by its second byte", () => {
    expect(isRtcp(bytesOf("8bcd"), 0)).toBe(true);
    expect(isRtcp(bytesOf("0080c8"), 1)).toBe(true);
    expect(isRtcp(bytesOf("90ef"), 0)).toBe(false); // opus, 111, with a marker
    expect(isRtcp(bytesOf("906f"), 0)).toBe(false);
    expect(isRtcp(bytesOf("80c7"), 0)).toBe(false);
    expect(isRtcp(bytesOf("80d6"), 0)).toBe(false);
    expect(isRtcp(bytesOf("4bcd"), 0)).toBe(false); // another version
    expect(isRtcp(bytesOf("80"), 0)).toBe(false);
  });

  it("is taken apart packet by packet, behind a flow identifier, without its padding", () => {
    const padded = "a1c90003" + "0000002a" + "cafe0000" + "00000004";
    expect(parseRtcp(bytesOf(`07${REMB_OCTETS}${padded}`), 1)).toEqual({
      ok: true,
      value: [
        { type: 206, count: 15, offset: 1, end: 29 },
        { type: 201, count: 1, offset: 29, end: 41 },
      ],
    });
  });

  it.each([
    ["nothing", ""],
    ["part of a header", "80c9"],
    ["another version", "40c90000"],
    ["RTP", "906f0000"],
    ["a length beyond its end", "80c90001"],
    ["less than a header after a packet", "80c9000080"],
    ["padding before its end", "a0c90001000000048" + "0c90000"],
    ["padding of nothing", "a0c9000100000000"],
    ["padding of no whole word", "a0c9000100000003"],
    ["padding of more than there is", "a0c9000100000008"],
  ])("is not %s", (_, hex) => {
    expect(parseRtcp(bytesOf(hex))).toMatchObject({ ok: false, fault: { code: "rtcp-malformed" } });
  });
});

describe("congestion control feedback", () => {
  it("has the octets of RFC 8888", () => {
    expect(encodeHex(encodeArrivalReport(REPORT))).toBe(REPORT_OCTETS);
  });

  it("is read from them", () => {
    const bytes = bytesOf(REPORT_OCTETS);
    expect(parseArrivalReport(bytes, onlyPacket(bytes))).toEqual({ ok: true, value: REPORT });
  });

  it("says of each packet whether it arrived, when, and with which ECN bits", () => {
    const [first, second, third] = REPORT.streams[0]?.packets ?? [];
    expect([first, second, third].map((entry) => hasArrived(entry ?? 0))).toEqual([true, false, true]);
    expect([first, second, third].map((entry) => arrivalOf(entry ?? 0))).toEqual([1_024, undefined, 1]);
    expect([first, second, third].map((entry) => ecnOf(entry ?? 0))).toEqual([0, 0, 3]);
    // Without a time they arrived all the same.
    for (const entry of REPORT.streams[2]?.packets ?? []) {
      expect(hasArrived(entry)).toBe(true);
      expect(arrivalOf(entry)).toBeUndefined();
    }
  });

  it("tells offsets up to 8,189 exactly, and that others are longer", () => {
    expect(arrivalOf(arrivalEntry(0))).toBe(0);
    expect(arrivalOf(arrivalEntry(8_189))).toBe(8_189);
    expect(arrivalEntry(8_190)).toBe(0x9ffe);
    expect(arrivalEntry(1e6, 1)).toBe(0xbffe);
  });

  it.each([
    ["another format", "8acd0002" + "00000001" + "00000002"],
    ["no time", "8bcd0001" + "00000001"],
    ["a stream that is cut off", "8bcd0003" + "00000001" + "00000007" + "00000002"],
    ["more packets than it has", "8bcd0004" + "00000001" + "00000007" + "00000001" + "00000002"],
    ["more packets than it may have", "8bcd0004" + "00000001" + "00000007" + "00004001" + "00000002"],
  ])("is refused with %s", (_, hex) => {
    const bytes = bytesOf(hex);
    expect(parseArrivalReport(bytes, onlyPacket(bytes))).toMatchObject({
      ok: false,
      fault: { code: "rtcp-malformed" },
    });
  });

  it("is not written with what does not fit", () => {
    const stream = { ssrc: 1, begin: 0, packets: new Uint16Array(16_385) };
    expect(() => encodeArrivalReport({ ...REPORT, streams: [stream] })).toThrow("packets.length");
    expect(() => encodeArrivalReport({ ...REPORT, time: 2 ** 32 })).toThrow("time");
  });
});

describe("REMB", () => {
  it("has the octets of its draft", () => {
    const remb = { sender: 0x01020304, bitsPerSecond: 1_310_720, streams: [7, 8] };
    expect(encodeHex(encodeRemb(remb))).toBe(REMB_OCTETS);
    const bytes = bytesOf(REMB_OCTETS);
    expect(parseRemb(bytes, onlyPacket(bytes))).toEqual({ ok: true, value: remb });
  });

  it.each([0, 1, 64_000, 262_143, 262_144, 2_500_001, 1e9, Number.MAX_SAFE_INTEGER])(
    "keeps 18 significant bits of %d and never says more",
    (bitsPerSecond) => {
      const bytes = encodeRemb({ sender: 1, bitsPerSecond, streams: [] });
      const read = parseRemb(bytes, onlyPacket(bytes));
      const told = read.ok ? read.value.bitsPerSecond : Number.NaN;
      expect(told).toBeLessThanOrEqual(bitsPerSecond);
      expect(told).toBeGreaterThanOrEqual(bitsPerSecond * (1 - 2 ** -17));
    },
  );

  it("counts a rate beyond all counting as the largest there is", () => {
    const bytes = bytesOf("8fce0004" + "00000001" + "00000000" + "52454d42" + "00ffffff");
    expect(parseRemb(bytes, onlyPacket(bytes))).toMatchObject({
      ok: true,
      value: { bitsPerSecond: Number.MAX_SAFE_INTEGER },
    });
  });

  it.each([
    ["another name", "8fce0004" + "00000001" + "00000000" + "52454d43" + "000e8000"],
    ["too little", "8fce0003" + "00000001" + "00000000" + "52454d42"],
    [
      "fewer streams than it counts",
      "8fce0005" + "00000001" + "00000000" + "52454d42" + "020e8000" + "00000007",
    ],
    ["another format", "81ce0004" + "00000001" + "00000000" + "52454d42" + "000e8000"],
  ])("is refused with %s", (_, hex) => {
    const bytes = bytesOf(hex);
    expect(parseRemb(bytes, onlyPacket(bytes))).toMatchObject({
      ok: false,
      fault: { code: "rtcp-malformed" },
    });
  });
});

function bytesOf(hex: string): Uint8Array {
  const bytes = decodeHex(hex);
  if (!bytes.ok) throw new Error(bytes.fault.message);
  return bytes.value;
}

function onlyPacket(bytes: Uint8Array): RtcpPacket {
  const parsed = parseRtcp(bytes);
  if (!parsed.ok || parsed.value[0] === undefined) throw new Error("no RTCP");
  return parsed.value[0];
}
