import { expect, it, vi } from "vitest";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { UnitReader } from "../../sfu/unit-reader.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { UnitReading } from "./unit-reading.ts";

function reading() {
  const clock = new VirtualClock();
  const units = new UnitReading({ clock, taken: () => {}, arrived: () => {}, close: () => {} });
  return { clock, units };
}

it("a unit that begins asks its own connection alone when it will have taken too long", () => {
  const { units } = reading();
  const asked = vi.spyOn(UnitReader.prototype, "nextTimeout");
  try {
    for (let connection = 1; connection <= 30; connection += 1) units.begin(connection, 4, () => {});
    expect(asked.mock.calls.length).toBe(30);
  } finally {
    asked.mockRestore();
  }
});

it("gives up what takes too long on each connection in its time, and forgets what is over", async () => {
  const { clock, units } = reading();
  const stopped: string[] = [];
  units.begin(1, 4, () => stopped.push("first"));
  await clock.advance(2_000);
  units.begin(1, 4, () => stopped.push("second"));
  units.begin(2, 4, () => stopped.push("other"));
  units.begin(3, 4, () => stopped.push("gone"));
  units.forget(3);
  await clock.advance(3_100);
  expect(stopped).toEqual(["first"]);
  await clock.advance(2_000);
  expect(stopped.sort()).toEqual(["first", "other", "second"]);
  expect(units.counts).toMatchObject({ broken: { slow: 3 }, unfinished: 0 });
});

it("closes a connection once, by name, whose units break more often than is forgiven", async () => {
  const closed: unknown[] = [];
  const clock = new VirtualClock();
  const units = new UnitReading({
    ...{ clock, taken: () => {}, arrived: () => {} },
    close: (...all) => closed.push(all),
  });
  const breaks = (count: number) => {
    for (let at = 0; at < count; at += 1) units.begin(1, 4, () => {}).abort();
  };
  breaks(200);
  expect(closed).toEqual([]);
  await clock.advance(1_000);
  breaks(20);
  expect(closed).toEqual([]);
  breaks(10);
  expect(closed).toEqual([[1, CLOSE_CODES.overloaded, "broken-units"]]);
});
