import { expect, it } from "vitest";
import { FeedbackWriter } from "../../sfu/congestion/feedback-writer.ts";
import type { Verdict } from "../../sfu/relay-io.ts";
import type { AdmissionRow } from "../../signaling/admission.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { row, WALL } from "../../test/relay-scene.ts";
import { NO_INSTRUMENTS } from "./instruments.ts";
import { MediaLegs } from "./media-legs.ts";

const LISTENER = 2;

/** A stream to the listener, whose flow there is ten times its number. */
function stream(number: number, more: Partial<AdmissionRow> = {}): AdmissionRow {
  return row({
    ...{ stream: number, flow: number, ssrc: number },
    egress: [{ connection: LISTENER, flow: 10 * number }],
    ...more,
  });
}

it("each voice that goes to a listener keeps its room beside video", () => {
  const clock = new VirtualClock({ wall: WALL });
  const legs = new MediaLegs({
    clock,
    connection: () => undefined,
    instruments: NO_INSTRUMENTS,
    onEvent: () => {},
    keyFrameWanted: () => {},
  });
  const room = () => legs.roomForVideo({ connection: LISTENER, flow: 20 }).bitsPerSecond;
  legs.lay(stream(1));
  legs.lay(stream(2, { video: { rendition: 0 } }));
  expect(room()).toBe(Number.POSITIVE_INFINITY);
  const peer = new FeedbackWriter({ ssrc: 9, start: 0 });
  const bytes = new Uint8Array(200);
  const later = { accountLater: () => () => {} };
  for (let sequence = 0; sequence < 3; sequence += 1) {
    legs.send(
      { connection: LISTENER, flow: 10, bytes, carriage: "datagram" },
      { sequence } as Verdict,
      0,
      0,
      later,
    );
    peer.arrived(1, sequence, bytes.length, 20, 0);
  }
  const report = peer.report(500);
  if (report === undefined) throw new Error("no report");
  legs.takeFeedback(LISTENER, 10, report, 40);
  const beside = room();
  expect(beside).toBeGreaterThan(100_000);
  legs.lay(stream(3));
  expect(beside - room()).toBe(100_000);
  legs.lift(stream(3));
  legs.lift(stream(1));
  expect(room() - beside).toBe(100_000);
  legs.close();
});
