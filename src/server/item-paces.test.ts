import { expect, it } from "vitest";
import { FeedbackWriter } from "../../sfu/congestion/feedback-writer.ts";
import { legBitrate, MediaLeg, noFeedback } from "../../sfu/media-leg.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { row } from "../../test/relay-scene.ts";
import { ItemPaces } from "./item-paces.ts";

const CONNECTION = 2;
const FLOW = 8;
const DATA = row({ reliable: true });
const { sessionId, ssrc } = DATA;
const ITEM = new Uint8Array(3_300);

/** One flow to a listener whose carrier takes everything at once. */
function scene() {
  const clock = new VirtualClock();
  const written: number[] = [];
  let leg: MediaLeg | undefined;
  const paces = new ItemPaces({
    clock,
    leg: () => leg,
    changed: () => {},
    wake: () => leg?.wake(clock.now()),
  });
  const write = async (bytes: Uint8Array) => {
    written.push(bytes.length);
    return true;
  };
  const newLeg = () =>
    new MediaLeg({
      ssrc: 0,
      start: clock.now(),
      bitrate: legBitrate(300_000),
      transmit: () => "sent",
      report: () => {},
      settled: () => {},
      counters: noFeedback(),
    });
  return {
    clock,
    written,
    paces,
    write,
    open: () => {
      leg = newLeg();
      paces.legOpened(CONNECTION, sessionId, leg);
      return leg;
    },
    close: () => {
      leg = undefined;
      paces.legClosed(CONNECTION, sessionId);
    },
  };
}

it("lets reliable data go as the carrier takes it where nothing of its session is live, and in turns where something is", async () => {
  const { clock, written, paces, write, open, close } = scene();
  const pace = paces.open({ connection: CONNECTION, flow: FLOW, sessionId, row: DATA }, write);
  expect(await pace.add(ITEM)).toBe("sent");
  expect(written.splice(0)).toEqual([ITEM.length]);
  open();
  const fates = Array.from({ length: 100 }, () => pace.add(ITEM));
  await clock.settle();
  // No more than the way bears while nothing is known of it.
  expect(written.every((bytes) => bytes <= 1_100)).toBe(true);
  const gone = written.reduce((sum, bytes) => sum + bytes, 0);
  expect(gone).toBeLessThan(30_000);
  close();
  expect(new Set(await Promise.all(fates.slice(0, 64)))).toEqual(new Set(["sent"]));
  expect(written.reduce((sum, bytes) => sum + bytes, 0)).toBe(64 * ITEM.length);
  expect(await fates[99], "one more than may wait").toBe("closed");
});

it("waits for reports on reliable data, and for none on statements", async () => {
  const { clock, written, paces, write, open } = scene();
  const leg = open();
  const data = paces.open({ connection: CONNECTION, flow: FLOW, sessionId, row: DATA }, write);
  const statements = paces.open({ connection: CONNECTION, flow: FLOW + 2, sessionId }, write);
  void statements.add(ITEM);
  await clock.settle();
  expect(leg.estimate, "nobody has said anything").toBeUndefined();
  void data.add(ITEM);
  for (let at = 0; at < 40; at += 1) {
    await clock.advance(10);
    leg.tick(clock.now());
  }
  expect(written.reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * ITEM.length);
  const peer = new FeedbackWriter({ ssrc: 9, start: clock.now() });
  for (const number of [0, 1, 2]) peer.arrived(ssrc, number, 1_100, clock.now(), undefined, true);
  const due = peer.nextTimeout() ?? 0;
  const rtcp = peer.report(due);
  await clock.advance(due - clock.now());
  expect(rtcp && leg.takeFeedback(rtcp, clock.now())).toMatchObject({ ok: true, value: { acknowledged: 3 } });
  expect(leg.estimate?.inFlight, "neither data that came nor statements").toBe(0);
  expect(paces.sessionOf(CONNECTION, FLOW)).toBe(sessionId);
  expect(paces.sessionOf(CONNECTION, FLOW + 2), "nothing is reported there").toBeUndefined();
});

it("keeps nothing of a flow that is finished, nor of a connection that is closed", async () => {
  const { paces, write, open } = scene();
  open();
  const first = paces.open({ connection: CONNECTION, flow: FLOW, sessionId, row: DATA }, write);
  const second = paces.open({ connection: CONNECTION, flow: FLOW + 2, sessionId }, write);
  void first.add(ITEM);
  first.finish();
  expect(paces.size).toBe(1);
  expect(await first.add(ITEM), "what still waited elsewhere").toBe("sent");
  paces.forget(CONNECTION);
  expect(paces.size).toBe(0);
  expect(await second.add(ITEM)).toBe("closed");
});
