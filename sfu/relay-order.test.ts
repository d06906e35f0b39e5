import { describe, expect, it } from "vitest";
import { writeVp8Payload } from "../codecs/vp8.ts";
import { type AdmissionMessage, type AdmissionRow, REFUSALS, type Refusal } from "../signaling/admission.ts";
import { seedSigner } from "../test/keys.ts";
import {
  datagram,
  events,
  FIRST_SEQUENCE,
  type FrameOptions,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  send,
  WALL,
} from "../test/relay-scene.ts";
import { vp8Frame } from "../test/vp8-frame.ts";
import { DATAGRAM_WINDOW } from "./replay-window.ts";

/** How to bring about one fault without touching what the others need. */
interface Fault {
  readonly row?: Partial<AdmissionRow>;
  readonly message?: AdmissionMessage;
  readonly frame?: FrameOptions;
  readonly flow?: number;
  /** The time of day keys and terms are judged by. */
  readonly date?: number;
  readonly damage?: (packet: Uint8Array) => void;
}

const FAULTS: Record<Refusal, Fault> = {
  malformed: {
    damage: (bytes) => {
      bytes[0] = 0x80;
    },
  },
  "unknown-flow": { flow: 998 },
  "session-state": { message: { kind: "state", sessionId: "session-a", state: "held" } },
  scope: {
    message: {
      kind: "terms",
      connection: SPEAKER_CONNECTION,
      flow: SPEAKER_FLOW,
      termsNumber: 2,
      transmitAllowed: false,
    },
  },
  terms: { frame: { payloadType: 97 } },
  profile: { frame: { profile: "chain" } },
  rate: { row: { rate: { framesPerSecond: 2, bytesPerSecond: 1e6, burst: 1 } } },
  limit: {
    message: {
      kind: "terms",
      connection: SPEAKER_CONNECTION,
      flow: SPEAKER_FLOW,
      termsNumber: 2,
      transmitAllowed: true,
      bitsPerSecond: 0,
    },
  },
  replayed: { frame: { sequence: FIRST_SEQUENCE + 1 } },
  window: { frame: { sequence: FIRST_SEQUENCE + 1 - DATAGRAM_WINDOW } },
  stale: { frame: { captured: WALL - 2001 } },
  early: { frame: { captured: WALL + 2001 } },
  "key-generation": { frame: { keyGeneration: 5 } },
  expired: { date: row().notAfter + 30_001 },
  epoch: {
    message: { kind: "epoch", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, epoch: 1 },
  },
  signature: { frame: { signer: seedSigner(99) } },
  picture: {
    message: {
      kind: "terms",
      connection: SPEAKER_CONNECTION,
      flow: SPEAKER_FLOW,
      termsNumber: 2,
      transmitAllowed: true,
      picture: { format: "vp8", maxWidth: 640, maxHeight: 360 },
    },
    frame: { payload: writeVp8Payload({}, vp8Frame(true, 100, 361)) },
  },
  "too-large": { frame: { payload: new Uint8Array(1100) } },
};

/** One frame cannot be both, or the window it would fail in is that of a key that does not exist. */
const EXCLUSIVE: readonly (readonly [Refusal, Refusal])[] = [
  ["replayed", "window"],
  // Both are terms of the flow.
  ["scope", "limit"],
  ["scope", "picture"],
  ["limit", "picture"],
  ["stale", "early"],
  ["replayed", "key-generation"],
  ["window", "key-generation"],
];

/** Two good frames go before, so that there is a window and a rate to break. */
function refusalOf(faults: readonly Fault[]) {
  const relay = relayWith(row(Object.assign({}, ...faults.map((fault) => fault.row))));
  expect([send(relay), send(relay, { sequence: FIRST_SEQUENCE + 1 })]).toEqual(["admitted", "admitted"]);
  for (const { message } of faults) if (message !== undefined) relay.apply(message, 0);
  const options: FrameOptions = Object.assign(
    { sequence: FIRST_SEQUENCE + 2 },
    ...faults.map((f) => f.frame),
  );
  const bytes = packet(options);
  for (const { damage } of faults) damage?.(bytes);
  const flow = faults.find((fault) => fault.flow !== undefined)?.flow ?? SPEAKER_FLOW;
  const date = faults.find((fault) => fault.date !== undefined)?.date ?? WALL;
  const verdict = relay.admit(SPEAKER_CONNECTION, datagram(bytes, flow), 0, WALL, date);
  return { relay, verdict };
}

describe("admission, fault by fault", () => {
  it.each(REFUSALS)("refuses for %s, counts it once and reports it", (reason) => {
    const { relay, verdict } = refusalOf([FAULTS[reason]]);
    expect(verdict.outcome).toBe(reason);
    expect(verdict.egressCount).toBe(0);
    expect(() => relay.egress(0)).toThrow(RangeError);
    const counters = relay.counters("session-a")[0];
    if (reason === "unknown-flow") {
      expect(relay.strays(SPEAKER_CONNECTION)).toEqual({ malformed: 0, unknownFlow: 1 });
      expect(counters).toMatchObject({ received: 2, admitted: 2, refused: {} });
      expect(events(relay, 0)).toEqual([]);
      return;
    }
    expect(counters).toMatchObject({ received: 3, admitted: 2, refused: { [reason]: 1 } });
    const sequence =
      reason === "malformed" ? undefined : (FAULTS[reason].frame?.sequence ?? FIRST_SEQUENCE + 2);
    expect(events(relay, 0)).toEqual([
      {
        kind: "frames-refused",
        sessionId: "session-a",
        connection: SPEAKER_CONNECTION,
        flow: SPEAKER_FLOW,
        leg: 0,
        stream: 1,
        reason,
        first: sequence,
        last: sequence,
        count: 1,
      },
    ]);
  });

  it("refuses a frame with two faults for the one that is decided first", () => {
    for (const [index, first] of REFUSALS.entries()) {
      for (const second of REFUSALS.slice(index + 1)) {
        if (EXCLUSIVE.some(([a, b]) => a === first && b === second)) continue;
        const { verdict } = refusalOf([FAULTS[second], FAULTS[first]]);
        expect(verdict.outcome, `${first} and ${second}`).toBe(first);
      }
    }
  });

  it("admits the very frame that all the faults are made from", () => {
    expect(refusalOf([]).verdict.outcome).toBe("admitted");
  });
});
