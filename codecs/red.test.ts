import { describe, expect, it } from "vitest";
import { decodeHex } from "./hex.ts";
import { MAX_RED_BLOCKS, parseRed, writeRed } from "./red.ts";
import type { Result } from "./result.ts";

const hex = (text: string) => {
  const bytes = decodeHex(text.replaceAll(" ", ""));
  if (!bytes.ok) throw new Error(text);
  return bytes.value;
};
const fault = (result: Result<unknown>) => (result.ok ? "ok" : `${result.fault.code} at ${result.fault.at}`);

// Laid out by hand from RFC 2198 section 3: F, type, 14 bits of offset, 10 bits of length; then the last header of one byte.
const TWO = {
  bytes: hex("ef 0780 02  ef 03c0 03  6f  aabb ccddee 01020304"),
  value: {
    earlier: [
      { payloadType: 111, timestampOffset: 0x0780 >> 2, payload: hex("aabb") },
      { payloadType: 111, timestampOffset: 0x03c0 >> 2, payload: hex("ccddee") },
    ],
    payloadType: 111,
    payload: hex("01020304"),
  },
};

describe("redundant payloads", () => {
  it("have the layout of RFC 2198", () => {
    expect(writeRed(TWO.value)).toEqual(TWO.bytes);
    expect(parseRed(TWO.bytes)).toEqual({ ok: true, value: TWO.value });
  });

  it("carry offsets of 14 bits and lengths of 10 at their ends", () => {
    const earlier = [{ payloadType: 0, timestampOffset: 0x3fff, payload: new Uint8Array(0x3ff).fill(7) }];
    const bytes = writeRed({ earlier, payloadType: 0, payload: new Uint8Array(0) });
    expect([...bytes.subarray(0, 5)]).toEqual([0x80, 0xff, 0xff, 0xff, 0x00]);
    expect(parseRed(bytes)).toEqual({
      ok: true,
      value: { earlier, payloadType: 0, payload: new Uint8Array(0) },
    });
  });

  it("may carry nothing besides their own", () => {
    expect(parseRed(hex("6f 0102"))).toEqual({
      ok: true,
      value: { earlier: [], payloadType: 111, payload: hex("0102") },
    });
  });

  it.each([
    ["nothing", "", "byte 0"],
    ["half a header", "ef 07", "byte 0"],
    ["no last header", "ef 078001", "byte 4"],
    ["fewer bytes than an earlier payload has", "ef 078003 6f aabb", "byte 5"],
    ["more earlier payloads than are taken", "ef078000".repeat(MAX_RED_BLOCKS + 1), "byte 16"],
  ])("with %s are malformed", (_, text, at) => {
    expect(fault(parseRed(hex(text)))).toBe(`payload-malformed at ${at}`);
  });
});
