import { expect, it } from "vitest";
import { webRtcText } from "./webrtc-text.ts";

it.each([
  [{ ports: [4_490] }, "on, 1 worker, UDP and TCP 4490"],
  [{ ports: [4_490, 4_491, 4_492] }, "on, up to 3 workers, UDP and TCP 4490 to 4492"],
  [{ ports: [0] }, "on, 1 worker, free UDP and TCP ports"],
  [{ ports: [0, 0] }, "on, up to 2 workers, free UDP and TCP ports"],
  [{ off: "There is none. Fetch one." }, "off: There is none. Fetch one."],
])("says %j as: %s", (facts, text) => {
  expect(webRtcText(facts)).toBe(text);
});
