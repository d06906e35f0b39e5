import { describe, expect, it } from "vitest";
import { arrivalEntry, encodeArrivalReport } from "../../codecs/rtcp-arrivals.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { FeedbackWriter } from "./feedback-writer.ts";
import type { HopPacket } from "./hop-packet.ts";
import { MediaHop } from "./media-hop.ts";

const BITRATE = { least: 100_000, most: 3_000_000, first: 300_000 };

describe("a hop", () => {
  it("lets a calm voice go at once, and learns the round trip from the first reports", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 3_000);
    path.run(3_500);
    expect(path.held).toBe(0);
    expect(path.arrived).toBe(150);
    const { roundTrip, queueDelay, lossShare, inFlight, limited } = path.hop.estimate;
    expect(roundTrip).toBeGreaterThan(58);
    expect(roundTrip).toBeLessThan(63);
    expect(queueDelay).toBeLessThan(3);
    expect({ lossShare, inFlight, limited }).toEqual({ lossShare: 0, inFlight: 0, limited: true });
  });

  it("does not let the estimate drift under a calm voice", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 60_000);
    path.run(61_000);
    expect(path.hop.estimate.bitsPerSecond).toBe(BITRATE.first);
  });

  it("goes on at the lowest rate when nothing is heard for two seconds", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 10_000);
    path.run(2_000);
    path.isDark = true;
    path.run(5_000);
    expect(path.hop.estimate.bitsPerSecond).toBe(BITRATE.least);
    path.isDark = false;
    path.run(10_500);
    expect(path.hop.estimate.inFlight).toBe(0);
  });

  it("takes a report that tells of nothing new for a standstill, long before reports are overdue", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 10_000);
    path.run(5_000);
    path.isDarkThere = true;
    path.run(6_200);
    // Two reports at 0.4 s from each other: the first tells of what came before, and the second of nothing that followed.
    expect(path.held).toBeGreaterThan(15);
    path.isDarkThere = false;
    path.run(10_500);
    expect(path.hop.estimate.inFlight).toBe(0);
    expect(path.arrived).toBeGreaterThan(500 - 65);
  });

  it("keeps what it found out while its streams take less", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 2_000);
    path.run(2_500);
    path.hop.useMost(150_000);
    expect(path.hop.estimate.bitsPerSecond).toBe(150_000);
    path.hop.useMost(BITRATE.most);
    expect(path.hop.estimate.bitsPerSecond).toBe(BITRATE.first);
  });

  it("lets a calm voice go on where two reports in a row are lost", () => {
    const path = new Path({ delay: 30 });
    path.speak(0, 10_000);
    path.run(5_000);
    path.losesReports = 2;
    path.run(10_500);
    expect(path.losesReports).toBe(0);
    expect(path.held).toBe(0);
    expect(path.hop.estimate.bitsPerSecond).toBe(BITRATE.first);
  });

  it.each([1_900, 2_000, 2_100, 2_200, 2_400, 2_800, 3_300])(
    "lets a calm voice go on where a report is lost as they become less frequent, after %i ms",
    (after) => {
      const path = new Path({ delay: 30 });
      path.speak(0, 6_000);
      path.run(after);
      path.losesReports = 1;
      path.run(6_500);
      expect(path.losesReports).toBe(0);
      expect(path.held).toBe(0);
    },
  );

  it.each([30, 150, 300])(
    "lets a turn begin at once though the last frame of the one before was lost, %i ms away",
    (delay) => {
      const path = new Path({ delay });
      path.speak(0, 3_000);
      path.run(2_970);
      path.isDark = true;
      path.run(2_985);
      path.isDark = false;
      path.speak(6_000, 9_000);
      path.run(10_000);
      expect(path.arrived).toBe(299);
      expect(path.held).toBe(0);
      expect(path.hop.estimate.bitsPerSecond).toBe(BITRATE.first);
    },
  );

  it("keeps what may not go until its deadline, audio first, and counts what it drops", () => {
    const hop = new MediaHop({ start: 0, bitrate: BITRATE });
    const video = (sequence: number) => packet({ ssrc: 2, sequence, kind: "video", size: 1_100 });
    let sequence = 0;
    while (hop.trySend(video(sequence), 0)) sequence += 1;
    hop.hold(video(sequence), 0);
    hop.hold(packet({ ssrc: 2, sequence: sequence + 1, kind: "video", size: 1_100, deadline: 30 }), 0);
    // Audio is not paced and overtakes what waits.
    expect(hop.trySend(packet({ sequence: 0 }), 1)).toBe(true);
    expect(hop.next(1)).toBeUndefined();
    const at = hop.nextTimeout() ?? Number.NaN;
    expect(at).toBeGreaterThan(1);
    expect(at).toBeLessThan(60);
    expect(hop.next(60)?.sequence).toBe(sequence);
    expect(hop.next(100)).toBeUndefined();
    expect(hop.drops).toMatchObject({ stale: 1 });
  });

  it("drops what an interrupt made void", () => {
    const hop = new MediaHop({ start: 0, bitrate: BITRATE });
    for (const sequence of [1, 2, 3]) hop.hold(packet({ sequence, tag: sequence > 1 ? "old" : "new" }), 0);
    hop.drop(({ tag }) => tag === "old", "epoch");
    expect(hop.drops.epoch).toBe(2);
    expect([hop.next(0)?.sequence, hop.next(0)]).toEqual([1, undefined]);
  });

  it("knows no round trip below zero, whatever times a report makes up", () => {
    const hop = new MediaHop({ start: 0, bitrate: BITRATE });
    for (let sequence = 0; sequence < 50; sequence += 1) {
      const now = 20 * sequence;
      hop.trySend(packet({ sequence }), now);
      const streams = [{ ssrc: 1, begin: sequence, packets: Uint16Array.of(arrivalEntry(8_000)) }];
      const report = encodeArrivalReport({
        sender: 9,
        streams,
        time: Math.round(((now + 10) * 65_536) / 1_000),
      });
      expect(hop.feedback(report, now + 10).ok).toBe(true);
    }
    const { roundTrip, queueDelay } = hop.estimate;
    expect(roundTrip).toBe(0);
    expect(queueDelay).toBeGreaterThanOrEqual(0);
  });

  it("refuses what is no RTCP, and passes over what it does not know", () => {
    const hop = new MediaHop({ start: 0, bitrate: BITRATE });
    expect(hop.feedback(Uint8Array.of(1, 2, 3), 0)).toMatchObject({
      ok: false,
      fault: { code: "rtcp-malformed" },
    });
    expect(hop.feedback(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 1), 0)).toMatchObject({ ok: true });
  });
});

function packet(given: Partial<HopPacket> & { readonly size?: number }): HopPacket {
  const { size = 160, ...fields } = given;
  return { ssrc: 1, sequence: 0, bytes: new Uint8Array(size), kind: "audio", deadline: 1e9, ...fields };
}

/** A speaker, a network both ways and a listener, a millisecond at a time. */
class Path {
  readonly hop = new MediaHop({ start: 0, bitrate: BITRATE });
  readonly writer = new FeedbackWriter({ ssrc: 99, start: 0 });
  isDark = false;
  /** Nothing that is said arrives, and reports do. */
  isDarkThere = false;
  /** So many of the next reports. */
  losesReports = 0;
  held = 0;
  arrived = 0;
  readonly #there: Link;
  readonly #back: Link;
  readonly #sends: { at: number; packet: HopPacket }[] = [];
  readonly #events: { at: number; run: () => void }[] = [];
  #now = 0;
  #spoken = 0;

  constructor(conditions: LinkConditions) {
    this.#there = new Link(conditions, new SeededRandom(1));
    this.#back = new Link(conditions, new SeededRandom(2));
  }

  speak(from: number, to: number): void {
    for (let at = from; at < to; at += 20, this.#spoken += 1)
      this.#sends.push({ at, packet: packet({ sequence: 65_500 + this.#spoken, deadline: at + 400 }) });
  }

  run(until: number): void {
    for (; this.#now <= until; this.#now += 1) {
      for (const event of this.#events.filter(({ at }) => at <= this.#now)) {
        this.#events.splice(this.#events.indexOf(event), 1);
        event.run();
      }
      while (this.#sends[0] !== undefined && this.#sends[0].at <= this.#now) {
        const { packet: next } = this.#sends.shift() as { packet: HopPacket };
        if (this.hop.trySend(next, this.#now)) this.#carry(next);
        else {
          this.held += 1;
          this.hop.hold(next, this.#now);
        }
      }
      for (let next = this.hop.next(this.#now); next !== undefined; next = this.hop.next(this.#now))
        this.#carry(next);
      const report = this.writer.report(this.#now);
      if (report !== undefined && this.losesReports > 0) this.losesReports -= 1;
      else if (report !== undefined)
        this.#after(this.#back, report.length, (at) => expect(this.hop.feedback(report, at).ok).toBe(true));
    }
  }

  #carry(sent: HopPacket): void {
    if (this.isDarkThere) return;
    this.#after(this.#there, sent.bytes.length, (at) => {
      this.arrived += 1;
      this.writer.arrived(sent.ssrc, sent.sequence, sent.bytes.length, at);
    });
  }

  #after(link: Link, bytes: number, run: (at: number) => void): void {
    const at = this.isDark ? undefined : link.datagram(bytes, this.#now);
    if (at !== undefined) this.#events.push({ at, run: () => run(at) });
  }
}
