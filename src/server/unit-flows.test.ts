/** What the server does for one picture does not grow with how many others it carries. */
import { describe, expect, it } from "vitest";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import type { AdmissionRow } from "../../signaling/admission.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { FIRST_SEQUENCE, packet, row, WALL } from "../../test/relay-scene.ts";
import { NO_INSTRUMENTS } from "./instruments.ts";
import { MediaLegs } from "./media-legs.ts";
import { OutgoingItems } from "./outgoing-items.ts";
import { UnitFlows } from "./unit-flows.ts";

/** Pictures, each from a speaker to a listener of its own who takes nothing; `reads` counts what was asked of a picture's row. */
function pictures(count: number, more: (index: number) => Partial<AdmissionRow>) {
  const clock = new VirtualClock({ wall: WALL });
  const stream: SendStream = { write: () => new Promise(() => {}), finish: async () => {}, reset: () => {} };
  const asked: number[] = [];
  const connections = new Map<number, Connection>();
  const items = new Map<number, OutgoingItems>();
  const legs = new MediaLegs({
    clock,
    connection: (id) => connections.get(id),
    instruments: NO_INSTRUMENTS,
    onEvent: () => {},
    keyFrameWanted: () => {},
  });
  const flows = new UnitFlows({ clock, legs, items: (id) => items.get(id) });
  const reads: number[] = [];
  const rows = Array.from({ length: count }, (_, index) => {
    const [connection, listener] = [2 * index + 1, 2 * index + 2];
    for (const id of [connection, listener]) {
      const sendDatagram = () => {
        if (id === connection) asked.push(index);
        return "sent";
      };
      const carrier = { openStream: async () => stream, sendDatagram } as unknown as Connection;
      connections.set(id, carrier);
      items.set(id, new OutgoingItems(carrier));
    }
    const plain = row({
      connection,
      sessionId: `session-${index}`,
      video: { rendition: 0 },
      egress: [{ connection: listener, flow: 9 }],
      ...more(index),
    });
    legs.lay(plain);
    reads[index] = 0;
    return new Proxy(plain, {
      get: (of, name) => {
        reads[index] = (reads[index] ?? 0) + 1;
        return Reflect.get(of, name);
      },
    });
  });
  const view = new FrameView();
  /** What became of the copies of what was shown, by number; of one that waits nothing is said. */
  const fates = new Map<number, string>();
  const read = (sequence: number) => {
    const bytes = packet({ sequence: FIRST_SEQUENCE + sequence, info: { keyFrame: sequence === 0 } });
    parseFrame(bytes, 0, view);
    return bytes;
  };
  const show = (index: number, sequence: number, now: Partial<AdmissionRow> = {}) => {
    const bytes = read(sequence);
    const shown = rows[index];
    if (shown === undefined) return;
    const as = Object.keys(now).length === 0 ? shown : { ...shown, ...now };
    flows.forward(as, view, bytes, () => (fate) => fates.set(sequence, fate));
  };
  const refuse = (index: number, sequence: number) => {
    read(sequence);
    const refused = rows[index];
    if (refused !== undefined) flows.passOver(refused, view);
  };
  const want = (index: number) => {
    const wanted = rows[index];
    if (wanted !== undefined) flows.keyFrameWanted(wanted, 2 * index + 2);
  };
  const readOfOthers = () => reads.slice(1).reduce((sum, one) => sum + one, 0);
  return { clock, flows, rows, asked, fates, show, refuse, want, readOfOthers };
}

const kinds: [string, (index: number) => Partial<AdmissionRow>][] = [
  ["alone", () => ({})],
  ["in renditions", () => ({ video: { source: 1, rendition: 0 } })],
];

it.each(kinds)(
  "a unit and a request concern their own picture, whatever others are under way: %s",
  (_, more) => {
    const { show, want, readOfOthers } = pictures(20, more);
    for (let index = 0; index < 20; index += 1) show(index, 0);
    const before = readOfOthers();
    for (let sequence = 1; sequence < 10; sequence += 1) show(0, sequence);
    for (let times = 0; times < 100; times += 1) want(0);
    expect(readOfOthers()).toBe(before);
  },
);

it("pictures of which nothing is under way cost nothing as time passes", async () => {
  const { clock, flows, rows, show, want, readOfOthers } = pictures(3, () => ({}));
  for (let index = 0; index < 3; index += 1) show(index, 0);
  expect(flows.sizes().busyVideo).toBe(3);
  for (const idle of rows.slice(1)) flows.discard(idle, "held");
  const before = readOfOthers();
  want(0);
  await clock.advance(2_000);
  expect(readOfOthers()).toBe(before);
  expect(flows.sizes().busyVideo).toBe(1);
});

it("a key frame is asked for once the one that was let through is no answer, and again where none comes", async () => {
  const { clock, asked, show, want } = pictures(2, () => ({}));
  show(0, 0);
  want(0);
  expect(asked).toEqual([]);
  await clock.advance(300);
  want(0);
  want(0);
  expect(asked).toEqual([0]);
  await clock.advance(600);
  expect(asked).toEqual([0, 0]);
});

describe("what needs a unit that did not go on does not go either", () => {
  it("where that came while the listener held the stream", () => {
    const { show, fates } = pictures(1, () => ({}));
    show(0, 0);
    show(0, 1, { held: true });
    show(0, 2);
    expect([...fates]).toEqual([
      [1, "held"],
      [2, "dependency"],
    ]);
  });

  it("where that was refused", () => {
    const { show, refuse, fates } = pictures(1, () => ({}));
    show(0, 0);
    refuse(0, 1);
    show(0, 2);
    expect([...fates]).toEqual([[2, "dependency"]]);
  });

  it("where that overtook the key frame with which its rendition is shown", () => {
    const { show, fates } = pictures(1, () => ({ video: { source: 1, rendition: 0 } }));
    show(0, 1);
    show(0, 0);
    show(0, 2);
    expect([...fates]).toEqual([
      [1, "rendition"],
      [2, "dependency"],
    ]);
  });
});
