import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Headers } from "./headers.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  MAX_HEADER_BLOCK_BYTES,
  MAX_REQUEST_BODY_BYTES,
  MAX_RESPONSE_BODY_BYTES,
  serializeRequest,
  serializeResponse,
} from "./message.ts";
import { MessageReader } from "./message-reader.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

const sample = (line: string) => `${line}\r\nAgent-ID: a\r\nTask-ID: é\r\nContent-Length: 7\r\n\r\n{"a":1}`;
const BASE = sample("AGTP/1.0 QUERY /clock?t=%C3%A9");
const SEED = sample("QUERY /clock HTTP/AGTP/1.0");

/** A message as plain data, so that equality means what it looks like. */
function flatten(message: AgtpRequest | AgtpResponse) {
  const { headers, body, ...rest } = message;
  const query = "query" in rest ? { query: [...rest.query] } : {};
  return { ...rest, ...query, headers: [...headers], body: [...body] };
}

/** Everything a reader tells about these bytes: messages in order, then the fault and the dialect. */
function readAll(kind: "request" | "response", parts: Iterable<Uint8Array>) {
  const reader = new MessageReader(kind);
  const messages: unknown[] = [];
  const drain = () => {
    for (let message = reader.next(); message !== undefined; message = reader.next()) {
      messages.push(flatten(message));
    }
  };
  for (const part of parts) {
    reader.push(part);
    drain();
  }
  const fault = reader.end();
  drain();
  return { messages, fault, dialect: reader.dialect };
}

const whole = (kind: "request" | "response", text: string) => readAll(kind, [utf8(text)]);

describe("a request", () => {
  it("is read in the base dialect", () => {
    const { messages, fault } = whole(
      "request",
      "AGTP/1.0 QUERY /sessions/s?a=1&b=%C3%A9&a=2&c&d=x%26y+z\r\n" +
        "Agent-ID:  abc \r\ntask-id: t:1\r\nContent-Length: 4\r\n\r\n{}\r\n",
    );
    expect(fault).toBeUndefined();
    expect(messages).toEqual([
      {
        dialect: "base",
        method: "QUERY",
        path: "/sessions/s",
        query: [
          ["a", "2"],
          ["b", "é"],
          ["c", ""],
          ["d", "x&y+z"],
        ],
        headers: [
          ["Agent-ID", "abc"],
          ["task-id", "t:1"],
        ],
        body: [123, 125, 13, 10],
      },
    ]);
  });

  it.each([
    ["AGTP/1.0 ESTABLISH /sessions", "base", "/sessions"],
    ["AGTP/1.0 DISCOVER", "base", "/"],
    ["ESTABLISH /sessions HTTP/AGTP/1.0", "seed", "/sessions"],
    ["ESTABLISH /sessions AGTP/1.0", "seed", "/sessions"],
    ["AGTP/1.0 X-TRY /%41", "base", "/%41"],
  ])("with the start line %j is taken", (line, dialect, path) => {
    expect(whole("request", `${line}\r\n\r\n`)).toMatchObject({
      messages: [{ dialect, path }],
      fault: undefined,
      dialect,
    });
  });

  it.each([
    ["AGTP/2.0 QUERY /", "version-unsupported", undefined],
    ["QUERY / HTTP/AGTP/1.1", "version-unsupported", undefined],
    ["GET / HTTP/1.1", "version-unsupported", undefined],
    ["agtp/1.0 QUERY /", "invalid-request-line", undefined],
    ["QUERY /", "invalid-request-line", undefined],
    ["", "invalid-request-line", undefined],
    ["AGTP/1.0", "invalid-request-line", "base"],
    ["AGTP/1.0 ", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a#b", "invalid-request-line", "base"],
    ["QUERY /a#b HTTP/AGTP/1.0", "invalid-request-line", "seed"],
    ["AGTP/1.0  QUERY /a", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a ", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a b", "invalid-request-line", "base"],
    ["AGTP/1.0\tQUERY\t/a", "invalid-request-line", undefined],
    ["QUERY  /a HTTP/AGTP/1.0", "invalid-request-line", "seed"],
    ["DISCOVER HTTP/AGTP/1.0", "invalid-request-line", "seed"],
    ["AGTP/1.0 QUERY a", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY //host/a", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a\u0001", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /é", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /%4", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /{id}", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a?b=%ff", "invalid-request-line", "base"],
    ["AGTP/1.0 QUERY /a?b=%", "invalid-request-line", "base"],
    [`AGTP/1.0 ${"Q".repeat(65)} /`, "invalid-request-line", "base"],
    ["AGTP/1.0 QU(ERY /", "invalid-request-line", "base"],
  ])("with the start line %j is refused, its dialect told", (line, code, dialect) => {
    const result = whole("request", `${line}\r\nAgent-ID: a\r\n\r\n`);
    expect(result).toMatchObject({ messages: [], fault: { code, at: "line 1" } });
    expect(result.dialect).toBe(dialect);
  });

  it.each([
    ["a header line without a colon", "Agent-ID: a\r\nnonsense\r\n\r\n", "message-malformed", "line 3"],
    ["a bare LF", "Agent-ID: a\n\r\n", "message-malformed", "line 2"],
    ["a bare CR", "Agent-ID: a\rb\r\n\r\n", "message-malformed", "line 2"],
    ["two CRs", "Agent-ID: a\r\r\n\r\n", "message-malformed", "line 2"],
    ["a NUL", "Task-ID: a\u0000\r\n\r\n", "message-malformed", "line 2"],
    ["a folded line", "Task-ID: a\r\n b\r\n\r\n", "message-malformed", "line 3"],
    ["a blank before the colon", "Task-ID : a\r\n\r\n", "message-malformed", "line 2"],
    ["an empty name", ": a\r\n\r\n", "message-malformed", "line 2"],
    ["two Agent-IDs", "Agent-ID: a\r\nagent-id: a\r\n\r\n", "message-malformed", "line 3, agent-id"],
    ["two Session-IDs", "Session-ID: a\r\nSession-ID: b\r\n\r\n", "message-malformed", "line 3, Session-ID"],
    [
      "two scopes",
      "Authority-Scope: a\r\nX: y\r\nAuthority-Scope: b\r\n\r\n",
      "message-malformed",
      "line 4, Authority-Scope",
    ],
    [
      "two lengths",
      "Content-Length: 1\r\nContent-Length: 1\r\n\r\n{",
      "message-malformed",
      "line 3, Content-Length",
    ],
    ["a signed length", "Content-Length: +1\r\n\r\n{", "message-malformed", "line 2, Content-Length"],
    ["a negative length", "Content-Length: -1\r\n\r\n", "message-malformed", "line 2, Content-Length"],
    ["a list of lengths", "Content-Length: 1, 1\r\n\r\n{", "message-malformed", "line 2, Content-Length"],
    ["a hexadecimal length", "Content-Length: 0x1\r\n\r\n{", "message-malformed", "line 2, Content-Length"],
    ["an empty length", "Content-Length:\r\n\r\n", "message-malformed", "line 2, Content-Length"],
    [
      "a length beyond the cap",
      "Content-Length: 1048577\r\n\r\n",
      "body-too-large",
      "line 2, Content-Length",
    ],
    [
      "a length beyond any number",
      `Content-Length: ${"9".repeat(400)}\r\n\r\n`,
      "body-too-large",
      "line 2, Content-Length",
    ],
    [
      "a coded body",
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "message-malformed",
      "line 2, Transfer-Encoding",
    ],
    [
      "a length and a coding",
      "Content-Length: 2\r\ntransfer-encoding: identity\r\n\r\n{}",
      "message-malformed",
      "line 3, transfer-encoding",
    ],
    ["a body cut short", "Content-Length: 5\r\n\r\nabc", "message-malformed", "body, octet 3 of 5"],
    ["a header block cut short", "Agent-ID: a\r\n", "message-malformed", "line 3"],
    ["a line cut short", "Agent", "message-malformed", "line 2"],
  ])("with %s is refused and the place named", (_, rest, code, at) => {
    expect(whole("request", `QUERY / HTTP/AGTP/1.0\r\n${rest}`)).toMatchObject({
      messages: [],
      fault: { code, at },
      dialect: "seed",
    });
  });

  it("with bytes that are not UTF-8 is refused", () => {
    const bytes = new Uint8Array([...utf8("AGTP/1.0 QUERY /\r\nTask-ID: "), 0xff, ...utf8("\r\n\r\n")]);
    expect(readAll("request", [bytes])).toMatchObject({ messages: [], fault: { at: "line 2" } });
  });

  it("may fill its header block to the cap and not a byte more", () => {
    const start = "AGTP/1.0 QUERY /\r\nX: ";
    const filler = "x".repeat(MAX_HEADER_BLOCK_BYTES - start.length - 4);
    expect(whole("request", `${start}${filler}\r\n\r\n`).messages).toHaveLength(1);
    for (const text of [`${start}${filler}x\r\n\r\n`, start + "x".repeat(MAX_HEADER_BLOCK_BYTES)]) {
      expect(whole("request", text)).toMatchObject({
        messages: [],
        fault: { code: "header-too-large" },
        dialect: "base",
      });
    }
  });

  it("may have 256 header lines and not one more", () => {
    const lines = (count: number) => `AGTP/1.0 QUERY /\r\n${"A: b\r\n".repeat(count)}\r\n`;
    expect(whole("request", lines(256)).messages).toHaveLength(1);
    for (const count of [257, 10_000]) {
      const fault = { code: "header-too-large", at: "line 258" };
      expect(whole("request", lines(count))).toMatchObject({ messages: [], fault });
    }
  });

  it("may fill its body to the cap", () => {
    const bytes = utf8(`AGTP/1.0 QUERY /\r\nContent-Length: ${MAX_REQUEST_BODY_BYTES}\r\n\r\n`);
    const reader = new MessageReader("request");
    reader.push(bytes);
    for (let sent = 0; sent < MAX_REQUEST_BODY_BYTES; sent += 4096) {
      expect(reader.next()).toBeUndefined();
      reader.push(new Uint8Array(4096).fill(7));
    }
    const body = reader.next()?.body as Uint8Array;
    expect(body.length).toBe(MAX_REQUEST_BODY_BYTES);
    expect(body.every((byte) => byte === 7)).toBe(true);
  });

  it("does not share memory with the bytes pushed", () => {
    const reader = new MessageReader("request");
    const bytes = utf8("AGTP/1.0 QUERY /\r\nContent-Length: 3\r\n\r\nabc");
    reader.push(bytes);
    bytes.fill(0);
    expect(new TextDecoder().decode(reader.next()?.body)).toBe("abc");
  });
});

describe("a response", () => {
  it.each([
    ["AGTP/1.0 200 OK", "base", 200, "OK"],
    ["HTTP/AGTP/1.0 503 Service Unavailable", "seed", 503, "Service Unavailable"],
    ["AGTP/1.0 204", "base", 204, ""],
    ["AGTP/1.0 204 ", "base", 204, ""],
    ["AGTP/1.0 262 été  ", "base", 262, "été"],
  ])("with the start line %j is taken", (line, dialect, status, reason) => {
    expect(whole("response", `${line}\r\n\r\n`).messages).toMatchObject([{ dialect, status, reason }]);
  });

  it.each([
    ["AGTP/1.1 200 OK", "version-unsupported", undefined],
    ["HTTP/1.1 200 OK", "version-unsupported", undefined],
    ["200 OK", "message-malformed", undefined],
    ["AGTP/1.0 20 OK", "message-malformed", "base"],
    ["AGTP/1.0 2000 OK", "message-malformed", "base"],
    ["AGTP/1.0 099 OK", "message-malformed", "base"],
    ["AGTP/1.0  200 OK", "message-malformed", "base"],
    ["HTTP/AGTP/1.0 200\tOK", "message-malformed", "seed"],
    ["HTTP/AGTP/1.0 +20 OK", "message-malformed", "seed"],
    ["AGTP/1.0 200 O\u0007K", "message-malformed", "base"],
  ])("with the start line %j is refused, its dialect told", (line, code, dialect) => {
    const result = whole("response", `${line}\r\n\r\n`);
    expect(result).toMatchObject({ messages: [], fault: { code, at: "line 1" } });
    expect(result.dialect).toBe(dialect);
  });

  it("has its own body cap", () => {
    expect(
      whole("response", `AGTP/1.0 200 OK\r\nContent-Length: ${MAX_RESPONSE_BODY_BYTES + 1}\r\n\r\n`).fault,
    ).toMatchObject({
      code: "body-too-large",
    });
  });

  it("is read in series, and what came before a fault is still handed out", () => {
    const one = "AGTP/1.0 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
    const two = "HTTP/AGTP/1.0 200 OK\r\n\r\n";
    expect(whole("response", one + two + one)).toMatchObject({
      messages: [{ status: 202 }, { status: 200, dialect: "seed" }, { status: 202 }],
      fault: undefined,
    });
    const reader = new MessageReader("response");
    expect(reader.push(utf8(`${one}rubbish\r\n${one}`))).toMatchObject({ code: "message-malformed" });
    expect(reader.next()).toMatchObject({ status: 202 });
    expect(reader.next()).toBeUndefined();
    expect(reader.push(utf8(one))).toMatchObject({ code: "message-malformed" });
    expect(reader.next()).toBeUndefined();
  });
});

describe("however the bytes are cut", () => {
  const samples: [string, "request" | "response", string][] = [
    ["requests", "request", BASE + SEED],
    [
      "answers",
      "response",
      "AGTP/1.0 202 A\r\nContent-Length: 2\r\n\r\n{}AGTP/1.0 204 B\r\n\r\nHTTP/AGTP/1.0 200 OK\r\n\r\n",
    ],
    ["a faulty start line", "request", `${BASE}AGTP/1.0 QUERY /#\r\nA: b\r\n\r\n`],
    ["a faulty header", "request", "QUERY / HTTP/AGTP/1.0\r\nAgent-ID: é\r\nAgent-ID: b\r\n\r\n"],
    ["a bare LF", "request", "AGTP/1.0 QUERY /\r\nA: b\n\r\nC"],
    ["a short body", "request", "AGTP/1.0 QUERY /\r\nContent-Length: 9\r\n\r\n{}"],
  ];

  it.each(samples)("%s give the same result, at every byte and byte by byte", (_, kind, text) => {
    const bytes = utf8(text);
    const expected = readAll(kind, [bytes]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(readAll(kind, [bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
    }
    expect(
      readAll(
        kind,
        [...bytes].map((byte) => new Uint8Array([byte])),
      ),
    ).toEqual(expected);
  });

  it("an oversized header block is refused by the same name at the same line", () => {
    const bytes = utf8(`AGTP/1.0 QUERY /\r\nA: b\r\nB: ${"x".repeat(MAX_HEADER_BLOCK_BYTES)}\r\nbad\r\n\r\n`);
    const expected = readAll("request", [bytes]);
    expect(expected.fault).toMatchObject({ code: "header-too-large", at: "line 3" });
    for (const size of [1, 1000, 65_536]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      expect(readAll("request", parts)).toEqual(expected);
    }
  });

  it("random bytes give the same result, and never throw", () => {
    const pieces = fc.constantFrom(
      "AGTP/1.0",
      "HTTP/AGTP/1.0",
      " ",
      "QUERY",
      "/a",
      "?b=%41",
      "\r\n",
      "\n",
      "\r",
      ":",
      "Agent-ID",
      "Content-Length",
      "3",
      "\r\n\r\n",
      "200",
      "OK",
      "\u0000",
      "é",
      "#",
      "{}",
    );
    fc.assert(
      fc.property(
        fc.constantFrom("request" as const, "response" as const),
        fc.oneof(
          fc.array(pieces, { maxLength: 30 }).map((p) => utf8(p.join(""))),
          fc.uint8Array({ maxLength: 120 }),
        ),
        fc.array(fc.nat({ max: 120 }), { maxLength: 6 }),
        (kind, bytes, cuts) => {
          const places = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ];
          const parts = places.slice(1).map((place, i) => bytes.subarray(places[i], place));
          expect(readAll(kind, parts)).toEqual(readAll(kind, [bytes]));
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe("written and read back", () => {
  const token = fc
    .stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/)
    .filter((name) => !RESERVED.has(name.toLowerCase()));
  const value = fc
    .string({ unit: "binary", maxLength: 20 })
    .map((text) => text.toWellFormed().replace(CONTROL, "").trim());
  const headers = fc.array(fc.tuple(token, value), { maxLength: 8 }).map((fields) => new Headers(fields));
  const dialect = fc.constantFrom("base" as const, "seed" as const);
  const body = fc.uint8Array({ maxLength: 200 });

  it("requests are the same", () => {
    const request: fc.Arbitrary<AgtpRequest> = fc.record({
      dialect,
      method: fc.stringMatching(/^[A-Z]{3,32}$/),
      path: fc.stringMatching(/^(\/[a-z0-9-]{1,9}){1,4}$/),
      query: fc
        .array(fc.tuple(fc.string({ unit: "grapheme" }), fc.string()), { maxLength: 4 })
        .map((pairs) => new Map(pairs)),
      headers,
      body,
    });
    fc.assert(
      fc.property(request, (sent) => {
        const result = readAll("request", [serializeRequest(sent)]);
        expect(result).toEqual({ messages: [flatten(sent)], fault: undefined, dialect: sent.dialect });
      }),
    );
  });

  it("responses are the same", () => {
    const response: fc.Arbitrary<AgtpResponse> = fc.record({
      dialect,
      status: fc.integer({ min: 100, max: 999 }).filter((status) => status !== 204),
      reason: fc.stringMatching(/^[A-Za-z]{0,9}( [A-Za-z]{1,9})?$/).map((text) => text.trim()),
      headers,
      body,
    });
    fc.assert(
      fc.property(response, (sent) => {
        const result = readAll("response", [serializeResponse(sent)]);
        expect(result).toEqual({ messages: [flatten(sent)], fault: undefined, dialect: sent.dialect });
      }),
    );
  });
});

const RESERVED = new Set(["content-length", "agent-id", "session-id", "authority-scope"]);
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a header value cannot hold.
const CONTROL = /[\u0000-\u001f\u007f]/g;
