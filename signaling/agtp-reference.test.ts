import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodeHex } from "../codecs/hex.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { type AttributionPayload, buildRecord, verifyRecord } from "./attribution.ts";
import { readGenesis, verifyGenesis } from "./genesis.ts";
import { encodePublicKey, keyFingerprint, keyId, publicKeyFromPem, publicKeyToPem } from "./keys.ts";

const folder = new URL("../test/vectors/agtp-reference/", import.meta.url);
const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8"));
const genesisBytes = readFileSync(new URL("genesis.json", folder));
const agent = seedSigner(vectors.agent_seed_byte);
const issuer = seedSigner(vectors.issuer_seed_byte);

describe("keys", () => {
  test("seeds give the reference's public keys", () => {
    expect(encodeHex(agent.publicKey)).toBe(vectors.agent_public_key);
    expect(encodeHex(issuer.publicKey)).toBe(vectors.issuer_public_key);
  });

  test("base64url, fingerprint and kid", () => {
    expect(encodePublicKey(issuer.publicKey)).toBe(vectors.issuer_key_base64url);
    expect(keyFingerprint(issuer.publicKey)).toBe(vectors.issuer_fingerprint);
    expect(keyId(issuer.publicKey)).toBe(vectors.issuer_kid);
  });

  test("SPKI PEM, both ways", () => {
    expect(publicKeyToPem(issuer.publicKey)).toBe(vectors.genesis.issuer_public_key);
    expect(publicKeyToPem(agent.publicKey)).toBe(vectors.genesis.agent_public_key);
    expect(publicKeyFromPem(vectors.genesis.issuer_public_key)).toEqual({
      ok: true,
      value: issuer.publicKey,
    });
  });
});

describe("Genesis", () => {
  test("its hash is the Agent-ID and its signature holds", () => {
    expect(verifyGenesis(genesisBytes, vectors.agent_id, strictVerifier)).toMatchObject({
      ok: true,
      value: {
        agentId: vectors.agent_id,
        name: "alice",
        ownerId: "acme.tld",
        trustTier: 1,
        issuerKey: issuer.publicKey,
        agentKey: agent.publicKey,
      },
    });
  });

  test("its layout does not matter, its members do", () => {
    const compact = new TextEncoder().encode(JSON.stringify(vectors.genesis));
    expect(readGenesis(compact, strictVerifier)).toMatchObject({
      ok: true,
      value: { agentId: vectors.agent_id },
    });
    // The same key written raw is another document, which this issuer did not sign.
    const raw = { ...vectors.genesis, agent_public_key: encodePublicKey(agent.publicKey) };
    expect(readGenesis(new TextEncoder().encode(JSON.stringify(raw)), strictVerifier)).toMatchObject({
      fault: { code: "genesis-invalid", at: "genesis.signature" },
    });
  });
});

describe("Attribution-Record", () => {
  test("the same payload and key give the reference's record, to the byte", () => {
    const record = buildRecord(vectors.record_payload as AttributionPayload, issuer);
    expect(record.jws.split(".")[2]).toBe(vectors.record_signature_segment);
    expect(record.auditId).toBe(vectors.record_audit_id);
    expect(verifyRecord(record.jws, issuer.publicKey, strictVerifier)).toEqual({ ok: true, value: record });
  });
});
