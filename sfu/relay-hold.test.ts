import { describe, expect, it } from "vitest";
import { FIRST_SEQUENCE, relayWith, row, SPEAKER_CONNECTION, send } from "../test/relay-scene.ts";

const { sessionId, leg, stream } = row();
const PLACE = { sessionId, leg, stream };

describe("a stream that its listener holds", () => {
  it("is let through and goes nowhere, until it is wanted again", () => {
    const relay = relayWith(row());
    relay.apply({ kind: "hold", ...PLACE, isHeld: true }, 0);
    expect(send(relay)).toBe("admitted");
    expect(relay.rowOf(PLACE)?.held).toBe(true);
    relay.apply({ kind: "hold", ...PLACE, isHeld: false }, 0);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
    expect(relay.counters(sessionId)).toMatchObject([{ admitted: 2, refused: {} }]);
  });
});

describe("a stream that is over before its session", () => {
  it("is not known any more, and the others are as before", () => {
    const relay = relayWith(row(), row({ stream: 9, flow: 90, ssrc: 99 }));
    send(relay);
    relay.apply({ kind: "lift", ...PLACE }, 0);
    expect(send(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("unknown-flow");
    expect(relay.strays(SPEAKER_CONNECTION).unknownFlow).toBe(1);
    expect(relay.counters(sessionId).map((each) => each.stream)).toEqual([9]);
    relay.apply({ kind: "lift", sessionId, leg, stream: 9 }, 0);
    expect(relay.sizes()).toMatchObject({ sessions: 1, connections: 0 });
  });
});
