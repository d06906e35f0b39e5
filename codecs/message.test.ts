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

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const request = (over: Partial<AgtpRequest> = {}): AgtpRequest => ({
  dialect: "base",
  method: "ESTABLISH",
  path: "/sessions",
  query: new Map(),
  headers: new Headers([["Agent-ID", "a"]]),
  body: new Uint8Array([0x7b, 0x7d]),
  ...over,
});
const response = (over: Partial<AgtpResponse> = {}): AgtpResponse => ({
  dialect: "base",
  status: 200,
  reason: "OK",
  headers: new Headers([["Server-ID", "s"]]),
  body: new Uint8Array(),
  ...over,
});

describe("serialising", () => {
  it("writes both dialects, always with three tokens and its own length", () => {
    expect(text(serializeRequest(request()))).toBe(
      "AGTP/1.0 ESTABLISH /sessions\r\nAgent-ID: a\r\nContent-Length: 2\r\n\r\n{}",
    );
    expect(
      text(serializeRequest(request({ dialect: "seed", path: "/", query: new Map([["a b", "é&"]]) }))),
    ).toBe("ESTABLISH /?a%20b=%C3%A9%26 HTTP/AGTP/1.0\r\nAgent-ID: a\r\nContent-Length: 2\r\n\r\n{}");
    expect(text(serializeResponse(response()))).toBe(
      "AGTP/1.0 200 OK\r\nServer-ID: s\r\nContent-Length: 0\r\n\r\n",
    );
    expect(text(serializeResponse(response({ dialect: "seed", status: 451, reason: "" })))).toBe(
      "HTTP/AGTP/1.0 451\r\nServer-ID: s\r\nContent-Length: 0\r\n\r\n",
    );
  });

  it("writes a 204 without a length", () => {
    expect(text(serializeResponse(response({ status: 204, reason: "No Content" })))).toBe(
      "AGTP/1.0 204 No Content\r\nServer-ID: s\r\n\r\n",
    );
  });

  it.each([
    ["a method with a blank", { method: "GET /" }, "invalid-request-line"],
    ["a method with a line break", { method: "QUERY\r\n" }, "invalid-request-line"],
    ["a path with a line break", { path: "/a\r\nX: y" }, "invalid-request-line"],
    ["a path with a query", { path: "/a?b" }, "invalid-request-line"],
    ["a relative path", { path: "a" }, "invalid-request-line"],
    ["an authority", { path: "//a" }, "invalid-request-line"],
    ["a lone surrogate in the query", { query: new Map([["a", "\ud800"]]) }, "invalid-request-line"],
    ["a length of one's own", { headers: new Headers([["content-length", "2"]]) }, "message-malformed"],
    [
      "two Agent-IDs",
      {
        headers: new Headers([
          ["Agent-ID", "a"],
          ["agent-id", "b"],
        ]),
      },
      "message-malformed",
    ],
    [
      "too many headers",
      { headers: new Headers([["X", "x".repeat(MAX_HEADER_BLOCK_BYTES)]]) },
      "header-too-large",
    ],
    [
      "too many header lines, its own Content-Length among them",
      { headers: new Headers(Array.from({ length: 256 }, () => ["X", "x"] as const)) },
      "header-too-large",
    ],
    ["too large a body", { body: new Uint8Array(MAX_REQUEST_BODY_BYTES + 1) }, "body-too-large"],
  ] as const)("refuses a request with %s", (_, over, code) => {
    expect(() => serializeRequest(request(over))).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ["two digits", { status: 99 }, "message-malformed"],
    ["a fraction", { status: 200.5 }, "message-malformed"],
    ["a line break in the reason", { reason: "OK\r\nX: y" }, "message-malformed"],
    ["a blank around the reason", { reason: " OK" }, "message-malformed"],
    ["a body on 204", { status: 204, body: new Uint8Array(1) }, "message-malformed"],
    ["too large a body", { body: new Uint8Array(MAX_RESPONSE_BODY_BYTES + 1) }, "body-too-large"],
  ] as const)("refuses a response with %s", (_, over, code) => {
    expect(() => serializeResponse(response(over))).toThrow(expect.objectContaining({ code }));
  });
});
