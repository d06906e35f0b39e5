import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../codecs/canonical-json.ts";
import { ERRORS, type ErrorCode } from "../codecs/error-codes.ts";
import type { AgtpRequest, AgtpResponse, Dialect } from "../codecs/message.ts";
import { type Fault, ok, type Result, refuse } from "../codecs/result.ts";
import { isScopeRefusal, isSuccess, type ScopeViolationCode, statusOf } from "./status.ts";

/** Content-Type of the bodies we write, by dialect. */
export const MEDIA_TYPE: Readonly<Record<Dialect, string>> = {
  base: "application/vnd.agtp+json",
  seed: "application/agtp+json",
};

/** What a request's body and query say. */
export interface RequestBody {
  /** `Task-ID` header, else the body's `task_id`. */
  readonly taskId: string | undefined;
  /** `Session-ID` header, else the body's `session_id`. */
  readonly sessionId: string | undefined;
  /** Parameters of the method: those of the query, overruled by those of the body. Possession proofs cover this object. */
  readonly parameters: JsonObject;
  /** Names of those that the query brought. */
  readonly queried: readonly string[];
  /** Members of the body that a header contradicts and overrules; worth a log line. */
  readonly overruled: readonly string[];
}

/** What a response's body says. */
export interface ResponseBody {
  readonly status: number;
  readonly taskId: string | undefined;
  /** Empty for a refusal, or when there is no body. */
  readonly result: JsonObject;
  /** False for a message of a series that others follow. */
  readonly final: boolean;
  /** Why the peer refused; `undefined` for a success, or where the peer does not say. */
  readonly error: RefusalBody | undefined;
}

/** The `error` member of a refusal. */
export interface RefusalBody {
  /** Empty when the peer gives none. */
  readonly code: string;
  readonly reason: string | undefined;
  readonly explanation: string;
  readonly details: JsonObject;
}

/** True for the media types of JSON bodies we read (`spec/agtp` 1.4); parameters such as a charset are passed over. */
export function isReadableMediaType(contentType: string): boolean {
  return READABLE.test((contentType.split(";", 1)[0] as string).trim());
}

/**
 * Reads a request's body: the envelope `{method, task_id, session_id, parameters}`, or the parameters at top level.
 * No body: the parameters of the query alone. Faults: `media-type-unsupported`, `body-malformed`.
 */
export function readRequestBody(request: AgtpRequest): Result<RequestBody> {
  const read = readObject(request);
  if (!read.ok) {
    return read;
  }
  const body = read.value;
  const isEnvelope =
    isJsonObject(body.parameters) && (body.method === undefined || body.method === request.method);
  const own = isEnvelope ? (body.parameters as JsonObject) : body;
  const overruled: string[] = [];
  const headerFirst = (header: string, member: string): string | undefined => {
    const fromHeader = request.headers.get(header);
    const fromBody = isEnvelope ? textOf(body[member]) : undefined;
    if (fromHeader !== undefined && fromBody !== undefined && fromHeader !== fromBody) {
      overruled.push(member);
    }
    return fromHeader ?? fromBody;
  };
  return ok({
    taskId: headerFirst("Task-ID", "task_id"),
    sessionId: headerFirst("Session-ID", "session_id"),
    parameters: { ...Object.fromEntries(request.query), ...own },
    queried: [...request.query.keys()].filter((name) => !Object.hasOwn(own, name)),
    overruled,
  });
}

/**
 * Reads a response's body: the envelope `{status, task_id, result}`, or the result at top level; a refusal under
 * `error`. The status line decides, whatever the body says. A refusal whose body cannot be read is a refusal without
 * `error`. Faults, for a success only: `media-type-unsupported`, `body-malformed`.
 */
export function readResponseBody(response: AgtpResponse): Result<ResponseBody> {
  const read = readObject(response);
  if (!read.ok && isSuccess(response.status)) {
    return read;
  }
  const { error, ...body }: JsonObject = read.ok ? read.value : {};
  const result = isJsonObject(body.result) ? body.result : body;
  const refused = !isSuccess(response.status);
  return ok({
    status: response.status,
    taskId: response.headers.get("Task-ID") ?? textOf(body.task_id),
    result: refused ? {} : result,
    final: result.final !== false && body.final !== false,
    error: refused && error !== undefined ? readError(error) : undefined,
  });
}

/** Envelope of a request's body. Write it with `canonicalBytes`. */
export function requestBody(body: {
  readonly method: string;
  readonly taskId?: string | undefined;
  readonly parameters: JsonObject;
}): JsonObject {
  return { method: body.method, ...taskMember(body.taskId), parameters: body.parameters };
}

/** Envelope of a success. Write it with `canonicalBytes`. In a series every `result` has `final`. */
export function resultBody(body: {
  readonly status: number;
  readonly taskId?: string | undefined;
  readonly result: JsonObject;
}): JsonObject {
  return { status: body.status, ...taskMember(body.taskId), result: body.result };
}

/**
 * Status and body that tell a fault to the peer: `{status, task_id?, error: {code, reason?, explanation, details?}}`.
 * The place at fault goes out as `details.at`. A scope refusal of the base dialect tells the seed's status as
 * `details.alternate_status`.
 */
export function faultBody(
  fault: Fault,
  dialect: Dialect,
  taskId?: string | undefined,
  setting: ScopeViolationCode = "auto",
): { readonly status: number; readonly body: JsonObject } {
  const status = statusOf(fault.code, dialect, setting);
  const { reason, ...facts } = { ...fault.details };
  const details: Record<string, unknown> = Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  );
  if (fault.at !== undefined) {
    details.at = fault.at;
  }
  if (status !== 451 && (fault.code === "scope-violation" || fault.code === "scope-claim-invalid")) {
    details.alternate_status = 451;
  }
  const error = {
    code: fault.code,
    ...(typeof reason === "string" ? { reason } : {}),
    explanation: fault.message,
    ...(Object.keys(details).length === 0 ? {} : { details: details as JsonObject }),
  };
  return { status, body: { status, ...taskMember(taskId), error } };
}

/**
 * The fault a refusal stands for, `undefined` for a success: its own code where this library knows it,
 * `scope-violation` for any of the three scope statuses, else `request-refused`. `details` has `status` and `code` as
 * the peer wrote them.
 */
export function refusalFault(body: ResponseBody): Fault | undefined {
  if (isSuccess(body.status)) {
    return undefined;
  }
  const { code = "", reason, explanation = "", details = {} } = body.error ?? {};
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : undefined;
  return {
    code: known ?? (isScopeRefusal(body.status, code) ? "scope-violation" : "request-refused"),
    message: explanation === "" ? `The peer answered ${body.status}.` : explanation,
    details: { ...details, ...(reason === undefined ? {} : { reason }), status: body.status, code },
  };
}

function readObject(message: AgtpRequest | AgtpResponse): Result<JsonObject> {
  if (message.body.length === 0) {
    return ok({});
  }
  const contentType = message.headers.get("Content-Type");
  if (contentType === undefined || !isReadableMediaType(contentType)) {
    return refuse("media-type-unsupported", "A body needs a JSON media type of AGTP.", "Content-Type", {
      accepted: Object.values(MEDIA_TYPE),
    });
  }
  const read = parseJson(message.body);
  if (!read.ok) {
    return read;
  }
  return isJsonObject(read.value)
    ? ok(read.value)
    : refuse("body-malformed", "A body is a JSON object.", "body");
}

function readError(error: JsonValue): RefusalBody {
  if (!isJsonObject(error)) {
    return { code: "", reason: undefined, explanation: textOf(error) ?? "", details: {} };
  }
  return {
    code: textOf(error.code) ?? "",
    reason: textOf(error.reason),
    // Three names for one thing are in use.
    explanation: textOf(error.explanation) ?? textOf(error.message) ?? textOf(error.detail) ?? "",
    details: isJsonObject(error.details) ? error.details : {},
  };
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function taskMember(taskId: string | undefined): JsonObject {
  return taskId === undefined ? {} : { task_id: taskId };
}

const READABLE = /^application\/(?:agtp\+json|vnd\.agtp(?:\.[a-z0-9.-]+)?\+json|json)$/i;
