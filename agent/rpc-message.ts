import type { JsonValue } from "../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../codecs/result.ts";
import { integer, object, oneOf, optional, readShape, type Shape, text } from "../signaling/shape.ts";

/** The longest that an answer may be waited for, ms. */
export const MAX_DEADLINE_MS = 600_000;
/** Most characters of what an answer says of a failure. */
export const MAX_RPC_TEXT = 1_024;

/** Names of methods: letters, digits and `_ - . /`, at most 64. */
export const METHOD_NAME = /^[A-Za-z0-9_./-]{1,64}$/;

/** How a call can fail at the end that was asked; each is a code of `docs/errors.md`. */
export const RPC_FAILURES = ["rpc-unknown-method", "rpc-busy", "rpc-failed"] as const;
export type RpcFailure = (typeof RPC_FAILURES)[number];

/** One end asks. */
export type RpcRequest = {
  /** Which call: chosen by who asks, for no other call that is open. */
  readonly call: number;
  readonly method: string;
  readonly params: JsonValue;
  /** How long the answer is waited for, from when the message was sent. */
  readonly deadline_ms: number;
};

/** The other end answers: with one of both. */
export type RpcAnswer = {
  readonly answer: number;
  readonly result?: JsonValue;
  readonly error?: { readonly code: RpcFailure; readonly message: string; readonly details?: JsonValue };
};

/** Who asked wants no answer any more. */
export type RpcCancel = { readonly cancel: number };

/** One message of an rpc stream (`docs/wire-media.md`). */
export type RpcMessage =
  | ({ readonly kind: "request" } & RpcRequest)
  | ({ readonly kind: "answer" } & RpcAnswer)
  | ({ readonly kind: "cancel" } & RpcCancel);

/** What a message on a stream labelled `parley.rpc` says. Fault: `field-invalid`. */
export function readRpcMessage(value: unknown): Result<RpcMessage> {
  const isObject = typeof value === "object" && value !== null;
  if (isObject && "call" in value) return as("request", readShape(REQUEST, value, "rpc"));
  if (isObject && "cancel" in value) return as("cancel", readShape(CANCEL, value, "rpc"));
  const answer = readShape(ANSWER, value, "rpc");
  if (answer.ok && "result" in answer.value === "error" in answer.value)
    return refuse("field-invalid", "An answer has a result or an error.", "rpc");
  return as("answer", answer);
}

function as<Kind extends RpcMessage["kind"], Fields>(
  kind: Kind,
  read: Result<Fields>,
): Result<{ readonly kind: Kind } & Fields> {
  return read.ok ? ok({ kind, ...read.value }) : read;
}

const ID: Shape<number> = integer(0, Number.MAX_SAFE_INTEGER);
/** What is parsed is JSON already; a member that is not there is none. */
const JSON_VALUE: Shape<JsonValue> = {
  schema: {},
  check: (value, at) =>
    value === undefined ? { code: "field-invalid", message: "must be there", at } : undefined,
};

const REQUEST: Shape<RpcRequest> = object<RpcRequest>({
  call: ID,
  method: text({ max: 64, pattern: METHOD_NAME }),
  params: JSON_VALUE,
  deadline_ms: integer(1, MAX_DEADLINE_MS),
});

const ANSWER: Shape<RpcAnswer> = object<RpcAnswer>({
  answer: ID,
  result: optional(JSON_VALUE),
  error: optional(
    object<NonNullable<RpcAnswer["error"]>>({
      code: oneOf(...RPC_FAILURES),
      message: text({ max: MAX_RPC_TEXT }),
      details: optional(JSON_VALUE),
    }),
  ),
});

const CANCEL: Shape<RpcCancel> = object<RpcCancel>({ cancel: ID });
