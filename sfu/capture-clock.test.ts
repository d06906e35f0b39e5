import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { CaptureClock } from "./capture-clock.ts";
import { SenderClock } from "./sender-clock.ts";

const WALL = 1_795_000_000_000;

/** A stream of a sender: what was captured at `at` ms has this timestamp, and is told as of `WALL + at + set`. */
interface Stream {
  readonly clock: CaptureClock;
  readonly rate: number;
  readonly start: number;
}

function stream(rate: number, start: number, sender?: SenderClock): Stream {
  return { clock: new CaptureClock(rate, sender), rate, start };
}

function stamp({ rate, start }: Stream, at: number): number {
  return (start + Math.round((at * rate) / 1_000)) % 2 ** 32;
}

function tell(one: Stream, at: number, set = 0): void {
  one.clock.told(unixMsToNtp(WALL + at + set), stamp(one, at));
}

/** When what was captured at `at` is said to have been, where it took so long to arrive. */
function captured(one: Stream, at: number, transit: number): number {
  return one.clock.at(stamp(one, at), at + transit);
}

describe("captures of a sender that tells no times", () => {
  it("are as far apart as the timestamps say, however they come, over the wrap", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { minLength: 100, maxLength: 100 }), (jitter) => {
        const voice = stream(48_000, 2 ** 32 - 48_000);
        const said = jitter.map((late, index) => captured(voice, index * 20, 40 + (index === 0 ? 0 : late)));
        said.forEach((at, index) => {
          expect(at).toBeCloseTo(40 + index * 20, 6);
        });
      }),
    );
  });

  it("were not long ago, however late they come", () => {
    const voice = stream(48_000, 0);
    expect(captured(voice, 0, 40)).toBe(40);
    expect(captured(voice, 20, 3_000)).toBe(20 + 3_000 - 1_500);
  });

  it("come to those that came fastest, bit by bit and never backwards", () => {
    const video = stream(90_000, 5);
    let last = captured(video, 0, 200);
    for (let at = 40; at <= 6_000; at += 40) {
      // Those behind the first one waited for it.
      const arrival = Math.max(200, at + 30);
      const said = captured(video, at, arrival - at);
      expect(said).toBeGreaterThanOrEqual(last);
      expect(said).toBeLessThanOrEqual(arrival);
      last = said;
    }
    expect(last).toBeCloseTo(6_030, 3);
  });
});

describe("captures of a sender that reports", () => {
  it("keep voice and video in step, whichever comes slower", () => {
    const sender = new SenderClock();
    const voice = stream(48_000, 77, sender);
    const video = stream(90_000, 2 ** 32 - 9, sender);
    tell(voice, 0);
    tell(video, 0);
    for (let at = 0; at < 4_000; at += 20) {
      const heard = captured(voice, at, 30);
      const seen = captured(video, at, 130);
      expect(heard).toBeCloseTo(at + 30, 2);
      if (at > 0) expect(Math.abs(seen - heard)).toBeLessThan(at < 2_500 ? 101 : 1);
    }
  });

  it("are in step where a report comes before the first packet, or between others", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -500, max: 3_000 }),
        fc.integer({ min: 0, max: 3_000 }),
        (first, second) => {
          const sender = new SenderClock();
          const voice = stream(48_000, 2 ** 32 - 100_000, sender);
          const video = stream(90_000, 2 ** 31 + 3_000_000, sender);
          let parted = Number.NaN;
          if (first < 0) tell(voice, first);
          for (let at = 0; at < 9_000; at += 20) {
            if (first >= 0 && at === first - (first % 20)) tell(voice, at);
            if (at === second - (second % 20)) tell(video, at - 7);
            parted = captured(video, at, 90) - captured(voice, at, 25);
          }
          expect(Math.abs(parted)).toBeLessThan(1);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("go on as before where its clock is set, forward and back, and one stream hears of it seconds before the other", () => {
    for (const set of [3_600_000, 900, -900, -3_600_000]) {
      const sender = new SenderClock();
      const [voice, video] = [stream(48_000, 1, sender), stream(90_000, 2, sender)];
      tell(voice, 0);
      tell(video, 0);
      for (let at = 0; at < 20_000; at += 20) {
        if (at % 5_000 === 0) tell(voice, at, at >= 5_000 ? set : 0);
        if (at % 5_000 === 3_000) tell(video, at, at >= 5_000 ? set : 0);
        expect(captured(voice, at, 30)).toBeCloseTo(at + 30, 1);
        expect(captured(video, at, 30)).toBeCloseTo(at + 30, 1);
      }
      expect(voice.clock.counters).toMatchObject({ clockSet: 1, steps: 0 });
      expect(video.clock.counters).toMatchObject({ clockSet: 0, steps: 0 });
    }
  });

  it("come into step where one stream told the wrong time at first", () => {
    for (const wrong of [-350, 250]) {
      const sender = new SenderClock();
      const [voice, video] = [stream(48_000, 1, sender), stream(90_000, 2, sender)];
      tell(voice, 0);
      tell(video, 0, wrong);
      let parted = 0;
      for (let at = 0; at < 20_000; at += 20) {
        if (at > 0 && at % 2_000 === 0) {
          tell(voice, at);
          tell(video, at);
        }
        parted = captured(video, at, 30) - captured(voice, at, 30);
      }
      expect(Math.abs(parted)).toBeLessThan(1);
      expect(video.clock.counters).toMatchObject({ corrected: 1, clockSet: 0 });
    }
  });

  it("follow clocks that drift", () => {
    const sender = new SenderClock();
    const voice = stream(48_000, 1, sender);
    // A hundred millionths faster: in ten minutes 60 ms.
    const drift = 1 + 1e-4;
    let worst = 0;
    for (let at = 0; at < 600_000; at += 100) {
      const stamped = Math.round(at * drift * 48) >>> 0;
      if (at % 5_000 === 0) voice.clock.told(unixMsToNtp(WALL + at * drift), stamped);
      const said = voice.clock.at(stamped, at + 20 + (at % 700) / 50);
      worst = Math.max(worst, Math.abs(said - (at + 20)));
    }
    expect(worst).toBeLessThan(5);
  });

  it("are none the less where a report has no time", () => {
    const voice = stream(48_000, 1);
    voice.clock.told({ seconds: 0, fraction: 0 }, 500);
    expect(captured(voice, 0, 30)).toBe(30);
    expect(voice.clock.counters.told).toBe(0);
  });
});

describe("captures, whatever is told", () => {
  it("are never later than the arrival, nor backwards where timestamps go forwards", () => {
    const told = fc.array(
      fc.record({ at: fc.nat(10_000), off: fc.integer({ min: -5_000, max: 5_000 }), isVideo: fc.boolean() }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(told, fc.array(fc.nat(300), { minLength: 20, maxLength: 50 }), (reports, jitter) => {
        const sender = new SenderClock();
        const streams = [stream(48_000, 2 ** 32 - 5, sender), stream(90_000, 9, sender)] as const;
        const last = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        let arrival = 0;
        for (let at = 0; at < 10_000; at += 40) {
          for (const one of reports)
            if (Math.floor(one.at / 40) * 40 === at) tell(streams[one.isVideo ? 1 : 0], at, one.off);
          arrival = Math.max(arrival, at + (jitter[(at / 40) % jitter.length] as number));
          streams.forEach((one, index) => {
            const said = one.clock.at(stamp(one, at), arrival);
            expect(said).toBeLessThanOrEqual(arrival);
            expect(said).toBeGreaterThanOrEqual(last[index] as number);
            last[index] = said;
          });
        }
      }),
      { numRuns: 25 },
    );
  });

  it("begin anew with the timestamps of a sender that does", () => {
    const video = stream(90_000, 1_000);
    tell(video, 0);
    for (let at = 0; at < 2_000; at += 40) captured(video, at, 30);
    const anew = { ...video, start: 2 ** 31 };
    for (let at = 2_000; at < 4_000; at += 40) expect(captured(anew, at, 30)).toBeCloseTo(at + 30, 3);
    tell(anew, 4_000);
    expect(captured(anew, 4_040, 30)).toBeCloseTo(4_070, 1);
    expect(video.clock.counters).toMatchObject({ steps: 1, clockSet: 0 });
  });

  it("of what was overtaken are in their place", () => {
    const voice = stream(48_000, 1);
    captured(voice, 0, 30);
    captured(voice, 40, 30);
    expect(captured(voice, 20, 55)).toBeCloseTo(50, 6);
  });
});
