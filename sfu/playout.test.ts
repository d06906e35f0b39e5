import { describe, expect, it } from "vitest";
import { Link, type LinkConditions } from "../src/emulation/link.ts";
import { SeededRandom } from "../src/emulation/seeded-random.ts";
import type { BufferedFrame } from "./jitter-buffer.ts";
import { CONCEALMENT_LIMIT, MAX_CATCH_UP, MAX_PAUSE_MS, Playout, type PlayoutStep } from "./playout.ts";

const CLOCK_RATE = 48_000;
const FRAME_SAMPLES = 960;
const FRAME_TIME = 20;
const SPEAKER_EPOCH = 1_767_225_600_000;
/** The RTP timestamp wraps after a second, the low 16 bits of the sequence number at once. */
const FIRST_TIMESTAMP = 2 ** 32 - CLOCK_RATE;
const FIRST_SEQUENCE = 0x1_fff0;
/** What a stretcher that always finds a joint does, milliseconds. */
const SHORTEST_CUT = 2.5;
const LONGEST_CUT = 15;

interface Scene {
  readonly seconds: number;
  readonly link: LinkConditions;
  readonly seed?: number;
  /** Frames of a turn, and frame times of silence after it. Default: one turn. */
  readonly turn?: readonly [spoken: number, silent: number];
  /** Milliseconds by which the grid of ticks trails the speaker's. */
  readonly phase?: number;
  /** Speaker's milliseconds for each of the listener's. */
  readonly skew?: number;
}

interface Outcome {
  readonly steps: PlayoutStep[];
  /** Samples of frames that played shorter or longer than they last. */
  readonly lengths: ReadonlyMap<PlayoutStep, number>;
  readonly playout: Playout;
  readonly sent: number;
  readonly lost: number;
  /** For each frame heard, milliseconds from being spoken to being played, less the link's mean delay. */
  readonly delays: number[];
}

/** Plays a scene in virtual time. */
function play(scene: Scene): Outcome {
  const link = new Link({ reorder: true, ...scene.link }, new SeededRandom(scene.seed ?? 1));
  const skew = scene.skew ?? 1;
  const slots = (scene.seconds * 1000) / FRAME_TIME;
  const [spoken, silent] = scene.turn ?? [slots, 0];
  const arrivals: { at: number; frame: BufferedFrame }[] = [];
  const spokenAt = new Map<number, number>();
  for (let slot = 0, sequence = FIRST_SEQUENCE; slot < slots; slot++) {
    const place = slot % (spoken + silent);
    if (place >= spoken) continue;
    const now = (scene.phase ?? 0) + (slot * FRAME_TIME) / skew;
    const at = link.datagram(200, now);
    spokenAt.set(sequence, now);
    if (at !== undefined) {
      const frame: BufferedFrame = {
        sequence,
        timestamp: (FIRST_TIMESTAMP + slot * FRAME_SAMPLES) % 2 ** 32,
        captured: SPEAKER_EPOCH + slot * FRAME_TIME,
        payload: new Uint8Array([sequence & 0xff]),
        startOfTurn: place === 0,
        endOfTurn: place === spoken - 1,
      };
      arrivals.push({ at, frame });
    }
    sequence++;
  }
  arrivals.sort((a, b) => a.at - b.at);
  const playout = new Playout({ clockRate: CLOCK_RATE, frameSamples: FRAME_SAMPLES, start: 0 });
  const steps: PlayoutStep[] = [];
  const lengths = new Map<PlayoutStep, number>();
  const delays: number[] = [];
  const tick = (): void => {
    const step = playout.poll(playout.nextTimeout());
    if (step === undefined) throw new Error("a tick whose time has come gave nothing");
    steps.push(step);
    if (step.kind !== "play") return;
    if (step.adjust !== undefined && Math.abs(step.adjust.ms) >= SHORTEST_CUT) {
      const change = Math.max(-LONGEST_CUT, Math.min(LONGEST_CUT, step.adjust.ms));
      const samples = FRAME_SAMPLES + Math.round((change * CLOCK_RATE) / 1000);
      playout.adjusted(samples);
      lengths.set(step, samples);
    }
    delays.push(step.at - (spokenAt.get(step.frame.sequence) ?? Number.NaN) - scene.link.delay);
  };
  for (const { at, frame } of arrivals) {
    while (playout.nextTimeout() <= at) tick();
    playout.insert(frame, at);
  }
  const end = (scene.seconds * 1000) / skew + 1000;
  while (playout.nextTimeout() < end) tick();
  return { steps, lengths, playout, sent: spokenAt.size, lost: link.counters.lost, delays };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const highest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

function concealedShare({ playout }: Outcome): number {
  const { heard, concealed } = playout.counters();
  return concealed / (heard + concealed);
}

/** When what a step puts out is over. */
function endOf({ lengths }: Outcome, step: PlayoutStep | undefined): number {
  if (step === undefined) return Number.NaN;
  const samples = step.kind === "silence" ? step.samples : (lengths.get(step) ?? FRAME_SAMPLES);
  return step.at + (samples * 1000) / CLOCK_RATE;
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

/** Each frame once, in order; every distinct frame that arrived accounted for. */
function expectSound(outcome: Outcome): void {
  const { steps, playout, sent, lost } = outcome;
  const heard = steps.flatMap((step) => (step.kind === "play" ? step.frame.sequence : []));
  expect(heard.every((sequence, index) => index === 0 || sequence > (heard[index - 1] ?? 0))).toBe(true);
  const counters = playout.counters();
  expect(counters.heard).toBe(heard.length);
  expect(counters.received).toBe(sent - lost);
  expect(counters.heard + counters.late + counters.shrunk + counters.overflow).toBe(counters.received);
  expect(counters.concealed).toBe(steps.filter((step) => step.kind === "conceal").length);
  // No instant without sound and none with two.
  expect(steps.every((step, index) => index === 0 || isNear(step.at, endOf(outcome, steps[index - 1])))).toBe(
    true,
  );
}

const PHASES = [0.5, 4, 9, 14, 19.5];
const TURNS = [undefined, [150, 50]] as const;

describe("on a clean network", () => {
  it.each(PHASES)("everything is heard without a gap, at most 20 ms after it came (phase %d ms)", (phase) => {
    const outcome = play({ seconds: 28, link: { delay: 5 }, phase, turn: [150, 50] });
    expectSound(outcome);
    expect(outcome.playout.counters()).toMatchObject({ concealed: 0, late: 0, heard: outcome.sent });
    // 20 ms of frame, 6.5 ms of Opus look-ahead and this stay within 60 ms from mouth to ear.
    expect(highest(outcome.delays)).toBeLessThanOrEqual(20);
  });

  it("a turn that begins long after the last tick of silence was due waits for no tick", () => {
    const playout = new Playout({ clockRate: CLOCK_RATE, frameSamples: FRAME_SAMPLES, start: 100 });
    const frame = { sequence: 1, timestamp: 0, captured: 0, payload: new Uint8Array(1) };
    playout.insert({ ...frame, startOfTurn: true, endOfTurn: false }, 103);
    expect(playout.poll(200)).toEqual({ kind: "silence", at: 100, samples: 624 });
    expect(playout.poll(200)).toMatchObject({ kind: "play", at: 113, waited: 10 });
    expect(playout.nextTimeout()).toBe(133);
  });

  it("a few milliseconds of timer jitter change nothing", () => {
    for (const phase of PHASES) {
      const outcome = play({ seconds: 30, link: { delay: 5, jitter: 3 }, phase });
      expectSound(outcome);
      expect(concealedShare(outcome)).toBe(0);
      expect(highest(outcome.delays)).toBeLessThanOrEqual(33);
    }
  });
});

describe("at 3 % loss and 30 ms jitter", () => {
  it("less than 4 % is concealed and the delay stays near what the jitter asks", () => {
    let heard = 0;
    let concealed = 0;
    for (const turn of TURNS) {
      for (const seed of [1, 2, 3, 4, 5]) {
        const phase = PHASES[seed - 1] ?? 0;
        const link = { delay: 40, jitter: 30, loss: 0.03 };
        const outcome = play({ seconds: 60, link, seed, phase, ...(turn === undefined ? {} : { turn }) });
        expectSound(outcome);
        const counters = outcome.playout.counters();
        heard += counters.heard;
        concealed += counters.concealed;
        // What one run of chance loses varies; what the playout adds to it must not.
        expect(counters.concealed - outcome.lost, `seed ${seed}`).toBeLessThanOrEqual(0.005 * outcome.sent);
        // The last of the jitter comes 30 ms after the mean; a frame time more for the grid, one more for the start.
        expect(mean(outcome.delays)).toBeLessThanOrEqual(60);
        expect(highest(outcome.delays)).toBeLessThanOrEqual(80);
      }
    }
    expect(concealed / (heard + concealed)).toBeLessThan(0.035);
  });

  it("loses nothing but what the network lost once the delay is learned", () => {
    const outcome = play({
      seconds: 120,
      link: { delay: 40, jitter: 30, loss: 0.03 },
      seed: 9,
      turn: [150, 50],
    });
    const { late, awaited } = outcome.playout.counters();
    expect(late).toBeLessThanOrEqual(0.01 * outcome.sent);
    expect(awaited).toBeLessThanOrEqual(5);
  });
});

describe("bursts of loss", () => {
  it("are concealed up to the limit and then silent, and speech goes on in its place", () => {
    const outcome = play({ seconds: 60, link: { delay: 15, jitter: 10, loss: 0.05, burst: 8 }, seed: 3 });
    expectSound(outcome);
    let run = 0;
    for (const step of outcome.steps) {
      run = step.kind === "conceal" ? run + 1 : 0;
      expect(run * FRAME_TIME).toBeLessThanOrEqual(CONCEALMENT_LIMIT);
    }
    expect(highest(outcome.delays)).toBeLessThanOrEqual(60);
    expect(outcome.playout.counters().late).toBeLessThanOrEqual(5);
  });
});

describe("an hour", () => {
  it("of ticks drifts by nothing", () => {
    const playout = new Playout({ clockRate: CLOCK_RATE, frameSamples: FRAME_SAMPLES, start: 3.25 });
    let at = 0;
    for (let ticks = 0; ticks < 180_000; ticks++) {
      // The driver is late by up to 60 ms, as drivers are.
      at = playout.poll(playout.nextTimeout() + (ticks % 4) * FRAME_TIME)?.at ?? Number.NaN;
    }
    expect(at).toBe(3.25 + 179_999 * FRAME_TIME);
    expect(playout.counters().skipped).toBe(0);
  });
});

describe("a speaker whose clock runs off by 400 ppm", () => {
  it.each([1 + 400e-6, 1 - 400e-6])("is followed at each turn, losing next to nothing (%d)", (skew) => {
    const outcome = play({
      seconds: 3600,
      link: { delay: 20, jitter: 2 },
      skew,
      turn: [150, 50],
      phase: 7,
    });
    expectSound(outcome);
    expect(outcome.playout.counters().heard).toBeGreaterThan(0.998 * outcome.sent);
    expect(highest(outcome.delays)).toBeLessThanOrEqual(50);
  });

  it("is followed without a pause, and without leaving out or making up a frame", () => {
    for (const skew of [1 + 400e-6, 1 - 400e-6]) {
      const outcome = play({ seconds: 900, link: { delay: 20, jitter: 2 }, skew, phase: 7 });
      expectSound(outcome);
      const { concealed, shrunk, late, accelerated, expanded } = outcome.playout.counters();
      expect([concealed, shrunk, late]).toEqual([0, 0, 0]);
      // 360 ms of drift, one way or the other.
      const followed = skew > 1 ? accelerated : expanded;
      expect(followed).toBeGreaterThan(340);
      expect(followed).toBeLessThan(400);
      expect(highest(outcome.delays)).toBeLessThanOrEqual(40);
    }
  });
});

describe("a pause", () => {
  const talk = (seconds: number) => {
    const playout = new Playout({ clockRate: CLOCK_RATE, frameSamples: FRAME_SAMPLES, start: 0 });
    const steps: PlayoutStep[] = [];
    const run = (until: number) => {
      for (; playout.nextTimeout() < until; ) {
        const step = playout.poll(playout.nextTimeout());
        if (step === undefined) throw new Error("a tick whose time has come gave nothing");
        steps.push(step);
        if (step.kind !== "play" || step.adjust === undefined || step.adjust.ms > -SHORTEST_CUT) continue;
        playout.adjusted(FRAME_SAMPLES - 480);
      }
    };
    let next = 0;
    const upTo = (until: number) => {
      for (; next * FRAME_TIME < until && next < seconds * 50; next++) {
        run(next * FRAME_TIME);
        const captured = next * FRAME_TIME - FRAME_TIME;
        const frame = {
          sequence: next,
          timestamp: next * FRAME_SAMPLES,
          captured,
          payload: new Uint8Array(1),
        };
        playout.insert({ ...frame, startOfTurn: next === 0, endOfTurn: false }, next * FRAME_TIME);
      }
      run(until);
    };
    return { playout, steps, upTo };
  };
  const heard = (steps: readonly PlayoutStep[]) =>
    steps.flatMap((step) => (step.kind === "play" ? step.frame.sequence : []));

  it("fades out at the next tick, and nothing is lost when it is taken back", () => {
    const { playout, steps, upTo } = talk(10);
    upTo(1000);
    playout.pause(1000);
    upTo(2000);
    const after = steps.filter(({ at }) => at >= 1000);
    expect(after[0]?.kind).toBe("fade");
    expect(after.slice(1).every(({ kind }) => kind === "silence")).toBe(true);
    playout.resume(2000);
    upTo(9_000);
    expect(heard(steps)).toEqual(Array.from({ length: heard(steps).length }, (_, index) => index));
    expect(playout.counters()).toMatchObject({ late: 0, shrunk: 0, overflow: 0, flushed: 0 });
    // The second that was waited is worked off by playing faster.
    expect(playout.counters().accelerated).toBeGreaterThan(950);
    const last = steps.findLast((step) => step.kind === "play");
    expect(last?.kind === "play" ? last.at - last.frame.captured : 999).toBeLessThan(60);
  });

  it("ends by itself after two seconds", () => {
    const { playout, steps, upTo } = talk(10);
    upTo(1000);
    playout.pause(1000);
    upTo(6000);
    const silent = steps.filter(({ at, kind }) => at >= 1000 && kind === "silence");
    expect(silent.length * FRAME_TIME).toBeGreaterThan(MAX_PAUSE_MS - 50);
    expect(silent.length * FRAME_TIME).toBeLessThanOrEqual(MAX_PAUSE_MS);
    expect(playout.isPaused).toBe(false);
    expect(heard(steps)).toEqual(Array.from({ length: heard(steps).length }, (_, index) => index));
  });

  it("that becomes an interrupt throws away what waited, without another sound", () => {
    const { playout, steps, upTo } = talk(1.5);
    upTo(1000);
    playout.pause(1000);
    upTo(1500);
    playout.flush();
    upTo(2500);
    expect(playout.isPaused).toBe(false);
    expect(steps.filter(({ kind }) => kind === "fade")).toHaveLength(1);
    expect(heard(steps.filter(({ at }) => at >= 1000))).toEqual([]);
    expect(playout.counters().flushed).toBeGreaterThan(20);
  });

  it("taken back before its tick changes nothing", () => {
    const { playout, steps, upTo } = talk(2);
    upTo(1000);
    playout.pause(1001);
    playout.resume(1004);
    upTo(1900);
    expect(steps.some(({ kind }) => kind === "fade")).toBe(false);
  });
});

describe("the driver", () => {
  it("gets missed ticks one by one, and past the limit they are skipped and counted", () => {
    const playout = new Playout({ clockRate: CLOCK_RATE, frameSamples: FRAME_SAMPLES, start: 0 });
    let ticks = 0;
    while (playout.poll(MAX_CATCH_UP * FRAME_TIME) !== undefined) ticks++;
    expect(ticks).toBe(MAX_CATCH_UP + 1);
    expect(playout.poll(10_000)?.at).toBe(10_000);
    expect(playout.counters().skipped).toBe(500 - (MAX_CATCH_UP + 1));
  });
});
