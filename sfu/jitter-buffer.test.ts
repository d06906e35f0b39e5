import { describe, expect, it } from "vitest";
import { MAXIMUM_DELAY } from "./delay-estimator.ts";
import { type BufferedFrame, JitterBuffer, MAX_BUFFERED_FRAMES, MAXIMUM_EXCESS } from "./jitter-buffer.ts";
import { CONCEALMENT_LIMIT, Playout } from "./playout.ts";

const OPTIONS = { clockRate: 8000, frameSamples: 160 };
const BASE = 0x1_fffe;

/** Frame `index`, spoken in slot `slot` of 20 ms, by a speaker whose clock started with ours. */
function frame(index: number, slot: number = index, more: Partial<BufferedFrame> = {}): BufferedFrame {
  return {
    sequence: BASE + index,
    timestamp: (2 ** 32 - 320 + slot * 160) % 2 ** 32,
    captured: slot * 20,
    payload: new Uint8Array([index]),
    startOfTurn: index === 0,
    endOfTurn: false,
    ...more,
  };
}

/** What the buffer gives for `ticks` frame times from `start` on: an index, `lost`, `lost:n` with n at hand, or `.`. */
function listen(buffer: JitterBuffer, start: number, ticks: number): string {
  const heard: string[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    const slot = buffer.take(start + tick * 20);
    if (slot.kind === "frame") heard.push(String(slot.frame.sequence - BASE));
    else if (slot.kind === "pause") heard.push(".");
    else heard.push(slot.next === undefined ? "lost" : `lost:${slot.next.payload[0]}`);
  }
  return heard.join(" ");
}

/** Inserts frames as if each had taken 5 ms. */
function fill(buffer: JitterBuffer, ...frames: BufferedFrame[]): void {
  for (const each of frames) expect(buffer.insert(each, each.captured + 5)).toBe("buffered");
}

describe("the jitter buffer", () => {
  it("puts frames in order across the wraps of sequence number and timestamp", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, ...[3, 0, 4, 1, 2].map((index) => frame(index)));
    expect(listen(buffer, 20, 5)).toBe("0 1 2 3 4");
  });

  it("waits for the learned delay before a turn begins", () => {
    const buffer = new JitterBuffer(OPTIONS);
    expect(listen(buffer, 0, 2)).toBe(". .");
    fill(buffer, frame(0), frame(1));
    expect(listen(buffer, 5, 2)).toBe(". 0");
    expect(buffer.target).toBe(15);
  });

  it.each([
    ["plans for frames that come late in pieces", 0, 300, 500],
    ["does not where most of what was said is missing before them: the way stood still", 250, 0, 75],
  ] as const)("%s", (_what, lost, least, most) => {
    const buffer = new JitterBuffer(OPTIONS);
    let index = 0;
    const comes = (transit: number): void => {
      const next = frame(index);
      buffer.insert(next, next.captured + transit);
      index += 1;
    };
    while (index < 250) comes(5);
    index += lost;
    // One that comes in time is no end of it.
    for (const transit of [400, 400, 360, 360, 20, 320, 320]) comes(transit);
    for (let at = 0; at < 50; at += 1) comes(5);
    expect(buffer.targetDelay).toBeGreaterThan(least);
    expect(buffer.targetDelay).toBeLessThan(most);
    // What comes late later on is planned for as ever.
    for (const transit of [300, 300, 300]) comes(transit);
    expect(buffer.targetDelay).toBeGreaterThan(250);
  });

  it("plays what came before anybody could take it from the first frame on, and all that follows after it", () => {
    const buffer = new JitterBuffer(OPTIONS);
    const behind = 2_000;
    for (const index of [0, 1, 2]) {
      const held = frame(index, index, { behind });
      buffer.insert(held, held.captured + behind + 5);
    }
    expect(listen(buffer, 1_980, 3)).toBe(". . 0");
    // Captured while the last two of those are still to be played.
    const next = frame(3, 101, { startOfTurn: true });
    buffer.insert(next, next.captured + 5);
    expect(listen(buffer, 2_040, 4)).toBe("1 2 3 lost");
    expect(buffer.counters()).toMatchObject({ late: 0, shrunk: 0 });
  });

  it("says what follows a lost frame, and nothing where two are lost in a row", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(2), frame(5), frame(6));
    expect(listen(buffer, 20, 7)).toBe("0 lost:2 2 lost lost:5 5 6");
  });

  it("takes a gap in time without a gap in sequence for silence", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1), frame(2, 6), frame(3, 7));
    expect(listen(buffer, 20, 8)).toBe("0 1 . . . . 2 3");
  });

  it("takes it for a loss where its speaker says that it never had what stood there", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1), frame(2, 4, { marked: false }), frame(3, 6, { marked: true }));
    expect(listen(buffer, 20, 7)).toBe("0 1 lost lost:2 2 . 3");
  });

  it("conceals as many frames as are lost in a longer gap and no more", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1), frame(4, 9), frame(5, 10));
    expect(listen(buffer, 20, 11)).toBe("0 1 lost lost . . . . . 4 5");
  });

  it("is silent, not lossy, after the end of a turn", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1, 1, { endOfTurn: true }));
    expect(listen(buffer, 20, 5)).toBe("0 1 . . .");
  });

  it("counts what comes after its slot as late and plays on", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(2));
    expect(listen(buffer, 20, 2)).toBe("0 lost:2");
    expect(buffer.insert(frame(1), 45)).toBe("late");
    expect(listen(buffer, 60, 1)).toBe("2");
    expect(buffer.insert(frame(1), 65)).toBe("duplicate");
    expect(buffer.counters()).toMatchObject({ received: 3, late: 1, duplicate: 1 });
  });

  it("counts duplicates, waiting or played", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1));
    expect(buffer.insert(frame(1), 25)).toBe("duplicate");
    expect(listen(buffer, 20, 2)).toBe("0 1");
    expect(buffer.insert(frame(0), 65)).toBe("duplicate");
    expect(buffer.counters()).toMatchObject({ received: 2, duplicate: 2, late: 0 });
  });

  it("drops the oldest frame at its cap", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, ...Array.from({ length: MAX_BUFFERED_FRAMES + 10 }, (_, index) => frame(index)));
    expect(buffer.size).toBe(MAX_BUFFERED_FRAMES);
    expect(buffer.counters().overflow).toBe(10);
    expect(listen(buffer, 200 + 20, 2)).toBe("10 11");
  });

  it("keeps a slot open while the delay is shorter than it should be, and plays the frame after all", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0));
    expect(listen(buffer, 20, 1)).toBe("0");
    // Frame 2 took 35 ms: playing 20 ms after capture is now known to be too soon, and frame 1 may be no faster.
    expect(listen(buffer, 40, 1)).toBe("lost");
    expect(buffer.insert(frame(2), 75)).toBe("buffered");
    expect(buffer.insert(frame(1), 78)).toBe("late");
    expect(buffer.counters().awaited).toBe(0);
    expect(listen(buffer, 80, 1)).toBe("2");
    expect(listen(buffer, 100, 1)).toBe("lost");
    expect(buffer.counters().awaited).toBe(1);
    expect(buffer.insert(frame(3), 118)).toBe("buffered");
    expect(listen(buffer, 120, 1)).toBe("3");
  });

  it("drops a backlog at once when it is older than any delay allows", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, ...Array.from({ length: 100 }, (_, index) => frame(index)));
    expect(listen(buffer, 20, 1)).toBe("0");
    // The ticks stopped for two seconds while frames came in.
    const at = 20 + 2000;
    const slot = buffer.take(at);
    expect(slot.kind).toBe("frame");
    const played = slot.kind === "frame" ? slot.frame : frame(0);
    expect(at - played.captured).toBeLessThanOrEqual(MAXIMUM_EXCESS + 20);
    expect(buffer.counters().shrunk).toBeGreaterThan(50);
  });

  it("asks for shorter frames, five a second at most, while the delay is too long, and leaves none out", () => {
    const buffer = new JitterBuffer(OPTIONS);
    // The first frames took 105 ms; later ones 5 ms.
    for (let index = 0; index < 3; index++) buffer.insert(frame(index), index * 20 + 105);
    let next = 3;
    let at = 120;
    let delay = 0;
    const shortened: number[] = [];
    while (at < 20_000) {
      while (next * 20 + 5 <= at) buffer.insert(frame(next), next++ * 20 + 5);
      const slot = buffer.take(at);
      const cut = slot.kind === "frame" && slot.adjust !== undefined && slot.adjust.ms < 0;
      if (cut) {
        shortened.push(at);
        buffer.shortened(at);
      }
      if (slot.kind === "frame") delay = at - slot.frame.captured;
      at += cut ? 12 : 20;
    }
    expect(buffer.counters()).toMatchObject({ shrunk: 0, late: 0 });
    expect(shortened.length).toBeGreaterThan(8);
    expect(shortened.every((when, index) => index === 0 || when - (shortened[index - 1] ?? 0) >= 200)).toBe(
      true,
    );
    // 5 ms of transit, 10 ms of delay, and what is left alone.
    expect(delay).toBeLessThanOrEqual(15 + 15);
  });

  it("asks for longer frames at once when the delay is too short", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1), frame(2));
    expect(buffer.take(20)).toMatchObject({ kind: "frame", adjust: undefined });
    buffer.insert(frame(3), 95);
    expect(buffer.take(40)).toMatchObject({ kind: "frame", adjust: { ms: 25 } });
  });

  it("follows a speaker whose timestamps start anew with a turn", () => {
    const buffer = new JitterBuffer(OPTIONS);
    fill(buffer, frame(0), frame(1, 1, { endOfTurn: true }));
    const restarted = { timestamp: 7, startOfTurn: true };
    fill(buffer, frame(2, 10, restarted), frame(3, 11, { timestamp: 167 }));
    expect(listen(buffer, 20, 13)).toBe("0 1 . . . . . . . . 2 3 lost");
  });

  it("plays frames longer than the concealment limit one for one", () => {
    const playout = new Playout({ clockRate: 8000, frameSamples: 1200, start: 0 });
    for (const index of [0, 2]) {
      const made = { ...frame(index), timestamp: index * 1200, captured: index * 150 };
      playout.insert(made, made.captured + 5);
    }
    const kinds = Array.from({ length: 5 }, () => playout.poll(4 * 150)?.kind);
    expect(kinds).toEqual(["silence", "play", "conceal", "play", "conceal"]);
    expect(CONCEALMENT_LIMIT).toBeLessThan(150);
  });

  it("conceals to the limit when the network falls silent, and starts anew when it wakes", () => {
    const playout = new Playout({ ...OPTIONS, start: 0 });
    for (let index = 0; index < 5; index++) playout.insert(frame(index), index * 20 + 5);
    const kinds: string[] = [];
    for (let at = 0; at < 400; at += 20) kinds.push(playout.poll(at)?.kind ?? "nothing");
    expect(kinds.join(" ")).toBe(
      ["silence", ...Array(5).fill("play"), ...Array(5).fill("conceal"), ...Array(9).fill("silence")].join(
        " ",
      ),
    );
    // A stall of 400 ms, then everything at once: what is too old for the delay learned is given up.
    for (let index = 5; index < 20; index++) playout.insert(frame(index), 399);
    const heard: number[] = [];
    for (let at = 400; at < 900; at += 20) {
      const step = playout.poll(at);
      if (step?.kind === "play") heard.push(step.frame.sequence - BASE);
    }
    expect(heard.at(-1)).toBe(19);
    expect(heard.length).toBeGreaterThanOrEqual(10);
    expect(playout.counters().heard + playout.counters().late).toBe(20);
  });

  it("does not start anew at the far end of a long backlog", () => {
    const playout = new Playout({ ...OPTIONS, start: 0 });
    for (let index = 0; index < 5; index++) playout.insert(frame(index), index * 20 + 5);
    let at = 0;
    for (; at < 2100; at += 20) playout.poll(at);
    for (let index = 5; index < 105; index++) playout.insert(frame(index), 2100);
    const delays: number[] = [];
    for (; at < 3000; at += 20) {
      const step = playout.poll(at);
      if (step?.kind === "play") delays.push(step.at - step.frame.captured);
    }
    expect(delays.length).toBeGreaterThan(20);
    expect(Math.max(...delays)).toBeLessThanOrEqual(MAXIMUM_DELAY + 3 * 20);
  });
});
