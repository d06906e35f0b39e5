import { describe, expect, it } from "vitest";
import { parseRtcp } from "../../codecs/rtcp.ts";
import { type ArrivalReport, arrivalOf, hasArrived, parseArrivalReport } from "../../codecs/rtcp-arrivals.ts";
import { parseRemb } from "../../codecs/rtcp-remb.ts";
import { FeedbackWriter } from "./feedback-writer.ts";

describe("feedback on what arrived", () => {
  it("goes out at once, then each 50 ms, and step by step each 400 ms once two seconds were calm", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    const times = speak(writer, { packets: 400 });
    expect(times[0]).toBe(0);
    const gaps = times.slice(1).map((at, index) => at - (times[index] as number));
    expect(gaps.slice(0, 35).every((gap) => gap >= 50 && gap <= 70)).toBe(true);
    const step = gaps.findIndex((gap) => gap > 70);
    expect(gaps.slice(step, step + 6)).toEqual([75, 113, 170, 255, 383, 400]);
    expect(gaps.slice(-10).every((gap) => gap >= 400 && gap <= 420)).toBe(true);
  });

  it("goes out each 25 ms while more than a megabit a second comes", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    const times: number[] = [];
    // 1.8 Mbit/s for a second, then half of it.
    for (let at = 0; at < 2_000; at += at < 1_000 ? 5 : 10) {
      writer.arrived(1, at, 1_100, at);
      if (writer.report(at) !== undefined) times.push(at);
    }
    const between = (from: number, until: number) => times.filter((at) => at >= from && at < until).length;
    expect(between(500, 1_000)).toBe(20);
    expect(between(1_500, 2_000)).toBe(10);
  });

  it("goes out less often from an end that is late with it: an overloaded machine is not given more to do", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    const times: number[] = [];
    for (let at = 0; at < 1_900; at += 20) {
      writer.arrived(1, at / 20, 160, at);
      const due = writer.nextTimeout();
      if (due !== undefined && at >= due + 60 && writer.report(at) !== undefined) times.push(at);
    }
    expect(times.length).toBeLessThanOrEqual(5);
  });

  it("tells a gap at once, and goes on each 50 ms for two seconds", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    const before = speak(writer, { packets: 200 }).at(-1) as number;
    writer.arrived(1, 201, 160, 4_000);
    expect(writer.nextTimeout()).toBe(Math.max(4_000, before + 20));
    const times = speak(writer, { packets: 100, first: 202, from: 4_020 });
    expect(times.filter((at) => at < 6_000).length).toBeGreaterThan(25);
  });

  it("tells a packet that comes later than usual at once, but not on a path where that is usual", () => {
    const late = new FeedbackWriter({ ssrc: 9, start: 0 });
    const before = speak(late, { packets: 200, sent: (at) => at - 500 }).at(-1) as number;
    late.arrived(1, 200, 160, 4_000, 3_470);
    expect(late.nextTimeout()).toBe(Math.max(4_000, before + 20));

    const uneven = new FeedbackWriter({ ssrc: 9, start: 0 });
    const times = speak(uneven, { packets: 300, sent: (at) => at - 500 - ((at / 20) % 2) * 40 });
    expect(times.filter((at) => at > 4_000).length).toBeLessThan(10);
  });

  it("says everything twice, so that one report may be lost", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    const told = new Map<number, number>();
    for (let index = 0; index < 100; index += 1) {
      writer.arrived(1, 65_500 + index, 160, index * 20);
      count(writer.report(index * 20));
    }
    for (let at = writer.nextTimeout(); at !== undefined; at = writer.nextTimeout()) count(writer.report(at));
    expect([...told.keys()]).toEqual(Array.from({ length: 100 }, (_, index) => (65_500 + index) % 65_536));
    expect(new Set(told.values())).toEqual(new Set([2]));

    function count(report: Uint8Array | undefined): void {
      if (report === undefined) return;
      for (const { begin, packets } of read(report).streams)
        packets.forEach((entry, index) => {
          const low = (begin + index) % 65_536;
          if (hasArrived(entry)) told.set(low, (told.get(low) ?? 0) + 1);
        });
    }
  });

  it("tells when each packet came, and which did not", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    writer.arrived(1, 10, 160, 1_000);
    writer.arrived(1, 13, 160, 1_250);
    writer.arrived(1, 11, 160, 1_500);
    const [stream] = read(writer.report(2_000)).streams;
    expect(stream).toMatchObject({ ssrc: 1, begin: 10 });
    expect([...(stream?.packets ?? [])].map(arrivalOf)).toEqual([1_024, 512, undefined, 768]);
  });

  it("takes what comes before the first as well, and begins anew where numbers jump far", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    writer.arrived(1, 10, 160, 1_000);
    writer.arrived(1, 8, 160, 1_001);
    expect(read(writer.report(1_001)).streams[0]).toMatchObject({ begin: 8 });
    writer.arrived(1, 1_000_000, 160, 1_100);
    const [stream] = read(writer.report(1_200)).streams;
    expect(stream?.begin).toBe(1_000_000 % 65_536);
    expect(stream?.packets).toHaveLength(1);
  });

  it("spreads over several datagrams of a thousand bytes what does not fit one", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    for (let ssrc = 1; ssrc <= 4; ssrc += 1)
      for (let index = 0; index < 400; index += 1) writer.arrived(ssrc, index, 1_000, index);
    let packets = 0;
    let reports = 0;
    for (let report = writer.report(400); report !== undefined; report = writer.report(400)) {
      expect(report.length).toBeLessThanOrEqual(1_000);
      packets += read(report).streams.reduce((sum, stream) => sum + stream.packets.length, 0);
      reports += 1;
    }
    expect({ packets, reports }).toEqual({ packets: 1_600, reports: 4 });
  });

  it("notes no more than 16 sources, and counts the packets of others", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    for (let ssrc = 1; ssrc <= 20; ssrc += 1) writer.arrived(ssrc, 1, 160, 0);
    expect(read(writer.report(0)).streams).toHaveLength(16);
    expect(writer.unnoted).toBe(4);
    writer.forget(1);
    writer.arrived(20, 2, 160, 1);
    expect(writer.unnoted).toBe(4);
  });

  it("says with it what further hops take", () => {
    const writer = new FeedbackWriter({ ssrc: 9, start: 0 });
    writer.takes(65_000);
    writer.arrived(1, 1, 160, 0);
    const report = writer.report(0) as Uint8Array;
    const packets = parseRtcp(report);
    const last = packets.ok ? packets.value[1] : undefined;
    if (last === undefined) throw new Error("no second packet");
    expect(parseRemb(report, last)).toEqual({
      ok: true,
      value: { sender: 9, bitsPerSecond: 65_000, streams: [1] },
    });
  });
});

/** Packets each 20 ms; returns when reports were made. */
function speak(
  writer: FeedbackWriter,
  voice: {
    readonly packets: number;
    readonly first?: number;
    readonly from?: number;
    readonly sent?: (at: number) => number;
  },
): number[] {
  const times: number[] = [];
  const { first = 0, from = 0, sent } = voice;
  for (let index = 0; index < voice.packets; index += 1) {
    const at = from + index * 20;
    writer.arrived(1, first + index, 160, at, sent?.(at));
    for (let step = 0; step < 20; step += 1)
      if (writer.report(at + step) !== undefined) times.push(at + step);
  }
  return times;
}

function read(report: Uint8Array | undefined): ArrivalReport {
  const packets = report === undefined ? undefined : parseRtcp(report);
  const first = packets?.ok ? packets.value[0] : undefined;
  const parsed = first === undefined ? undefined : parseArrivalReport(report as Uint8Array, first);
  if (!parsed?.ok) throw new Error("no report");
  return parsed.value;
}
