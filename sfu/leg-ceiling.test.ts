import { describe, expect, it } from "vitest";
import {
  datagram,
  FIRST_SEQUENCE,
  packet,
  relayWith,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  WALL,
} from "../test/relay-scene.ts";
import type { Relay } from "./relay.ts";

const PAYLOAD = new Uint8Array(100).fill(7);
const OTHER = { flow: 8, stream: 2, ssrc: 0x77 };

/** A speaker on one of its flows, a frame of 100 bytes of payload at a time. */
function speaker(
  relay: Relay,
  of: { readonly flow: number; readonly stream?: number; readonly ssrc?: number } = { flow: SPEAKER_FLOW },
) {
  let sequence = FIRST_SEQUENCE;
  return (now: number) => {
    const { flow, stream = 1, ssrc } = of;
    const boundTo = row({ stream });
    const bytes = packet({
      sequence: sequence++,
      payload: PAYLOAD,
      captured: WALL + now,
      boundTo,
      ...(ssrc === undefined ? {} : { ssrc }),
    });
    return relay.admit(SPEAKER_CONNECTION, datagram(bytes, flow), now, WALL + now).outcome;
  };
}

const count = (outcomes: readonly string[], outcome: string) =>
  outcomes.filter((each) => each === outcome).length;

describe("a cap on what a leg sends", () => {
  it("lets two seconds' worth through at once, then as much as it says; the rest is refused and counted as `limit`", () => {
    const relay = relayWith(row({ bitsPerSecond: 8_000 }));
    const say = speaker(relay);
    const first = Array.from({ length: 25 }, () => say(0));
    expect([count(first, "admitted"), count(first, "limit")]).toEqual([20, 5]);
    const later = Array.from({ length: 200 }, (_, index) => say((index + 1) * 20));
    expect([count(later, "admitted"), count(later, "limit")]).toEqual([40, 160]);
    expect(relay.counters("session-a")[0]).toMatchObject({ admitted: 60, refused: { limit: 165 } });
  });

  it("is one for all its streams", () => {
    const relay = relayWith(row({ bitsPerSecond: 8_000 }));
    relay.apply({ kind: "install", row: row({ bitsPerSecond: 8_000, ...OTHER }) }, 0);
    const [one, other] = [speaker(relay), speaker(relay, OTHER)];
    const said = Array.from({ length: 15 }, () => [one(0), other(0)]).flat();
    expect(count(said, "admitted")).toBe(20);
  });

  it("is none of the other leg's", () => {
    const relay = relayWith(row({ bitsPerSecond: 0 }));
    relay.apply({ kind: "install", row: row({ ...OTHER, leg: 1, ssrc: row().ssrc }) }, 0);
    expect(speaker(relay)(0)).toBe("limit");
    const bytes = packet({ boundTo: row({ leg: 1, stream: OTHER.stream }) });
    expect(relay.admit(SPEAKER_CONNECTION, datagram(bytes, OTHER.flow), 0, WALL).outcome).toBe("admitted");
  });

  it("follows the terms, down to nothing and away again, and goes along when the stream moves", () => {
    const relay = relayWith(row());
    const say = speaker(relay);
    const terms = {
      kind: "terms",
      connection: SPEAKER_CONNECTION,
      flow: SPEAKER_FLOW,
      termsNumber: 1,
    } as const;
    expect(say(0)).toBe("admitted");
    relay.apply({ ...terms, transmitAllowed: true, bitsPerSecond: 0 }, 0);
    expect(say(0)).toBe("limit");
    relay.apply({ ...terms, transmitAllowed: true }, 0);
    expect(say(0)).toBe("admitted");
    relay.apply({ kind: "move", row: row({ flow: OTHER.flow, bitsPerSecond: 400 }), epoch: 0 }, 0);
    const moved = speaker(relay, { flow: OTHER.flow });
    for (let said = 0; said < 3; said += 1) moved(0);
    const next = [moved(0), moved(0)];
    expect(next, "100 bytes were the two seconds' worth").toEqual(["limit", "limit"]);
  });
});
