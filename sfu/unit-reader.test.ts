import { describe, expect, it } from "vitest";
import { encodeUnitItem, encodeUnitStart } from "../codecs/unit-stream.ts";
import { UnitReader } from "./unit-reader.ts";

function wire(bytes: number, flow = 3): Uint8Array {
  return Uint8Array.from([...encodeUnitStart(flow, 0), ...encodeUnitItem(new Uint8Array(bytes).fill(1))]);
}

describe("a unit reader", () => {
  it("hands out what came whole, and counts its pieces", () => {
    const reader = new UnitReader();
    const inlet = reader.begin(3, 0, () => {});
    expect(inlet.push(wire(2_000))).toHaveLength(2);
    expect(inlet.end()).toHaveLength(2_000);
    expect([reader.open, reader.bytes, reader.faults]).toEqual([
      0,
      0,
      { malformed: 0, reset: 0, "unit-cap": 0, slow: 0 },
    ]);
  });

  it("gives up what is malformed, reset, too large or cut off, by reason", () => {
    const reader = new UnitReader();
    const stopped: string[] = [];
    reader.begin(3, 0, () => stopped.push("long"), 1_000).push(wire(1_001));
    reader.begin(3, 0, () => stopped.push("reset")).abort();
    const cut = reader.begin(3, 0, () => stopped.push("cut"));
    cut.push(wire(100).subarray(0, 50));
    expect(cut.end()).toBeUndefined();
    expect(reader.faults).toEqual({ malformed: 2, reset: 1, "unit-cap": 0, slow: 0 });
    expect([stopped, reader.open]).toEqual([["long"], 0]);
  });

  it("stops streams that never end", () => {
    const reader = new UnitReader();
    const stopped: number[] = [];
    reader.begin(3, 0, () => stopped.push(0)).push(wire(9_000).subarray(0, 20));
    reader.begin(3, 4_000, () => stopped.push(1)).push(wire(9_000).subarray(0, 20));
    expect(reader.nextTimeout()).toBe(5_000);
    reader.tick(5_000);
    expect([stopped, reader.faults.slow, reader.nextTimeout()]).toEqual([[0], 1, 9_000]);
  });

  it("gives up what is due at the time that it told, whatever fractions that has", () => {
    for (let third = 12_000; third < 12_300; third += 1) {
      const reader = new UnitReader();
      reader.begin(1, third / 3, () => {});
      reader.tick(reader.nextTimeout() ?? 0);
      expect(reader.faults.slow).toBe(1);
    }
  });

  it("keeps so many of a flow, of all flows, and so many bytes; the oldest goes", () => {
    const reader = new UnitReader();
    const stopped: string[] = [];
    for (let index = 0; index < 33; index += 1) reader.begin(1, 0, () => stopped.push(`1/${index}`));
    expect([stopped, reader.open]).toEqual([["1/0"], 32]);
    for (let flow = 2; flow < 12; flow += 1)
      for (let index = 0; index < 10; index += 1)
        reader.begin(flow, 0, () => stopped.push(`${flow}/${index}`));
    expect([reader.open, stopped.length]).toEqual([128, 5]);
    const heavy = new UnitReader();
    const large = Uint8Array.of(1, 0, 0x80, 0x0f, 0x42, 0x40);
    const most = new Uint8Array(999_000);
    for (let index = 0; index < 12; index += 1) {
      const inlet = heavy.begin(1, 0, () => {});
      inlet.push(large);
      inlet.push(most);
    }
    expect(heavy.bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(heavy.faults["unit-cap"]).toBeGreaterThan(2);
  });

  it("keeps so many bytes where the oldest have next to none", () => {
    const reader = new UnitReader();
    const inlets = Array.from({ length: 64 }, (_, index) => reader.begin(index, 0, () => {}));
    for (const inlet of inlets) inlet.push(Uint8Array.of(1, 0, 0x80, 0x0f, 0x42, 0x40, 1));
    for (let round = 0; round < 2; round += 1)
      for (const inlet of inlets.slice(32)) {
        inlet.push(new Uint8Array(300_000));
        expect(reader.bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
      }
  });

  it("stops streams of which the flow stays unknown, the oldest of too many and all in time", () => {
    const reader = new UnitReader();
    const stopped: number[] = [];
    const known = Array.from({ length: 33 }, (_, at) => reader.await(at, () => stopped.push(at)));
    expect(stopped).toEqual([0]);
    expect([known[0]?.(), known[1]?.(), reader.open]).toEqual([false, true, 31]);
    reader.tick(5_002);
    expect(stopped).toEqual([0, 2]);
    expect(reader.faults).toMatchObject({ "unit-cap": 1, slow: 1 });
  });

  it("gives up what is one too many of the flow that has most, not of whoever was first", () => {
    const reader = new UnitReader();
    const stopped: string[] = [];
    reader.begin(1, 0, () => stopped.push("first"));
    for (let flow = 2; flow <= 5; flow += 1)
      for (let count = 0; count < 32; count += 1) reader.begin(flow, 1, () => stopped.push(`${flow}`));
    expect([stopped, reader.open]).toEqual([["2"], 128]);
  });
});
