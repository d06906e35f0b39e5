import { expect, it } from "vitest";
import { Recording } from "./wav.ts";

it("puts sound where it was played and leaves gaps silent", () => {
  const recording = new Recording(8_000);
  recording.put(Int16Array.of(1, 2), 0, 1);
  recording.put(Int16Array.of(5, 50, 6, 60), 4, 2);
  const file = recording.wav();
  const view = new DataView(file.buffer);
  expect(new TextDecoder().decode(file.subarray(0, 4))).toBe("RIFF");
  expect([view.getUint32(24, true), view.getUint16(22, true), view.getUint32(40, true)]).toEqual([
    8_000, 1, 12,
  ]);
  expect([0, 1, 2, 3, 4, 5].map((index) => view.getInt16(44 + index * 2, true))).toEqual([1, 2, 0, 0, 5, 6]);
});

it("keeps ten minutes and says when there was more", () => {
  const recording = new Recording(1_000);
  recording.put(new Int16Array(1_000), 599_000, 1);
  expect(recording.overflowed).toBe(false);
  recording.put(new Int16Array(1), 600_000, 1);
  expect(recording.overflowed).toBe(true);
  expect(recording.seconds).toBe(600);
});
