import { expect, it } from "vitest";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import type { AdmissionMessage } from "../../signaling/admission.ts";
import { strictVerifier } from "../../test/keys.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import {
  datagram,
  FIRST_SEQUENCE,
  LISTENER_CONNECTION,
  packet,
  row,
  SPEAKER_CONNECTION,
  SPEAKER_FLOW,
  WALL,
} from "../../test/relay-scene.ts";
import { NO_INSTRUMENTS } from "./instruments.ts";
import { MediaPlane } from "./media-plane.ts";
import { OutgoingItems } from "./outgoing-items.ts";
import { ServerTime } from "./server-time.ts";

/** A speaker's plane whose listener takes what is written only when told, on a clock whose wall can be set. */
function plane(more: Parameters<typeof row>[0] = {}) {
  const inner = new VirtualClock({ wall: WALL });
  let step = 0;
  const clock = {
    now: () => inner.now(),
    wall: () => inner.wall() + step,
    at: (at: number, fire: () => void) => inner.at(at, fire),
  };
  let finished = 0;
  let isLost = false;
  const releases: (() => void)[] = [];
  const stream: SendStream = {
    write: () =>
      isLost ? Promise.reject(new Error("lost")) : new Promise((resolve) => releases.push(resolve)),
    finish: async () => {
      finished += 1;
    },
    reset: () => {},
  };
  const connection = { openStream: async () => stream, sendDatagram: () => "sent" } as unknown as Connection;
  const items = new OutgoingItems(connection);
  const time = new ServerTime(clock);
  const media = new MediaPlane({
    verifier: strictVerifier,
    sha256,
    clock,
    time,
    egresses: {
      connection: (id) => (id === LISTENER_CONNECTION ? connection : undefined),
      items: (id) => (id === LISTENER_CONNECTION ? items : undefined),
    },
    onEvent: () => {},
    instruments: NO_INSTRUMENTS,
  });
  media.apply({ kind: "install", row: row(more) });
  const speak = (count: number) => {
    for (let at = 0; at < count; at += 1)
      void media.item(SPEAKER_CONNECTION, SPEAKER_FLOW, packet({ sequence: FIRST_SEQUENCE + at }));
  };
  const flush = async () => {
    await inner.settle();
    for (let release = releases.shift(); release !== undefined; release = releases.shift()) {
      release();
      await inner.settle();
    }
  };
  const setClock = (by: number) => {
    step += by;
    time.follow();
  };
  const counters = () => media.counters("session-a")[0];
  return {
    media,
    items,
    speak,
    flush,
    counters,
    setClock,
    advance: (ms: number) => inner.advance(ms),
    /** The listener's stream breaks. */
    lose: () => {
      isLost = true;
    },
    settle: () => inner.settle(),
    finished: () => finished,
  };
}

const changes: [string, AdmissionMessage, string][] = [
  ["the session is held", { kind: "state", sessionId: "session-a", state: "held" }, "session-state"],
  ["the session has ended", { kind: "state", sessionId: "session-a", state: "ended" }, "session-state"],
  [
    "the terms were narrowed",
    {
      kind: "terms",
      connection: SPEAKER_CONNECTION,
      flow: SPEAKER_FLOW,
      termsNumber: 2,
      transmitAllowed: false,
    },
    "scope",
  ],
  [
    "the speaker was interrupted",
    { kind: "epoch", connection: SPEAKER_CONNECTION, flow: SPEAKER_FLOW, epoch: 1 },
    "epoch",
  ],
];

it.each(changes)(
  "frames that still wait when %s do not leave, and are counted by reason",
  async (_name, message, reason) => {
    const scene = plane();
    scene.speak(1);
    await scene.settle();
    scene.speak(4);
    expect(scene.counters()).toMatchObject({ admitted: 4, forwarded: 0, refused: { replayed: 1 } });
    scene.media.apply(message);
    await scene.flush();
    expect(scene.counters()).toMatchObject({ admitted: 4, forwarded: 1, dropped: { [reason]: 3 } });
  },
);

it("frames on streams are counted when they leave", async () => {
  const scene = plane();
  scene.speak(3);
  expect(scene.counters()).toMatchObject({ admitted: 3, forwarded: 0 });
  await scene.flush();
  expect(scene.counters()).toMatchObject({ admitted: 3, forwarded: 3, dropped: {} });
});

it("with the session its flows are forgotten and their streams end", async () => {
  const scene = plane();
  scene.speak(1);
  await scene.flush();
  expect(scene.media.carriesMedia(SPEAKER_CONNECTION, SPEAKER_FLOW)).toBe(true);
  scene.media.apply({ kind: "remove", sessionId: "session-a" });
  await scene.flush();
  expect(scene.media.carriesMedia(SPEAKER_CONNECTION, SPEAKER_FLOW)).toBe(false);
  expect([scene.items.open, scene.finished()]).toEqual([0, 1]);
});

it("a clock that is set makes no frame stale, but keys and terms expire by it", () => {
  const scene = plane({ notAfter: WALL + 3_600_000 });
  const say = (sequence: number) =>
    scene.media.datagram(SPEAKER_CONNECTION, datagram(packet({ sequence: FIRST_SEQUENCE + sequence })));
  say(0);
  scene.setClock(60_000);
  say(1);
  scene.setClock(-120_000 + 60_000);
  say(2);
  expect(scene.counters()).toMatchObject({ admitted: 3, refused: {} });
  scene.setClock(3_600_000 + 31_000);
  say(3);
  expect(scene.counters()).toMatchObject({ admitted: 3, refused: { expired: 1 } });
});

it("leaves a reliable stream unread until its listener has a connection for media", async () => {
  const scene = plane({ reliable: true, egress: [] });
  const first = scene.media.item(SPEAKER_CONNECTION, SPEAKER_FLOW, packet());
  let read = false;
  void first?.then(() => {
    read = true;
  });
  await scene.settle();
  expect(scene.counters()).toMatchObject({ received: 0 });
  scene.media.apply({ kind: "move", row: row({ reliable: true, egress: [] }), epoch: 0 });
  await scene.settle();
  expect(read, "the speaker moved, nobody listens yet").toBe(false);
  scene.media.apply({ kind: "move", row: row({ reliable: true }), epoch: 0 });
  await scene.flush();
  expect(read).toBe(true);
  expect(scene.counters()).toMatchObject({ admitted: 1, forwarded: 1 });
  expect(scene.media.sizes().unread).toBe(0);
});

it("does not give a reliable stream up where its listener's connection was lost, which is known a moment later", async () => {
  const scene = plane({ reliable: true });
  scene.lose();
  scene.speak(1);
  await scene.settle();
  let fate = "";
  scene.media.item(SPEAKER_CONNECTION, SPEAKER_FLOW, packet({ sequence: FIRST_SEQUENCE + 1 }))?.then(
    () => {
      fate = "read on";
    },
    (error: ParleyError) => {
      fate = error.code;
    },
  );
  await scene.advance(900);
  expect(fate).toBe("");
  scene.media.apply({ kind: "move", row: row({ reliable: true, egress: [] }), epoch: 0 });
  await scene.advance(5_000);
  expect(fate).toBe("read on");
  expect(scene.media.sizes().unread).toBe(0);
});

it("gives a reliable stream up whose listener takes no more of it on a connection that stands", async () => {
  const scene = plane({ reliable: true });
  scene.lose();
  scene.speak(1);
  await scene.settle();
  const given = scene.media.item(SPEAKER_CONNECTION, SPEAKER_FLOW, packet({ sequence: FIRST_SEQUENCE + 1 }));
  const refused = expect(given).rejects.toMatchObject({ code: "data-stalled" });
  await scene.advance(1_100);
  await refused;
});

it("does not leave a reliable stream unread after the session's end", async () => {
  const scene = plane({ reliable: true, egress: [] });
  const waiting = scene.media.item(SPEAKER_CONNECTION, SPEAKER_FLOW, packet());
  scene.media.apply({ kind: "state", sessionId: "session-a", state: "ended" });
  await waiting;
  expect(scene.counters()).toMatchObject({ received: 1, admitted: 0, refused: { "session-state": 1 } });
  expect(scene.media.sizes().unread).toBe(0);
});

it("forgets the flows that a stream left, there and at its listener", async () => {
  const scene = plane();
  scene.speak(1);
  await scene.flush();
  scene.media.apply({ kind: "move", row: row({ connection: 7, flow: 40, egress: [] }), epoch: 0 });
  await scene.flush();
  expect(scene.finished(), "the stream to the listener").toBe(1);
  expect(scene.media.carriesMedia(SPEAKER_CONNECTION, SPEAKER_FLOW)).toBe(false);
  expect(scene.media.carriesMedia(7, 40)).toBe(true);
  scene.media.apply({ kind: "remove", sessionId: "session-a" });
  expect(scene.media.sizes()).toMatchObject({ mediaFlows: 0, sessions: 0 });
});

it("counts what a listener that holds the stream does not get, and goes on when it wants it again", async () => {
  const { media, speak, flush, counters } = plane();
  const { sessionId, leg, stream } = row();
  media.apply({ kind: "hold", sessionId, leg, stream, isHeld: true });
  speak(2);
  await flush();
  expect(counters()).toMatchObject({ admitted: 2, forwarded: 0, dropped: { held: 2 } });
});

it("leaves a reliable stream unread while its listener holds it, and loses nothing of it", async () => {
  const { media, speak, flush, counters } = plane({ reliable: true });
  const { sessionId, leg, stream } = row();
  media.apply({ kind: "hold", sessionId, leg, stream, isHeld: true });
  speak(1);
  await flush();
  expect(counters()).toMatchObject({ received: 0 });
  media.apply({ kind: "hold", sessionId, leg, stream, isHeld: false });
  await flush();
  expect(counters()).toMatchObject({ admitted: 1, forwarded: 1 });
});

it("ends the flows of a stream that is over before its session, and what waited there does not leave", async () => {
  const { media, speak, flush, finished } = plane();
  const { sessionId, leg, stream } = row();
  speak(2);
  media.apply({ kind: "lift", sessionId, leg, stream });
  await flush();
  expect([media.counters(sessionId), finished()]).toEqual([[], 1]);
  expect(media.carriesMedia(SPEAKER_CONNECTION, SPEAKER_FLOW)).toBe(false);
  expect(media.sizes()).toMatchObject({ mediaFlows: 0, laid: 0, legFlows: 0 });
});
