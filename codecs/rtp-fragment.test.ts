import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ivf, parseIvf } from "./ivf.ts";
import { ok, type Result } from "./result.ts";
import { joinVideoFragments, readVideoFragment, splitVideoPayload } from "./rtp-fragment.ts";
import { parseVideoPayload, VideoPayloadWriter } from "./video-payload.ts";
import { parseVp8Fragment } from "./vp8.ts";
import { parseVp9Fragment, writeVp9Fragment } from "./vp9.ts";

const CLIPS = [
  "vp8-layers",
  "vp8-small",
  "vp9-layers",
  "vp9-superframes",
  "vp9-rgb",
  "av1-libaom",
  "av1-svt",
] as const;

function clip(name: string): Ivf {
  const file = new URL(`../test/vectors/ffmpeg/${name}.ivf`, import.meta.url);
  return value(parseIvf(new Uint8Array(readFileSync(file))));
}

function value<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.fault.message} at ${result.fault.at}`);
  return result.value;
}

/** The payloads that Parley's frames have of a clip, with the layers that an encoder may tell. */
function payloads({ format, frames }: Ivf): Uint8Array[] {
  const writer = new VideoPayloadWriter(format, { picture: 32_760, base: 250 });
  return frames.map(
    ({ data }, index) => value(writer.write(data, format === "av1" ? undefined : index % 3)).payload,
  );
}

describe.each(CLIPS)("the units of %s, made by ffmpeg", (name) => {
  const ivf = clip(name);
  const { format } = ivf;
  const wholes = payloads(ivf);

  it("come out of their pieces byte for byte, whatever a packet takes", () => {
    fc.assert(
      fc.property(fc.nat(wholes.length - 1), fc.integer({ min: 64, max: 1_500 }), (index, most) => {
        const whole = wholes[index] as Uint8Array;
        const pieces = value(splitVideoPayload(format, whole, most));
        expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(most);
        expect(pieces.length).toBeLessThanOrEqual(1 + Math.ceil(whole.length / (most - 20)) * 1.3);
        const unit = value(joinVideoFragments(format, pieces));
        expect(unit.data).toEqual(ivf.frames[index]?.data);
        expect(ok(unit)).toEqual(parseVideoPayload(format, whole));
      }),
      { numRuns: 150 },
    );
  });

  it("are told apart by their pieces: where one begins, ends, and is a key frame", () => {
    for (const whole of wholes) {
      const { key, layer } = value(parseVideoPayload(format, whole));
      const facts = value(splitVideoPayload(format, whole, 200)).map((one) =>
        value(readVideoFragment(format, one)),
      );
      const [first, ...others] = facts;
      expect(first).toMatchObject({ begins: format === "av1" && !key ? "maybe" : "yes", key });
      for (const one of others) expect(one.key).toBe(false);
      if (format !== "av1") {
        expect(others.map(({ begins }) => begins)).toEqual(others.map(() => "no"));
        expect(new Set(facts.map((one) => one.layer))).toEqual(new Set([layer]));
        expect(new Set(facts.map((one) => one.picture)).size).toBe(1);
      }
      if (format === "vp9")
        expect(facts.map(({ ends }) => ends)).toEqual(facts.map((_, at) => at === facts.length - 1));
    }
  });

  it("are refused where a piece is missing, doubled or out of place", () => {
    const whole = wholes.find(({ length }) => length > 1_000) ?? (wholes[0] as Uint8Array);
    const pieces = value(splitVideoPayload(format, whole, 100));
    expect(pieces.length).toBeGreaterThan(3);
    const [first, second, ...rest] = pieces as [Uint8Array, Uint8Array, ...Uint8Array[]];
    const wrong = [[], [second, ...rest], [first, second, first, ...rest]];
    if (format !== "vp8") wrong.push(pieces.slice(0, -1));
    for (const some of wrong)
      expect(joinVideoFragments(format, some)).toMatchObject({
        ok: false,
        fault: { code: "payload-malformed" },
      });
  });
});

describe("the pieces of a picture of VP9 in flexible mode", () => {
  const { data } = clip("vp9-layers").frames[1] as { data: Uint8Array };
  const whole = writeVp9Fragment(
    {
      pictureId: { value: 77, bits: 7 },
      interPredicted: true,
      layer: { temporal: 2, switchingUp: true },
      references: [1, 3],
    },
    data,
    { begins: true, ends: true },
  );

  it("all say to which pictures it refers, and join", () => {
    const pieces = value(splitVideoPayload("vp9", whole, 120));
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) {
      expect(value(parseVp9Fragment(piece)).descriptor).toEqual({
        pictureId: { value: 77, bits: 7 },
        interPredicted: true,
        layer: { temporal: 2, switchingUp: true },
        references: [1, 3],
      });
    }
    expect(value(joinVideoFragments("vp9", pieces))).toMatchObject({ data, layer: 2, key: false });
  });

  it("is refused where it is of an upper spatial layer", () => {
    // Layers follow the picture number: the second spatial one.
    const upper = whole.slice();
    upper[2] = (upper[2] as number) | 0x02;
    expect(readVideoFragment("vp9", upper)).toMatchObject({ fault: { code: "payload-malformed" } });
  });
});

describe("the pieces of a VP8 frame", () => {
  it("say with one bit which of them is the first, and may begin further partitions", () => {
    const whole = payloads(clip("vp8-small"))[0] as Uint8Array;
    const pieces = value(splitVideoPayload("vp8", whole, 300));
    const [first, ...others] = pieces.map((piece) => ((piece[0] as number) >> 4) & 1);
    expect([first, ...others]).toEqual([1, ...others.map(() => 0)]);
    // The start of partition 1 does not begin a frame.
    const second = (pieces[1] as Uint8Array).slice();
    second[0] = (second[0] as number) | 0x11;
    expect(value(parseVp8Fragment(second)).begins).toBe(false);
    const joined = joinVideoFragments("vp8", [pieces[0] as Uint8Array, second, ...pieces.slice(2)]);
    expect(value(joined).data).toEqual(value(parseVideoPayload("vp8", whole)).data);
  });
});

describe("the pieces of an AV1 temporal unit", () => {
  it("have their length before each but the last of three, and before each of more", () => {
    const { format, frames } = clip("av1-svt");
    const [key] = payloads({ format, frames } as Ivf) as [Uint8Array];
    const pieces = value(splitVideoPayload("av1", key, 400));
    expect(pieces.map((piece) => (piece[0] as number) & 0xc8)).toEqual([
      0x48,
      ...pieces.slice(1, -1).map(() => 0xc0),
      0x80,
    ]);
    expect(value(joinVideoFragments("av1", pieces)).data).toEqual(frames[0]?.data);
  });
});
