import { describe, expect, it } from "vitest";
import { readVarint, varintLength } from "../codecs/varint.ts";
import { seedSigner } from "../test/keys.ts";
import {
  datagram,
  FIRST_SEQUENCE,
  LISTENER_CONNECTION,
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
import { STREAM_WINDOW } from "./replay-window.ts";

describe("an admitted frame", () => {
  it("goes out byte for byte under the flow identifier of each leg, whatever its length", () => {
    const flows = [0, 63, 64, 16_383, 16_384, 2 ** 30 - 1, 2 ** 30, 2 ** 53 - 1];
    const relay = relayWith(
      row({ flow: 300, egress: flows.map((flow, index) => ({ connection: 10 + index, flow })) }),
    );
    const bytes = packet();
    const incoming = datagram(bytes, 300);
    const before = incoming.slice();
    const verdict = relay.admit(SPEAKER_CONNECTION, incoming, 0, WALL);
    expect(verdict.outcome).toBe("admitted");
    expect(verdict).toMatchObject({ sequence: FIRST_SEQUENCE, packetOffset: 2, egressCount: flows.length });
    for (const [index, flow] of flows.entries()) {
      const out = relay.egress(index);
      expect(out).toMatchObject({ connection: 10 + index, flow, carriage: "datagram" });
      expect(readVarint(out.bytes, 0)).toBe(flow);
      expect(out.bytes.subarray(varintLength(out.bytes[0] ?? 0))).toEqual(bytes);
      relay.account("sent");
    }
    expect(incoming).toEqual(before);
    expect(relay.counters("session-a")).toEqual([
      {
        leg: 0,
        stream: 1,
        received: 1,
        admitted: 1,
        bytes: bytes.length,
        forwarded: flows.length,
        refused: {},
        dropped: {},
        firstSequence: FIRST_SEQUENCE,
        lastSequence: FIRST_SEQUENCE,
      },
    ]);
  });

  it("goes out as itself, not as the one before it", () => {
    const relay = relayWith(row());
    for (const [index, length] of [400, 20, 900, 20].entries()) {
      const bytes = packet({ sequence: FIRST_SEQUENCE + index, payload: new Uint8Array(length).fill(index) });
      expect(relay.admit(SPEAKER_CONNECTION, datagram(bytes), 0, WALL).outcome).toBe("admitted");
      expect(relay.egress(0).bytes.subarray(4)).toEqual(bytes);
    }
  });

  it("is of the payload type and source agreed, or it is refused", () => {
    const relay = relayWith(row());
    expect(send(relay, { ssrc: 0x1234_5679 })).toBe("terms");
    expect(send(relay, { payloadType: 0 })).toBe("terms");
    expect(send(relay)).toBe("admitted");
  });

  it("carries earlier frames where that was agreed, under the type agreed for it", () => {
    expect(send(relayWith(row()), { payloadType: 63 })).toBe("terms");
    const relay = relayWith(row({ redPayloadType: 63 }));
    expect(send(relay, { payloadType: 63 })).toBe("admitted");
    expect(send(relay, { payloadType: 64, sequence: FIRST_SEQUENCE + 1 })).toBe("terms");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  });

  it("is handed to a listener parsed, with what its digest is made of", () => {
    const relay = relayWith(row({ egress: [] }));
    const bytes = datagram(packet({ payload: new Uint8Array([1, 2, 3]), info: { endOfTurn: true } }));
    const verdict = relay.admit(SPEAKER_CONNECTION, bytes, 0, WALL);
    expect(verdict.egressCount).toBe(0);
    expect(verdict.view.payload(bytes)).toEqual(new Uint8Array([1, 2, 3]));
    expect(verdict.view.endOfTurn).toBe(true);
    expect(relay.digest()).toHaveLength(16);
  });

  it("is counted by what the carriers did with it", () => {
    const relay = relayWith(row());
    for (const [index, fate] of (["sent", "closed", "too-large", "congested", "closed"] as const).entries()) {
      expect(send(relay, { sequence: FIRST_SEQUENCE + index })).toBe("admitted");
      expect(relay.egress(0).connection).toBe(LISTENER_CONNECTION);
      relay.account(fate);
    }
    expect(relay.counters("session-a")[0]).toMatchObject({
      forwarded: 1,
      dropped: { closed: 2, "too-large": 1, congested: 1 },
      firstSequence: FIRST_SEQUENCE,
      lastSequence: FIRST_SEQUENCE + 4,
    });
  });
});

describe("freshness", () => {
  it.each([
    ["admitted", -FRESHNESS, 0, 0],
    ["stale", -FRESHNESS - 1, 0, 0],
    ["admitted", FRESHNESS, 0, 0],
    ["early", FRESHNESS + 1, 0, 0],
    ["admitted", -FRESHNESS - 300, 0, 300],
    ["stale", -FRESHNESS - 301, 0, 300],
    ["admitted", -60_000, 60_000, 0],
    ["stale", 0, -FRESHNESS - 1, 0],
    ["early", 0, FRESHNESS + 1, 0],
    ["stale", -FRESHNESS - MAX_CLOCK_UNCERTAINTY - 1, 0, 1e9],
    ["early", FRESHNESS + MAX_CLOCK_UNCERTAINTY + 1, 0, 1e9],
    ["stale", 0, Number.NaN, 0],
    ["stale", 0, 0, Number.NaN],
  ] as const)(
    "says %s for a capture %d ms from now, clock offset %d, uncertainty %d",
    (expected, age, clockOffset, clockUncertainty) => {
      const relay = relayWith(row({ clockOffset, clockUncertainty }));
      expect(send(relay, { captured: WALL + age })).toBe(expected);
    },
  );
});

describe("keys and terms in force", () => {
  const valid = { notBefore: WALL, notAfter: WALL + 60_000 };

  it.each([
    ["expired", -30_001],
    ["admitted", -30_000],
    ["admitted", 90_000],
    ["expired", 90_001],
    ["expired", Number.NaN],
  ] as const)("says %s at %d ms from their beginning, 30 s of clock difference allowed", (expected, at) => {
    expect(send(relayWith(row(valid)), {}, 0, WALL, WALL + at)).toBe(expected);
  });

  it("a key that has spoken does not become one that has not begun", () => {
    const relay = relayWith(row(valid));
    expect(send(relay)).toBe("admitted");
    const later = { sequence: FIRST_SEQUENCE + 1 };
    expect(send(relay, later, 0, WALL, WALL - 3_600_000)).toBe("admitted");
  });
});

describe("the rate", () => {
  const rate = { framesPerSecond: 60, bytesPerSecond: 20_000, burst: 0.5 };

  it("lets a steady speaker through for a minute and stops a flood until credit returns", () => {
    const relay = relayWith(row({ rate }));
    let sequence = FIRST_SEQUENCE;
    for (let now = 0; now < 3000; now += 20) {
      expect(send(relay, { sequence: sequence++ }, now)).toBe("admitted");
    }
    const flood = Array.from({ length: 100 }, () => send(relay, { sequence: sequence++ }, 3000));
    expect(flood.filter((result) => result === "admitted").length).toBeLessThanOrEqual(30);
    expect(new Set(flood)).toEqual(new Set(["admitted", "rate"]));
    expect(send(relay, { sequence: sequence++ }, 3100)).toBe("admitted");
  });

  it("of one flow is no other flow's business", () => {
    const other = { leg: 1, flow: 6, connection: 3, sessionId: "session-b" };
    const relay = relayWith(row({ rate }), row(other));
    for (let index = 0; index < 40; index++) send(relay, { sequence: FIRST_SEQUENCE + index });
    expect(relay.counters("session-a")[0]?.refused.rate).toBeGreaterThan(0);
    const theirs = packet({ boundTo: row(other) });
    expect(relay.admit(3, datagram(theirs, 6), 0, WALL).outcome).toBe("admitted");
  });
});

describe("what steers the relay", () => {
  it("narrows with the next frame, keeps the window, and ignores terms that were overtaken", () => {
    const relay = relayWith(row());
    const terms = (termsNumber: number, transmitAllowed: boolean): void =>
      relay.apply(
        { kind: "terms", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, termsNumber, transmitAllowed },
        0,
      );
    expect(send(relay)).toBe("admitted");
    terms(3, false);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("scope");
    terms(2, true);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("scope");
    terms(4, true);
    expect(send(relay)).toBe("replayed");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  });

  it("holds and resumes a session, ends it for good, and forgets it", () => {
    const relay = relayWith(row());
    const state = (to: "active" | "held" | "ended"): void =>
      relay.apply({ kind: "state", sessionId: "session-a", state: to }, 0);
    state("held");
    expect(send(relay)).toBe("session-state");
    state("active");
    expect(send(relay)).toBe("admitted");
    state("ended");
    state("active");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("session-state");
    relay.apply({ kind: "install", row: row() }, 0);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 2 })).toBe("session-state");
    relay.apply({ kind: "remove", sessionId: "session-a" }, 0);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 3 })).toBe("unknown-flow");
    expect(relay.counters("session-a")).toEqual([]);
    expect([relay.poll(0), relay.nextTimeout()]).toEqual([undefined, undefined]);
  });

  it("moves a stream to another connection with its window and counters; the old one loses it", () => {
    const relay = relayWith(row());
    const first = packet();
    expect(relay.admit(SPEAKER_CONNECTION, datagram(first), 0, WALL).outcome).toBe("admitted");
    relay.apply({ kind: "install", row: row({ connection: 9, flow: 40 }) }, 0);
    expect(relay.admit(9, datagram(first, 40), 0, WALL).outcome).toBe("replayed");
    const next = packet({ sequence: FIRST_SEQUENCE + 1 });
    expect(relay.admit(SPEAKER_CONNECTION, datagram(next), 0, WALL).outcome).toBe("unknown-flow");
    expect(relay.admit(9, datagram(next, 40), 0, WALL).outcome).toBe("admitted");
    expect(relay.counters("session-a")).toMatchObject([
      { received: 3, admitted: 2, refused: { replayed: 1 } },
    ]);
  });

  it("keeps counters and window of a connection that is gone", () => {
    const relay = relayWith(row());
    const first = packet();
    relay.admit(SPEAKER_CONNECTION, datagram(first), 0, WALL);
    relay.forget(SPEAKER_CONNECTION);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("unknown-flow");
    expect(relay.counters("session-a")).toMatchObject([{ admitted: 1 }]);
    relay.apply({ kind: "install", row: row({ connection: 8 }) }, 0);
    expect(relay.admit(8, datagram(first), 0, WALL).outcome).toBe("replayed");
  });

  it("gives each key generation a window of its own", () => {
    const next = seedSigner(12);
    const keys = new Map([
      [0, speaker.publicKey],
      [1, next.publicKey],
    ]);
    const relay = relayWith(row());
    expect(send(relay)).toBe("admitted");
    expect(send(relay, { keyGeneration: 1, signer: next })).toBe("key-generation");
    relay.apply({ kind: "move", row: row({ keys }), epoch: 0 }, 0);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 }), "from that moment").toBe("key-generation");
    expect(send(relay, { keyGeneration: 1, signer: next })).toBe("admitted");
    expect(send(relay, { keyGeneration: 1, signer: next })).toBe("replayed");
    expect(send(relay, { keyGeneration: 1, sequence: FIRST_SEQUENCE + 1 })).toBe("signature");
  });

  it("lets a new generation begin where its row says, and not before", () => {
    const next = seedSigner(12);
    const keys = new Map([
      [0, speaker.publicKey],
      [1, next.publicKey],
    ]);
    const leastSequence = FIRST_SEQUENCE + 65_536;
    const relay = relayWith(row({ keys, leastSequence }));
    const mine = { keyGeneration: 1, signer: next };
    expect(send(relay, { ...mine, sequence: leastSequence - 1 })).toBe("window");
    expect(send(relay, { sequence: leastSequence - 1 }), "of the generation before").toBe("key-generation");
    expect(send(relay, { ...mine, sequence: leastSequence })).toBe("admitted");
  });
});

describe("frames on streams", () => {
  it("may be larger than a datagram and go out without a flow identifier", () => {
    const relay = relayWith(row());
    const large = packet({ payload: new Uint8Array(50_000).fill(3) });
    const verdict = relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, large, 0, WALL);
    expect(verdict.outcome).toBe("admitted");
    expect(verdict.packetOffset).toBe(0);
    expect(relay.egress(0)).toMatchObject({ carriage: "stream", flow: 70_000 });
    expect(relay.egress(0).bytes).toBe(large);
  });

  it("are replays of what came in a datagram, and the other way round", () => {
    const relay = relayWith(row());
    const [first, second] = [packet(), packet({ sequence: FIRST_SEQUENCE + 1 })];
    expect(relay.admit(SPEAKER_CONNECTION, datagram(first), 0, WALL).outcome).toBe("admitted");
    expect(relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, first, 0, WALL).outcome).toBe("replayed");
    expect(relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, second, 0, WALL).outcome).toBe("admitted");
    expect(relay.admit(SPEAKER_CONNECTION, datagram(second), 0, WALL).outcome).toBe("replayed");
  });

  it("may lag less than datagrams", () => {
    const relay = relayWith(row());
    expect(send(relay, { sequence: FIRST_SEQUENCE + STREAM_WINDOW })).toBe("admitted");
    const lagging = packet({ sequence: FIRST_SEQUENCE });
    expect(relay.admitItem(SPEAKER_CONNECTION, SPEAKER_FLOW, lagging, 0, WALL).outcome).toBe("window");
    expect(relay.admit(SPEAKER_CONNECTION, datagram(lagging), 0, WALL).outcome).toBe("admitted");
  });
});
