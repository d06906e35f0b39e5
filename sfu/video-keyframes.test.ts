import { describe, expect, it } from "vitest";
import {
  isCrossing,
  KEY_REQUEST_INTERVAL_MS,
  KeyFrameDue,
  KeyFrameRecord,
  KeyFrameRequests,
} from "./video-keyframes.ts";

describe("requests for a key frame", () => {
  it("go at once, and again after a round trip and half a second", () => {
    const requests = new KeyFrameRequests();
    expect(requests.poll(0)).toBe(false);
    requests.want();
    expect(requests.poll(10)).toBe(true);
    expect(requests.poll(11)).toBe(false);
    expect(requests.nextTimeout()).toBe(10 + KEY_REQUEST_INTERVAL_MS);
    expect(requests.nextTimeout(700)).toBe(710 + KEY_REQUEST_INTERVAL_MS);
    expect(requests.poll(10 + KEY_REQUEST_INTERVAL_MS)).toBe(true);
    expect(requests.asked).toBe(2);
  });

  it("are not made for one that comes unasked, and are where it does not, or is known to be lost", () => {
    const requests = new KeyFrameRequests();
    requests.expect(0);
    expect(requests.nextTimeout(80)).toBe(80 + KEY_REQUEST_INTERVAL_MS);
    requests.came();
    expect(requests.nextTimeout(80)).toBeUndefined();
    requests.expect(1_000);
    expect(requests.poll(1_500, 80)).toBe(false);
    expect(requests.poll(1_580, 80)).toBe(true);
    requests.came();
    requests.expect(3_000);
    requests.want();
    requests.expect(3_100);
    expect(requests.poll(3_100, 80)).toBe(true);
  });

  it("end when one came, and begin anew when the next is wanted, not too often", () => {
    const requests = new KeyFrameRequests();
    requests.want();
    requests.poll(0);
    requests.came();
    expect(requests.nextTimeout()).toBeUndefined();
    requests.want();
    expect(requests.poll(100)).toBe(false);
    expect(requests.poll(KEY_REQUEST_INTERVAL_MS)).toBe(true);
  });
});

/** The times, ms, at which one of two clocks that go on in steps of 100 ms says so. */
function timesOf(until: number, isDue: (now: number) => boolean): number[] {
  const times: number[] = [];
  for (let now = 0; now <= until; now += 100) if (isDue(now)) times.push(now);
  return times;
}

describe("where nothing comes", () => {
  it("requests are ever more seldom, down to one each 5 s, until something does", () => {
    const requests = new KeyFrameRequests();
    requests.want();
    expect(timesOf(20_000, (now) => requests.poll(now))).toEqual([
      0, 500, 1_500, 3_500, 7_500, 12_500, 17_500,
    ]);
    requests.startOver();
    expect(requests.nextTimeout()).toBe(17_500 + KEY_REQUEST_INTERVAL_MS);
  });

  it("the record of them is, down to one each 30 s, and never twice in 2 s", () => {
    const record = new KeyFrameRecord();
    const times = timesOf(120_000, (now) => record.takes(now));
    expect(times).toEqual([0, 2_000, 6_000, 14_000, 30_000, 60_000, 90_000, 120_000]);
    record.startOver();
    expect(record.takes(121_900)).toBe(false);
    expect(record.takes(122_000)).toBe(true);
  });
});

describe("an encoder", () => {
  it("makes a key frame first, and one for each request that none answers yet", () => {
    const due = new KeyFrameDue();
    expect(due.isDue).toBe(true);
    due.sent(0);
    expect(due.isDue).toBe(false);
    due.ask(true);
    expect(due.isDue).toBe(false);
    due.ask(false);
    expect(due.isDue).toBe(true);
    due.sent(320);
    due.askOnRecord(319 + KEY_REQUEST_INTERVAL_MS);
    expect(due.isDue).toBe(false);
    due.askOnRecord(320 + KEY_REQUEST_INTERVAL_MS);
    expect(due.isDue).toBe(true);
    expect(due.asked).toBe(4);
  });

  it.each([
    ["that has not left", Number.POSITIVE_INFINITY, 80, true],
    ["that left a moment ago", 999, 80, true],
    ["that left a round trip and a quarter ago", 900, 80, false],
    ["that left a quarter of a second ago, the round trip unknown", 751, undefined, true],
    ["that left longer ago, the round trip unknown", 750, undefined, false],
  ] as const)("has answered a request with a key frame %s: %d", (_, leftAt, roundTrip, expected) => {
    expect(isCrossing(leftAt, 1_000, roundTrip)).toBe(expected);
  });

  it("makes one at once where nothing can go on without", () => {
    const due = new KeyFrameDue();
    due.sent(0);
    due.require();
    expect(due.isDue).toBe(true);
  });
});
