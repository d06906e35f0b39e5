import { describe, expect, it } from "vitest";
import { arrivalEntry } from "../../codecs/rtcp-arrivals.ts";
import { SentPackets, type Settled } from "./sent-packets.ts";

const HERE = arrivalEntry(0);

describe("packets that were sent and not yet heard of", () => {
  it("are acknowledged once, by their low 16 bits, over the wrap", () => {
    const { sent, told, settled } = scene();
    for (let sequence = 0x1_ffff_fffe; sequence < 0x2_0000_0003; sequence += 1) sent.record(sequence, 100, 5);
    const first = sent.extend(0xffff);
    expect(first).toBe(0x1_ffff_ffff);
    sent.acknowledge(first, HERE, settled);
    sent.acknowledge(first, HERE, settled);
    sent.acknowledge(sent.extend(1), HERE, settled);
    expect(told).toEqual(["acknowledged 100 sent at 5", "acknowledged 100 sent at 5"]);
  });

  it("stand on their way from the time at which they were sent, until they are heard of", () => {
    const { sent, settled } = scene();
    for (let sequence = 0; sequence < 6; sequence += 1) sent.record(sequence, 100, sequence * 10);
    expect(sent.inFlightSince(30)).toBe(300);
    sent.acknowledge(1, HERE, settled);
    expect([sent.inFlightSince(30), sent.inFlightSince(0), sent.inFlightSince(1_000)]).toEqual([200, 0, 500]);
  });

  it("are lost when three that came overtook them, and may turn up after that", () => {
    const { sent, told, settled } = scene();
    for (let sequence = 10; sequence < 20; sequence += 1) sent.record(sequence, 100, 0);
    sent.acknowledge(13, HERE, settled);
    told.length = 0;
    for (const sequence of [10, 11, 12]) sent.missing(sequence, settled);
    expect(told).toEqual(["lost 100"]);
    sent.acknowledge(10, HERE, settled);
    sent.missing(10, settled);
    expect(told).toEqual(["lost 100", "late 100"]);
  });

  it("are forgotten, not lost, when no report speaks of them, or nothing is heard for long", () => {
    const { sent, told, settled } = scene();
    for (let sequence = 0; sequence < 6; sequence += 1) sent.record(sequence, 100, sequence * 10);
    sent.passed(2, settled);
    sent.expire(30, settled);
    sent.expire(30, settled);
    expect(told).toEqual(["forgotten 100", "forgotten 100", "forgotten 100", "forgotten 100"]);
  });

  it("are overtaken by what was sent after them, whatever their numbers", () => {
    const { sent, told, settled } = scene();
    for (const sequence of [10, 11, 20, 21, 22, 23, 12, 13]) sent.record(sequence, 100, 0);
    for (const sequence of [10, 11, 20, 21, 22, 23]) sent.acknowledge(sequence, HERE, settled);
    told.length = 0;
    for (const sequence of [12, 13]) sent.missing(sequence, settled);
    sent.passed(20, settled);
    expect(told).toEqual([]);
    sent.acknowledge(12, HERE, settled);
    expect(told).toEqual(["acknowledged 100 sent at 0"]);
    for (const sequence of [24, 25, 26]) sent.record(sequence, 100, 0);
    sent.acknowledge(26, HERE, settled);
    sent.missing(13, settled);
    expect(told.at(-1)).toBe("lost 100");
  });

  it("that were never sent are nobody's", () => {
    const { sent, told, settled } = scene();
    sent.record(7, 100, 0);
    for (const sequence of [0, 6, 8, 71, 7 + 64]) {
      sent.acknowledge(sequence, HERE, settled);
      sent.missing(sequence, settled);
    }
    expect(told).toEqual([]);
  });

  it("may have been overtaken before they were sent", () => {
    const { sent, told, settled } = scene();
    expect([10, 12, 11, 11].map((sequence) => sent.record(sequence, 100, 0))).toEqual([0, 0, 0, 100]);
    sent.acknowledge(11, HERE, settled);
    expect(told).toHaveLength(1);
  });

  it("are 4,096 at most; beyond that the oldest is given up", () => {
    const { sent, told, settled } = scene();
    let given = 0;
    for (let sequence = 0; sequence < 5_000; sequence += 1) given += sent.record(sequence, 100, sequence);
    expect(given).toBe(904 * 100);
    sent.expire(Number.POSITIVE_INFINITY, settled);
    expect(told).toHaveLength(4_096);
  });

  it("may leave out any count of numbers: those before have no place any more, and are not on their way", () => {
    const { sent, told, settled } = scene();
    expect([1, 3, 2 ** 47].map((sequence) => sent.record(sequence, 100, 0))).toEqual([0, 0, 200]);
    expect(sent.inFlight).toBe(100);
    sent.expire(10, settled);
    expect(sent.inFlight).toBe(0);
    sent.acknowledge(2 ** 47, HERE, settled);
    expect(told.at(-1)).toBe("late 100");
  });
});

function scene() {
  const told: string[] = [];
  const settled: Settled = {
    acknowledged: (sentAt, bytes) => told.push(`acknowledged ${bytes} sent at ${sentAt}`),
    late: (bytes) => told.push(`late ${bytes}`),
    lost: (bytes) => told.push(`lost ${bytes}`),
    forgotten: (bytes) => told.push(`forgotten ${bytes}`),
  };
  return { sent: new SentPackets(), told, settled };
}
