import { CONTROLS, type Headers, TOKEN } from "./headers.ts";
import { ParleyError } from "./parley-error.ts";
import type { Fault } from "./result.ts";
import { type Dialect, REASON, RESPONSE_VERSION, TARGET_PATH } from "./start-line.ts";

export type { Dialect } from "./start-line.ts";

/** One AGTP request. */
export interface AgtpRequest {
  readonly dialect: Dialect;
  /** As written; whether it is a verb of the catalog is for `signaling/methods` to say. */
  readonly method: string;
  /** RFC 3986 path-absolute as written, not percent-decoded, without the query. */
  readonly path: string;
  /** Decoded query; of a repeated key the last value. */
  readonly query: ReadonlyMap<string, string>;
  /** Without Content-Length, which is framing: `body.length` tells it. */
  readonly headers: Headers;
  /** Empty when there is none. */
  readonly body: Uint8Array;
}

/** One AGTP response. */
export interface AgtpResponse {
  readonly dialect: Dialect;
  /** 100..999. */
  readonly status: number;
  /** Informational text behind the status; may be empty. */
  readonly reason: string;
  /** Without Content-Length, as in a request. */
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Largest header block read or written, octets: start line to the empty line, both included. Larger: `header-too-large`. */
export const MAX_HEADER_BLOCK_BYTES = 64 * 1024;
/** Most header lines of a message, read or written: each costs more to read than its octets say. More: `header-too-large`. */
export const MAX_HEADER_LINES = 256;
/** Largest request body read or written, octets. Larger: `body-too-large`. */
export const MAX_REQUEST_BODY_BYTES = 1024 * 1024;
/** Largest response body read or written, octets. Larger: `body-too-large`. */
export const MAX_RESPONSE_BODY_BYTES = 1024 * 1024;

/** Headers of which a message may carry one only (lower case): two readings of these would be two meanings. */
export const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  "content-length",
  "agent-id",
  "session-id",
  "authority-scope",
]);

/**
 * Bytes of a request with a three-token start line in its dialect and a Content-Length of its own.
 *
 * Throws `invalid-request-line`, `message-malformed`, `header-too-large` or `body-too-large` for a request that the
 * reader at the other end would refuse.
 */
export function serializeRequest(request: AgtpRequest): Uint8Array {
  if (!TOKEN.test(request.method)) {
    throw misuse("invalid-request-line", "A method that is not a token.", "method");
  }
  if (!TARGET_PATH.test(request.path)) {
    throw misuse("invalid-request-line", "A path that is not an RFC 3986 path-absolute.", "path");
  }
  const target = request.path + writeQuery(request.query);
  const line =
    request.dialect === "base"
      ? `AGTP/1.0 ${request.method} ${target}`
      : `${request.method} ${target} HTTP/AGTP/1.0`;
  return serialize(line, request.headers, request.body, MAX_REQUEST_BODY_BYTES, true);
}

/**
 * Bytes of a response in its dialect, with a Content-Length of its own (none for 204, which has no body).
 *
 * Throws `message-malformed`, `header-too-large` or `body-too-large` for a response that the reader at the other end
 * would refuse.
 */
export function serializeResponse(response: AgtpResponse): Uint8Array {
  const { status, reason } = response;
  if (!Number.isInteger(status) || status < 100 || status > 999) {
    throw misuse("message-malformed", "A status that is not of three digits.", "status");
  }
  if (!REASON.test(reason) || CONTROLS.test(reason) || !reason.isWellFormed()) {
    throw misuse("message-malformed", "A reason with a control character or blanks around it.", "reason");
  }
  if (status === 204 && response.body.length > 0) {
    throw misuse("message-malformed", "A 204 has no body.", "body");
  }
  const line = `${RESPONSE_VERSION[response.dialect]} ${status}${reason === "" ? "" : ` ${reason}`}`;
  return serialize(line, response.headers, response.body, MAX_RESPONSE_BODY_BYTES, status !== 204);
}

function serialize(
  line: string,
  headers: Headers,
  body: Uint8Array,
  maxBody: number,
  withLength: boolean,
): Uint8Array {
  if (body.length > maxBody) {
    throw misuse("body-too-large", `A body of ${body.length} octets; ${maxBody} is the most.`, "body");
  }
  if (headers.size + (withLength ? 1 : 0) > MAX_HEADER_LINES)
    throw misuse("header-too-large", `More than ${MAX_HEADER_LINES} header lines.`, "headers");
  const seen = new Set<string>();
  let text = `${line}\r\n`;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === "content-length" || (SINGLE_HEADERS.has(lower) && seen.has(lower))) {
      throw misuse(
        "message-malformed",
        "A header that the serialiser writes itself, or twice one that is single.",
        name,
      );
    }
    seen.add(lower);
    text += `${name}: ${value}\r\n`;
  }
  text += withLength ? `Content-Length: ${body.length}\r\n\r\n` : "\r\n";
  const head = encoder.encode(text);
  if (head.length > MAX_HEADER_BLOCK_BYTES) {
    throw misuse("header-too-large", `A header block of ${head.length} octets.`, "headers");
  }
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

function writeQuery(query: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [key, value] of query) {
    if (!key.isWellFormed() || !value.isWellFormed()) {
      throw misuse("invalid-request-line", "A lone surrogate in the query.", "query");
    }
    text += `${text === "" ? "?" : "&"}${encodeURIComponent(key)}=${encodeURIComponent(value)}`;
  }
  return text;
}

function misuse(code: Fault["code"], message: string, at: string): ParleyError {
  return new ParleyError({ code, message, at });
}

const encoder = new TextEncoder();
