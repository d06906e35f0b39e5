import { describe, expect, test } from "vitest";
import { encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes } from "../codecs/canonical-json.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, must, scopes, testAgent } from "../test/signed-call.ts";
import { MAX_IDENTITY_DOCUMENT_BYTES, readIdentityDocument } from "./identity-document.ts";
import { encodePublicKey, publicKeyToPem } from "./keys.ts";

const { genesis, document, identity } = ALICE;
const read = (bytes: Uint8Array, of = genesis) => readIdentityDocument(bytes, of, strictVerifier);
const members = JSON.parse(new TextDecoder().decode(document.bytes));

/** Alice's document with these members, signed by `signer`. */
function signed(changes: Record<string, unknown>, signer = identity): Uint8Array {
  const { manifest_signature: _signature, ...all } = { ...members, ...changes };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return canonicalBytes({ ...kept, manifest_signature: encodeBase64url(signer.sign(canonicalBytes(kept))) });
}

describe("what is made", () => {
  test("is read as it was meant, byte for byte", () => {
    expect(must(read(document.bytes))).toEqual(document);
    expect(document).toMatchObject({
      agentId: genesis.agentId,
      name: "alice",
      status: "active",
      scope: scopes("communication:audio:capture, communication:audio:transmit"),
      methods: ["ESTABLISH", "CONFIRM", "TERMINATE"],
      updatedAt: "2025-12-31T00:00:00Z",
    });
  });

  test("has every member the specification requires", () => {
    expect(members).toMatchObject({
      agtp_version: "1.0",
      document_type: "agtp-identity",
      agent_id: genesis.agentId,
      principal_id: "example.org",
      trust_score: 0.5,
      trust_score_computed_at: "2025-12-31T00:00:00Z",
      manifest_issuer_public_key: encodePublicKey(identity.publicKey),
    });
  });

  test("may be in any language", () => {
    const { document: zoe } = testAgent("zoe", 6, { document: { name: "Zoë", description: "日本語 🎧" } });
    expect(zoe).toMatchObject({ name: "Zoë", description: "日本語 🎧" });
  });

  test("a field that would not be read back is refused at once", () => {
    expect(() => testAgent("alice", 1, { document: { trustScore: 2 } })).toThrow(
      expect.objectContaining({ code: "field-invalid", at: "identity_document.trust_score" }),
    );
  });
});

describe("the status", () => {
  test.each(["active", "suspended", "retired", "deprecated"])("%s is told", (status) => {
    expect(must(read(signed({ status }))).status).toBe(status);
  });

  test("another one is refused", () => {
    expect(read(signed({ status: "Active" }))).toMatchObject({
      fault: { code: "field-invalid", at: "identity_document.status" },
    });
  });
});

describe("the issuer", () => {
  test("is the Genesis's, whose key may be written as PEM or left out", () => {
    expect(read(signed({ manifest_issuer_public_key: publicKeyToPem(identity.publicKey) })).ok).toBe(true);
    expect(read(signed({ manifest_issuer_public_key: undefined })).ok).toBe(true);
  });

  test("cannot be anybody else", () => {
    const mallory = seedSigner(66);
    expect(read(signed({}, mallory))).toMatchObject({
      fault: { code: "signature-invalid", at: "identity_document.manifest_signature" },
    });
    expect(
      read(signed({ manifest_issuer_public_key: encodePublicKey(mallory.publicKey) }, mallory)),
    ).toMatchObject({
      fault: { code: "signature-invalid", at: "identity_document.manifest_issuer_public_key" },
    });
  });

  test("is not the agent's own key when somebody else issued its Genesis", () => {
    const registrar = seedSigner(9);
    const carol = testAgent("carol", 5, { issuer: registrar });
    expect(read(carol.document.bytes, carol.genesis).ok).toBe(true);
    const own = { agent_id: carol.genesis.agentId, manifest_issuer_public_key: undefined };
    expect(read(signed(own, carol.identity), carol.genesis)).toMatchObject({
      fault: { code: "signature-invalid" },
    });
    expect(read(signed(own, registrar), carol.genesis).ok).toBe(true);
  });
});

describe("what is refused", () => {
  test("the document of another agent", () => {
    expect(read(document.bytes, BOB.genesis)).toMatchObject({
      fault: { code: "agent-mismatch", at: "identity_document.agent_id" },
    });
  });

  test("any change of a member, and a member more", () => {
    for (const name of [...Object.keys(members), "extra"]) {
      if (name === "manifest_issuer_public_key") continue;
      expect(read(canonicalBytes({ ...members, [name]: "deprecated" })).ok, name).toBe(false);
    }
  });

  test("another layout than the canonical one", () => {
    expect(read(new TextEncoder().encode(JSON.stringify(members, null, 1)))).toMatchObject({
      fault: { code: "json-not-canonical" },
    });
  });

  test.each([
    "agtp_version",
    "document_type",
    "agent_id",
    "name",
    "scopes_accepted",
    "trust_score_computed_at",
  ])("one without %s", (name) => {
    expect(read(signed({ [name]: undefined }))).toMatchObject({
      fault: { code: "field-invalid", at: `identity_document.${name}` },
    });
  });

  test("a scope that is none", () => {
    expect(read(signed({ scopes_accepted: ["audio"] }))).toMatchObject({
      fault: { code: "scope-malformed", at: "identity_document.scopes_accepted[0]" },
    });
  });

  test("a list, and too many bytes", () => {
    expect(read(canonicalBytes([])).ok).toBe(false);
    expect(read(new Uint8Array(MAX_IDENTITY_DOCUMENT_BYTES + 1)).ok).toBe(false);
  });
});
