import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameFields } from "../test/generators/media.ts";
import {
  buildFrame,
  describeFrameFault,
  type FrameFaultReason,
  type FrameFields,
  FrameView,
  MAX_FRAME_BYTES,
  parseFrame,
} from "./frame.ts";

const plain: FrameFields = {
  profile: "frame",
  keyGeneration: 3,
  sequence: 0x0102_0304_0506,
  captureSeconds: 0xe9000000,
  captureFraction: 0x80000000,
  payloadType: 111,
  timestamp: 960,
  ssrc: 0xdecafbad,
  payload: Uint8Array.of(1, 2, 3),
};
/** Where the parts of `plain` stand. */
const ELEMENTS = 16;
const ATTRIBUTION_DATA = 18;
const BLOCK_END = 16 + 80;

function parsed(bytes: Uint8Array, offset = 0): FrameView {
  const view = new FrameView();
  expect(parseFrame(bytes, offset, view)).toBeUndefined();
  return view;
}

function faultOf(bytes: Uint8Array): string {
  const fault = parseFrame(bytes, 0, new FrameView());
  return fault === undefined ? "none" : `${fault.reason} at ${fault.offset}`;
}

/** A frame whose extension block holds exactly `elements`, a multiple of four bytes. */
function withElements(...elements: readonly Uint8Array[]): Uint8Array {
  const block = concat(...elements);
  const words = Uint8Array.of(block.length >> 10, block.length >> 2);
  return concat(buildFrame(plain).subarray(0, 14), words, block, Uint8Array.of(9, 9));
}

function element(id: number, ...data: number[]): Uint8Array {
  return Uint8Array.of(id, data.length, ...data);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const attribution = buildFrame(plain).slice(ELEMENTS, ELEMENTS + 79);
const zero = Uint8Array.of(0);

describe("a good frame", () => {
  it("gives back every field it was built from, wherever it stands", () => {
    fc.assert(
      fc.property(frameFields, fc.nat(9), fc.nat(9), (fields, headroom, tail) => {
        const frame = buildFrame(fields, headroom);
        const bytes = concat(frame, new Uint8Array(tail).fill(0xee));
        const view = new FrameView();
        expect(parseFrame(bytes, headroom, view, frame.length)).toBeUndefined();
        expect({ start: view.start, end: view.end }).toEqual({ start: headroom, end: frame.length });
        for (const name of [
          "profile",
          "keyGeneration",
          "sequence",
          "captureSeconds",
          "captureFraction",
          "payloadType",
          "timestamp",
          "ssrc",
        ] as const) {
          expect(view[name]).toBe(fields[name]);
        }
        expect(view.marker).toBe(fields.marker ?? false);
        expect(view.epoch).toBe(fields.epoch ?? 0);
        expect(view.keyFrame).toBe(fields.info?.keyFrame ?? false);
        expect(view.startOfTurn).toBe(fields.info?.startOfTurn ?? false);
        expect(view.endOfTurn).toBe(fields.info?.endOfTurn ?? false);
        expect(view.layer).toBe(fields.info?.layer ?? 0);
        expect(view.needs).toBe(fields.info?.needs ?? 0);
        expect(view.audioLevel).toBe(fields.audioLevel?.level);
        expect(view.voice).toBe(fields.audioLevel?.voice ?? false);
        expect(view.recorded(bytes)).toEqual(fields.recorded);
        expect(view.payload(bytes)).toEqual(fields.payload);
        expect(view.payloadLength).toBe(fields.payload.length);
        expect(view.tag(bytes)).toEqual(new Uint8Array(fields.profile === "frame" ? 64 : 16));
      }),
    );
  });

  it("leaves nothing of an earlier frame in a view used again", () => {
    fc.assert(
      fc.property(frameFields, frameFields, (before, after) => {
        const view = parsed(buildFrame(before));
        const bytes = buildFrame(after);
        expect(parseFrame(bytes, 0, view)).toBeUndefined();
        expect(view).toEqual(parsed(bytes));
      }),
    );
  });

  it("is an RTP packet to a reader that knows only RFC 3550 and RFC 8285", () => {
    fc.assert(
      fc.property(frameFields, (fields) => {
        const bytes = buildFrame(fields);
        const packet = new DataView(bytes.buffer);
        const first = packet.getUint8(0);
        expect({ v: first >> 6, p: (first >> 5) & 1, x: (first >> 4) & 1, cc: first & 15 }).toEqual({
          v: 2,
          p: 0,
          x: 1,
          cc: 0,
        });
        expect(packet.getUint8(1)).toBe((fields.marker ? 128 : 0) + fields.payloadType);
        expect(packet.getUint16(2)).toBe(fields.sequence % 65_536);
        expect(packet.getUint32(4)).toBe(fields.timestamp);
        expect(packet.getUint32(8)).toBe(fields.ssrc);
        expect(packet.getUint16(12)).toBe(0x1000);
        const end = 16 + packet.getUint16(14) * 4;
        const ids: number[] = [];
        let at = 16;
        while (at < end) {
          if (packet.getUint8(at) === 0) at += 1;
          else {
            ids.push(packet.getUint8(at));
            at += 2 + packet.getUint8(at + 1);
          }
        }
        expect(at).toBe(end);
        const expected = [true, fields.info, fields.epoch !== undefined, fields.audioLevel, fields.recorded];
        expect(ids).toEqual([1, 2, 3, 4, 5].filter((id) => expected[id - 1]));
        expect(bytes.subarray(end)).toEqual(fields.payload);
      }),
    );
  });

  it("may have its elements in any order, unknown and reserved ones among them, and longer frame info", () => {
    const bytes = withElements(
      element(9),
      element(4, 0x81),
      element(2, 0xc5, 1, 2, 3),
      element(6, 1, 2),
      element(6, 3),
      attribution,
      element(3, 0, 0, 1, 0),
      element(255, 7),
      Uint8Array.of(0, 0),
    );
    const view = parsed(bytes);
    expect([view.sequence, view.epoch, view.audioLevel, view.voice]).toEqual([plain.sequence, 256, 1, true]);
    expect([view.keyFrame, view.endOfTurn, view.startOfTurn, view.layer]).toEqual([true, true, false, 5]);
    expect(view.needs).toBe(1);
    expect(view.payload(bytes)).toEqual(Uint8Array.of(9, 9));
  });

  it("tells when it was captured", () => {
    expect(parsed(buildFrame(plain)).captureMs).toBe((0xe9000000 - 2_208_988_800) * 1000 + 500);
  });
});

describe("a broken frame", () => {
  const changed = (offset: number, value: number): Uint8Array => {
    const bytes = buildFrame(plain);
    bytes[offset] = value;
    return bytes;
  };
  const duplicates = [attribution, element(2, 0), element(3, 0, 0, 0, 0), element(4, 0)];
  const cases: readonly (readonly [string, FrameFaultReason, number, Uint8Array])[] = [
    ["nothing at all", "too-short", 0, new Uint8Array(0)],
    ["version 1", "rtp-header", 0, changed(0, 0x50)],
    ["padding", "rtp-header", 0, changed(0, 0xb0)],
    ["no extension", "rtp-header", 0, changed(0, 0x80)],
    ["a contributing source", "rtp-header", 0, changed(0, 0x91)],
    ["one-byte extension", "extension-profile", 12, withProfile(0xbede)],
    ["appbits", "extension-profile", 12, withProfile(0x1001)],
    ["an extension past the end", "extension-overrun", 14, changed(15, 21)],
    ["an extension far past the end", "extension-overrun", 14, changed(14, 255)],
    ["an element past the block", "element-overrun", 17, changed(17, 79)],
    ["zeros, then something", "padding-nonzero", 99, withElements(attribution, Uint8Array.of(0, 0, 0, 0, 1))],
    ["no elements", "attribution-missing", 48, withElements(new Uint8Array(32))],
    ["only others", "attribution-missing", 48, withElements(element(9, ...new Uint8Array(30)))],
    ["profile 0", "profile-unknown", ATTRIBUTION_DATA, changed(ATTRIBUTION_DATA, 0x03)],
    ["profile 3", "profile-unknown", ATTRIBUTION_DATA, changed(ATTRIBUTION_DATA, 0x33)],
    ["profile chain with a signature", "element-size", 17, changed(ATTRIBUTION_DATA, 0x23)],
    ["empty attribution", "element-size", 17, withElements(element(1), element(9, ...new Uint8Array(28)))],
    ["empty frame info", "element-size", 96, withElements(attribution, element(2), zero, zero, zero)],
    [
      "frame info of five",
      "element-size",
      96,
      withElements(attribution, element(2, 0, 0, 0, 0, 0), zero, zero),
    ],
    ["epoch of three", "element-size", 96, withElements(attribution, element(3, 0, 0, 0))],
    ["audio level of two", "element-size", 96, withElements(attribution, element(4, 0, 0), zero)],
    [
      "recorded of 49",
      "element-size",
      96,
      withElements(attribution, element(5, ...new Uint8Array(49)), zero, zero),
    ],
    ...duplicates.map(
      (twice, index) =>
        [
          `element ${index + 1} twice`,
          "element-duplicate",
          16 + 79 + (index === 0 ? 0 : twice.length),
          pad(index === 0 ? [attribution, attribution] : [attribution, twice, twice]),
        ] as const,
    ),
  ];

  function withProfile(profile: number): Uint8Array {
    const bytes = buildFrame(plain);
    bytes[12] = profile >> 8;
    bytes[13] = profile & 255;
    return bytes;
  }

  function pad(elements: readonly Uint8Array[]): Uint8Array {
    const length = concat(...elements).length;
    return withElements(...elements, new Uint8Array((4 - (length % 4)) % 4));
  }

  it.each(cases)("with %s is refused: %s at %i", (_name, reason, offset, bytes) => {
    expect(faultOf(bytes)).toBe(`${reason} at ${offset}`);
  });

  it("with an element's length byte cut off by the block's end is refused", () => {
    const block = concat(attribution, Uint8Array.of(9));
    expect(faultOf(withElements(block))).toBe("element-overrun at 95");
  });

  it("longer than the cap is refused whole", () => {
    const bytes = new Uint8Array(MAX_FRAME_BYTES + 1);
    bytes.set(buildFrame(plain));
    expect(faultOf(bytes)).toBe(`too-long at ${MAX_FRAME_BYTES + 1}`);
    expect(faultOf(bytes.subarray(0, MAX_FRAME_BYTES))).toBe("none");
  });

  it("leaves the view as it was", () => {
    const view = parsed(buildFrame(plain));
    const before = { ...view };
    for (const [, , , bytes] of cases) expect(parseFrame(bytes, 0, view)).toBeDefined();
    expect({ ...view }).toEqual(before);
  });

  it("is described by its byte", () => {
    expect(describeFrameFault({ reason: "too-short", offset: 7 })).toEqual({
      code: "frame-malformed",
      message: "not a media frame: too-short",
      at: "byte 7",
    });
  });

  it("cut anywhere before its payload is refused; after, the payload is shorter", () => {
    const bytes = buildFrame({
      ...plain,
      info: { keyFrame: true },
      epoch: 1,
      audioLevel: { level: 3, voice: true },
    });
    const { payloadOffset } = parsed(bytes);
    for (let length = 0; length < bytes.length; length++) {
      const fault = faultOf(bytes.subarray(0, length));
      if (length < payloadOffset) expect(fault).toMatch(/^(too-short|extension-overrun) /);
      else expect(fault).toBe("none");
    }
    expect(payloadOffset).toBeGreaterThan(BLOCK_END);
  });

  it("of random bytes, or random elements under a good header, is told without throwing or reading past the end", () => {
    const header = buildFrame(plain).subarray(0, 14);
    const loose = fc.uint8Array({ maxLength: 300 });
    const framed = fc
      .tuple(fc.nat(60), fc.array(fc.tuple(fc.nat(7), fc.uint8Array({ maxLength: 80 })), { maxLength: 6 }))
      .map(([words, elements]) =>
        concat(
          header,
          Uint8Array.of(0, words),
          ...elements.map(([id, data]) => element(id, ...data)),
          attribution,
        ),
      );
    fc.assert(
      fc.property(fc.oneof(loose, framed), (bytes) => {
        const view = new FrameView();
        const fault = parseFrame(bytes, 0, view);
        if (fault === undefined) {
          expect(view.payloadOffset).toBeLessThanOrEqual(bytes.length);
          expect(view.tagOffset + view.tagLength).toBeLessThanOrEqual(view.payloadOffset);
          expect(view.tag(bytes).length).toBe(view.tagLength);
          expect(view.recordedOffset + 50).toBeLessThanOrEqual(view.payloadOffset);
        } else {
          expect(fault.offset).toBeGreaterThanOrEqual(0);
          expect(fault.offset).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
