/** The two worklet programs, block by block, in a scope with what a worklet's scope has. */
import { beforeEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { processorOptionsOf } from "./loudspeaker.ts";
import {
  type LoudspeakerMessage,
  type LoudspeakerReport,
  loudspeakerProcessor,
} from "./loudspeaker-processor.ts";
import { microphoneProcessor } from "./microphone-processor.ts";
import type { WorkletProcessor, WorkletScope } from "./worklet-scope.ts";

const QUANTUM = 128;

/** Runs `program` as a worklet's scope would and makes one processor of what it registers. */
function start<Sent>(program: () => void, processorOptions: object) {
  const sent: Sent[] = [];
  const port = {
    postMessage: (message: Sent) => void sent.push(message),
    onmessage: (_: { data: unknown }) => {},
  };
  let made: (new (options: { processorOptions: never }) => WorkletProcessor) | undefined;
  const scope: WorkletScope = {
    AudioWorkletProcessor: class {
      readonly port = port as unknown as MessagePort;
    },
    registerProcessor: (_, processor) => {
      made = processor;
    },
  };
  Object.assign(globalThis, scope);
  program();
  if (made === undefined) throw new Error("the program registered nothing");
  const processor = new made({ processorOptions: processorOptions as never });
  return { processor, sent, post: (data: unknown) => port.onmessage({ data }) };
}

describe("the loudspeaker", () => {
  const options = { ...processorOptionsOf(8_000, 25), capacity: 1_000, fade: 50, report: 256 };
  let speaker: ReturnType<typeof start<LoudspeakerReport>>;

  beforeEach(() => {
    speaker = start(loudspeakerProcessor, options);
  });

  const send = (message: LoudspeakerMessage) => speaker.post(message);
  const level = (length: number, value = 16_384) => new Int16Array(length).fill(value);

  function play(quanta: number): number[] {
    const heard: number[] = [];
    for (let count = 0; count < quanta; count += 1) {
      const block = new Float32Array(QUANTUM);
      expect(speaker.processor.process([], [[block]])).toBe(true);
      heard.push(...block);
    }
    return heard;
  }

  const report = () => speaker.sent.at(-1) as LoudspeakerReport;

  it("gathers a little, then plays in order, sample for sample", () => {
    send(level(100, 3_276));
    expect(play(2).every((sample) => sample === 0)).toBe(true);
    const ramp = Int16Array.from({ length: 300 }, (_, at) => at * 64);
    send(ramp);
    const heard = play(4);
    expect(heard.slice(0, 100)).toEqual(Array(100).fill(Math.fround(3_276 / 32_768)));
    expect(heard.slice(100, 400)).toEqual([...ramp].map((sample) => Math.fround(sample / 32_768)));
    expect(report()).toMatchObject({ played: 400, dropped: 0, underruns: 1, waiting: 0 });
  });

  it("drops the oldest of more than it holds, and counts it", () => {
    send(level(800, 1_000));
    send(level(500, 2_000));
    const heard = play(8);
    expect(heard.slice(0, 500)).toEqual(Array(500).fill(Math.fround(1_000 / 32_768)));
    expect(heard.slice(500, 1_000)).toEqual(Array(500).fill(Math.fround(2_000 / 32_768)));
    expect(report()).toMatchObject({ dropped: 300, played: 1_000 });
  });

  it("keeps the end of one piece that is longer than all it holds", () => {
    send(Int16Array.from({ length: 1_500 }, (_, at) => at));
    expect(play(1)[0]).toBe(Math.fround(500 / 32_768));
    play(1);
    expect(report()).toMatchObject({ dropped: 500, waiting: 1_000 - 2 * QUANTUM });
  });

  it("fades out and forgets what waits when it is flushed: no more than the fade is heard", () => {
    send(level(1_000));
    play(1);
    send(7);
    expect(report()).toMatchObject({ flush: 7, flushed: 1_000 - QUANTUM - 50 });
    const heard = play(3);
    expect(heard[0]).toBeCloseTo(0.49, 2);
    for (let at = 1; at < 50; at += 1) expect(heard[at]).toBeLessThan(heard[at - 1] as number);
    expect(heard.slice(49).every((sample) => sample === 0)).toBe(true);
    play(2);
    expect(report()).toMatchObject({ waiting: 0, underruns: 0, played: QUANTUM + 50 });
    send(level(300));
    expect(play(1)[0]).toBe(0.5);
  });

  it("forgets at once what it has not begun to play", () => {
    send(level(150));
    send(1);
    expect(report()).toMatchObject({ waiting: 0, flushed: 150 });
    expect(play(4).every((sample) => sample === 0)).toBe(true);
  });

  it("sinks to silence without a click when it runs dry, counts it, and gathers anew", () => {
    send(level(256));
    const heard = play(6);
    for (let at = 257; at < heard.length; at += 1) {
      expect(Math.abs((heard[at] as number) - (heard[at - 1] as number))).toBeLessThan(0.05);
    }
    expect(heard.at(-1)).toBe(0);
    expect(report().underruns).toBe(1);
    send(level(100));
    expect(play(1).every((sample) => sample === 0)).toBe(true);
  });

  it("does not count running dry in silence", () => {
    send(level(256));
    send(level(128, 0));
    play(6);
    expect(report()).toMatchObject({ underruns: 0, played: 384 });
  });
});

describe("the loudspeaker on a sound card whose clock is not the machine's", () => {
  /** Low, so that minutes are played in a second. What is played at a time is 16 ms then, and not 3: more has to wait. */
  const RATE = 8_000;
  const START_MS = 80;
  const PIECE = RATE / 50;

  /**
   * Plays a tone for so many seconds of a sound card that is `ppm` fast; pieces of 20 ms come by the machine's clock, up to 10 ms late,
   * and not before `held` seconds where they are due before.
   */
  function card(options: {
    readonly ppm: number;
    readonly hz: number;
    readonly held?: readonly [number, number];
  }) {
    const speaker = start<LoudspeakerReport>(loudspeakerProcessor, processorOptionsOf(RATE, START_MS));
    const random = new SeededRandom(7);
    const [from, until] = options.held ?? [0, 0];
    let [sent, due, seconds] = [0, 0, 0];
    const wait = () => {
      const on = (sent * PIECE) / RATE;
      due = on >= from && on < until ? until : Math.max(due, on + random.next() * 0.01);
    };
    wait();
    return {
      report: () => speaker.sent.at(-1) as LoudspeakerReport,
      play(forSeconds: number): Float32Array {
        const blocks = new Float32Array(Math.round((forSeconds * RATE) / QUANTUM) * QUANTUM);
        for (let at = 0; at < blocks.length; at += QUANTUM) {
          for (seconds += QUANTUM / (RATE * (1 + options.ppm / 1e6)); due <= seconds; wait()) {
            const piece = Int16Array.from({ length: PIECE }, (_, index) => {
              return 16_384 * Math.sin((2 * Math.PI * options.hz * (sent * PIECE + index)) / RATE);
            });
            speaker.post(piece);
            sent += 1;
          }
          speaker.processor.process([], [[blocks.subarray(at, at + QUANTUM)]]);
        }
        return blocks;
      },
    };
  }

  /** The worst of what is no steady tone in any 32 ms, dB below the tone. */
  function impurity(heard: Float32Array): number {
    let worst = Number.NEGATIVE_INFINITY;
    for (let begin = 1; begin + 257 < heard.length; begin += 256) {
      let [cross, energy, error] = [0, 0, 0];
      const at = (index: number) => heard[begin + index] as number;
      for (let index = 0; index < 256; index += 1) {
        cross += at(index) * (at(index - 1) + at(index + 1));
        energy += at(index) ** 2;
      }
      const twiceCosine = cross / energy;
      for (let index = 0; index < 256; index += 1)
        error += (at(index - 1) + at(index + 1) - twiceCosine * at(index)) ** 2;
      worst = Math.max(worst, 10 * Math.log10(error / energy));
    }
    return worst;
  }

  const ms = (samples: number) => (samples * 1000) / RATE;

  it.each([-300, 300])(
    "of %i ppm neither runs dry nor drops in six minutes, its delay stays, and a tone stays a tone",
    (ppm) => {
      const { play, report } = card({ ppm, hz: 1_000 });
      play(0.1);
      const worst = impurity(play(120));
      const levels: number[] = [];
      for (let minute = 2; minute < 6; minute += 1) {
        play(60);
        levels.push(ms(report().waiting));
      }
      expect(report()).toMatchObject({ dropped: 0, underruns: 0 });
      expect(Math.min(...levels)).toBeGreaterThan(20);
      expect(Math.max(...levels)).toBeLessThan(START_MS + 40);
      expect(Math.max(worst, impurity(play(10)))).toBeLessThan(-60);
    },
  );

  it("plays a tone of three quarters of all that its rate can carry as cleanly, and as loud", () => {
    const { play } = card({ ppm: -300, hz: 3_000 });
    play(60);
    const heard = play(10);
    expect(impurity(heard)).toBeLessThan(-60);
    const power = heard.reduce((sum, sample) => sum + sample * sample, 0) / heard.length;
    expect(10 * Math.log10(power / 0.125)).toBeCloseTo(0, 1);
  });

  it("leaves every sample as it is where the clocks agree", () => {
    const { play, report } = card({ ppm: 0, hz: 1_000 });
    play(120);
    expect(report()).toMatchObject({ dropped: 0, underruns: 0, rate: 0 });
  });

  it("plays off within minutes, in tune, what gathered when all was held up for a moment", () => {
    const { play, report } = card({ ppm: 0, hz: 1_000, held: [10, 10.3] });
    play(12);
    expect(ms(report().waiting)).toBeGreaterThan(250);
    expect(impurity(play(150))).toBeLessThan(-60);
    expect(ms(report().waiting)).toBeLessThan(START_MS + 40);
    expect(report()).toMatchObject({ dropped: 0, underruns: 1 });
  });
});

describe("the microphone", () => {
  it("mixes its channels into blocks of one length, clipped, in order", () => {
    const microphone = start<Int16Array>(microphoneProcessor, { blockSamples: 200 });
    const left = Float32Array.from({ length: QUANTUM }, (_, at) => at / QUANTUM);
    const right = Float32Array.from({ length: QUANTUM }, () => 0.5);
    for (let count = 0; count < 4; count += 1) {
      expect(microphone.processor.process([[left, right]], [])).toBe(true);
    }
    expect(microphone.sent.map(({ length }) => length)).toEqual([200, 200]);
    const all = microphone.sent.flatMap((block) => [...block]);
    for (const at of [0, 1, 127, 128, 300, 399]) {
      expect(all[at]).toBe(Math.round((((at % QUANTUM) / QUANTUM + 0.5) / 2) * 32_767));
    }
    for (const value of [3, 3, -3, -3]) {
      microphone.processor.process([[new Float32Array(QUANTUM).fill(value)]], []);
    }
    const loud = microphone.sent.slice(2).flatMap((block) => [...block]);
    expect([Math.max(...loud), Math.min(...loud)]).toEqual([32_767, -32_768]);
  });

  it("waits while nothing is connected", () => {
    const microphone = start<Int16Array>(microphoneProcessor, { blockSamples: 10 });
    expect(microphone.processor.process([[]], [])).toBe(true);
    expect(microphone.sent).toEqual([]);
  });
});
