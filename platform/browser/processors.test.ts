/** The two worklet programs, block by block, in a scope with what a worklet's scope has. */
import { beforeEach, describe, expect, it } from "vitest";
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
  const options = { capacity: 1_000, start: 200, fade: 50, report: 256 };
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
