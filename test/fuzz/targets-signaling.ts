import { readFileSync } from "node:fs";
import { canonicalBytes, type JsonObject, parseCanonical, parseJson } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import {
  type AgtpRequest,
  MAX_REQUEST_BODY_BYTES,
  serializeRequest,
  serializeResponse,
} from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { parseAgtpUri } from "../../signaling/agtp-uri.ts";
import { MEDIA_TYPE, readRequestBody, readResponseBody } from "../../signaling/body.ts";
import { judgeCertificates } from "../../signaling/certificate/agent-certificate.ts";
import { readAuthorities } from "../../signaling/certificate/authorities.ts";
import { type Route, routeRequest } from "../../signaling/paths.ts";
import { parseScopes } from "../../signaling/scope.ts";
import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { strictVerifier } from "../keys.ts";
import { CallScene } from "../scenario/signaling-call.ts";
import { BOB, must } from "../signed-call.ts";
import { type FuzzTarget, oddJson } from "./target.ts";

const utf8 = new TextEncoder();
const AGENT_CERTIFICATES = {
  authorities: must(readAuthorities(["root", "root-rsa"].map(agentCertificate))),
  signatures: certificateSignatures,
  verifier: strictVerifier,
};
const values: readonly JsonObject[] = [
  { a: 1, b: [true, null, "x"], "\u20ac": { "10": 1.5, "2": -1e-7 } },
  { method: "ESTABLISH", task_id: "t", parameters: { target_agent_id: "0".repeat(64), session_ttl: 600 } },
];
const REQUESTS = [
  message("AGTP/1.0 DISCOVER /"),
  message("AGTP/1.0 ESTABLISH /sessions?after=1", '{"parameters":{"proof":1}}'),
  message("QUERY /clock HTTP/AGTP/1.0", '{"t0":1}'),
];
const RESPONSES = [
  `${message("AGTP/1.0 200 OK", '{"status":200}')}AGTP/1.0 204 No Content\r\n\r\n`,
  message("HTTP/AGTP/1.0 463 Proposal Rejected", '{"error":{"code":"proposal-rejected"}}'),
];
const MESSAGE_TOKENS = [
  "\r\n",
  "\n",
  "\r",
  ": ",
  "AGTP/1.0",
  "HTTP/AGTP/1.0",
  "Content-Length: 0\r\n",
  "Content-Length: 99999999999999999999\r\n",
  "\r\n\r\n",
  "%00",
  "?a=b&a",
  "\u00e9",
  "x",
];
const JSON_TOKENS = [
  "{",
  "[",
  "]",
  "}",
  '"',
  ",",
  ":",
  "null",
  "1e400",
  "-0",
  "1.0",
  "\\ud800",
  "\\u0000",
  '{"__proto__":1}',
  '"a":',
  "\ufeff",
];

/** What a bound agent in a call asks; each input is the number of the question, then its parameters as JSON. */
const QUESTIONS: readonly { readonly route: Route; readonly parameters: (scene: CallScene) => JsonObject }[] =
  [
    {
      route: "ESTABLISH /sessions",
      parameters: (scene) => ({
        target_agent_id: scene.bob.id,
        offer: scene.alice.offer(BOB),
        provisional: true,
        session_model: "bounded",
        session_ttl: 600,
      }),
    },
    {
      route: "CONFIRM /sessions/{session_id}",
      parameters: (scene) => ({
        target_id: scene.sessionId,
        status: "rejected",
        reason: "busy",
        counter_proposal: { codecs: [] },
      }),
    },
    {
      route: "TERMINATE /sessions/{session_id}",
      parameters: (scene) => ({ reason: "hangup", closing: scene.closing(0) }),
    },
    {
      route: "NOTIFY /sessions/{session_id}",
      parameters: (scene) => ({ content: { event: "closing-statement", closing: scene.closing(0) } }),
    },
    {
      route: "NOTIFY /sessions/{session_id}",
      parameters: () => ({ content: { event: "interrupt", stream: 0, epoch: 1, interrupt: "AAECAw" } }),
    },
    { route: "ADJUST /sessions/{session_id}", parameters: () => ({ narrowing: "e30.e30.AA" }) },
    { route: "ADJUST /sessions/{session_id}", parameters: () => ({ change: "e30.e30.AA" }) },
    {
      route: "CONFIRM /sessions/{session_id}",
      parameters: () => ({
        ...{
          target_id: "019b76da-c6e8-7000-8000-000000000001",
          status: "accepted",
          acceptance: "e30.e30.AA",
        },
      }),
    },
    {
      route: "NOTIFY /sessions/{session_id}",
      parameters: () => ({ content: { event: "bandwidth_estimate", bits_per_second: 48_000, loss: 0.01 } }),
    },
    { route: "QUERY /sessions/{session_id}/records", parameters: () => ({ after: 0 }) },
    { route: "SUBSCRIBE /agents/{agent_id}/inbox", parameters: () => ({ after: 0 }) },
    {
      route: "NOTIFY /agents/{agent_id}/inbox",
      parameters: (scene) => {
        const { inbox_seq } = scene.aliceInbox.event("subscribed");
        return { content: { event: "ack", inbox_seq: inbox_seq as number } };
      },
    },
    { route: "QUERY /clock", parameters: () => ({ t0: 1.5 }) },
    { route: "DISCOVER /agents", parameters: (scene) => ({ after: scene.alice.id }) },
    { route: "QUERY /sessions/{session_id}", parameters: () => ({}) },
    { route: "QUERY /sessions/{session_id}/evidence", parameters: () => ({}) },
    {
      route: "OPEN /webrtc",
      parameters: (scene) => ({ to: scene.bob.id, audio: "sendrecv", video: "none", data: true }),
    },
    { route: "ADJUST /webrtc/{peer_id}", parameters: () => ({ sdp: "v=0" }) },
  ];
const sample = new CallScene();
const ASKED = QUESTIONS.map(({ parameters }) => parameters(sample));

export const SIGNALING_TARGETS: readonly FuzzTarget[] = [
  {
    name: "agtp-request",
    examples: REQUESTS.map((text) => utf8.encode(text)),
    tokens: MESSAGE_TOKENS,
    run(input) {
      const messages = readMessages("request", input);
      for (const request of messages as AgtpRequest[]) {
        // A name that stands twice in a header block may stand once only in ours.
        const bytes = serializeRequest(request);
        const [again] = readMessages("request", bytes) as AgtpRequest[];
        if (
          again === undefined ||
          Buffer.compare(again.body, request.body) !== 0 ||
          again.path !== request.path
        )
          throw new Error("what was read is not what is read again");
        readRequestBody(request);
        routeRequest(request.method, request.path);
      }
      return messages.length > 0;
    },
  },
  {
    name: "agtp-response",
    examples: RESPONSES.map((text) => utf8.encode(text)),
    tokens: MESSAGE_TOKENS,
    run(input) {
      const messages = readMessages("response", input);
      for (const response of messages) {
        if (!("status" in response)) throw new Error("a request among responses");
        if (response.status !== 204 || response.body.length === 0) serializeResponse(response);
        readResponseBody(response);
      }
      return messages.length > 0;
    },
  },
  {
    name: "canonical-json",
    examples: values.map((value) => canonicalBytes(value)),
    tokens: JSON_TOKENS,
    inside: (random) => oddJson(random, values[random.integer(values.length)] ?? {}),
    run(input) {
      const read = parseCanonical(input);
      if (read.ok && Buffer.compare(canonicalBytes(read.value), input) !== 0)
        throw new Error("it is canonical and written otherwise");
      const lax = parseJson(input);
      if (read.ok && !lax.ok) throw new Error("it is canonical JSON and no JSON");
      if (lax.ok) canonicalBytes(lax.value);
      return read.ok;
    },
  },
  {
    name: "request-body",
    examples: values.map((value) => canonicalBytes(value)),
    tokens: JSON_TOKENS,
    inside: (random) => oddJson(random, values[1] ?? {}),
    run(body) {
      const headers = new Headers([["Content-Type", MEDIA_TYPE.base]]);
      const request = {
        dialect: "base",
        method: "ESTABLISH",
        path: "/sessions",
        query: new Map(),
        headers,
        body,
      } as const;
      const read = readRequestBody(request);
      if (read.ok) canonicalBytes(read.value.parameters);
      return read.ok;
    },
  },
  {
    name: "scope",
    examples: [
      "communication:audio:capture communication:audio:transmit",
      "communication:bilateral",
      "communication:audio:*, communication:limit:bitrate-bps:64000",
    ].map((text) => utf8.encode(text)),
    tokens: ["communication:", "*", " ", ",", ":", "-1", "audio:", "limit:", "\u0000"],
    run: (input) => parseScopes(new TextDecoder().decode(input)).ok,
  },
  {
    name: "agent-certificate",
    examples: ["old-critical", "by-rsa", "with-usages", "new-plain"].map(agentCertificate),
    tokens: [
      "\u0030\u0000",
      "\u0006\u0003",
      "\u0001\u0001",
      "\u0003\u0002\u0000",
      "\u0002\u0001\u0000",
      "zone:",
      ",",
    ],
    run: (input) =>
      judgeCertificates([input, input], AGENT_CERTIFICATES, Date.UTC(2026, 1, 1), () => undefined).ok,
  },
  {
    name: "agtp-uri",
    examples: [
      `agtp://${"0a".repeat(32)}@media.example:4481`,
      "agtp://[2001:db8::1]:4480",
      "agtp://agtp.example.com/agents/Ada%20L%C3%B6w",
    ].map((text) => utf8.encode(text)),
    tokens: [
      "agtp://",
      "@",
      ":",
      "/",
      "/agents/",
      "%",
      "%2F",
      "[",
      "]",
      "::",
      "127.0.0.1",
      ".",
      "0a".repeat(32),
    ],
    run(input) {
      const uri = parseAgtpUri(new TextDecoder().decode(input));
      if (!uri.ok) return false;
      const { server } = uri.value;
      // What was read is dialled: no other reader of URLs may see another host or port in it.
      if (server !== undefined) {
        const { hostname, port } = new URL(`https://${server.host}:${server.port}/agtp`);
        const isSame = server.host.startsWith("[") || hostname === server.host;
        if (!isSame || Number(port || 443) !== server.port) throw new Error(`${server.host} is ${hostname}`);
      }
      return true;
    },
  },
  {
    name: "questions",
    examples: ASKED.map((asked, number) => question(number, canonicalBytes(asked))),
    tokens: JSON_TOKENS,
    inside(random: SeededRandom) {
      const number = random.integer(ASKED.length);
      return question(number, oddJson(random, ASKED[number] ?? {}));
    },
    // Each input meets a server of its own with a call that is up.
    every: 250,
    run(input) {
      const { route } = QUESTIONS[(input[0] ?? 0) % QUESTIONS.length] as (typeof QUESTIONS)[number];
      const parsed = parseJson(input.subarray(1));
      if (
        !parsed.ok ||
        typeof parsed.value !== "object" ||
        parsed.value === null ||
        Array.isArray(parsed.value)
      )
        return false;
      const scene = new CallScene();
      const [method, path] = route.split(" ") as [string, string];
      const where = path
        .replace("{agent_id}", scene.alice.id)
        .replace("{peer_id}", "p1")
        .replace("{session_id}", scene.sessionId);
      const parameters = parsed.value as JsonObject;
      if (!canBeSent(parameters)) return false;
      const answers = scene.alice.ask(method, where, parameters, { documents: false });
      // Long enough for what rings to ring out.
      scene.stage.advance(60_000);
      if (answers.outcome === "server-error") throw new Error("the server failed at it");
      scene.stage.checkChain();
      return answers.outcome !== "field-invalid" && answers.outcome !== "body-malformed";
    },
  },
];

/** Whether the envelope around them still has a canonical form. */
function canBeSent(parameters: JsonObject): boolean {
  try {
    return canonicalBytes({ parameters: { parameters } }).length < MAX_REQUEST_BODY_BYTES;
  } catch {
    return false;
  }
}

function question(number: number, parameters: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(number), parameters]);
}

function message(line: string, body = ""): string {
  const type = line.includes("HTTP/") ? MEDIA_TYPE.seed : MEDIA_TYPE.base;
  return `${line}\r\nTask-ID: 7\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** The messages in a stream, which must not hang on how it is cut. */
function readMessages(kind: "request" | "response", bytes: Uint8Array) {
  const whole = new MessageReader(kind);
  const cut = new MessageReader(kind);
  whole.push(bytes);
  const size = bytes.length < 2_000 ? 1 + (bytes.length % 11) : 997;
  for (let at = 0; at < bytes.length; at += size) cut.push(bytes.subarray(at, at + size));
  const ends = [whole.end(), cut.end()].map((fault) => `${fault?.code} ${fault?.at}`);
  if (ends[0] !== ends[1]) throw new Error(`cut otherwise it reads otherwise: ${ends.join(" / ")}`);
  const messages = [];
  for (let message = whole.next(); message !== undefined; message = whole.next()) {
    const other = cut.next();
    if (other === undefined || Buffer.compare(other.body, message.body) !== 0)
      throw new Error("cut otherwise it holds other messages");
    messages.push(message);
  }
  if (cut.next() !== undefined) throw new Error("cut otherwise it holds more messages");
  return messages;
}

/** The first certificate of one of OpenSSL's vectors. */
function agentCertificate(name: string): Uint8Array {
  const file = new URL(`../vectors/openssl-agent-certificates/${name}.pem`, import.meta.url);
  return certificatesOfPem(readFileSync(file, "latin1"))[0] as Uint8Array;
}
