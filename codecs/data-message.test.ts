import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeDataMessage, encodeDataMessage, MAX_DATA_MESSAGE_BYTES } from "./data-message.ts";

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
