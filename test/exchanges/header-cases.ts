/** What headers do on any request, and what an ESTABLISH says that has nothing else. */
import type { ExchangeCase, Expected } from "./exchange-case.ts";

const DESCRIBE = "AGTP/1.0 DESCRIBE /";
const AUDIO = "communication:audio:capture, communication:audio:transmit";

const judged: readonly ExchangeCase[] = (
  [
    ["AGTP-Version", "1.0", { status: 400, code: "header-retired" }],
    ["AGTP-Method", "DESCRIBE", { status: 400, code: "header-retired" }],
    ["AGTP-Status", "200", { status: 400, code: "header-retired" }],
    ["Delegation-Chain", "{bob}, {alice}", { status: 501, code: "delegation-not-supported" }],
    ["Owner-ID", "somebody-else", { status: 401, code: "agent-mismatch" }],
    ["Owner-ID", "not an owner", { status: 422, code: "field-invalid" }],
    ["Authority-Scope", "communication", { status: 400, code: "scope-malformed" }],
    ["Authority-Scope", "payments:transfer", { status: 262, code: "scope-claim-invalid" }],
  ] as const satisfies readonly (readonly [string, string, Expected])[]
).map(([name, value, gets]) => ({
  name: `${name}: ${value}`,
  send: { line: DESCRIBE, headers: [[name, value]], proof: true },
  gets,
}));

const passedOver: readonly ExchangeCase[] = [
  ["Owner-ID", "alice"],
  ["Authority-Scope", AUDIO],
  ["Principal-ID", "somebody"],
  ["Server-Agent-ID", "{bob}"],
  ["Host", "elsewhere.example"],
  ["Accept", "application/json"],
  ["Priority", "critical"],
  ["TTL", "1"],
  ["AGTP-Zone-ID", "zone:elsewhere"],
  ["Budget-Limit", "calls=0"],
  ["Authorization", "Basic c2VjcmV0"],
  ["X-Anything", "at all"],
].map(([name, value]) => ({
  name: `${name}: ${value}`,
  send: { line: DESCRIBE, headers: [[name as string, value as string]], proof: true },
  gets: { status: 200, headers: name === "Owner-ID" ? {} : { [name as string]: undefined } },
}));

/** The draft's own example, with what can be heard here; and what it is told where it says less, or more. */
function bare(headers: Readonly<Record<string, string | undefined>>): ExchangeCase["send"] {
  const said = {
    "Authority-Scope": `${AUDIO}, communication:video:capture, communication:video:transmit`,
    "Session-Intent": "communication",
    "Communication-Modalities": "audio, video",
    "Audio-Codecs": "opus, g722",
    "Video-Codecs": "vp9, av1",
    "X-AGTP-Target-Agent": "{bob}",
    ...headers,
  };
  return {
    line: "ESTABLISH /sessions HTTP/AGTP/1.0",
    type: "application/agtp+json",
    headers: Object.entries(said).filter((header): header is [string, string] => header[1] !== undefined),
    proof: true,
  };
}
const withoutOffer: readonly ExchangeCase[] = (
  [
    [
      "is told what an offer would agree on",
      {},
      { status: 422, code: "offer-required", details: { audio_codec: "opus", video_codec: "vp9" } },
    ],
    [
      "and without anybody to call",
      { "X-AGTP-Target-Agent": undefined },
      { status: 422, code: "target-required" },
    ],
    [
      "and to somebody who is not here",
      { "X-AGTP-Target-Agent": "0".repeat(64) },
      { status: 404, code: "agent-not-found" },
    ],
    [
      "and with too little scope",
      { "Authority-Scope": "communication:audio:capture" },
      { status: 451, code: "scope-violation" },
    ],
    [
      "and with codecs that are not served",
      { "Audio-Codecs": "g728", "Video-Codecs": "h264" },
      { status: 463, code: "proposal-rejected" },
    ],
    [
      "and with modalities that are not served",
      { "Communication-Modalities": "smell" },
      { status: 463, code: "proposal-rejected" },
    ],
    [
      "and with another intent",
      { "Session-Intent": "negotiation" },
      { status: 422, code: "session-model-unsupported" },
    ],
  ] as const satisfies readonly (readonly [string, Readonly<Record<string, string | undefined>>, Expected])[]
).map(([name, headers, gets]) => ({
  name: `ESTABLISH by headers alone ${name}`,
  send: bare(headers),
  gets: { ...gets, headers: { "Session-ID": undefined } },
}));

const keyed: readonly ExchangeCase[] = [
  {
    name: "a change with a key",
    by: "bob",
    send: {
      line: "AGTP/1.0 NOTIFY /agents/{bob}/inbox",
      headers: [["Idempotency-Key", "once"]],
      parameters: { content: { event: "ack", inbox_seq: 1 } },
    },
    gets: { status: 200 },
  },
  {
    name: "the same change with the same key",
    by: "bob",
    send: {
      line: "NOTIFY /agents/{bob}/inbox HTTP/AGTP/1.0",
      headers: [["Idempotency-Key", "once"]],
      parameters: { content: { event: "ack", inbox_seq: 1 } },
    },
    gets: { status: 200 },
  },
  {
    name: "another change with the same key",
    by: "bob",
    send: {
      line: "AGTP/1.0 NOTIFY /agents/{bob}/inbox",
      headers: [["Idempotency-Key", "once"]],
      parameters: { content: { event: "ack", inbox_seq: 2 } },
    },
    gets: { status: 409, code: "idempotency-conflict" },
  },
];

/** Whoever shows a token means to be held to it: one that cannot be read is not passed over. */
const withToken: readonly ExchangeCase[] = [
  {
    name: "a token that is none",
    send: { line: DESCRIBE, headers: [["Authorization", "Bearer secret"]], proof: true },
    gets: { status: 401, code: "token-invalid" },
  },
];

const anonymous: readonly ExchangeCase[] = [
  {
    name: "a request about a session without an Agent-ID",
    send: { line: "AGTP/1.0 QUERY /sessions/{session}", anonymous: true, proof: true },
    gets: { status: 401, code: "agent-id-missing" },
  },
  ...["AGTP/1.0 DESCRIBE /", "AGTP/1.0 DISCOVER /genesis", "DISCOVER /methods HTTP/AGTP/1.0"].map(
    (line): ExchangeCase => ({
      name: `${line} without an Agent-ID`,
      by: "nobody",
      send: { line, anonymous: true },
      gets: { status: 200, headers: { "Agent-ID": undefined } },
    }),
  ),
];

export const HEADER_CASES: readonly ExchangeCase[] = [
  ...judged,
  ...passedOver,
  ...withoutOffer,
  ...keyed,
  ...withToken,
  ...anonymous,
];
