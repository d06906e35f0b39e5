/** Calls being asked for and refused, and sessions being asked about. */
import { expect } from "vitest";
import type { OfferPayload } from "../../signaling/offer.ts";
import type { ExchangeCase, Expected } from "./exchange-case.ts";
import { establishing, type Ground } from "./ground.ts";
import type { Request } from "./voice.ts";

const AUDIO = ["communication:audio:capture", "communication:audio:transmit"];

interface Wish {
  readonly seed?: boolean;
  readonly offer?: Partial<OfferPayload>;
  /** Headers instead of the usual ones; `undefined`: left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly parameters?: Readonly<Record<string, string | number>>;
}

/** An ESTABLISH that is not to ring. */
function establish(wish: Wish): (ground: Ground) => Request {
  return (ground) => {
    const offerId = ground.alice.freshId();
    const usual = establishing(ground.bob.id, ground.offer({ ...wish.offer, offer_id: offerId }), offerId);
    const headers = (usual.headers ?? []).flatMap(([name, value]) => {
      const changed = wish.headers !== undefined && name in wish.headers ? wish.headers[name] : value;
      return changed === undefined ? [] : [[name, changed] as const];
    });
    const further = Object.entries(wish.headers ?? {}).filter(
      ([name]) => !usual.headers?.some(([other]) => other === name),
    ) as [string, string][];
    return {
      ...usual,
      headers: [...headers, ...further],
      parameters: { ...usual.parameters, ...wish.parameters },
      ...(wish.seed === true
        ? { line: "ESTABLISH /sessions HTTP/AGTP/1.0", type: "application/agtp+json" }
        : {}),
    };
  };
}

const LITTLE: Wish = { offer: { scope: [AUDIO[0] as string] }, headers: { "Authority-Scope": AUDIO[0] } };
const missing = { missing_scopes: [AUDIO[1]] };
/** More than Alice's identity document grants. */
const MUCH: Wish = {
  offer: { scope: [...AUDIO, "documents:query"] },
  headers: { "Authority-Scope": `${AUDIO.join(", ")}, documents:query` },
};

const refusedCalls: readonly (readonly [string, Wish, Expected])[] = [
  [
    "too little scope",
    LITTLE,
    { status: 455, code: "scope-violation", details: { ...missing, alternate_status: 451 } },
  ],
  [
    "too little scope, version last",
    { ...LITTLE, seed: true },
    { status: 451, code: "scope-violation", details: missing },
  ],
  ["more scope than the document grants", MUCH, { status: 262, code: "scope-claim-invalid" }],
  [
    "more scope than the document grants, version last",
    { ...MUCH, seed: true },
    { status: 451, code: "scope-claim-invalid" },
  ],
  [
    "a scope that is none",
    { headers: { "Authority-Scope": "communication" } },
    { status: 400, code: "scope-malformed", details: { at: "header Authority-Scope[0]" } },
  ],
  [
    "a codec that is not served",
    { headers: { "Audio-Codecs": "g728" } },
    {
      status: 463,
      code: "proposal-rejected",
      details: { counter_proposal: expect.objectContaining({ codecs: expect.any(Array) }) },
    },
  ],
  [
    "another intent",
    { headers: { "Session-Intent": "negotiation" } },
    { status: 422, code: "session-model-unsupported" },
  ],
  [
    "another session model",
    { parameters: { session_model: "eternal" } },
    { status: 422, code: "session-model-unsupported" },
  ],
  [
    "another lifetime than its offer",
    { parameters: { session_ttl: 601 } },
    { status: 422, code: "field-invalid" },
  ],
  [
    "a chain of delegation",
    { headers: { "Delegation-Chain": "{bob}" } },
    { status: 501, code: "delegation-not-supported" },
  ],
  [
    "another key than its offer",
    { headers: { "Idempotency-Key": "7" } },
    { status: 422, code: "field-invalid" },
  ],
  ["an offer that is none", { parameters: { offer: "nonsense" } }, { status: 422, code: "field-invalid" }],
  [
    "an offer to somebody else",
    { parameters: { target_agent_id: "0".repeat(64) } },
    { status: 422, code: "field-invalid" },
  ],
  ["nobody to call", { parameters: { target_agent_id: "bob" } }, { status: 422, code: "field-invalid" }],
];

/** Everything above, told with the spaces and commas that scopes are told apart by. */
const scopeLists: readonly ExchangeCase[] = [
  AUDIO.join(","),
  AUDIO.join(", "),
  AUDIO.join(" ,\t "),
  AUDIO.join(" "),
  [...AUDIO].reverse().join("  "),
].map((list) => ({
  name: `a scope list written ${JSON.stringify(list)}`,
  // The codec is refused after the scope was taken.
  send: establish({ headers: { "Authority-Scope": list, "Audio-Codecs": "g728" } }),
  gets: { status: 463, code: "proposal-rejected" },
}));

const SESSION = "/sessions/{session}";
const sessions: readonly ExchangeCase[] = [
  {
    name: "a session, asked about by its caller",
    send: { line: `AGTP/1.0 QUERY ${SESSION}`, headers: [["Session-ID", "{session}"]] },
    gets: ({ call, alice, bob }) => ({
      status: 200,
      headers: { "Session-ID": call.sessionId },
      record: { session_id: call.sessionId },
      result: {
        session_id: call.sessionId,
        state: "active",
        session_model: "bounded",
        participants: [
          expect.objectContaining({ leg: 0, agent_id: alice.id }),
          expect.objectContaining({ leg: 1, agent_id: bob.id }),
        ],
      },
    }),
  },
  {
    name: "a session, asked about by its callee, version last",
    by: "bob",
    send: { line: `QUERY ${SESSION} HTTP/AGTP/1.0` },
    gets: { status: 200, result: { session_id: "{session}", state: "active" } },
  },
  {
    name: "a session with another in the header",
    send: { line: `AGTP/1.0 QUERY ${SESSION}`, headers: [["Session-ID", "{ended-session}"]] },
    gets: { status: 422, code: "field-invalid", details: { at: "header Session-ID" } },
  },
  {
    name: "a session that is over",
    send: { line: "AGTP/1.0 QUERY /sessions/{ended-session}" },
    gets: { status: 200, result: { state: "terminated", reason: "hangup", by: "{alice}" } },
  },
  {
    name: "a narrowing of a session that is over",
    send: { line: "AGTP/1.0 ADJUST /sessions/{ended-session}", parameters: { narrowing: "x" } },
    gets: { status: 409, code: "session-terminated" },
  },
  {
    name: "the end of a session for a reason that is no text",
    send: { line: `AGTP/1.0 TERMINATE ${SESSION}`, parameters: { reason: 7 } },
    gets: { status: 422, code: "field-invalid", details: { at: "parameters.reason" } },
  },
  {
    name: "a notice of nothing",
    send: { line: `AGTP/1.0 NOTIFY ${SESSION}`, parameters: { content: { event: "weather" } } },
    gets: { status: 422, code: "field-invalid", details: { at: "parameters.content.event" } },
  },
  {
    name: "the records of a session",
    send: { line: `AGTP/1.0 QUERY ${SESSION}/records`, parameters: { after: 0 } },
    gets: { status: 200, result: { records: expect.arrayContaining([expect.any(String)]), more: false } },
  },
  {
    name: "the evidence of a session that is up",
    send: { line: `AGTP/1.0 QUERY ${SESSION}/evidence` },
    gets: { status: 409, code: "evidence-not-ready", details: { retry_after_ms: expect.any(Number) } },
  },
  {
    name: "somebody else's inbox",
    send: { line: "AGTP/1.0 SUBSCRIBE /agents/{bob}/inbox", proof: true },
    gets: { status: 401, code: "agent-mismatch" },
  },
  {
    name: "an event that was never there acknowledged",
    by: "bob",
    send: {
      line: "AGTP/1.0 NOTIFY /agents/{bob}/inbox",
      parameters: { content: { event: "ack", inbox_seq: Number.MAX_SAFE_INTEGER } },
    },
    gets: { status: 422, code: "field-invalid", details: { at: "content.inbox_seq" } },
  },
  {
    name: "an event acknowledged",
    by: "bob",
    send: {
      line: "AGTP/1.0 NOTIFY /agents/{bob}/inbox",
      parameters: { content: { event: "ack", inbox_seq: 1 } },
    },
    gets: { status: 200 },
  },
];

export const SESSION_CASES: readonly ExchangeCase[] = [
  ...refusedCalls.map(
    ([name, wish, gets]): ExchangeCase => ({
      name: `a call with ${name}`,
      send: establish(wish),
      gets,
    }),
  ),
  ...scopeLists,
  ...sessions,
];
