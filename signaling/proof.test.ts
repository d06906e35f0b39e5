import { describe, expect, test } from "vitest";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, CALL_SECONDS, CALL_TIME, must } from "../test/signed-call.ts";
import { signJws } from "./jws.ts";
import {
  hashParameters,
  makeProof,
  PROOF,
  type ProofExpectation,
  type ProofInput,
  type ProofPayload,
  readProof,
  verifyProof,
} from "./proof.ts";
import { CLOCK_SKEW_SECONDS } from "./validity.ts";

const PINNED = new Uint8Array(32).fill(0xcc);
const OTHER = new Uint8Array(32).fill(0xdd);
const PARAMETERS = { target_agent_id: BOB.genesis.agentId, session_ttl: 600 };

const NONCE = "n0nce-n0nce-n0nce-n0nce";
const input: ProofInput = {
  agentId: ALICE.genesis.agentId,
  method: "ESTABLISH",
  path: "/sessions",
  parameters: PARAMETERS,
  nonce: NONCE,
  audience: "https://127.0.0.1:4480",
  certificateHash: PINNED,
  jti: "019b76da-a800-7000-8000-00000000000a",
  now: CALL_TIME,
};

const expected: ProofExpectation = {
  agentId: ALICE.genesis.agentId,
  publicKey: ALICE.identity.publicKey,
  method: "ESTABLISH",
  path: "/sessions",
  parameters: PARAMETERS,
  nonce: NONCE,
  origins: ["https://parley.example", "https://127.0.0.1:4480"],
  certificateHashes: [OTHER, PINNED],
  now: CALL_TIME,
};

const BINDING = new Uint8Array(32).fill(0xb1);
const { nonce: _nonce, ...withoutNonce } = input;

const proof = makeProof(input, ALICE.identity);
const payload = must(readProof(proof));
const verify = (changes: Partial<ProofExpectation> = {}, jws = proof) =>
  verifyProof(jws, { ...expected, ...changes }, strictVerifier);
const signed = (changes: Partial<ProofPayload>) =>
  signJws(PROOF.typ, { ...payload, ...changes }, ALICE.identity);

describe("a proof", () => {
  test("holds for the request it was made for", () => {
    expect(verify()).toEqual({
      ok: true,
      value: {
        agent_id: ALICE.genesis.agentId,
        method: "ESTABLISH",
        path: "/sessions",
        body_sha256: hashParameters(PARAMETERS),
        jti: input.jti,
        nonce: NONCE,
        aud: "https://127.0.0.1:4480",
        cert: "cc".repeat(32),
        iat: CALL_SECONDS,
        exp: CALL_SECONDS + 60,
      },
    });
  });

  test("needs no certificate where none was pinned", () => {
    const { certificateHash: _pinned, ...unpinned } = input;
    expect(must(verify({}, makeProof(unpinned, ALICE.identity))).cert).toBeUndefined();
  });

  test("covers the parameters without itself, in any order of members", () => {
    expect(verify({ parameters: { proof, session_ttl: 600, target_agent_id: BOB.genesis.agentId } }).ok).toBe(
      true,
    );
    expect(hashParameters({ proof: "x" })).toBe(hashParameters({}));
  });

  test("names the channel binding of its connection instead of the nonce, or both", () => {
    const bound = makeProof({ ...withoutNonce, channelBinding: BINDING }, ALICE.identity);
    expect(must(verify({ channelBinding: BINDING }, bound))).toMatchObject({ cb: "b1".repeat(32) });
    expect(must(readProof(bound)).nonce).toBeUndefined();
    const both = makeProof({ ...input, channelBinding: BINDING }, ALICE.identity);
    expect(verify({ channelBinding: BINDING }, both).ok).toBe(true);
    expect(verify({ channelBinding: BINDING }).ok, "a nonce is enough where there is a binding").toBe(true);
  });

  test("says whose it is before it is judged", () => {
    expect(payload.agent_id).toBe(ALICE.genesis.agentId);
  });
});

describe("every check names its member", () => {
  test.each<[member: string, changes: Partial<ProofExpectation>]>([
    ["agent_id", { agentId: BOB.genesis.agentId }],
    ["method", { method: "CONFIRM" }],
    ["path", { path: "/sessions/sess-1" }],
    ["nonce", { nonce: "another-nonce-another-nonce" }],
    ["aud", { origins: ["https://parley.example"] }],
    ["aud", { origins: ["https://127.0.0.1:4480/"] }],
    ["aud", { origins: [] }],
    ["cert", { certificateHashes: [OTHER] }],
    ["cert", { certificateHashes: [] }],
    ["body_sha256", { parameters: { ...PARAMETERS, session_ttl: 601 } }],
    ["body_sha256", { parameters: {} }],
    ["iat", { now: CALL_TIME - (CLOCK_SKEW_SECONDS + 1) * 1000 }],
    ["iat", { now: CALL_TIME + (60 + CLOCK_SKEW_SECONDS + 1) * 1000 }],
    ["header.kid", { publicKey: BOB.identity.publicKey }],
  ])("%s: %o", (member, changes) => {
    expect(verify(changes)).toMatchObject({ fault: { code: "proof-invalid", at: `proof.${member}` } });
  });

  test("within the skew of clocks it holds", () => {
    expect(verify({ now: CALL_TIME - CLOCK_SKEW_SECONDS * 1000 }).ok).toBe(true);
    expect(verify({ now: CALL_TIME + (60 + CLOCK_SKEW_SECONDS) * 1000 }).ok).toBe(true);
  });

  test.each<[member: string, changes: Partial<ProofPayload>]>([
    ["exp", { exp: CALL_SECONDS + 61 }],
    ["exp", { exp: CALL_SECONDS }],
    ["exp", { exp: CALL_SECONDS - 1 }],
    ["exp", { exp: -1 }],
    ["iat", { iat: 1.5 }],
    ["jti", { jti: "" }],
    ["jti", { jti: "019B76DA-A800-7000-8000-00000000000A" }],
    ["nonce", { nonce: "short" }],
    ["path", { path: "sessions" }],
    ["body_sha256", { body_sha256: "" }],
    ["cert", { cert: "CC".repeat(32) }],
    ["more", { more: 1 } as Partial<ProofPayload>],
  ])("%s of the signed document: %o", (member, changes) => {
    expect(verify({}, signed(changes))).toMatchObject({
      fault: { code: "proof-invalid", at: `proof.${member}` },
    });
  });
});

describe("what is no proof", () => {
  const bound = makeProof({ ...withoutNonce, channelBinding: BINDING }, ALICE.identity);
  const both = makeProof({ ...input, channelBinding: BINDING }, ALICE.identity);

  test.each<[what: string, jws: string, changes: Partial<ProofExpectation>, member: string]>([
    ["the channel binding of another connection", bound, { channelBinding: OTHER }, "cb"],
    ["a channel binding where the connection has none", bound, {}, "cb"],
    ["the right nonce with another channel binding", both, { channelBinding: OTHER }, "cb"],
    ["the right nonce with a channel binding where there is none", both, {}, "cb"],
    [
      "the right channel binding with another nonce",
      both,
      { channelBinding: BINDING, nonce: "another-nonce-another-nonce" },
      "nonce",
    ],
    ["neither nonce nor channel binding", makeProof(withoutNonce, ALICE.identity), {}, "nonce"],
    [
      "neither, where there would be a channel binding",
      makeProof(withoutNonce, ALICE.identity),
      { channelBinding: BINDING },
      "nonce",
    ],
    ["a channel binding in another form", signed({ cb: "B1".repeat(32) }), { channelBinding: BINDING }, "cb"],
    ["one that is cut", signed({ cb: "b1".repeat(16) }), { channelBinding: BINDING }, "cb"],
  ])("%s", (_, jws, changes, member) => {
    expect(verify(changes, jws)).toMatchObject({ fault: { code: "proof-invalid", at: `proof.${member}` } });
  });

  test("one signed by another key in Alice's name", () => {
    expect(verify({}, makeProof(input, seedSigner(66)))).toMatchObject({ fault: { code: "proof-invalid" } });
  });

  test("another signed object of hers with the same members", () => {
    expect(verify({}, signJws("parley-offer+jwt", payload, ALICE.identity))).toMatchObject({
      fault: { code: "proof-invalid", at: "proof.header.typ" },
    });
  });

  test.each(["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])("%j", (text) => {
    expect(verify({}, text)).toMatchObject({ fault: { code: "proof-invalid" } });
  });
});
