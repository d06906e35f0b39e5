import { expect, it } from "vitest";
import type { FrameView } from "../../codecs/frame.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import type { AdmissionRow } from "../../signaling/admission.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { row } from "../../test/relay-scene.ts";
import { NO_INSTRUMENTS } from "./instruments.ts";
import { MediaLegs } from "./media-legs.ts";
import { OutgoingItems } from "./outgoing-items.ts";
import { UnitFlows } from "./unit-flows.ts";

function scene() {
  const clock = new VirtualClock();
  const stream: SendStream = { write: async () => {}, finish: async () => {}, reset: () => {} };
  const connection = { openStream: async () => stream, sendDatagram: () => "sent" } as unknown as Connection;
  const items = new OutgoingItems(connection);
  const legs = new MediaLegs({
    clock,
    connection: () => connection,
    instruments: NO_INSTRUMENTS,
    onEvent: () => {},
    keyFrameWanted: () => {},
  });
  const flows = new UnitFlows({ clock, legs, items: () => items });
  const forward = (one: AdmissionRow, sequence: number) =>
    flows.forward(one, unit(sequence), new Uint8Array(500), () => () => {});
  return { clock, legs, flows, forward };
}

function unit(sequence: number): FrameView {
  return { sequence, keyFrame: sequence === 0, layer: 0, needs: 1 } as FrameView;
}

it("looks at no other picture for a unit, or for a key frame that is wanted", async () => {
  const { clock, legs, flows, forward } = scene();
  let looks = 0;
  const other = row({ sessionId: "session-b", video: { rendition: 0 } });
  const { egress } = other;
  Object.defineProperty(other, "egress", {
    get: () => {
      looks += 1;
      return egress;
    },
  });
  const one = row({ video: { rendition: 0 } });
  for (const each of [one, other]) legs.lay(each);
  for (const each of [other, one]) forward(each, 0);
  await clock.advance(50);
  looks = 0;
  for (let sequence = 1; sequence < 100; sequence += 1) {
    forward(one, sequence);
    flows.keyFrameWanted(one);
  }
  expect(looks).toBe(0);
  flows.close();
  legs.close();
});
