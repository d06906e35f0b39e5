/** What holds for every answer, whatever was asked, and what a case wants beside it. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyRecord } from "../../signaling/attribution.ts";
import { reasonText } from "../../signaling/status.ts";
import { must } from "../signed-call.ts";
import type { Expected } from "./exchange-case.ts";
import { bodyOf, headerOf, type WireAnswer } from "./wire.ts";

/** Names that an answer must not have: retired, or of another protocol. */
const RETIRED = [
  "AGTP-Version",
  "AGTP-Method",
  "AGTP-Status",
  "Principal-ID",
  "Server-Agent-ID",
  "Host",
  "Transfer-Encoding",
];
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Checks an answer to `request` (the octets as sent) against what every answer of this server owes. */
export function checkAnswer(answer: WireAnswer, request: Uint8Array, serverKey: Uint8Array): void {
  const asked = readRequest(request);
  const isSeed =
    asked.line
      .split(" ")
      .at(-1)
      ?.match(/^(?:HTTP\/)?AGTP\/1\.0$/) && !asked.line.startsWith("AGTP/1.0");
  const header = (name: string) => headerOf(answer.headers, name);
  expect(answer.version).toBe(isSeed ? "HTTP/AGTP/1.0" : "AGTP/1.0");
  expect(answer.reason).toBe(reasonText(answer.status));
  expect(header("Server-ID")).toMatch(/^[\x21-\x7e]+$/);
  expect(header("Response-ID")).toMatch(UUID_V7);
  const isDocument = header("Content-Type") === "application/vnd.agtp.manifest+json";
  if (!isDocument)
    expect(header("Content-Type")).toBe(isSeed ? "application/agtp+json" : "application/vnd.agtp+json");
  expect(header("Content-Length")).toBe(String(answer.body.length));
  for (const name of RETIRED) expect(header(name)).toBeUndefined();
  expect(answer.headers.filter(([name]) => /^x-/i.test(name))).toEqual([]);
  checkRecord(answer, asked, serverKey);
  if (isDocument) return;
  const body = bodyOf(answer);
  expect(body.status).toBe(answer.status);
  expect(Object.keys(body).filter((key) => !["status", "task_id", "result", "error"].includes(key))).toEqual(
    [],
  );
  const isRefusal = answer.status === 262 || answer.status >= 300;
  expect(body).toHaveProperty(isRefusal ? "error.code" : "result");
}

/** Checks what one case wants. */
export function checkExpected(answer: WireAnswer, expected: Expected): void {
  const body = bodyOf(answer);
  const error = body.error as JsonObject | undefined;
  const details = { ...(error?.details as JsonObject | undefined) };
  expect({ status: answer.status, code: error?.code }, JSON.stringify(error)).toEqual({
    status: expected.status,
    code: expected.code,
  });
  if (expected.details !== undefined) expect(details).toMatchObject(expected.details);
  if (expected.result !== undefined) expect(body.result).toMatchObject(expected.result);
  if (expected.document !== undefined) expect(body).toMatchObject(expected.document);
  for (const [name, value] of Object.entries(expected.headers ?? {}))
    expect(headerOf(answer.headers, name), name).toBe(value);
  if (expected.record !== undefined) {
    const [, payload = ""] = String(headerOf(answer.headers, "Attribution-Record")).split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject(expected.record);
  }
}

interface Asked {
  readonly line: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

function checkRecord(answer: WireAnswer, asked: Asked, serverKey: Uint8Array): void {
  const jws = String(headerOf(answer.headers, "Attribution-Record"));
  const { payload, auditId } = must(verifyRecord(jws, serverKey, verifier));
  expect(headerOf(answer.headers, "Audit-ID")).toBe(auditId);
  expect(createHash("sha256").update(jws).digest("hex")).toBe(auditId);
  expect(payload).toMatchObject({
    status: answer.status,
    server_id: headerOf(answer.headers, "Server-ID"),
    response_id: headerOf(answer.headers, "Response-ID"),
    result_hash: createHash("sha256").update(answer.body).digest("hex"),
  });
  if (answer.status === 400) return;
  expect(payload.request_hash).toBe(createHash("sha256").update(asked.body).digest("hex"));
  for (const name of ["Agent-ID", "Request-ID", "Task-ID", "Session-ID"]) {
    const [sent, echoed] = [headerOf(asked.headers, name), headerOf(answer.headers, name)];
    if (sent === undefined || echoed === undefined) continue;
    if (name !== "Session-ID") expect(echoed).toBe(sent);
  }
  if (answer.status !== 422)
    expect(headerOf(answer.headers, "Agent-ID")).toBe(headerOf(asked.headers, "Agent-ID"));
}

function readRequest(octets: Uint8Array): Asked {
  const bytes = Buffer.from(octets);
  const end = bytes.indexOf("\r\n\r\n");
  const [line = "", ...lines] = bytes.subarray(0, Math.max(0, end)).toString().split("\r\n");
  const headers = lines.map((text): readonly [string, string] => {
    const colon = text.indexOf(":");
    return [text.slice(0, colon), text.slice(colon + 1).trim()];
  });
  return { line, headers, body: bytes.subarray(end + 4) };
}
