import { describe, expect, it } from "vitest";
import { ArrivalEstimator } from "./arrival-estimator.ts";

const FRAME = 190;
/** Bits a second of such frames, 50 a second, with what is around them. */
const RATE = (FRAME + 60) * 8 * 50;

/** A listener to whom a frame comes every 20 ms, unless `lose` says otherwise, `wait` ms late. */
class Listener {
  readonly estimator = new ArrivalEstimator();
  #sequence = 5_000;
  now = 0;

  hear(seconds: number, wait: (now: number) => number = () => 0, lose: (n: number) => boolean = () => false) {
    let last: ReturnType<ArrivalEstimator["look"]>;
    for (let n = 0; n < seconds * 50; n += 1, this.now += 20) {
      this.#sequence += 1;
      if (!lose(n))
        this.estimator.arrived(FRAME, this.#sequence, this.now - 7_777 - wait(this.now), this.now);
      last = this.estimator.look(this.now) ?? last;
    }
    return last;
  }
}

describe("a listener's estimate", () => {
  it("is what comes, as long as nothing is lost or late", () => {
    const found = new Listener().hear(5);
    expect(found?.bitsPerSecond).toBeGreaterThan(0.97 * RATE);
    expect(found).toMatchObject({ queueDelay: 0, loss: 0 });
  });

  it("does not fall because less is said", () => {
    const listener = new Listener();
    const before = listener.hear(3);
    // What is not said is not numbered.
    listener.now += 3_000;
    const paused = listener.estimator.look(listener.now);
    expect(paused?.bitsPerSecond ?? before?.bitsPerSecond).toBe(before?.bitsPerSecond);
    expect(listener.hear(3)?.bitsPerSecond).toBeGreaterThanOrEqual(before?.bitsPerSecond ?? 0);
  });

  it("falls to what comes through when packets are lost", () => {
    const listener = new Listener();
    listener.hear(3);
    const found = listener.hear(3, undefined, (n) => n % 4 === 1);
    expect(found?.loss).toBeCloseTo(0.25, 1);
    expect(found?.bitsPerSecond).toBeLessThan(0.8 * RATE);
  });

  it("falls when packets wait longer than they did, and knows nothing of another way", () => {
    const listener = new Listener();
    listener.hear(3);
    const from = listener.now;
    const found = listener.hear(3, (now) => (now - from) / 10);
    expect(found?.queueDelay).toBeGreaterThan(60);
    listener.estimator.restart();
    expect(listener.hear(2, () => 300)).toMatchObject({ queueDelay: 0 });
  });
});
