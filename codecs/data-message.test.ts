import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeData,
  decodeDataMessage,
  encodeData,
  encodeDataMessage,
  MAX_DATA_MESSAGE_BYTES,
} from "./data-message.ts";

describe("a data message", () => {
  it("says any JSON value, in canonical form", () => {
    expect(new TextDecoder().decode(encodeDataMessage({ b: 1, a: [null, "é"] }))).toBe(
      '{"a":[null,"é"],"b":1}',
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const bytes = encodeDataMessage(value);
        const read = decodeDataMessage(bytes);
        expect(read.ok && encodeDataMessage(read.value)).toEqual(bytes);
      }),
    );
  });

  it("has 16 KiB at most", () => {
    expect(encodeDataMessage("x".repeat(MAX_DATA_MESSAGE_BYTES - 2))).toHaveLength(MAX_DATA_MESSAGE_BYTES);
    expect(() => encodeDataMessage("x".repeat(MAX_DATA_MESSAGE_BYTES - 1))).toThrow(
      expect.objectContaining({ code: "too-large", details: { bytes: 16_385, limit: 16_384 } }),
    );
  });

  it("of more than 16 KiB is not read", () => {
    const read = (bytes: number) => decodeDataMessage(new TextEncoder().encode(`"${"x".repeat(bytes - 2)}"`));
    expect(read(MAX_DATA_MESSAGE_BYTES).ok).toBe(true);
    expect(read(MAX_DATA_MESSAGE_BYTES + 1)).toMatchObject({ fault: { code: "too-large" } });
  });

  it.each([undefined, Number.NaN, () => 1, { a: undefined }])("is not %s", (value) => {
    expect(() => encodeDataMessage(value)).toThrow(expect.objectContaining({ code: "json-unrepresentable" }));
  });

  it.each(['{"b":1,"a":2}', " 1", "", "\u00ff"])("is not the bytes of %j", (text) => {
    expect(decodeDataMessage(new TextEncoder().encode(text))).toMatchObject({
      fault: { code: "json-not-canonical" },
    });
  });
});

describe("a message of format text", () => {
  it("is any well-formed text, as UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(decodeData("text", encodeData("text", text))).toEqual({ ok: true, value: text });
      }),
    );
    expect(decodeData("text", encodeData("text", "\ufeff"))).toEqual({ ok: true, value: "\ufeff" });
  });

  it("is nothing else", () => {
    for (const value of ["\ud83d", 1, undefined, new Uint8Array(1)])
      expect(() => encodeData("text", value)).toThrow(expect.objectContaining({ code: "field-invalid" }));
    expect(decodeData("text", Uint8Array.of(0xc3))).toMatchObject({
      ok: false,
      fault: { code: "payload-malformed" },
    });
  });
});

describe("a message of format binary", () => {
  it("is a copy of any bytes, within the limit given", () => {
    const bytes = Uint8Array.of(0, 255, 7);
    const payload = encodeData("binary", bytes);
    bytes.fill(1);
    expect(payload).toEqual(Uint8Array.of(0, 255, 7));
    const read = decodeData("binary", payload);
    payload.fill(1);
    expect(read).toEqual({ ok: true, value: Uint8Array.of(0, 255, 7) });
    expect(() => encodeData("binary", [1])).toThrow(expect.objectContaining({ code: "field-invalid" }));
    expect(() => encodeData("binary", new Uint8Array(9), 8)).toThrow(
      expect.objectContaining({ code: "too-large", details: { bytes: 9, limit: 8 } }),
    );
  });

  it("is no longer than any other", () => {
    expect(decodeData("binary", new Uint8Array(MAX_DATA_MESSAGE_BYTES + 1))).toMatchObject({
      ok: false,
      fault: { code: "too-large" },
    });
  });
});
