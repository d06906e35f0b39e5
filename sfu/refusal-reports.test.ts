import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REFUSALS, type Refusal } from "../signaling/admission.ts";
import { datagram, events, FIRST_SEQUENCE, packet, relayWith, row, send, WALL } from "../test/relay-scene.ts";
import { REFUSAL_REPORTS_PER_SECOND, type RefusalReport, RefusalReports } from "./refusal-reports.ts";

describe("refusal reports", () => {
  it("lose no refusal, name the range of each, and keep to ten a second", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            gap: fc.integer({ min: 0, max: 200 }),
            stream: fc.integer({ min: 1, max: 3 }),
            reason: fc.constantFrom(...REFUSALS),
            sequence: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }),
          }),
          { maxLength: 200 },
        ),
        (refusals) => {
          const reports = new RefusalReports("s", 0);
          const given: RefusalReport[] = [];
          let now = 0;
          const drain = (): void => {
            for (let report = reports.take(now); report !== undefined; report = reports.take(now))
              given.push(report);
          };
          for (const { gap, stream, reason, sequence } of refusals) {
            now += gap;
            reports.add(row({ stream }), reason, sequence);
            drain();
            expect(given.length).toBeLessThanOrEqual(
              REFUSAL_REPORTS_PER_SECOND + (now * REFUSAL_REPORTS_PER_SECOND) / 1000 + 1e-3,
            );
          }
          while (reports.size > 0) {
            now = reports.nextTimeout() ?? Number.NaN;
            const before = given.length;
            drain();
            expect(given.length).toBeGreaterThan(before);
          }
          expect(reports.nextTimeout()).toBeUndefined();
          for (const stream of [1, 2, 3]) {
            for (const reason of REFUSALS) {
              const mine = given.filter((report) => report.stream === stream && report.reason === reason);
              const sent = refusals.filter(
                (refusal) => refusal.stream === stream && refusal.reason === reason,
              );
              const known = sent.flatMap((refusal) => refusal.sequence ?? []);
              expect(mine.reduce((sum, report) => sum + report.count, 0)).toBe(sent.length);
              const firsts = mine.flatMap((report) => report.first ?? []);
              const lasts = mine.flatMap((report) => report.last ?? []);
              expect(Math.min(...firsts)).toBe(Math.min(...known));
              expect(Math.max(...lasts)).toBe(Math.max(...known));
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("merge a flood into one report a tick and tell when the next may come", () => {
    const relay = relayWith(row({ transmitAllowed: false }));
    let told = 0;
    for (let now = 0; now < 1000; now++) {
      send(relay, { sequence: FIRST_SEQUENCE + now }, now);
      for (const event of events(relay, now)) {
        if (event.kind !== "frames-refused") continue;
        told += event.count;
        expect(event.reason satisfies Refusal).toBe("scope");
        expect((event.last ?? 0) - (event.first ?? 0)).toBe(event.count - 1);
      }
    }
    expect(told).toBeGreaterThan(850);
    const next = relay.nextTimeout() ?? Number.NaN;
    expect(next).toBeGreaterThan(999);
    const [rest] = events(relay, next);
    expect(rest).toMatchObject({ count: 1000 - told });
    expect(relay.nextTimeout()).toBeUndefined();
  });

  it("of a noisy session do not hold back another's", () => {
    const quiet = { sessionId: "session-b", connection: 3, flow: 8 };
    const relay = relayWith(row({ transmitAllowed: false }), row({ ...quiet, transmitAllowed: false }));
    for (let index = 0; index < 50; index++) {
      send(relay, { sequence: FIRST_SEQUENCE + index });
      events(relay, 0);
    }
    expect(events(relay, 0)).toEqual([]);
    relay.admit(3, datagram(packet(), 8), 0, WALL);
    expect(events(relay, 0)).toMatchObject([{ sessionId: "session-b", count: 1 }]);
  });
});
