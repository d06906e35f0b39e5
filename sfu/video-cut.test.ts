import { expect, it } from "vitest";
import { VideoCut } from "./video-cut.ts";

/** Thirty units a second, a key frame first; `layers` in turn. Returns what became of each. */
function send(
  cut: VideoCut,
  from: number,
  count: number,
  bytes: number,
  layers: readonly number[] = [0],
): string[] {
  return Array.from({ length: count }, (_, index) => {
    const isFirst = index === 0 && from === 0;
    const unit = { key: isFirst, layer: layers[index % layers.length] ?? 0, bytes };
    const fate = cut.admit(unit, from + index * 33);
    if (fate === "send") cut.chain.sent(unit, from + index);
    return fate;
  });
}

const share = (fates: readonly string[], fate: string) =>
  fates.filter((one) => one === fate).length / fates.length;

it("lets everything through that keeps to the rate", () => {
  const cut = new VideoCut({ bitsPerSecond: 500_000, start: 0 });
  expect(share(send(cut, 0, 300, 2_000), "send")).toBe(1);
  expect(cut.leftOut).toEqual({ rate: 0, dependency: 0, limit: 0 });
});

it("leaves higher layers out first", () => {
  const cut = new VideoCut({ bitsPerSecond: 500_000, start: 0 });
  send(cut, 0, 30, 2_000, [0, 1]);
  cut.useRate(300_000, 1_000);
  const fates = send(cut, 1_000, 300, 2_000, [0, 1]);
  const base = fates.filter((_, index) => index % 2 === 0);
  const upper = fates.filter((_, index) => index % 2 === 1);
  expect(share(base, "send")).toBe(1);
  expect(share(upper, "send")).toBeLessThan(0.35);
});

it("leaves everything out up to a key frame where the lowest layer is too much", () => {
  const cut = new VideoCut({ bitsPerSecond: 2_000_000, start: 0 });
  send(cut, 0, 30, 8_000);
  cut.useRate(200_000, 1_000);
  const fates = send(cut, 1_000, 60, 8_000);
  const first = fates.indexOf("rate");
  expect(first).toBeLessThan(6);
  expect(fates.slice(first + 1).every((fate) => fate === "dependency")).toBe(true);
  const room = cut.roomForKeyFrame(3_000) ?? 0;
  expect(cut.admit({ key: true, layer: 0, bytes: 4_000 }, room)).toBe("send");
});

it("sends nothing at no rate", () => {
  const cut = new VideoCut({ bitsPerSecond: 0, start: 0 });
  expect(cut.admit({ key: true, layer: 0, bytes: 10 }, 0)).toBe("rate");
  expect(cut.roomForKeyFrame(0)).toBeUndefined();
});

it("sends no key frame on top of a second and a half of debt", () => {
  const cut = new VideoCut({ bitsPerSecond: 100_000, start: 0 });
  const key = { key: true, layer: 0, bytes: 15_000 };
  expect(cut.admit(key, 0)).toBe("send");
  expect(cut.admit(key, 10)).toBe("send");
  expect(cut.admit(key, 20)).toBe("rate");
  expect(cut.admit(key, 1_100)).toBe("send");
});

it("sends no key frame that an encoder made for a rate that has just fallen, and no debt lasts longer than two seconds", () => {
  const cut = new VideoCut({ bitsPerSecond: 2_000_000, start: 0 });
  cut.useRate(40_000, 1_000);
  const key = { key: true, layer: 0, bytes: 40_000 };
  expect(cut.admit(key, 1_100)).toBe("rate");
  expect(cut.admit({ ...key, bytes: 2_500 }, 1_200)).toBe("send");
  expect(cut.admit(key, 2_100)).toBe("send");
  expect(cut.roomForKeyFrame(2_100)).toBeLessThan(4_100);
});

it("leaves out what is told to it, whatever the rate", () => {
  const cut = new VideoCut({ bitsPerSecond: 500_000, start: 0 });
  send(cut, 0, 3, 2_000);
  cut.leaveOut({ key: false, layer: 0 });
  expect(cut.leftOut.rate).toBe(1);
  expect(cut.admit({ key: false, layer: 0, bytes: 100 }, 200)).toBe("dependency");
});
