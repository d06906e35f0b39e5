import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Ivf, parseIvf } from "../../codecs/ivf.ts";
import { ClipPlayer } from "./clip-player.ts";
import { type Clip, clipOf, readClip } from "./clips.ts";

function vector(name: string): Ivf {
  const parsed = parseIvf(readFileSync(new URL(`../../test/vectors/ffmpeg/${name}.ivf`, import.meta.url)));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}

describe("a clip", () => {
  it("comes with the package, in three sizes and three layers", async () => {
    const { format, frameRate, renditions } = await readClip([]);
    expect({ format, frameRate }).toEqual({ format: "vp8", frameRate: 30 });
    expect(renditions.map(({ width, height, units }) => [width, height, units.length])).toEqual([
      [640, 360, 120],
      [320, 180, 120],
      [160, 90, 120],
    ]);
    for (const { units } of renditions) {
      expect(units.flatMap(({ key }, index) => (key ? [index] : []))).toEqual([0, 60]);
      expect(units.slice(0, 5).map(({ layer }) => layer)).toEqual([0, 2, 1, 2, 0]);
    }
    const kilobits = renditions.map(({ layers }) =>
      layers.map((one) => Math.round(one.bitsPerSecond / 1_000)),
    );
    // Of the base layer alone, of the lower two, of all.
    for (const [base = 0, lower = 0, all = 0] of kilobits) {
      expect(base).toBeLessThan(lower);
      expect(lower).toBeLessThan(all);
    }
    expect(renditions[0]?.layers.map((one) => one.frameRate)).toEqual([7.5, 15, 30]);
    expect(kilobits[0]?.[2]).toBeGreaterThan(400);
    expect(kilobits[2]?.[0]).toBeLessThan(40);
  });

  it.each(["vp9-layers", "av1-svt"])("is read from a file: %s", async (name) => {
    const path = new URL(`../../test/vectors/ffmpeg/${name}.ivf`, import.meta.url).pathname;
    const { format, frameRate, renditions } = await readClip([path]);
    expect(format).toBe(name.slice(0, 3));
    expect(frameRate).toBeCloseTo(15);
    expect(renditions[0]?.units[0]?.layer).toBeUndefined();
  });

  it("is not made of files that do not belong together", async () => {
    const large = vector("vp8-layers");
    const small = vector("vp8-small");
    expect(clipOf([large, small]).renditions).toHaveLength(2);
    const wrong: Ivf[][] = [
      [],
      [large, large],
      [small, large],
      [large, vector("vp9-layers")],
      [{ ...large, frames: large.frames.slice(1) }],
      [{ ...large, frames: large.frames.slice(0, 1) }],
      [{ ...large, format: "vp9" }],
      [1, 2, 3, 4, 5].map((index) => ({ ...large, width: 640 >> index, height: 360 >> index })),
    ];
    for (const files of wrong) {
      expect(() => clipOf(files)).toThrow(expect.objectContaining({ code: "usage" }));
    }
    await expect(readClip(["/nowhere.ivf"])).rejects.toMatchObject({ code: "usage" });
    await expect(readClip([new URL(import.meta.url).pathname])).rejects.toMatchObject({ code: "usage" });
  });
});

describe("showing a clip", () => {
  const unit = (key: boolean, byte: number) => ({ key, layer: undefined, data: Uint8Array.of(byte) });
  const units = [true, false, false, true, false].map((key, index) => unit(key, index));
  const layers = [{ bitsPerSecond: 500, frameRate: 10 }];
  const rendition = { width: 64, height: 36, units, layers };
  const clip: Clip = { format: "vp8", frameRate: 10, renditions: [rendition, rendition] };
  const wanted = (index: number, { paused = false, keyFrame = false } = {}) => ({
    rendition: index,
    bitsPerSecond: paused ? 0 : 1_000,
    maxFrameRate: 30,
    keyFrame,
  });
  const shown = (player: ClipPlayer, ...wants: ReturnType<typeof wanted>[]) =>
    player.advance(wants).map(({ rendition, unit: { data } }) => [rendition, data[0]]);

  it("goes over it again and again, every rendition in step", () => {
    const player = new ClipPlayer(clip);
    const moments = Array.from({ length: 6 }, () => shown(player, wanted(0), wanted(1)));
    expect(moments.map((moment) => moment.map(([, byte]) => byte))).toEqual(
      [0, 1, 2, 3, 4, 0].map((byte) => [byte, byte]),
    );
  });

  it("jumps to the next key frame where one is asked for", () => {
    const player = new ClipPlayer(clip);
    shown(player, wanted(0));
    expect(shown(player, wanted(0, { keyFrame: true }), wanted(1))).toEqual([
      [0, 3],
      [1, 0],
    ]);
    expect(shown(player, wanted(0, { keyFrame: true }))).toEqual([[0, 0]]);
  });

  it("leaves out what is not wanted, and comes back with a key frame", () => {
    const player = new ClipPlayer(clip);
    shown(player, wanted(0), wanted(1));
    expect(shown(player, wanted(0, { paused: true }), wanted(1))).toEqual([[1, 1]]);
    expect(shown(player, wanted(0), wanted(1))).toEqual([
      [0, 3],
      [1, 2],
    ]);
    expect(shown(player, wanted(7))).toEqual([]);
  });

  it("leaves out a rendition of which not even the lowest layer fits, where a lesser one goes", () => {
    const layers = [{ bitsPerSecond: 200_000, frameRate: 8 }];
    const both = { ...clip, renditions: clip.renditions.map((one) => ({ ...one, layers })) };
    const player = new ClipPlayer(both);
    const wants = (bitsPerSecond: number) =>
      player
        .advance([
          { rendition: 0, bitsPerSecond, maxFrameRate: 30, keyFrame: false },
          { rendition: 1, bitsPerSecond: 60_000, maxFrameRate: 30, keyFrame: false },
        ])
        .map(({ rendition }) => rendition);
    expect(wants(150_000)).toEqual([1]);
    expect(wants(250_000)).toEqual([0, 1]);
  });

  it("leaves out upper layers where less is wanted, and what needs them until the next key frame", () => {
    const layered = [0, 2, 1, 2, 0, 2, 1, 2].map((layer, index) => ({ ...unit(index === 0, index), layer }));
    const layers = [1, 2, 4].map((share) => ({ bitsPerSecond: share * 1_000, frameRate: share * 7.5 }));
    const player = new ClipPlayer({
      ...clip,
      renditions: [{ width: 64, height: 36, units: layered, layers }],
    });
    const byte = (bitsPerSecond: number, maxFrameRate = 30) =>
      player.advance([{ rendition: 0, bitsPerSecond, maxFrameRate, keyFrame: false }])[0]?.unit.data[0];
    const moments = (count: number, bitsPerSecond: number, maxFrameRate?: number) =>
      Array.from({ length: count }, () => byte(bitsPerSecond, maxFrameRate));
    expect(moments(3, 4_000)).toEqual([0, 1, 2]);
    expect(moments(2, 3_900)).toEqual([undefined, 4]);
    // There is room again, and what layer 2 needs was left out.
    expect(moments(3, 4_000)).toEqual([undefined, 6, undefined]);
    expect(moments(2, 4_000)).toEqual([0, 1]);
    expect(moments(6, 4_000, 8)).toEqual([undefined, undefined, 4, undefined, undefined, undefined]);
    expect(moments(2, 500)).toEqual([0, undefined]);
  });
});
