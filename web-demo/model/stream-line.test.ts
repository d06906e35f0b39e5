import { expect, test } from "vitest";
import { type StreamLine, sameStreams, streamState, streamTitle } from "./stream-line.ts";

const VOICE: StreamLine = {
  id: 1,
  modality: "audio",
  direction: "sendrecv",
  muted: false,
  held: false,
  canClose: false,
  showing: undefined,
};

test.each<[Partial<StreamLine>, string, string]>([
  [{}, "Voice", "both ways"],
  [{ modality: "data", muted: true }, "Data", "both ways, muted"],
  [{ modality: "video", direction: "recvonly", held: true }, "Picture", "from Echo, on hold"],
  [{ modality: "video", direction: "sendonly", showing: "screen" }, "Your screen", "from you"],
])("%j is %s, %s", (change, title, state) => {
  const line = { ...VOICE, ...change };
  expect([streamTitle(line), streamState(line, "Echo")]).toEqual([title, state]);
});

test("lists that say the same are the same", () => {
  expect(sameStreams([VOICE], [{ ...VOICE }])).toBe(true);
  expect(sameStreams([VOICE], [{ ...VOICE, muted: true }])).toBe(false);
});
