import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalBytes, type JsonObject } from "../codecs/canonical-json.ts";
import { Headers } from "../codecs/headers.ts";
import type { AgtpRequest, AgtpResponse } from "../codecs/message.ts";
import {
  faultBody,
  isReadableMediaType,
  MEDIA_TYPE,
  readRequestBody,
  readResponseBody,
  refusalFault,
  requestBody,
  resultBody,
} from "./body.ts";

const bytesOf = (body: unknown) =>
  body === undefined
    ? new Uint8Array()
    : typeof body === "string"
      ? new TextEncoder().encode(body)
      : canonicalBytes(body);

function request(
  body: unknown,
  over: { query?: [string, string][]; headers?: [string, string][] } = {},
): AgtpRequest {
  return {
    dialect: "base",
    method: "ESTABLISH",
    path: "/sessions",
    query: new Map(over.query),
    headers: new Headers(over.headers ?? [["Content-Type", MEDIA_TYPE.base]]),
    body: bytesOf(body),
  };
}

function response(status: number, body: unknown, headers?: [string, string][]): AgtpResponse {
  return {
    dialect: "base",
    status,
    reason: "",
    headers: new Headers(headers ?? [["Content-Type", "application/json"]]),
    body: bytesOf(body),
  };
}

describe("media types", () => {
  it.each([
    "application/agtp+json",
    "application/vnd.agtp+json",
    "application/vnd.agtp.establish+json",
    "application/vnd.agtp.identity+json",
    "application/json",
    "Application/JSON; charset=utf-8",
  ])("reads %s", (type) => {
    expect(isReadableMediaType(type)).toBe(true);
  });

  it.each([
    "",
    "text/json",
    "application/vnd.agtp+yaml",
    "application/vnd.agtpx+json",
    "application/jsonx",
    "xapplication/json",
  ])("does not read %j", (type) => {
    expect(isReadableMediaType(type)).toBe(false);
    expect(readRequestBody(request({}, { headers: [["Content-Type", type]] }))).toMatchObject({
      fault: { code: "media-type-unsupported", at: "Content-Type" },
    });
  });

  it("wants one wherever there is a body, and none otherwise", () => {
    expect(readRequestBody(request({ a: 1 }, { headers: [] }))).toMatchObject({
      fault: { code: "media-type-unsupported" },
    });
    expect(readRequestBody(request(undefined, { headers: [] }))).toMatchObject({ value: { parameters: {} } });
  });
});

describe("a request's body", () => {
  it("is unwrapped from the envelope it was written in", () => {
    const parameters = { session_model: "bounded", session_ttl: 600 };
    const body = requestBody({ method: "ESTABLISH", taskId: "t", parameters });
    expect(readRequestBody(request(body))).toEqual({
      ok: true,
      value: { taskId: "t", sessionId: undefined, parameters, queried: [], overruled: [] },
    });
    expect(readRequestBody(request({ parameters }))).toMatchObject({ value: { parameters } });
  });

  it.each([
    ["no parameters member", { session_ttl: 600, task_id: "t" }],
    ["parameters that are no object", { parameters: [1] }],
    ["another method", { method: "QUERY", parameters: { a: 1 } }],
  ])("is taken flat with %s", (_, body) => {
    expect(readRequestBody(request(body))).toMatchObject({ value: { parameters: body, taskId: undefined } });
  });

  it("overrules the query, and is overruled by headers", () => {
    const read = readRequestBody(
      request(
        { method: "ESTABLISH", task_id: "body", session_id: "same", parameters: { a: 1 } },
        {
          query: [
            ["a", "x"],
            ["b", "y"],
            ["__proto__", "z"],
          ],
          headers: [
            ["Content-Type", MEDIA_TYPE.seed],
            ["Task-ID", "header"],
            ["Session-ID", "same"],
          ],
        },
      ),
    );
    expect(read).toMatchObject({ value: { taskId: "header", sessionId: "same", overruled: ["task_id"] } });
    expect(read.ok && read.value.queried).toEqual(["b", "__proto__"]);
    expect(read.ok && Object.entries(read.value.parameters)).toEqual([
      ["a", 1],
      ["b", "y"],
      ["__proto__", "z"],
    ]);
  });

  it.each(["{", "[]", "null", '"x"', "1", "{} {}", '{"a":"\\ud800"}'])("is refused when it is %s", (body) => {
    expect(readRequestBody(request(body))).toMatchObject({ ok: false, fault: { code: "body-malformed" } });
  });

  it("never throws on junk", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(typeof readRequestBody(request(text)).ok).toBe("boolean");
        expect(typeof readResponseBody(response(200, text)).ok).toBe("boolean");
        const refused = readResponseBody(response(400, text));
        expect(refused.ok && refusalFault(refused.value)?.code).toBeTypeOf("string");
      }),
      { numRuns: 500 },
    );
  });
});

describe("a response's body", () => {
  const success = (body: JsonObject) => readResponseBody(response(200, body));

  it("is unwrapped from the envelope it was written in", () => {
    expect(success(resultBody({ status: 200, taskId: "t", result: { a: 1 } }))).toEqual({
      ok: true,
      value: { status: 200, taskId: "t", result: { a: 1 }, final: true, error: undefined },
    });
  });

  it("is taken flat, as other servers write it", () => {
    expect(success({ session_id: "s" })).toMatchObject({
      value: { result: { session_id: "s" }, final: true },
    });
    expect(readResponseBody(response(204, undefined, []))).toMatchObject({
      value: { result: {}, final: true },
    });
  });

  it("tells whether others follow", () => {
    expect(success({ status: 202, result: { final: false } })).toMatchObject({ value: { final: false } });
    expect(success({ status: 202, result: {}, final: false })).toMatchObject({ value: { final: false } });
    expect(success({ status: 200, result: { final: true } })).toMatchObject({ value: { final: true } });
  });

  it("must be readable for a success, and need not be for a refusal", () => {
    expect(readResponseBody(response(200, "nonsense"))).toMatchObject({ fault: { code: "body-malformed" } });
    expect(readResponseBody(response(500, "nonsense"))).toMatchObject({
      value: { error: undefined, result: {} },
    });
    expect(readResponseBody(response(503, "<html>", [["Content-Type", "text/html"]]))).toMatchObject({
      value: { status: 503 },
    });
  });

  it("is judged by the number on its line, whatever the text behind it", () => {
    const judged = (status: number, reason: string) => {
      const read = readResponseBody({ ...response(status, { result: { a: 1 } }), reason });
      return read.ok ? (refusalFault(read.value)?.code ?? read.value.result) : read.fault.code;
    };
    expect(judged(503, "OK")).toBe("request-refused");
    expect(judged(262, "OK")).toBe("request-refused");
    expect(judged(200, "Scope Violation")).toEqual({ a: 1 });
    expect(judged(200, "")).toEqual({ a: 1 });
  });

  it.each(["explanation", "message", "detail"])("explains a refusal under `%s`", (name) => {
    const read = readResponseBody(
      response(262, { error: { code: "scope-required", [name]: "no" }, result: { a: 1 } }),
    );
    expect(read).toMatchObject({
      value: { result: {}, error: { code: "scope-required", explanation: "no", details: {} } },
    });
  });
});

describe("a fault", () => {
  const fault = {
    code: "proposal-rejected",
    message: "Nothing in common.",
    at: "offer.streams[0]",
    details: {
      reason: "composition-impossible",
      counter_proposal: { audio_codecs: ["opus"] },
      absent: undefined,
    },
  } as const;

  it("goes out as an error body and comes back as the same fault", () => {
    const { status, body } = faultBody(fault, "seed", "t");
    expect({ status, body }).toEqual({
      status: 463,
      body: {
        status: 463,
        task_id: "t",
        error: {
          code: "proposal-rejected",
          reason: "composition-impossible",
          explanation: "Nothing in common.",
          details: { at: "offer.streams[0]", counter_proposal: { audio_codecs: ["opus"] } },
        },
      },
    });
    const read = readResponseBody(response(status, body));
    expect(read.ok && refusalFault(read.value)).toEqual({
      code: "proposal-rejected",
      message: "Nothing in common.",
      details: {
        at: "offer.streams[0]",
        counter_proposal: { audio_codecs: ["opus"] },
        reason: "composition-impossible",
        status: 463,
        code: "proposal-rejected",
      },
    });
  });

  it("of scope goes out by dialect, the base one telling the seed's status too", () => {
    const scope = {
      code: "scope-violation",
      message: "No.",
      details: { missing_scopes: ["communication:audio:capture"] },
    } as const;
    expect(faultBody(scope, "seed").status).toBe(451);
    expect(faultBody(scope, "base")).toMatchObject({
      status: 455,
      body: {
        error: { details: { missing_scopes: ["communication:audio:capture"], alternate_status: 451 } },
      },
    });
    expect(faultBody(scope, "base", undefined, 451).body).not.toHaveProperty(
      "error.details.alternate_status",
    );
  });

  it("without details has none, and no task without one", () => {
    expect(faultBody({ code: "callee-busy", message: "Busy." }, "base")).toEqual({
      status: 503,
      body: { status: 503, error: { code: "callee-busy", explanation: "Busy." } },
    });
  });

  it.each([
    [262, "scope-required", "scope-violation"],
    [455, "anything", "scope-violation"],
    [451, "", "scope-violation"],
    [503, "callee-busy", "callee-busy"],
    [418, "teapot", "request-refused"],
    [400, "constructor", "request-refused"],
  ])("is told from a foreign refusal %i %j as %s", (status, code, expected) => {
    const read = readResponseBody(response(status, { error: { code } }));
    expect(read.ok && refusalFault(read.value)).toMatchObject({ code: expected, details: { status, code } });
  });

  it("is none in a success", () => {
    const read = readResponseBody(response(200, { result: {} }));
    expect(read.ok && refusalFault(read.value)).toBeUndefined();
  });
});
