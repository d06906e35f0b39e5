import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

// RFC 4648 section 10, padding removed.
it.each([
  ["", ""],
  ["f", "Zg"],
  ["fo", "Zm8"],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg"],
  ["fooba", "Zm9vYmE"],
  ["foobar", "Zm9vYmFy"],
])("codes %j as %j", (plain, coded) => {
  expect(encodeBase64url(utf8(plain))).toBe(coded);
  expect(decodeBase64url(coded)).toEqual({ ok: true, value: utf8(plain) });
});

it("agrees with the platform's own coder and reads back what it wrote", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = encodeBase64url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(decodeBase64url(text)).toEqual({ ok: true, value: bytes });
    }),
  );
});

it.each([
  ["padding", "Zg=="],
  ["white space", "Zm9 v"],
  ["a line break", "Zm9v\n"],
  ["the plain alphabet", "+/+/"],
  ["one character over", "Zm9vY"],
  ["unused bits, two characters", "Zh"],
  ["unused bits, three characters", "Zm9"],
  ["a wide character", "Zm9é"],
  ["an even wider character", "Zm\u{1f600}"],
])("refuses %s", (_, text) => {
  expect(decodeBase64url(text, "offer.key")).toMatchObject({
    ok: false,
    fault: { code: "field-invalid", at: "offer.key" },
  });
});

it("accepts exactly one text for each value", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      const read = decodeBase64url(text);
      expect(!read.ok || encodeBase64url(read.value) === text).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
