import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeKeptFrames, type KeptFrame, keptFramesTitle, parseKeptFrames } from "./kept-frames.ts";

const keptFrame: fc.Arbitrary<KeptFrame> = fc.record({
  leg: fc.nat({ max: 0xffff }),
  stream: fc.nat({ max: 0xffffffff }),
  packet: fc.uint8Array({ minLength: 1, maxLength: 200 }),
});

function file(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat([keptFramesTitle(), ...parts]));
}

function faultAt(bytes: Uint8Array): string | undefined {
  const parsed = parseKeptFrames(bytes);
  expect(parsed).toMatchObject({ ok: false, fault: { code: "stream-malformed" } });
  return parsed.ok ? undefined : parsed.fault.at;
}

describe("a file of kept frames", () => {
  it("gives back what was written, in one piece or appended", () => {
    fc.assert(
      fc.property(fc.array(keptFrame, { maxLength: 20 }), fc.array(keptFrame, { maxLength: 20 }), (a, b) => {
        const parsed = parseKeptFrames(file(encodeKeptFrames(a), encodeKeptFrames(b)));
        expect(parsed).toEqual({ ok: true, value: [...a, ...b] });
      }),
    );
  });

  it("may hold no frame", () => {
    expect(parseKeptFrames(file())).toEqual({ ok: true, value: [] });
  });

  it("keeps no hold of the bytes it was read from", () => {
    const frame = { leg: 1, stream: 2, packet: Uint8Array.of(1, 2, 3) };
    const bytes = file(encodeKeptFrames([frame]));
    const parsed = parseKeptFrames(bytes);
    bytes.fill(0);
    expect(parsed).toEqual({ ok: true, value: [frame] });
  });

  it("is refused without its title, whole", () => {
    const bytes = file(encodeKeptFrames([{ leg: 0, stream: 1, packet: Uint8Array.of(9) }]));
    for (let at = 0; at < keptFramesTitle().length; at += 1) {
      const copy = bytes.slice();
      copy[at] = (copy[at] as number) ^ 1;
      expect(faultAt(copy)).toBe("byte 0");
      expect(faultAt(bytes.slice(0, at))).toBe("byte 0");
    }
  });

  it("is refused when it is cut off inside a frame", () => {
    fc.assert(
      fc.property(fc.array(keptFrame, { minLength: 1, maxLength: 5 }), fc.nat(), (frames, cut) => {
        const whole = encodeKeptFrames(frames);
        const last = encodeKeptFrames(frames.slice(-1)).length;
        faultAt(file(whole.subarray(0, whole.length - 1 - (cut % (last - 1)))));
      }),
    );
  });

  it("is refused where a frame has no packet", () => {
    const empty = encodeKeptFrames([{ leg: 0, stream: 1, packet: new Uint8Array(0) }]);
    const good = encodeKeptFrames([{ leg: 0, stream: 1, packet: Uint8Array.of(9) }]);
    expect(faultAt(file(good, empty))).toBe("frame 1");
    expect(faultAt(file(Uint8Array.of(3, 0, 1, 0)))).toBe("frame 0");
    faultAt(file(Uint8Array.of(0)));
  });

  it("reads any bytes without throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parseKeptFrames(bytes);
        parseKeptFrames(file(bytes));
      }),
    );
  });
});
