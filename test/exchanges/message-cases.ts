/** How messages may and may not be written. */
import { expect } from "vitest";
import type { ExchangeCase } from "./exchange-case.ts";

const DIRECTORY = {
  directory: expect.arrayContaining([expect.objectContaining({ path: "/sessions" })]),
  time: expect.any(Number),
};
const SAME_TIMES = { t0: 17.5, t1: expect.any(Number), t2: expect.any(Number) };
const CLOCK = "AGTP/1.0 QUERY /clock";

const startLines: readonly ExchangeCase[] = [
  ["the version first", "AGTP/1.0 DISCOVER /"],
  ["the version first and no path", "AGTP/1.0 DISCOVER"],
  ["the version last", "DISCOVER / HTTP/AGTP/1.0"],
  ["the version last, without HTTP", "DISCOVER / AGTP/1.0"],
].map(([name, line]) => ({
  name: `a start line with ${name}`,
  send: { line: line as string },
  gets: { status: 200, result: DIRECTORY },
}));

/** Octets that are no request; a few are read as one dialect and refused in it. */
const malformed: readonly ExchangeCase[] = (
  [
    ["another version", "AGTP/2.0 DISCOVER /", "version-unsupported"],
    ["another version last", "DISCOVER / HTTP/AGTP/2.0", "version-unsupported"],
    ["the line of another protocol", "GET / HTTP/2", "version-unsupported"],
    ["no version", "DISCOVER /", "invalid-request-line"],
    ["four tokens", "AGTP/1.0 DISCOVER / now", "invalid-request-line"],
    ["two blanks between", "AGTP/1.0  DISCOVER /", "invalid-request-line"],
    ["a fragment", "AGTP/1.0 DISCOVER /agents#here", "invalid-request-line"],
    ["a fragment, version last", "DISCOVER /agents#here HTTP/AGTP/1.0", "invalid-request-line"],
    ["a path that begins with no slash", "AGTP/1.0 DISCOVER agents", "invalid-request-line"],
    ["a query whose escapes are no UTF-8", "AGTP/1.0 DISCOVER /agents?after=%ff", "invalid-request-line"],
    ["a method that is no token", "AGTP/1.0 DIS(COVER /", "invalid-request-line"],
  ] as const
).map(([name, line, code]) => ({
  name: `a start line with ${name}`,
  by: "nobody",
  send: { line, octets: `${line}\r\nContent-Length: 0\r\n\r\n` },
  gets: { status: 400, code },
}));

const malformedHeaders: readonly ExchangeCase[] = (
  [
    ["a line without a colon", "Nonsense\r\n", "message-malformed"],
    ["a name with a blank", "Request ID: 7\r\n", "message-malformed"],
    ["a folded line", "Task-ID: a\r\n b\r\n", "message-malformed"],
    ["a bare LF", "Task-ID: a\nRequest-ID: b\r\n", "message-malformed"],
    ["a control character", "Task-ID: a\u0001\r\n", "message-malformed"],
    ["a length with a sign", "Content-Length: +2\r\n", "message-malformed"],
    ["a length below nothing", "Content-Length: -2\r\n", "message-malformed"],
    ["a length of no digits", "Content-Length: two\r\n", "message-malformed"],
    ["two lengths", "Content-Length: 0\r\ncontent-length: 0\r\n", "message-malformed"],
    ["a coded body", "Transfer-Encoding: chunked\r\n", "message-malformed"],
    ["two callers", "Agent-ID: a\r\nagent-id: b\r\n", "message-malformed"],
    ["two sessions", "Session-ID: a\r\nSession-ID: b\r\n", "message-malformed"],
    ["two scopes", "Authority-Scope: a:b\r\nAuthority-Scope: a:c\r\n", "message-malformed"],
    ["a body of more than a megabyte announced", "Content-Length: 1048577\r\n", "body-too-large"],
    ["a block of more than 64 KiB", `X-Long: ${"x".repeat(65_536)}\r\n`, "header-too-large"],
  ] as const
).map(([name, lines, code]) => ({
  name: `headers with ${name}`,
  by: "nobody",
  send: { line: "AGTP/1.0 DISCOVER /", octets: `AGTP/1.0 DISCOVER /\r\n${lines}\r\n` },
  gets: { status: 400, code },
}));

const MEDIA_TYPES = [
  "application/vnd.agtp+json",
  "application/agtp+json",
  "application/vnd.agtp.query+json",
  "application/vnd.agtp.establish+json",
  "application/json",
  "application/json; charset=utf-8",
  "Application/VND.AGTP+JSON",
];
const bodies: readonly ExchangeCase[] = [
  ...MEDIA_TYPES.map(
    (type): ExchangeCase => ({
      name: `a body of ${type}`,
      send: { line: CLOCK, parameters: { t0: 17.5 }, type },
      gets: { status: 200, result: SAME_TIMES },
    }),
  ),
  ...(["envelope", "bare-envelope", "flat"] as const).map(
    (form): ExchangeCase => ({
      name: `a body in the form ${form}`,
      send: { line: CLOCK, parameters: { t0: 17.5 }, form },
      gets: { status: 200, result: SAME_TIMES },
    }),
  ),
  {
    name: "a body of another type",
    send: { line: CLOCK, body: '{"t0":1}', type: "text/plain" },
    gets: { status: 422, code: "media-type-unsupported", details: { at: "Content-Type" } },
  },
  {
    name: "a body without a type",
    send: { line: CLOCK, octets: 'AGTP/1.0 QUERY /clock\r\nContent-Length: 8\r\n\r\n{"t0":1}' },
    gets: { status: 422, code: "media-type-unsupported" },
  },
  {
    name: "a body that is no JSON",
    send: { line: CLOCK, body: '{"t0":' },
    gets: { status: 400, code: "body-malformed" },
  },
  {
    name: "a body that is no object",
    send: { line: CLOCK, body: "[17.5]" },
    gets: { status: 400, code: "body-malformed" },
  },
  {
    name: "a parameter of the wrong type",
    send: { line: CLOCK, parameters: { t0: "now" } },
    gets: { status: 422, code: "field-invalid", details: { at: "parameters.t0" } },
  },
  {
    name: "no body where a parameter is missing",
    send: { line: CLOCK },
    gets: { status: 422, code: "field-invalid", details: { at: "parameters.t0" } },
  },
  {
    name: "a parameter in the query",
    send: { line: `AGTP/1.0 DISCOVER /agents?after=${"f".repeat(64)}` },
    gets: { status: 200, result: { agents: [] } },
  },
  {
    name: "a number in the query",
    send: { line: `${CLOCK}?t0=17.5` },
    gets: { status: 200, result: SAME_TIMES },
  },
  {
    name: "a text in the query where a number belongs",
    send: { line: `${CLOCK}?t0=now` },
    gets: { status: 422, code: "field-invalid" },
  },
  {
    name: "a list with blanks in the query",
    send: { line: "AGTP/1.0 DESCRIBE /?capability_domains=version,%20zones" },
    gets: { status: 200, result: { version: expect.any(String), zones_accepted: [] } },
  },
  {
    name: "a number in the query beside texts, of an agent that is known",
    send: { line: "AGTP/1.0 INSPECT /?target=lifecycle&limit=5" },
    gets: { status: 200, result: { entries: [] } },
  },
  {
    name: "a parameter in the body and another in the query: the body's counts",
    send: { line: `AGTP/1.0 DISCOVER /agents?after=none`, parameters: { after: "f".repeat(64) } },
    gets: { status: 200, result: { agents: [] } },
  },
];

const echoes: readonly ExchangeCase[] = [
  {
    name: "a Request-ID that is a UUID of version 7, and a Task-ID",
    send: {
      line: "AGTP/1.0 DESCRIBE /",
      headers: [
        ["Request-ID", "019b76da-a811-7a01-8e44-0242ac121001"],
        ["Task-ID", "t 7"],
      ],
    },
    gets: {
      status: 200,
      headers: { "Request-ID": "019b76da-a811-7a01-8e44-0242ac121001", "Task-ID": "t 7" },
    },
  },
  {
    name: "a Request-ID that is a ULID",
    send: { line: "AGTP/1.0 DESCRIBE /", headers: [["Request-ID", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]] },
    gets: { status: 200, headers: { "Request-ID": "01ARZ3NDEKTSV4RRFFQ69G5FAV" } },
  },
  {
    name: "a Request-ID of no particular form",
    send: { line: "AGTP/1.0 DESCRIBE /", headers: [["Request-ID", "req-1 (of many)"]] },
    gets: {
      status: 200,
      headers: { "Request-ID": "req-1 (of many)" },
      record: { request_id: "req-1 (of many)" },
    },
  },
  {
    name: "no Request-ID",
    send: { line: "AGTP/1.0 DESCRIBE /" },
    gets: {
      status: 200,
      headers: { "Request-ID": undefined, "Task-ID": undefined },
      record: { request_id: "" },
    },
  },
  {
    name: "a Request-ID of more than 128 characters",
    send: { line: "AGTP/1.0 DESCRIBE /", headers: [["Request-ID", "x".repeat(129)]] },
    gets: { status: 422, code: "field-invalid", headers: { "Request-ID": undefined } },
  },
  {
    name: "header names in any case and order",
    send: {
      line: "AGTP/1.0 DESCRIBE /",
      headers: [
        ["tASK-id", "t 7"],
        ["AGENT-ID", "{alice}"],
        ["request-id", "r 7"],
      ],
    },
    gets: { status: 200, headers: { "Agent-ID": "{alice}", "Request-ID": "r 7", "Task-ID": "t 7" } },
  },
  {
    name: "a task in the body",
    send: { line: CLOCK, body: '{"method":"QUERY","task_id":"from the body","parameters":{"t0":17.5}}' },
    gets: { status: 200, headers: { "Task-ID": "from the body" }, record: { task_id: "from the body" } },
  },
  {
    name: "a task in the body and another in the header: the header's counts",
    send: {
      line: CLOCK,
      headers: [["Task-ID", "from the header"]],
      body: '{"method":"QUERY","task_id":"from the body","parameters":{"t0":17.5}}',
    },
    gets: { status: 200, headers: { "Task-ID": "from the header" } },
  },
];

export const MESSAGE_CASES: readonly ExchangeCase[] = [
  ...startLines,
  ...malformed,
  ...malformedHeaders,
  ...bodies,
  ...echoes,
];
