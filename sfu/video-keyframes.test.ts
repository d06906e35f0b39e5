import { describe, expect, it } from "vitest";
import {
  KEY_ON_ITS_WAY_MS,
  KEY_REQUEST_INTERVAL_MS,
  KeyFrameDue,
  KeyFrameRecord,
  KeyFrameRequests,
} from "./video-keyframes.ts";

describe("requests for a key frame", () => {
  it("go at once, and not while one is on its way", () => {
    const requests = new KeyFrameRequests();
    expect(requests.poll(0)).toBe(false);
    requests.want();
    expect(requests.poll(10)).toBe(true);
    expect(requests.poll(11)).toBe(false);
    expect(requests.nextTimeout()).toBe(10 + KEY_ON_ITS_WAY_MS);
    expect(requests.poll(10 + KEY_ON_ITS_WAY_MS)).toBe(true);
    expect(requests.asked).toBe(2);
  });

  it("wait longer over a long round trip", () => {
    const requests = new KeyFrameRequests();
    requests.want();
    requests.poll(0);
    expect(requests.nextTimeout(700)).toBe(1_400);
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
    expect(timesOf(20_000, (now) => requests.poll(now))).toEqual([0, 1_000, 3_000, 7_000, 12_000, 17_000]);
    requests.startOver();
    expect(requests.nextTimeout()).toBe(17_000 + KEY_ON_ITS_WAY_MS);
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
    due.ask(100);
    expect(due.isDue).toBe(false);
    due.ask(300);
    expect(due.isDue).toBe(true);
    due.sent(320);
    due.ask(600, 400);
    expect(due.isDue).toBe(false);
    expect(due.asked).toBe(3);
  });

  it("makes one at once where nothing can go on without", () => {
    const due = new KeyFrameDue();
    due.sent(0);
    due.require();
    expect(due.isDue).toBe(true);
  });
});
