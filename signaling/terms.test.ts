import { expect, test } from "vitest";
import { canonicalBytes } from "../codecs/canonical-json.ts";
import { ANSWER, CALL_SECONDS, OFFER, SESSION_ID, scopes } from "../test/signed-call.ts";
import type { Answer } from "./answer.ts";
import { deriveTerms, streamsSentBy, termsBytes } from "./terms.ts";

test("terms follow from offer and answer alone", () => {
  const terms = deriveTerms(OFFER, ANSWER);
  expect(terms).toEqual({
    v: 1,
    session_id: SESSION_ID,
    number: 1,
    profile: "frame",
    expires_at: CALL_SECONDS + 5 + 600,
    legs: [
      { leg: 0, scope: ["communication:audio:capture", "communication:audio:transmit"] },
      { leg: 1, scope: ["communication:audio:capture", "communication:audio:transmit"] },
    ],
    streams: [
      {
        stream: 0,
        modality: "audio",
        codec: { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 },
        directions: ["sendrecv", "sendrecv"],
        ssrcs: [0x0a11ce, 0x000b0b],
      },
    ],
  });
  expect(termsBytes(terms)).toEqual(canonicalBytes(terms));
});

test.each([
  ["sendonly", ["recvonly", "sendonly"], 0, 1],
  ["recvonly", ["sendonly", "recvonly"], 1, 0],
  ["sendrecv", ["sendrecv", "sendrecv"], 1, 1],
] as const)("answered %s, the caller does the rest", (direction, directions, byCaller, byCallee) => {
  const streams = ANSWER.payload.streams.map((stream) => ({ ...stream, direction }));
  const answer: Answer = { ...ANSWER, payload: { ...ANSWER.payload, streams } };
  const terms = deriveTerms(OFFER, answer);
  expect(terms.streams[0]?.directions).toEqual(directions);
  expect(streamsSentBy(terms, 0)).toHaveLength(byCaller);
  expect(streamsSentBy(terms, 1)).toHaveLength(byCallee);
});

test("each leg has the scope it signed", () => {
  const answer: Answer = {
    ...ANSWER,
    scope: scopes("communication:limit:duration-s:60, communication:audio:capture"),
  };
  expect(deriveTerms(OFFER, answer).legs[1]).toEqual({
    leg: 1,
    scope: ["communication:audio:capture", "communication:limit:duration-s:60"],
  });
});
