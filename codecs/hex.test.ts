import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeHex, encodeHex } from "./hex.ts";

it("agrees with the platform's own coder and reads back what it wrote", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const text = encodeHex(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("hex"));
      expect(decodeHex(text, bytes.length)).toEqual({ ok: true, value: bytes });
    }),
  );
});

it.each(["A0", "0", "0x00", " 00", "00\n", "gg", "é0", "\uff11\uff11"])("refuses %j", (text) => {
  expect(decodeHex(text, undefined, "kid")).toMatchObject({
    ok: false,
    fault: { code: "field-invalid", at: "kid" },
  });
});

it("refuses another length than wanted", () => {
  expect(decodeHex("0011", 3).ok).toBe(false);
  expect(decodeHex("001122", 3)).toEqual({ ok: true, value: new Uint8Array([0, 0x11, 0x22]) });
  expect(decodeHex("")).toEqual({ ok: true, value: new Uint8Array(0) });
});
