import { describe, expect, test } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { Liveness, PONG } from "./liveness.ts";
import { DARK_MS, PathWatch } from "./path-watch.ts";

/** A watched path whose far end answers pings after `answerAfter` ms while it is alive, and which loses pings by `lost`. */
function subject({ answerAfter = 40, lost = (_: number): boolean => false } = {}) {
  const clock = new VirtualClock({ now: 1_000 });
  const sent: number[] = [];
  const told: { readonly at: number; readonly isDark: boolean }[] = [];
  const peer = { alive: true };
  const liveness: Liveness = new Liveness(clock, {
    send(bytes) {
      sent.push(clock.now());
      if (!peer.alive || lost(sent.length)) return;
      const pong = bytes.slice();
      pong[1] = PONG;
      clock.at(clock.now() + answerAfter, () => {
        liveness.heard();
        liveness.datagram(pong);
      });
    },
    dead() {},
    pinged: () => watch.pinged(),
    answered: (since) => watch.answered(since),
    stopped: () => watch.stop(),
  });
  const watch: PathWatch = new PathWatch(clock, liveness);
  watch.watch((isDark) => told.push({ at: clock.now(), isDark }));
  liveness.start();
  return { clock, sent, told, peer, liveness, watch };
}

describe("a path that is watched", () => {
  test("is asked no more often than before while nothing depends on it", () => {
    const { clock, sent } = subject();
    clock.runSync(61_000);
    expect(sent).toHaveLength(13);
  });

  test("is dark a second and a half and two round trips after the first ping without an answer", () => {
    const { clock, told, peer, watch } = subject();
    watch.attend(true);
    clock.runSync(10_000);
    peer.alive = false;
    clock.runSync(20_000);
    expect(told).toHaveLength(1);
    const { at, isDark } = told[0] as (typeof told)[number];
    expect(isDark).toBe(true);
    expect(at - 10_000).toBeGreaterThanOrEqual(DARK_MS);
    expect(at - 10_000).toBeLessThanOrEqual(DARK_MS + 80 + 1_000);
  });

  test("is found dark while other things are still heard, and with nobody attentive", () => {
    const { clock, told, peer, liveness } = subject();
    clock.runSync(10_000);
    peer.alive = false;
    for (let at = 10_000; at < 25_000; at += 20) clock.at(at, () => liveness.heard());
    clock.runSync(20_000);
    expect(told.map(({ isDark }) => isDark)).toEqual([true]);
    expect(told[0]?.at).toBeLessThanOrEqual(10_000 + 5_000 + DARK_MS + 80 + 250);
  });

  test("is asked at once by who doubts it", () => {
    const { clock, told, peer, watch } = subject();
    clock.runSync(7_000);
    peer.alive = false;
    watch.doubt();
    clock.runSync(7_000 + DARK_MS + 80 + 250);
    expect(told.map(({ isDark }) => isDark)).toEqual([true]);
  });

  test("is asked four times a second at the most, however much it is doubted", () => {
    const { clock, sent, watch } = subject();
    for (let at = 2_000; at < 3_000; at += 20) clock.at(at, () => watch.doubt());
    clock.runSync(3_000);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    expect(sent.length).toBeLessThanOrEqual(5);
  });

  test("is light again with the first answer", () => {
    const { clock, told, peer, watch } = subject();
    watch.attend(true);
    clock.runSync(10_000);
    peer.alive = false;
    clock.runSync(15_000);
    peer.alive = true;
    clock.runSync(16_000);
    expect(told.map(({ isDark }) => isDark)).toEqual([true, false]);
    expect(told[1]?.at).toBeLessThanOrEqual(15_000 + 250 + 40);
    expect(watch.isDark).toBe(false);
  });

  test("is not taken to be dark for a lost ping here and there, nor for a long round trip", () => {
    const lossy = subject({ lost: (count) => count % 4 < 2 });
    lossy.watch.attend(true);
    const far = subject({ answerAfter: 1_200 });
    far.watch.attend(true);
    for (const { clock, told } of [lossy, far]) {
      clock.runSync(600_000);
      expect(told).toEqual([]);
    }
  });

  test("asks a measured number of times, whatever fractions its times have", () => {
    const { clock, sent, watch } = subject({ answerAfter: 80.123456789, lost: (count) => count % 7 === 0 });
    watch.attend(true);
    clock.runSync(121_000);
    expect(sent.length).toBeGreaterThan(120);
    expect(sent.length).toBeLessThan(300);
  });

  test("leaves no timer behind when its connection is over", () => {
    const { clock, liveness, watch } = subject();
    watch.attend(true);
    clock.runSync(3_000);
    liveness.stop();
    watch.doubt();
    clock.runSync(5_000);
    expect(clock.pending).toBe(0);
  });
});
