import { expect, it } from "vitest";
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
import { HOLD_MS, MAX_HELD_FRAMES } from "./held-frames.ts";

const begin = { kind: "epoch", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, epoch: 1 } as const;

function scene() {
  const relay = relayWith(row());
  const say = (place: number, epoch: number, now: number) =>
    relay.admit(SPEAKER_CONNECTION, datagram(packet({ sequence: FIRST_SEQUENCE + place, epoch })), now, WALL);
  const counters = () => relay.counters("session-a")[0];
  return { relay, say, counters };
}

it("a frame that overtakes its interrupt waits for it and goes on in order", () => {
  const { relay, say, counters } = scene();
  for (const place of [0, 1]) expect(say(place, 1, 0)).toMatchObject({ outcome: "held", egressCount: 0 });
  expect(relay.release(10, WALL)).toBeUndefined();
  relay.apply(begin, 20);
  for (const place of [0, 1]) {
    expect(relay.release(20, WALL)?.verdict).toMatchObject({
      outcome: "admitted",
      sequence: FIRST_SEQUENCE + place,
      egressCount: 1,
    });
  }
  expect(relay.release(20, WALL)).toBeUndefined();
  expect(say(2, 0, 30).outcome).toBe("epoch");
  expect(counters()).toMatchObject({ received: 3, admitted: 2, refused: { epoch: 1 } });
});

it("is refused when the interrupt does not come in time, and begins no epoch", () => {
  const { relay, say, counters } = scene();
  say(0, 1, 0);
  expect(relay.nextTimeout()).toBe(HOLD_MS);
  expect(relay.release(HOLD_MS, WALL)?.verdict.outcome).toBe("epoch");
  expect(say(1, 0, HOLD_MS).outcome).toBe("admitted");
  expect(counters()).toMatchObject({ received: 2, admitted: 1, refused: { epoch: 1 } });
});

it("no more than a few wait", () => {
  const { say, counters } = scene();
  for (let place = 0; place < MAX_HELD_FRAMES; place += 1) expect(say(place, 9, 0).outcome).toBe("held");
  expect(say(MAX_HELD_FRAMES, 9, 0)).toMatchObject({ outcome: "epoch" });
  expect(counters()?.refused).toEqual({ epoch: 1 });
});
