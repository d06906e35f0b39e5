import { STATUS_CODES } from "node:http";
import type { FastifyReply } from "fastify";
import { ERRORS, type ErrorCode, type ErrorEntry } from "../../codecs/error-codes.ts";
import type { Fault } from "../../codecs/result.ts";

/** What AGTP's own statuses are in HTTP; others are the same in both. */
const IN_HTTP: Readonly<Record<number, number>> = {
  262: 403,
  // A client or a proxy may send a request again that is told 408, and nobody wants to ring twice.
  408: 504,
  451: 403,
  455: 403,
  456: 403,
  457: 403,
  459: 405,
  460: 400,
  463: 406,
};
/** Of HTTP alone. */
const OWN: Readonly<Partial<Record<ErrorCode, number>>> = {
  "if-match-required": 428,
  "ice-outdated": 412,
  "body-too-large": 413,
  "media-type-unsupported": 415,
};

/** The HTTP status of a fault. */
function httpStatusOf(code: ErrorCode): number {
  const { status = 500 }: ErrorEntry = ERRORS[code];
  return OWN[code] ?? IN_HTTP[status] ?? status;
}

/** Answers with what is wrong: `application/problem+json` (RFC 9457) with the stable code beside. */
export function sendProblem(reply: FastifyReply, { code, message, at, details }: Fault): FastifyReply {
  const status = httpStatusOf(code);
  const wait = details?.retry_after_ms;
  if (typeof wait === "number") reply.header("retry-after", String(Math.ceil(wait / 1_000)));
  // RFC 6750: a token that was shown and does not hold is told from none.
  if (status === 401)
    reply.header("www-authenticate", code === "token-required" ? "Bearer" : 'Bearer error="invalid_token"');
  const problem = {
    ...{ type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail: message, code },
    ...(at === undefined ? {} : { at }),
    ...(details === undefined ? {} : { details }),
  };
  return reply
    .code(status)
    .header("content-type", "application/problem+json")
    .send(Buffer.from(JSON.stringify(problem)));
}
