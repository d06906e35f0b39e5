import { beforeEach, describe, expect, it } from "vitest";
import { encodeArrivalReport } from "../codecs/rtcp-arrivals.ts";
import { encodePictureLoss } from "../codecs/rtcp-pli.ts";
import { FeedbackWriter } from "./congestion/feedback-writer.ts";
import type { HopPacket } from "./congestion/hop-packet.ts";
import { legBitrate, MediaLeg, noFeedback } from "./media-leg.ts";

const FRAME_BYTES = 260;

describe("one end of a leg", () => {
  let now: number;
  let sent: number[];
  let settled: [number, string][];
  let reports: Uint8Array[];
  /** Sources of which the peer needs a key frame, as often as that was told. */
  let wanted: number[];
  let counters: ReturnType<typeof noFeedback>;
  let leg: MediaLeg;
  /** The peer's side of the hop. */
  let peer: FeedbackWriter;
  /** Whether what is sent arrives there. */
  let isOpen: boolean;

  beforeEach(() => {
    now = 1_000;
    sent = [];
    settled = [];
    reports = [];
    wanted = [];
    counters = noFeedback();
    leg = new MediaLeg({
      ssrc: 1,
      start: now,
      bitrate: legBitrate(600_000),
      transmit: ({ sequence }) => {
        sent.push(sequence);
        if (isOpen) peer.arrived(7, sequence, FRAME_BYTES, now, now);
        return "sent";
      },
      report: (rtcp) => reports.push(rtcp),
      settled: ({ sequence }, fate) => settled.push([sequence, fate]),
      behind: () => 48_000,
      keyFrameWanted: (ssrc) => wanted.push(ssrc),
      counters,
    });
    peer = new FeedbackWriter({ ssrc: 2, start: now });
    isOpen = false;
  });

  function packet(sequence: number): HopPacket {
    const bytes = new Uint8Array(FRAME_BYTES);
    return { ssrc: 7, sequence, bytes, kind: "audio", deadline: now + 200 };
  }

  /** One frame every 20 ms, those that have to wait held. */
  function speak(first: number, count: number, arrives: boolean): void {
    isOpen = arrives;
    for (let sequence = first; sequence < first + count; sequence += 1) {
      now += 20;
      if (leg.trySend(packet(sequence), now) === undefined) leg.hold(packet(sequence), now);
      answer();
    }
  }

  function answer(): void {
    for (let rtcp = peer.report(now); rtcp !== undefined; rtcp = peer.report(now))
      leg.takeFeedback(rtcp, now);
  }

  it("sends to a peer that never reported as frames come", () => {
    speak(0, 500, false);
    expect([sent.length, leg.held, leg.estimate]).toEqual([500, 0, undefined]);
  });

  it("keeps pieces to what may be on its way for two seconds of a peer that never reports, and lets all of them go from then on", () => {
    let went = 0;
    const bytes = new Uint8Array(1_100);
    leg.addSource({
      next: () =>
        went === 400
          ? undefined
          : {
              rank: "base",
              packet: { ssrc: 8, sequence: went, bytes, kind: "video", deadline: Number.POSITIVE_INFINITY },
            },
      send: () => {
        went += 1;
      },
    });
    leg.wake(now);
    const start = now;
    for (; now <= start + 2_000; now += 20) leg.tick(now);
    expect(went).toBeGreaterThan(10);
    expect(went).toBeLessThan(100);
    leg.tick(now);
    expect(went).toBe(400);
  });

  it("holds, and drops by age, what a peer that reported before no longer says it got", () => {
    speak(0, 50, true);
    speak(50, 150, false);
    leg.tick(now);
    expect(sent.length).toBeLessThan(50 + 60);
    expect(leg.held).toBeLessThanOrEqual(10);
    expect(settled.every(([, fate]) => fate === "stale" || fate === "sent")).toBe(true);
    expect(settled.filter(([, fate]) => fate === "stale").length + sent.length + leg.held).toBe(200);
    expect(leg.estimate?.bitsPerSecond).toBe(32_000);
  });

  it("goes on as soon as the peer reports again, with the newest that waits", () => {
    speak(0, 50, true);
    speak(50, 150, false);
    const before = sent.length;
    speak(200, 50, true);
    expect(sent.length - before).toBeGreaterThan(40);
    expect(sent.at(-1)).toBe(249);
  });

  it("takes back what waits, each packet told once", () => {
    speak(0, 50, true);
    speak(50, 100, false);
    const waiting = leg.held;
    expect(waiting).toBeGreaterThan(0);
    settled.length = 0;
    leg.drop(() => true, "epoch");
    expect([leg.held, settled.length, new Set(settled.map(([, fate]) => fate))]).toEqual([
      0,
      waiting,
      new Set(["epoch"]),
    ]);
  });

  it("reports what came, with what lies behind", () => {
    for (let sequence = 0; sequence < 30; sequence += 1) {
      now += 20;
      leg.arrived(9, sequence, FRAME_BYTES, now, now);
      leg.tick(now);
    }
    expect(counters.sent).toBe(reports.length);
    const other = new MediaLeg({
      ...{ ssrc: 3, start: 1_000, bitrate: legBitrate(600_000), counters: noFeedback() },
      ...{ transmit: () => "sent", report: () => {}, settled: () => {} },
    });
    for (let sequence = 0; sequence < 30; sequence += 1)
      other.trySend({ ...packet(sequence), ssrc: 9 }, 1_000 + 20 * sequence);
    for (const rtcp of reports) other.takeFeedback(rtcp, now);
    expect(other.estimate).toMatchObject({ behind: 48_000, lossShare: 0 });
  });

  it("takes a request for a key frame for one that crossed it while that may be under way, and not once it is there", () => {
    const ROUND_TRIP = 15;
    const reported = () => {
      for (let rtcp = peer.report(now); rtcp !== undefined; rtcp = peer.report(now))
        leg.takeFeedback(rtcp, now + ROUND_TRIP);
    };
    const leave = (sequence: number) => {
      now += 20;
      leg.trySend(packet(sequence), now);
      reported();
      return { at: now, lastPiece: sequence };
    };
    isOpen = true;
    for (let sequence = 0; sequence < 40; sequence += 1) leave(sequence);
    isOpen = false;
    const lost = leave(40);
    expect(leg.isAnswered(7, { ...lost, at: Number.POSITIVE_INFINITY }, now)).toBe(true);
    expect(leg.isAnswered(7, undefined, now)).toBe(false);
    expect(leg.isAnswered(7, lost, now + ROUND_TRIP)).toBe(true);
    expect(leg.isAnswered(7, lost, now + 2 * ROUND_TRIP)).toBe(false);
    isOpen = true;
    const arrived = leave(41);
    expect(leg.isAnswered(7, arrived, now)).toBe(true);
    peer.hurry(now);
    reported();
    expect(leg.isAnswered(7, arrived, now)).toBe(false);
  });

  it("asks for a key frame after it has said what came", () => {
    leg.arrived(9, 0, FRAME_BYTES, now, now);
    reports.length = 0;
    leg.askKeyFrame(9, now);
    expect(reports.map(([, type]) => type)).toEqual([205, 206]);
    leg.askKeyFrame(9, now);
    expect(reports.map(([, type]) => type)).toEqual([205, 206, 205, 206]);
  });

  describe("a peer that says what is not so", () => {
    const forged = (ssrc: number, begin: number) =>
      encodeArrivalReport({
        sender: 2,
        time: 0,
        streams: [{ ssrc, begin, packets: new Uint16Array(100).fill(0xffff) }],
      });

    it("about sources and packets that were never sent, changes nothing", () => {
      speak(0, 50, true);
      const before = leg.estimate;
      leg.takeFeedback(forged(8, 0), now);
      leg.takeFeedback(forged(7, 30_000), now);
      // It may say that nothing is on its way to it any more.
      expect({ ...leg.estimate, inFlight: 0 }).toEqual({ ...before, inFlight: 0 });
    });

    it("before it ever got a packet, is not believed to report", () => {
      leg.takeFeedback(forged(7, 0), now);
      expect(leg.estimate).toBeUndefined();
    });

    it("in bytes that are no feedback, is counted", () => {
      expect(leg.takeFeedback(Uint8Array.of(0x80, 205, 0, 9), now)?.ok).toBe(false);
      expect(counters).toMatchObject({ malformed: 1, taken: 0 });
    });

    it("too often, is not listened to", () => {
      for (let count = 0; count < 1_000; count += 1) leg.takeFeedback(forged(7, 0), now);
      expect(counters).toMatchObject({ taken: 30, tooMany: 970 });
      leg.takeFeedback(forged(7, 0), now + 1_000);
      expect(counters.taken).toBe(31);
    });

    it("a hundred times in one datagram that it needs a key frame, is heard once", () => {
      const pli = [...encodePictureLoss({ sender: 2, ssrc: 7 })];
      leg.takeFeedback(Uint8Array.from(Array.from({ length: 90 }, () => pli).flat()), now);
      expect(wanted).toEqual([7]);
    });

    it("cannot raise what may be sent beyond what was agreed", () => {
      speak(0, 500, true);
      for (let count = 0; count < 20; count += 1) leg.takeFeedback(forged(7, 400), now);
      expect(leg.estimate?.bitsPerSecond).toBeLessThanOrEqual(600_000);
    });
  });
});
