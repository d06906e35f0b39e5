import { describe, expect, test } from "vitest";
import type { Clock } from "../codecs/clock.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { Liveness, PING, PING_BYTES, PING_FOR_STREAM, PONG } from "./liveness.ts";

/** A `Liveness` with what it sent, and a peer that answers pings after `answerAfter` ms while it is alive. */
function subject(options: { answerAfter?: number; pingInterval?: number; timeout?: number } = {}) {
  const clock = new VirtualClock({ now: 1000 });
  const sent: { at: number; bytes: Uint8Array }[] = [];
  const deaths: number[] = [];
  const peer = { alive: true };
  const { answerAfter = 40, ...rest } = options;
  const liveness: Liveness = new Liveness(
    clock,
    {
      send(bytes) {
        sent.push({ at: clock.now(), bytes: bytes.slice() });
        const pong = bytes.slice();
        pong[1] = PONG;
        clock.at(clock.now() + answerAfter, () => {
          if (!peer.alive) return;
          liveness.heard();
          liveness.datagram(pong);
        });
      },
      dead: () => void deaths.push(clock.now()),
    },
    rest,
  );
  return { clock, sent, deaths, peer, liveness };
}

describe("liveness", () => {
  test("pings at once, then every 5 s, and never dies while the peer answers", () => {
    const { clock, sent, deaths, liveness } = subject();
    liveness.start();
    clock.runSync(1000 + 60_000);
    expect(sent.map(({ at }) => at - 1000)).toEqual(Array.from({ length: 13 }, (_, i) => i * 5000));
    expect(
      sent.every(({ bytes }) => bytes.length === PING_BYTES && bytes[0] === 0 && bytes[1] === PING),
    ).toBe(true);
    expect(deaths).toEqual([]);
    expect(liveness.malformed).toBe(0);
  });

  test("smooths the round trip as RFC 6298 does", () => {
    const { clock, liveness } = subject();
    liveness.start();
    expect(liveness.roundTrip).toBeUndefined();
    clock.runSync(1040);
    expect(liveness.roundTrip).toBe(40);
    const slower = subject({ answerAfter: 120 });
    slower.liveness.start();
    slower.clock.runSync(1000 + 20_000);
    expect(slower.liveness.roundTrip).toBe(120);
  });

  test("dies exactly one timeout after the last sign of life, pinging faster before", () => {
    const { clock, sent, deaths, peer, liveness } = subject();
    liveness.start();
    clock.runSync(1000 + 12_000);
    peer.alive = false;
    clock.runSync(1000 + 60_000);
    // The last pong came 40 ms after the ping at 10 s.
    expect(deaths).toEqual([1000 + 10_040 + 15_000]);
    expect(sent.filter(({ at }) => at > 1000 + 12_000).length).toBeGreaterThan(4);
    expect(clock.pending).toBe(0);
  });

  test("anything heard counts as life, without a single pong", () => {
    const { clock, deaths, peer, liveness } = subject();
    peer.alive = false;
    liveness.start();
    for (let at = 0; at <= 60_000; at += 10_000) clock.at(1000 + at, () => liveness.heard());
    clock.runSync(1000 + 70_000);
    expect(deaths).toEqual([]);
    clock.runSync(1000 + 75_000);
    expect(deaths).toEqual([1000 + 75_000]);
  });

  test("time during which this process was suspended is not the peer's silence", () => {
    const { deaths, sent, liveness, clock } = subject({ answerAfter: 10 });
    // A clock whose timers all come 60 s late once, as after a suspension.
    let late = 0;
    const real = clock.now.bind(clock);
    clock.now = () => real() + late;
    liveness.start();
    clock.runSync(1000 + 4_000);
    late = 60_000;
    clock.runSync(1000 + 5_100);
    expect(deaths).toEqual([]);
    expect(sent.length).toBe(2);
  });

  test("answers a ping with its own bytes, marked as pong", () => {
    const { sent, liveness } = subject();
    const ping = Uint8Array.from({ length: PING_BYTES }, (_, i) => (i === 0 ? 0 : i === 1 ? PING : 100 + i));
    liveness.datagram(ping);
    const pong = ping.slice();
    pong[1] = PONG;
    expect(sent.map(({ bytes }) => bytes)).toEqual([pong]);
    expect(ping[1]).toBe(PING);
  });

  test("counts and ignores pongs nobody asked for, repeated ones, ones with another time, and junk", () => {
    const { clock, sent, liveness } = subject({ answerAfter: 100_000 });
    liveness.start();
    const pong = sent[0]?.bytes.slice() as Uint8Array;
    pong[1] = PONG;
    const forged = pong.slice();
    forged[9] = 77;
    clock.runSync(1030);
    liveness.datagram(forged);
    liveness.datagram(Uint8Array.of(0, PONG));
    liveness.datagram(Uint8Array.of(0));
    liveness.datagram(new Uint8Array(PING_BYTES).fill(9, 1));
    expect(liveness.roundTrip).toBeUndefined();
    liveness.datagram(pong);
    expect(liveness.roundTrip).toBe(30);
    liveness.datagram(pong);
    expect(liveness.malformed).toBe(5);
  });

  test("answers a ping for a stream on one as well, once however often it is asked", () => {
    const clock = new VirtualClock();
    const sent: Uint8Array[] = [];
    const onStreams: Uint8Array[] = [];
    const server = new Liveness(clock, {
      send: (bytes) => void sent.push(bytes.slice()),
      sendOnStream: (bytes) => void onStreams.push(bytes.slice()),
      dead() {},
    });
    const asks: Uint8Array[] = [];
    const client = new Liveness(clock, { send: (bytes) => void asks.push(bytes.slice()), dead() {} });
    for (let i = 0; i < 5; i++) client.pingForStream();
    for (const ask of asks) server.datagram(ask);
    expect(asks.every((ask) => ask[1] === PING_FOR_STREAM)).toBe(true);
    expect(sent.length).toBe(5);
    expect(onStreams).toEqual([sent[0]]);
    expect(client.isOwnPong(onStreams[0] as Uint8Array)).toBe(true);
    expect(client.isOwnPong(asks[0] as Uint8Array)).toBe(false);
    expect(server.isOwnPong(onStreams[0] as Uint8Array)).toBe(false);
    for (const pong of sent) client.datagram(pong);
    expect(client.roundTrip).toBe(0);
    expect(client.malformed).toBe(0);
  });

  test("outlives timers that come a minute late at one end, as in a page that was left", () => {
    const clock = new VirtualClock();
    const slow: Clock = { now: () => clock.now(), wall: () => clock.wall(), at: late };
    function late(at: number, fire: () => void): () => void {
      return clock.at(Math.ceil(at / 60_000) * 60_000, fire);
    }
    const deaths: string[] = [];
    const page: Liveness = new Liveness(slow, {
      send: (bytes) =>
        void clock.at(
          clock.now() + 20,
          arriving(() => server, bytes),
        ),
      dead: () => void deaths.push("of the server, as the page sees it"),
    });
    const server: Liveness = new Liveness(clock, {
      send: (bytes) =>
        void clock.at(
          clock.now() + 20,
          arriving(() => page, bytes),
        ),
      dead: () => void deaths.push("of the page, as the server sees it"),
    });
    function arriving(to: () => Liveness, bytes: Uint8Array): () => void {
      const copy = bytes.slice();
      return () => {
        to().heard();
        to().datagram(copy);
      };
    }
    page.start();
    server.start();
    clock.runSync(600_000);
    expect(deaths).toEqual([]);
    expect([page.roundTrip, server.roundTrip]).toEqual([40, 40]);
  });

  test("stops for good", () => {
    const { clock, sent, deaths, liveness } = subject();
    liveness.start();
    liveness.stop();
    liveness.stop();
    clock.runSync(100_000);
    expect([sent.length, deaths.length]).toEqual([1, 0]);
  });
});
