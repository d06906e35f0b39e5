import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MAX_JSON_DEPTH, parseCanonical } from "../../codecs/canonical-json.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  MAX_HEADER_BLOCK_BYTES,
  MAX_REQUEST_BODY_BYTES,
  MAX_RESPONSE_BODY_BYTES,
  serializeRequest,
  serializeResponse,
} from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { MEDIA_TYPE, readRequestBody, readResponseBody, refusalFault } from "../../signaling/body.ts";
import { MANIFEST_MEDIA_TYPE } from "../../signaling/manifest.ts";
import { ROUTES, routeRequest } from "../../signaling/paths.ts";
import { isSuccess, reasonText, STATUS_REASONS } from "../../signaling/status.ts";
import { MAX_WAITING_ANSWER_BYTES } from "../../transports/exchange.ts";

const page = readFileSync(new URL("../../docs/wire-signaling.md", import.meta.url), "utf8");

interface Example {
  /** For the test's name. */
  readonly title: string;
  readonly bytes: Uint8Array;
}
interface RequestExample extends Example {
  readonly request: AgtpRequest;
  readonly responses: ResponseExample[];
}
interface ResponseExample extends Example {
  readonly response: AgtpResponse;
}

/** The requests of the page in order, each with the responses that follow it. */
const examples: RequestExample[] = [];
for (const [, kind, text = ""] of page.matchAll(/^```agtp-(request|response)\n(.*?)\n```$/gms)) {
  const bytes = onTheWire(text);
  const title = text.split("\n", 1)[0] as string;
  if (kind === "request") {
    examples.push({ title, bytes, request: readOne("request", bytes), responses: [] });
  } else {
    examples.at(-1)?.responses.push({ title, bytes, response: readOne("response", bytes) });
  }
}
const responses = examples.flatMap((example) => example.responses.map((answer) => ({ ...answer, example })));

/** Gives shown text its CRLFs back; the body, behind the first empty line, is shown as it is. */
function onTheWire(text: string): Uint8Array {
  const [head = "", ...body] = text.split("\n\n");
  return new TextEncoder().encode(`${head.replaceAll("\n", "\r\n")}\r\n\r\n${body.join("\n\n")}`);
}

function readOne<Kind extends "request" | "response">(kind: Kind, bytes: Uint8Array) {
  const reader = new MessageReader(kind);
  const fault = reader.push(bytes) ?? reader.end();
  const message = reader.next();
  if (fault !== undefined || message === undefined || reader.next() !== undefined) {
    throw new Error(
      `not one whole message: ${fault?.message} (${fault?.at}) in ${new TextDecoder().decode(bytes)}`,
    );
  }
  return message;
}

describe("the examples of docs/wire-signaling.md", () => {
  it("show every exchange with a request that is answered, in both dialects", () => {
    const shown = new Set<string>();
    for (const { request, responses } of examples) {
      const routed = routeRequest(request.method, request.path);
      if (routed.ok && responses.some(({ response }) => isSuccess(response.status))) {
        shown.add(routed.value.route);
      }
    }
    expect([...shown].sort()).toEqual([...ROUTES].sort());
    expect(new Set(examples.map(({ request }) => request.dialect))).toEqual(new Set(["base", "seed"]));
  });

  it.each(examples)("are requests as we write them: $title", ({ request, bytes, responses }) => {
    expect(serializeRequest(request)).toEqual(bytes);
    expect(responses.length).toBeGreaterThan(0);
    const read = readRequestBody(request);
    expect(read).toMatchObject({ ok: true, value: { overruled: [] } });
    if (request.body.length > 0) {
      expect(parseCanonical(request.body)).toMatchObject({ ok: true, value: { method: request.method } });
      expect(request.headers.get("Content-Type")).toBe(MEDIA_TYPE[request.dialect]);
    }
  });

  it.each(responses)(
    "are responses as we write them: $example.title: $title",
    ({ response, bytes, example }) => {
      const { request, responses: series } = example;
      expect(serializeResponse(response)).toEqual(bytes);
      expect(response.dialect).toBe(request.dialect);
      expect(response.reason).toBe(reasonText(response.status));
      const isDocument = response.headers.get("Content-Type") === MANIFEST_MEDIA_TYPE;
      const body = parseCanonical(response.body);
      expect(body).toMatchObject({ ok: true, value: isDocument ? {} : { status: response.status } });
      for (const echoed of ["Agent-ID", "Request-ID"]) {
        expect(response.headers.get(echoed)).toBe(request.headers.get(echoed));
      }
      const record = response.headers.get("Attribution-Record") as string;
      expect(response.headers.get("Audit-ID")).toBe(createHash("sha256").update(record).digest("hex"));
      const read = readResponseBody(response);
      if (!read.ok) {
        throw new Error(read.fault.message);
      }
      expect(read.value.final).toBe(series.at(-1)?.response === response);
      if (!isSuccess(response.status)) {
        expect(refusalFault(read.value)?.code).toBe(read.value.error?.code);
      }
    },
  );

  it("are refused for what the router refuses, with the same code", () => {
    const refused = examples.flatMap(({ request, responses }) => {
      const routed = routeRequest(request.method, request.path);
      const answer = readResponseBody(responses[0]?.response as AgtpResponse);
      return routed.ok || !answer.ok
        ? []
        : [
            [
              routed.fault.code,
              answer.value.error?.code,
              routed.fault.message,
              answer.value.error?.explanation,
            ],
          ];
    });
    expect(refused).toHaveLength(3);
    for (const [code, shownCode, message, shownMessage] of refused) {
      expect([shownCode, shownMessage]).toEqual([code, message]);
    }
  });
});

describe("the tables of docs/wire-signaling.md", () => {
  it("have the limits in force", () => {
    const row = (text: string) =>
      new RegExp(`^\\| ${text}.*\\| ([0-9,]+) \\|`, "m").exec(page)?.[1]?.replaceAll(",", "");
    expect(row("header block")).toBe(String(MAX_HEADER_BLOCK_BYTES));
    expect(row("body of a request")).toBe(String(MAX_REQUEST_BODY_BYTES));
    expect(row("body of a response")).toBe(String(MAX_RESPONSE_BODY_BYTES));
    expect(row("answers waiting")).toBe(String(MAX_WAITING_ANSWER_BYTES));
    expect(page).toContain(`JSON nests at most ${MAX_JSON_DEPTH} deep.`);
  });

  it("have every exchange", () => {
    const rows = [...page.matchAll(/^\| `([A-Z]+ \/[^`]*)` \|/gm)].map((found) => found[1] as string);
    expect(rows.sort()).toEqual([...ROUTES].sort());
  });

  it("have every status code with its text", () => {
    const rows = [...page.matchAll(/^\| ([0-9]{3}) \| (.*) \|$/gm)].map((found) => [
      Number(found[1]),
      found[2],
    ]);
    expect(rows).toEqual([...STATUS_REASONS]);
  });
});
