import { encodeBase64url } from "../../codecs/base64url.ts";
import { canonicalBytes, type JsonObject, parseCanonical } from "../../codecs/canonical-json.ts";
import type { Result } from "../../codecs/result.ts";
import { judgeClaims, makeAccessToken, readAccessToken } from "../../signaling/access-token.ts";
import { ANSWER, verifyAnswer } from "../../signaling/answer.ts";
import { ATTRIBUTION, verifyRecord } from "../../signaling/attribution.ts";
import { CLOSING, verifyClosing } from "../../signaling/closing.ts";
import { SEAL } from "../../signaling/evidence/lines.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { readIdentityDocument } from "../../signaling/identity-document.ts";
import { decodeJws, readSigned, verifySigned } from "../../signaling/jws.ts";
import { keyId } from "../../signaling/keys.ts";
import { MEDIA_KEY, verifyMediaKey } from "../../signaling/media-key.ts";
import {
  makeNarrowing,
  NARROWING,
  type NarrowingPayload,
  verifyNarrowing,
} from "../../signaling/narrowing.ts";
import { OFFER, verifyOffer } from "../../signaling/offer.ts";
import { makeProof, PROOF, verifyProof } from "../../signaling/proof.ts";
import { CORE_WITNESS, readSessionCore, verifyCoreWitness } from "../../signaling/session-core.ts";
import { deriveTerms } from "../../signaling/terms.ts";
import {
  makeTermsAcceptance,
  makeTermsChange,
  TERMS_ACCEPTANCE,
  TERMS_CHANGE,
  termsChangeDigest,
  verifyTermsAcceptance,
  verifyTermsChange,
} from "../../signaling/terms-change.ts";
import { strictVerifier } from "../keys.ts";
import { loggedCall } from "../logged-call.ts";
import {
  ANSWER as AGREED_ANSWER,
  OFFER as AGREED_OFFER,
  ALICE,
  BOB,
  CALL_TIME,
  CORE,
  CORE_DIGEST,
  mediaKey,
  must,
  OFFER_ID,
  offerPayload,
  SERVER,
  SESSION_ID,
  signedAnswer,
  signedOffer,
  type TestAgent,
  WITNESS,
} from "../signed-call.ts";
import { type FuzzTarget, oddJson } from "./target.ts";

const utf8 = new TextEncoder();
const call = loggedCall();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const artifact = (kind: string) =>
  text(call.session.artifacts.find((entry) => entry.artifact === kind)?.bytes ?? new Uint8Array(0));
const NARROWED: NarrowingPayload = {
  v: 1,
  session_id: SESSION_ID,
  session_digest: CORE_DIGEST,
  leg: 0,
  number: 2,
  scope: [],
  last_audit_id: "0".repeat(64),
  iat: CALL_TIME / 1000,
};
const CHANGE = makeTermsChange(
  {
    ...{ v: 1, session_id: SESSION_ID, session_digest: CORE_DIGEST, leg: 0, number: 2 },
    change_id: "019b76da-c6e8-7000-8000-000000000001",
    settings: { profile: "frame", streams: [{ leg: 0, stream: 0, bitrate_bps: 16_000 }] },
    ...{ reason: "bandwidth", last_audit_id: "0".repeat(64), iat: CALL_TIME / 1000 },
  },
  ALICE.identity,
);
const CHANGE_EXPECTED = {
  publicKey: ALICE.identity.publicKey,
  sessionDigest: CORE.digest,
  leg: 0,
  terms: deriveTerms(AGREED_OFFER, AGREED_ANSWER),
} as const;
const NONCE = "n".repeat(43);
const PARAMETERS: JsonObject = { after: 0 };
const TOKEN = makeAccessToken(
  {
    ...{ issuer: SERVER.genesis.agentId, agentId: ALICE.genesis.agentId, audience: "https://127.0.0.1:4480" },
    ...{ scope: { grants: ["communication:audio:*"], limits: {} }, lifetime: 600, jti: "1", now: CALL_TIME },
  },
  SERVER.identity,
);
const memberOf = (part: string): JsonObject =>
  JSON.parse(text(Uint8Array.fromBase64(part, { alphabet: "base64url" })));
const JWS_TOKENS = [".", "..", "=", "AA", "eyJhbGciOiJub25lIn0", "-", "_", "+", "\u00e9"];
const JSON_TOKENS = [
  "{",
  "[",
  '"',
  ",",
  ":",
  "null",
  "1e400",
  "-----BEGIN PUBLIC KEY-----",
  "AA==",
  "\\u0000",
  '"__proto__":1,',
];

const DATA_STREAM = {
  stream: 1,
  modality: "data",
  direction: "sendrecv",
  ssrc: 7,
  formats: [{ name: "json", payload_type: 98 }],
} as const;

const GATEWAY = {
  subject: SERVER.genesis.agentId,
  issuer: "https://login.example",
  evidence: { jti: "1", token: "ab".repeat(32), fingerprint: "cd".repeat(32) },
};

interface SignedKind {
  readonly name: string;
  readonly form: Parameters<typeof readSigned>[1];
  readonly example: string;
  readonly signer: TestAgent;
  /** Judges it as whoever receives it does. */
  readonly judge: (jws: string) => Result<unknown>;
}

const KINDS: readonly SignedKind[] = [
  {
    name: "offer",
    form: OFFER,
    example: signedOffer({ streams: [...offerPayload().streams, DATA_STREAM] }),
    signer: ALICE,
    judge: (jws) =>
      verifyOffer(
        jws,
        { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId, now: CALL_TIME },
        strictVerifier,
      ),
  },
  {
    name: "offer by a gateway",
    form: OFFER,
    example: signedOffer({ gateways: true, gateway: GATEWAY }),
    signer: ALICE,
    judge: (jws) =>
      verifyOffer(
        jws,
        { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId, now: CALL_TIME },
        strictVerifier,
      ),
  },
  {
    name: "answer",
    form: ANSWER,
    example: signedAnswer(),
    signer: BOB,
    judge: (jws) =>
      verifyAnswer(
        jws,
        { publicKey: BOB.identity.publicKey, offer: AGREED_OFFER, sessionId: SESSION_ID, now: CALL_TIME },
        strictVerifier,
      ),
  },
  {
    name: "media-key",
    form: MEDIA_KEY,
    example: mediaKey(ALICE),
    signer: ALICE,
    judge: (jws) =>
      verifyMediaKey(
        jws,
        {
          agentId: ALICE.genesis.agentId,
          publicKey: ALICE.identity.publicKey,
          offerId: OFFER_ID,
          now: CALL_TIME,
        },
        strictVerifier,
      ),
  },
  {
    name: "proof",
    form: PROOF,
    example: makeProof(
      {
        agentId: ALICE.genesis.agentId,
        method: "SUBSCRIBE",
        path: "/agents/x/inbox",
        parameters: PARAMETERS,
        nonce: NONCE,
        audience: "https://127.0.0.1:4480",
        certificateHash: new Uint8Array(32),
        jti: OFFER_ID,
        now: CALL_TIME,
      },
      ALICE.identity,
    ),
    signer: ALICE,
    judge: (jws) =>
      verifyProof(
        jws,
        {
          agentId: ALICE.genesis.agentId,
          publicKey: ALICE.identity.publicKey,
          method: "SUBSCRIBE",
          path: "/agents/x/inbox",
          parameters: PARAMETERS,
          nonce: NONCE,
          origins: ["https://127.0.0.1:4480"],
          certificateHashes: [new Uint8Array(32)],
          now: CALL_TIME,
        },
        strictVerifier,
      ),
  },
  {
    name: "core-witness",
    form: CORE_WITNESS,
    example: WITNESS,
    signer: SERVER,
    judge: (jws) =>
      verifyCoreWitness(jws, { digest: CORE.digest, serverKey: SERVER.identity.publicKey }, strictVerifier),
  },
  {
    name: "narrowing",
    form: NARROWING,
    example: makeNarrowing(NARROWED, ALICE.identity),
    signer: ALICE,
    judge: (jws) =>
      verifyNarrowing(
        jws,
        {
          publicKey: ALICE.identity.publicKey,
          sessionDigest: CORE.digest,
          leg: 0,
          terms: deriveTerms(AGREED_OFFER, AGREED_ANSWER),
        },
        strictVerifier,
      ),
  },
  {
    name: "terms-change",
    form: TERMS_CHANGE,
    example: CHANGE,
    signer: ALICE,
    judge: (jws) => verifyTermsChange(jws, CHANGE_EXPECTED, strictVerifier),
  },
  {
    name: "terms-acceptance",
    form: TERMS_ACCEPTANCE,
    example: makeTermsAcceptance(
      {
        ...{ v: 1, session_id: SESSION_ID, session_digest: CORE_DIGEST, leg: 1 },
        ...{ change_digest: termsChangeDigest(CHANGE), last_audit_id: "0".repeat(64), iat: CALL_TIME / 1000 },
      },
      BOB.identity,
    ),
    signer: BOB,
    judge: (jws) => {
      const change = must(verifyTermsChange(CHANGE, CHANGE_EXPECTED, strictVerifier));
      return verifyTermsAcceptance(jws, { publicKey: BOB.identity.publicKey, change }, strictVerifier);
    },
  },
  {
    name: "closing",
    form: CLOSING,
    example: artifact("closing"),
    signer: ALICE,
    judge: (jws) =>
      verifyClosing(
        jws,
        {
          publicKey: ALICE.identity.publicKey,
          sessionId: call.session.sessionId,
          sessionDigest: call.core.digest,
          leg: 0,
        },
        strictVerifier,
      ),
  },
  {
    name: "attribution-record",
    form: ATTRIBUTION,
    example: call.session.records[0] ?? "",
    signer: SERVER,
    judge: (jws) => verifyRecord(jws, SERVER.identity.publicKey, strictVerifier),
  },
  {
    name: "seal",
    form: SEAL,
    example: lastSeal(),
    signer: SERVER,
    judge: (jws) => verifySigned(jws, SEAL, SERVER.identity.publicKey, strictVerifier),
  },
];

export const SIGNED_TARGETS: readonly FuzzTarget[] = [
  {
    name: "access-token",
    examples: [utf8.encode(TOKEN)],
    tokens: JWS_TOKENS,
    inside: (random) => {
      const [header, payload, signature] = TOKEN.split(".");
      const odd = (part = "") => encodeBase64url(oddJson(random, memberOf(part)));
      return utf8.encode(
        random.integer(2) === 0
          ? `${odd(header)}.${payload}.${signature}`
          : `${header}.${odd(payload)}.${signature}`,
      );
    },
    run(input) {
      const read = readAccessToken(text(input));
      if (!read.ok) return false;
      const { claims, signed, signature } = read.value;
      const judged = judgeClaims(claims, { audiences: ["https://127.0.0.1:4480"], now: CALL_TIME });
      const holds = strictVerifier.verify(SERVER.identity.publicKey, signed, signature);
      if (holds && text(input) !== TOKEN) throw new Error("a token that was not made holds");
      return judged.ok && holds;
    },
  },
  ...KINDS.map(({ name, form, example, signer, judge }): FuzzTarget => {
    const [header = "", payloadText = ""] = example.split(".");
    const payload = payloadOf(payloadText);
    return {
      name: `jws-${name}`,
      examples: [utf8.encode(example)],
      tokens: JWS_TOKENS,
      // All of them are read by the same parts: together they get as many inputs as one other target.
      every: KINDS.length,
      // Signed by the right key, so that what it says is read to the end.
      inside(random) {
        const odd = random.integer(8) === 0;
        const kid = keyId(signer.identity.publicKey);
        const head = odd ? encodeBase64url(oddJson(random, { alg: "EdDSA", kid, typ: form.typ })) : header;
        const signed = `${head}.${encodeBase64url(oddJson(random, payload))}`;
        return utf8.encode(`${signed}.${encodeBase64url(signer.identity.sign(utf8.encode(signed)))}`);
      },
      run(input) {
        const jws = text(input);
        decodeJws(jws, form.typ);
        readSigned(jws, form);
        return judge(jws).ok;
      },
    };
  }),
  {
    name: "genesis",
    examples: [ALICE, SERVER].map(({ genesis }) => genesis.bytes),
    tokens: JSON_TOKENS,
    inside: (random) => oddJson(random, json(ALICE.genesis.bytes)),
    run(input) {
      const read = readGenesis(input, strictVerifier);
      if (!read.ok) return false;
      if ([ALICE, SERVER].some(({ genesis }) => genesis.agentId === read.value.agentId)) return true;
      // REF hashes what was issued, whatever its form: signatures cover the canonical form of its members.
      if (Buffer.compare(canonicalBytes(json(input)), canonicalBytes(json(ALICE.genesis.bytes))) !== 0)
        throw new Error("an altered Genesis holds");
      return true;
    },
  },
  {
    name: "identity-document",
    examples: [ALICE.document.bytes],
    tokens: JSON_TOKENS,
    inside: (random) => oddJson(random, json(ALICE.document.bytes)),
    run(input) {
      const read = readIdentityDocument(input, ALICE.genesis, strictVerifier);
      if (read.ok && Buffer.compare(input, ALICE.document.bytes) !== 0)
        throw new Error("an altered identity document holds");
      return read.ok;
    },
  },
  {
    name: "session-core",
    examples: [CORE.bytes],
    tokens: JSON_TOKENS,
    inside: (random) => oddJson(random, json(CORE.bytes)),
    run: (input) => readSessionCore(input).ok,
  },
];

function lastSeal(): string {
  const line = text(call.evidence).trimEnd().split("\n").at(-1) ?? "{}";
  return String((JSON.parse(line) as { jws: string }).jws);
}

function payloadOf(base64url: string): JsonObject {
  return json(new Uint8Array(Buffer.from(base64url, "base64url")));
}

function json(bytes: Uint8Array): JsonObject {
  const parsed = parseCanonical(bytes);
  return (parsed.ok ? parsed.value : JSON.parse(text(bytes))) as JsonObject;
}
