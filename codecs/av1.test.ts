import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseAv1Payload,
  parseTemporalUnit,
  readAv1Facts,
  writeAv1Payload,
  writeTemporalUnit,
} from "./av1.ts";
import { leb128Bytes, type Obu, readLeb128 } from "./av1-obu.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex.replaceAll(" ", ""));
const obus = (hex: string): readonly Obu[] => {
  const read = parseTemporalUnit(bytes(hex));
  if (!read.ok) throw new Error(read.fault.message);
  return read.value;
};

/** Units of kinds that are sent. */
const anyObu: fc.Arbitrary<Obu> = fc
  .record({
    type: fc.constantFrom(1, 3, 4, 5, 6, 7, 15),
    layer: fc.option(fc.integer({ min: 0, max: 7 })),
    content: fc.uint8Array({ maxLength: 200 }),
  })
  .map(({ type, layer, content }) =>
    layer === null
      ? { type, header: Uint8Array.of(type << 3), content }
      : { type, header: Uint8Array.of((type << 3) | 4, layer << 5), content, layer },
  );

describe("an AV1 payload", () => {
  it("gives back its units, however many", () => {
    fc.assert(
      fc.property(fc.array(anyObu, { minLength: 1, maxLength: 6 }), fc.boolean(), (units, starts) => {
        const payload = writeAv1Payload(units, starts);
        expect(((payload[0] as number) & 0x08) !== 0).toBe(starts);
        expect(parseAv1Payload(payload)).toEqual({ ok: true, value: units });
        const unit = writeTemporalUnit(units);
        expect(unit.subarray(0, 2)).toEqual(Uint8Array.of(0x12, 0));
        expect(parseTemporalUnit(unit)).toMatchObject({ value: [{ type: 2 }, ...units] });
      }),
    );
  });

  it("leaves out temporal delimiters, tile lists and sizes, and puts the sizes and one delimiter back", () => {
    const unit = "1200 0a02aabb 4201cc 3203010203";
    expect(writeAv1Payload(obus(unit), true).toHex()).toBe("28" + "0308aabb" + "30010203");
    expect(writeTemporalUnit(obus(unit)).toHex()).toBe("12000a02aabb3203010203");
    expect(writeAv1Payload(obus("0a01aa 2a01bb 2a01cc 3201dd"), false).toHex()).toBe(
      "00" + "0208aa" + "0228bb" + "0228cc" + "0230dd",
    );
  });

  it("may have sizes inside its units, and delimiters", () => {
    const read = parseAv1Payload(bytes("30 021200 030a01aa 3201dd"));
    expect(read.ok && writeTemporalUnit(read.value).toHex()).toBe("12000a01aa3201dd");
  });

  it.each([
    ["empty (byte 0)", ""],
    ["not a whole temporal unit (byte 0)", "90 30aa"],
    ["not a whole temporal unit (byte 0)", "50 30aa"],
    ["no units (byte 1)", "10"],
    ["no units (byte 1)", "10 1200"],
    ["an element that passes the end (byte 1)", "00 0330aa"],
    ["an element that passes the end (byte 1)", "00 80808080808080808001"],
    ["fewer elements than announced (byte 2)", "20 0230aa"],
    ["more than one unit in an element (byte 1)", "10 3201aa3201bb"],
    ["a unit without a header (byte 2)", "00 00"],
    ["a unit with its forbidden bit set (byte 1)", "10 b0aa"],
    ["a unit that ends within its header (byte 1)", "10 34"],
    ["a size that cannot be read (byte 2)", "10 3280"],
    ["a unit that passes the end (byte 1)", "10 3202aa"],
  ])("is refused: %s", (message, hex) => {
    const read = parseAv1Payload(bytes(hex));
    expect(read.ok ? "none" : `${read.fault.message} (${read.fault.at})`).toBe(`AV1 payload: ${message}`);
  });

  it("of more units than any encoder makes is refused before they are looked at", () => {
    const many = bytes(`00${"0130".repeat(1_025)}`);
    expect(parseAv1Payload(many)).toMatchObject({ fault: { message: "AV1 payload: too many units" } });
    expect(parseAv1Payload(many.subarray(0, -2)).ok).toBe(true);
    expect(parseTemporalUnit(bytes("3200".repeat(1_025)))).toMatchObject({
      fault: { message: "AV1 payload: too many units" },
    });
  });
});

describe("a temporal unit", () => {
  // Profile 0, level 0, 9 and 8 bits for width and height, 320 by 180.
  const sequence = (timing: string): Uint8Array => {
    const bits = `000 0 0 ${timing} 0 00000 000000000000 00000 1000 0111 100111111 10110011`.replaceAll(
      " ",
      "",
    );
    return Uint8Array.from(bits.match(/.{1,8}/g) ?? [], (byte) => Number.parseInt(byte.padEnd(8, "0"), 2));
  };
  const unit = (header: Uint8Array, frame: string) =>
    obus(`0a${Uint8Array.of(header.length).toHex()}${header.toHex()} 3201${frame}`);
  const key = { ok: true, value: { key: true, width: 320, height: 180 } };

  it("with a sequence header and a key frame that is shown is one to begin at", () => {
    expect(readAv1Facts(unit(sequence("0"), "10"))).toEqual(key);
    expect(readAv1Facts(obus("320110"))).toEqual({ ok: true, value: { key: false } });
    // Shown later, shown again, an inter frame.
    for (const frame of ["00", "90", "30"]) {
      expect(readAv1Facts(unit(sequence("0"), frame))).toEqual({ ok: true, value: { key: false } });
    }
  });

  it("says its size behind timing, too", () => {
    const time = "1".padStart(32, "0");
    expect(readAv1Facts(unit(sequence(`1 ${time}${time} 1 00101 0`), "10"))).toEqual(key);
  });

  it("of a still picture is one to begin at", () => {
    const still = Uint8Array.of(0b0001_1000, 0b0010_0001, 0b1110_0111, 0b1111_0110, 0b0110_0000);
    expect(readAv1Facts(unit(still, "30"))).toEqual(key);
  });

  it("with a sequence header that is cut is refused", () => {
    const cut = sequence("0").subarray(0, 4);
    expect(readAv1Facts(unit(cut, "10"))).toMatchObject({ fault: { code: "payload-malformed" } });
  });

  it("of layers says which it is", () => {
    expect(readAv1Facts(obus("36400130"))).toEqual({ ok: true, value: { key: false, layer: 2 } });
  });

  it("without anything to decode is none", () => {
    expect(parseTemporalUnit(bytes("1200"))).toMatchObject({ fault: { code: "payload-malformed" } });
    expect(parseTemporalUnit(new Uint8Array(0)).ok).toBe(false);
  });
});

it("a number of seven bits a byte is read back, and none beyond 32 bits", () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (value) => {
      const written = Uint8Array.from(leb128Bytes(value));
      expect(readLeb128(written, 0, written.length)).toEqual({ value, next: written.length });
    }),
  );
  expect(readLeb128(bytes("8000"), 0, 2)).toEqual({ value: 0, next: 2 });
  expect(readLeb128(bytes("8080808010"), 0, 5)).toBeUndefined();
  expect(readLeb128(bytes("8080"), 0, 2)).toBeUndefined();
});
