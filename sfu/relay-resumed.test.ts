/** A relay that takes over flows of one that is gone, with all it remembered. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AdmissionRow } from "../signaling/admission.ts";
import { seedSigner } from "../test/keys.ts";
import {
  FIRST_SEQUENCE,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  send,
  speaker,
  WALL,
} from "../test/relay-scene.ts";
import { FRESHNESS, MAX_CLOCK_UNCERTAINTY } from "./frame-gate.ts";

const resumedAt = WALL;

describe("a live flow that goes on in another process", () => {
  it("lets nothing through that may have been let through before, whenever it comes", () => {
    fc.assert(
      fc.property(
        fc.record({
          // When the frame came the first time, and when it comes again: before and after the takeover.
          first: fc.integer({ min: -40_000, max: 0 }),
          again: fc.integer({ min: 0, max: 40_000 }),
          age: fc.integer({ min: -4_000, max: 4_000 }),
          clockOffset: fc.integer({ min: -100_000, max: 100_000 }),
          clockUncertainty: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * MAX_CLOCK_UNCERTAINTY })),
        }),
        ({ first, again, age, ...clock }) => {
          const frame = { captured: WALL + first - age - clock.clockOffset };
          const before = send(relayWith(row(clock)), frame, 0, WALL + first);
          const after = send(relayWith(row({ ...clock, resumedAt })), frame, 0, WALL + again);
          return before !== "admitted" || after === "stale";
        },
      ),
      { numRuns: 400 },
    );
  });

  it("lets through what was captured since, from as much later as a clock may be ahead", () => {
    const relay = relayWith(row({ resumedAt, clockUncertainty: 40 }));
    const at = (captured: number, sequence: number) =>
      send(relay, { captured: WALL + captured, sequence }, 0, WALL + captured);
    expect(at(0, FIRST_SEQUENCE)).toBe("stale");
    expect(at(FRESHNESS + 40, FIRST_SEQUENCE + 1)).toBe("stale");
    expect(at(FRESHNESS + 41, FIRST_SEQUENCE + 2)).toBe("admitted");
    expect(at(FRESHNESS + 41, FIRST_SEQUENCE + 2)).toBe("replayed");
  });

  it("holds to that when the flow moves and when its speaker's key changes", () => {
    const next = seedSigner(12);
    const relay = relayWith(row({ resumedAt }));
    const keys = new Map([
      [0, speaker.publicKey],
      [1, next.publicKey],
    ]);
    relay.apply({ kind: "move", row: row({ resumedAt, keys, flow: SPEAKER_FLOW }), epoch: 0 }, 0);
    expect(send(relay)).toBe("stale");
    expect(send(relay, { keyGeneration: 1, signer: next })).toBe("stale");
    expect(send(relay, { keyGeneration: 1, signer: next, captured: WALL + 3_000 }, 0, WALL + 3_000)).toBe(
      "admitted",
    );
  });
});

describe("a reliable flow that goes on in another process", () => {
  const item = (relay: ReturnType<typeof relayWith>, sequence: number) =>
    relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, packet({ sequence }), 0, WALL).outcome;
  const reliable = (leastSequence: number): AdmissionRow =>
    row({ reliable: true, resumedAt: WALL, leastSequence });

  it("goes on where the ends' statements ended, with what was signed before", () => {
    const relay = relayWith(reliable(FIRST_SEQUENCE + 3));
    expect(item(relay, FIRST_SEQUENCE)).toBe("window");
    expect(item(relay, FIRST_SEQUENCE + 2)).toBe("window");
    expect(item(relay, FIRST_SEQUENCE + 3)).toBe("admitted");
    expect(item(relay, FIRST_SEQUENCE + 3)).toBe("replayed");
    expect(item(relay, FIRST_SEQUENCE + 4)).toBe("admitted");
  });
});
