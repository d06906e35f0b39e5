import { describe, expect, it } from "vitest";
import { type PathEstimate, VoiceAdaptation, type VoicePlan } from "./voice-adaptation.ts";

const MOST = 32_000;
const OVERHEAD = 168;
/** What a way with plenty of room says. */
const WIDE: PathEstimate = {
  bitsPerSecond: 1_000_000,
  behind: undefined,
  roundTrip: 60,
  queueDelay: 5,
  lossShare: 0,
};

/** One voice, told of its way every 50 ms. */
class Voice {
  readonly adaptation: VoiceAdaptation;
  readonly changes: { readonly at: number; readonly plan: VoicePlan }[] = [];
  now = 0;

  constructor(mostRedundancy: 0 | 1 | 2 = 2) {
    const options = { most: MOST, least: 8_000, frameMs: 20, overhead: OVERHEAD, mostRedundancy };
    this.adaptation = new VoiceAdaptation(options);
  }

  hear(estimate: Partial<PathEstimate>, ms: number): this {
    for (const end = this.now + ms; this.now < end; this.now += 50) {
      const plan = this.adaptation.observe({ ...WIDE, ...estimate }, this.now);
      if (plan !== undefined) this.changes.push({ at: this.now, plan });
    }
    return this;
  }

  get bitrate(): number {
    return this.adaptation.plan.bitrate;
  }
}

/** What a voice of that rate takes on the way. */
const wire = (bitrate: number) => bitrate + (OVERHEAD * 8 * 1_000) / 20;

describe("a voice", () => {
  it("goes as it is while the way has room", () => {
    expect(new Voice().hear({}, 20_000).changes).toEqual([]);
  });

  it("is less within 200 ms of the way taking less, and all of it again some seconds after it takes more", () => {
    const voice = new Voice().hear({}, 5_000);
    voice.hear({ bitsPerSecond: wire(20_000) }, 200);
    expect(wire(voice.bitrate)).toBeLessThanOrEqual(wire(20_000));
    expect(voice.bitrate).toBeGreaterThanOrEqual(8_000);
    const steps = voice.changes.length;
    voice.hear({ bitsPerSecond: wire(20_000) }, 10_000);
    expect(voice.changes.length - steps).toBeLessThanOrEqual(1);
    voice.hear({}, 6_000);
    expect(voice.bitrate).toBe(MOST);
  });

  it("goes by what the hops behind take, where that is less", () => {
    expect(new Voice().hear({ behind: wire(14_000) }, 500).bitrate).toBeLessThanOrEqual(14_000);
  });

  it("is not lowered for a dip shorter than 150 ms, nor raised for a moment of room", () => {
    const voice = new Voice().hear({}, 1_000).hear({ bitsPerSecond: wire(30_000) }, 100);
    expect(voice.hear({}, 1_000).changes).toEqual([]);
    voice.hear({ bitsPerSecond: wire(16_000) }, 3_000);
    const low = voice.bitrate;
    for (let at = 0; at < 10; at += 1) voice.hear({}, 500).hear({ bitsPerSecond: wire(low) + 1_000 }, 500);
    expect(voice.bitrate).toBe(low);
  });

  it("waits longer each time that more was too early", () => {
    const voice = new Voice();
    const raised: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      voice.hear({ bitsPerSecond: wire(8_000) }, 500);
      const from = voice.now;
      const low = voice.bitrate;
      while (voice.bitrate === low) voice.hear({}, 50);
      raised.push(voice.now - from);
    }
    expect(raised[3]).toBeGreaterThan((raised[0] ?? 0) * 2);
  });

  it("is less as soon as a queue grows, though the way was believed to take more, and lets it drain before it is less again", () => {
    const voice = new Voice().hear({}, 1_000).hear({ queueDelay: 80 }, 900);
    expect(voice.changes).toHaveLength(1);
    expect(wire(voice.bitrate)).toBeLessThan(0.9 * wire(MOST));
    voice.hear({ queueDelay: 80 }, 500);
    expect(voice.changes).toHaveLength(2);
  });

  it("keeps its least on a way that takes nothing, and says that this is too thin", () => {
    const voice = new Voice().hear({ bitsPerSecond: 5_000 }, 1_000);
    expect(voice.bitrate).toBe(8_000);
    expect(voice.adaptation.isTooThin({ ...WIDE, bitsPerSecond: 5_000 })).toBe(true);
    expect(voice.adaptation.isTooThin(WIDE)).toBe(false);
  });
});

describe("repeating", () => {
  it("begins with loss while nothing waits on the way, within the same rate, and ends after calm", () => {
    const voice = new Voice().hear({ lossShare: 0.08 }, 3_000);
    expect(voice.adaptation.plan).toMatchObject({ bitrate: MOST, redundancy: 1, expectedLoss: 0.05 });
    voice.hear({ lossShare: 0.25 }, 3_000);
    expect(voice.adaptation.plan).toMatchObject({ bitrate: MOST, redundancy: 2 });
    voice.hear({ lossShare: 0.02 }, 3_000);
    expect(voice.adaptation.plan.redundancy).toBe(2);
    voice.hear({ lossShare: 0 }, 12_000);
    expect(voice.adaptation.plan).toEqual({ bitrate: MOST, redundancy: 0, expectedLoss: 0 });
  });

  it("is not begun by loss on a full way", () => {
    const voice = new Voice().hear({ lossShare: 0.2, queueDelay: 120 }, 10_000);
    expect(voice.adaptation.plan).toMatchObject({ redundancy: 0, expectedLoss: 0 });
  });

  it("begins at half the loss where the round trip is long", () => {
    expect(new Voice().hear({ lossShare: 0.03 }, 5_000).adaptation.plan.redundancy).toBe(0);
    const far = new Voice().hear({ lossShare: 0.03, roundTrip: 600 }, 5_000);
    expect(far.adaptation.plan.redundancy).toBe(1);
  });

  it("never leaves a copy less than is worth hearing, and is nothing where it was not agreed", () => {
    const thin = new Voice().hear({ lossShare: 0.25, bitsPerSecond: wire(14_000) }, 5_000);
    expect(thin.adaptation.plan.redundancy).toBe(0);
    expect(new Voice(0).hear({ lossShare: 0.25 }, 5_000).adaptation.plan.redundancy).toBe(0);
  });
});
