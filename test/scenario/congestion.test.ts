/** One video sender over ways that RFC 8867 has no case for, on virtual time: losses of the way's own, silence, steps of clocks and of capacity. */
import { describe, expect, it } from "vitest";
import { FlowTrace, sumBetween } from "../../bench/congestion/flow-trace.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { Bottleneck } from "../net/bottleneck.ts";
import { MediaFlow } from "../net/media-flow.ts";
import { type Roughness, RoughWay } from "../net/rough-way.ts";
import { Simulation } from "../net/simulation.ts";

const BITRATE = { least: 100_000, most: 5_000_000, first: 300_000 };

describe("losses that are not congestion", () => {
  it.each([
    { loss: 0.02, burst: 1, least: 0.85 },
    { loss: 0.05, burst: 3, least: 0.75 },
    { loss: 0.1, burst: 3, least: 0.45 },
  ])("$loss of all packets, in bursts of $burst, leave $least of the capacity", ({ loss, burst, least }) => {
    const path = new Path({ there: { loss, burst } });
    path.run(40);
    expect(path.share(10, 40)).toBeGreaterThan(least);
    expect(path.queue95(10, 40)).toBeLessThan(150);
  });
});

describe("feedback", () => {
  it("may be lost, half of it, without being taken for lost media", () => {
    const path = new Path({ back: { loss: 0.5 } });
    path.run(40);
    expect(path.share(10, 40)).toBeGreaterThan(0.8);
    expect(path.flow.hop.estimate.lossShare).toBe(0);
  });

  it("may come and go unevenly", () => {
    const path = new Path({ there: { jitter: 40 }, back: { jitter: 60 } });
    path.run(40);
    expect(path.share(10, 40)).toBeGreaterThan(0.7);
    expect(path.queue95(10, 40)).toBeLessThan(80);
  });

  it("that stops lets the lowest rate go on, and what it was is found again within five seconds after", () => {
    const path = new Path({ there: { dark: [20_000, 25_000] }, back: { dark: [20_000, 25_000] } });
    path.run(20);
    expect(path.share(15, 20)).toBeGreaterThan(0.85);
    path.run(25);
    expect(path.flow.hop.estimate.bitsPerSecond).toBe(BITRATE.least);
    path.run(35);
    expect(path.share(30, 35)).toBeGreaterThan(0.8);
  });

  it("by a clock that steps, either way, changes nothing", () => {
    const path = new Path({});
    path.run(15);
    path.flow.stepReceiverClock(20_000);
    path.run(20);
    path.flow.stepReceiverClock(-45_000);
    path.run(25);
    expect(path.share(15, 20)).toBeGreaterThan(0.85);
    expect(path.share(20, 25)).toBeGreaterThan(0.85);
    expect(path.flow.hop.estimate.queueDelay).toBeLessThan(100);
  });
});

describe("capacity", () => {
  it("that doubles is found within four seconds, without a queue", () => {
    const path = new Path({});
    path.run(20);
    path.bottleneck.capacity = 4e6;
    path.run(30);
    expect(path.rate(24, 30)).toBeGreaterThan(0.85 * 4e6);
    expect(path.queue95(20, 30)).toBeLessThan(100);
  });

  it("that falls to a seventh costs a second of queue", () => {
    const path = new Path({});
    path.run(20);
    path.bottleneck.capacity = 0.3e6;
    path.run(35);
    expect(path.queue95(21.5, 35)).toBeLessThan(180);
    expect(path.rate(25, 35)).toBeGreaterThan(0.7 * 0.3e6);
    expect(sumBetween(path.trace.lost, 21.5, 35)).toBe(0);
  });

  it("behind a satellite is used, and steered gently", () => {
    const path = new Path({ delay: 600 });
    path.run(90);
    expect(path.share(40, 90)).toBeGreaterThan(0.85);
    expect(path.queue95(40, 90)).toBeLessThan(130);
    expect(sumBetween(path.trace.lost, 40, 90)).toBe(0);
  });
});

describe("a voice beside a video", () => {
  it("is hardly later than on its own, though the capacity comes and goes, and all of it arrives", () => {
    const path = new Path({ voice: true });
    path.run(20);
    path.bottleneck.capacity = 0.5e6;
    path.run(40);
    path.bottleneck.capacity = 2e6;
    path.run(60);
    const { voiceDelays, hop } = path.flow;
    const sorted = voiceDelays.toSorted((a, b) => a - b);
    expect(voiceDelays.length).toBeGreaterThan(0.99 * 60 * 50);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(50 + 40);
    expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThan(50 + 130);
    expect(path.share(5, 20)).toBeGreaterThan(0.8);
    expect(hop.estimate.lossShare).toBeLessThan(0.01);
  });
});

/** A video flow over one bottleneck of 2 Mbit/s, and whatever is rough before it and on the way back. */
class Path {
  readonly trace = new FlowTrace();
  readonly bottleneck: Bottleneck;
  readonly flow: MediaFlow;
  readonly #simulation = new Simulation();

  constructor(options: {
    readonly there?: Roughness;
    readonly back?: Roughness;
    readonly delay?: number;
    readonly voice?: boolean;
  }) {
    const { there = {}, back = {}, delay = 50, voice = false } = options;
    const random = new SeededRandom(5);
    const simulation = this.#simulation;
    this.bottleneck = new Bottleneck(simulation, { capacity: 2e6, queueTime: 300 });
    const free = {
      offer: ({ passed }: { passed: (now: number, waited: number) => void }) => passed(simulation.now, 0),
    };
    this.flow = new MediaFlow(simulation, {
      there: new RoughWay(simulation, this.bottleneck, there, random.fork()),
      back: new RoughWay(simulation, free, back, random.fork()),
      delay,
      bitrate: BITRATE,
      random: random.fork(),
      ears: this.trace,
      ssrc: 1,
      voice,
    });
    this.flow.start();
  }

  /** Up to this second. */
  run(second: number): void {
    this.#simulation.runTo(second * 1_000);
  }

  /** Bits a second that arrived between two seconds. */
  rate(from: number, to: number): number {
    return (sumBetween(this.trace.bytes, from, to) * 8) / (to - from);
  }

  share(from: number, to: number): number {
    return this.rate(from, to) / this.bottleneck.capacity;
  }

  /** Of tenths of a second the longest wait in the queue, milliseconds, but for one in twenty. */
  queue95(from: number, to: number): number {
    const waits = this.trace.waited
      .slice(Math.floor(from * 10), Math.floor(to * 10))
      .filter((wait) => wait >= 0);
    return waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.95)] ?? Number.NaN;
  }
}
