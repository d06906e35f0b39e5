import { expect, it } from "vitest";
import { BUSY_SHARE, DEAREST, HandshakePace, LOOK_MS } from "./handshake-pace.ts";

const RATE = { perSecond: 250, burst: 2 };

/** A pace, time that passes with a share of work, and as many handshakes as it lets begin. */
class Scene {
  #now = 0;
  #worked = 0;
  readonly pace = new HandshakePace(RATE, 0, () => this.#worked);

  begunWithin(ms: number, share: number): number {
    let begun = 0;
    for (const until = this.#now + ms; this.#now < until; this.#now += 1) {
      while (this.pace.has(this.#now)) {
        this.pace.take(this.#now);
        begun += 1;
      }
      this.#worked += share;
    }
    return begun;
  }

  wait(ms: number, share: number): void {
    this.#now += ms;
    this.#worked += ms * share;
  }
}

it("a burst begins at once, the next ones a step apart", () => {
  const { pace } = new Scene();
  for (let i = 0; i < 2; i++) {
    expect(pace.has(0)).toBe(true);
    pace.take(0);
  }
  expect(pace.has(0)).toBe(false);
  expect(pace.nextAt).toBe(4);
  expect(pace.has(4)).toBe(true);
});

it("while the loop has time, the whole rate begins", () => {
  const scene = new Scene();
  expect(scene.begunWithin(1_000, BUSY_SHARE - 0.1)).toBe(RATE.perSecond + 1);
});

it("while the loop is busy fewer begin, but never none", () => {
  const scene = new Scene();
  scene.begunWithin(10 * LOOK_MS, 0.9);
  const begun = scene.begunWithin(3_000, 0.9);
  expect(begun).toBeGreaterThanOrEqual((3 * RATE.perSecond) / DEAREST - 1);
  expect(begun).toBeLessThanOrEqual((3 * RATE.perSecond) / DEAREST + 1);
});

it("whoever comes after a calm time pays nothing for what was before", () => {
  const scene = new Scene();
  scene.begunWithin(10 * LOOK_MS, 0.9);
  scene.wait(10 * LOOK_MS, 0.1);
  expect(scene.begunWithin(1, 0.1)).toBe(RATE.burst);
});
