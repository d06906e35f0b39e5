import { describe, expect, it } from "vitest";
import type { AdmissionRow } from "../signaling/admission.ts";
import {
  datagram,
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
import type { Relay } from "./relay.ts";

const ELSEWHERE = { connection: 7, flow: 40 };
const moved = (more: Partial<AdmissionRow> = {}) => row({ ...ELSEWHERE, ...more });
const move = (relay: Relay, more: Partial<AdmissionRow> = {}, epoch = 0) =>
  relay.apply({ kind: "move", row: moved(more), epoch }, 0);
const sendThere = (relay: Relay, options: FrameOptions = {}) =>
  relay.admit(ELSEWHERE.connection, datagram(packet(options), ELSEWHERE.flow), 0, WALL).outcome;

describe("a stream that moves to another connection", () => {
  it("is taken there, and no longer where it was", () => {
    const relay = relayWith(row());
    expect(send(relay)).toBe("admitted");
    move(relay);
    expect(sendThere(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
    expect(send(relay, { sequence: FIRST_SEQUENCE + 2 })).toBe("unknown-flow");
    expect(relay.strays(SPEAKER_CONNECTION)).toEqual({ malformed: 0, unknownFlow: 1 });
    expect(relay.rowOf(row())).toMatchObject(ELSEWHERE);
  });

  it("keeps its replay window and its counters", () => {
    const relay = relayWith(row());
    send(relay);
    move(relay);
    expect(sendThere(relay)).toBe("replayed");
    expect(relay.counters("session-a")).toMatchObject([
      { received: 2, admitted: 1, refused: { replayed: 1 }, firstSequence: FIRST_SEQUENCE },
    ]);
  });

  it("keeps what it has used of its rate", () => {
    const rate = { framesPerSecond: 1, bytesPerSecond: 1e6, burst: 1 };
    const relay = relayWith(row({ rate }));
    expect(send(relay)).toBe("admitted");
    move(relay, { rate });
    expect(sendThere(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("rate");
  });

  it("keeps its media epoch, and takes over one that began while its speaker had no connection", () => {
    const relay = relayWith(row());
    relay.apply({ kind: "epoch", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, epoch: 2 }, 0);
    move(relay, {}, 1);
    expect(sendThere(relay, { epoch: 2 })).toBe("admitted");
    relay.forget(ELSEWHERE.connection);
    move(relay, {}, 3);
    expect(sendThere(relay, { epoch: 2, sequence: FIRST_SEQUENCE + 1 })).toBe("epoch");
    expect(sendThere(relay, { epoch: 3, sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  });

  it("keeps the frames that wait for their epoch, also when the old connection goes", () => {
    const relay = relayWith(row());
    expect(send(relay, { epoch: 1 })).toBe("held");
    move(relay);
    relay.forget(SPEAKER_CONNECTION);
    relay.apply({ kind: "epoch", ...ELSEWHERE, epoch: 1 }, 0);
    expect(relay.release(0, WALL)?.verdict).toMatchObject({ outcome: "admitted", egressCount: 1 });
  });

  it("goes by the terms of its new row", () => {
    const relay = relayWith(row());
    move(relay, { termsNumber: 2, transmitAllowed: false });
    expect(sendThere(relay)).toBe("scope");
  });

  it("goes on after its connection was lost", () => {
    const relay = relayWith(row());
    send(relay);
    relay.forget(SPEAKER_CONNECTION);
    move(relay);
    expect(sendThere(relay)).toBe("replayed");
    expect(sendThere(relay, { sequence: FIRST_SEQUENCE + 1 })).toBe("admitted");
  });

  it("is admitted and goes nowhere while its listener has no connection", () => {
    const relay = relayWith(row({ egress: [] }));
    const verdict = relay.admit(SPEAKER_CONNECTION, datagram(packet()), 0, WALL);
    expect(verdict).toMatchObject({ outcome: "admitted", egressCount: 0 });
    expect(relay.counters("session-a")).toMatchObject([{ admitted: 1, forwarded: 0, dropped: {} }]);
  });

  it("does not come into being so: one that is not here, or of a session that is over, stays away", () => {
    const relay = relayWith();
    move(relay);
    expect(sendThere(relay)).toBe("unknown-flow");
    const ended = relayWith(row());
    ended.apply({ kind: "state", sessionId: "session-a", state: "ended" }, 0);
    move(ended);
    expect(sendThere(ended)).toBe("session-state");
    ended.apply({ kind: "remove", sessionId: "session-a" }, 0);
    move(ended);
    expect(sendThere(ended)).toBe("unknown-flow");
    expect(ended.sizes()).toMatchObject({ sessions: 0, connections: 0 });
  });
});
