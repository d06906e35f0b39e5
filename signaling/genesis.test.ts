import { describe, expect, test } from "vitest";
import { encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes } from "../codecs/canonical-json.ts";
import { decodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ODD_KEYS } from "../test/odd-keys.ts";
import { ALICE, must, scopes, testAgent } from "../test/signed-call.ts";
import { MAX_GENESIS_BYTES, readGenesis, verifyGenesis } from "./genesis.ts";
import { encodePublicKey, publicKeyToPem } from "./keys.ts";

const agent = seedSigner(1);
const registrar = seedSigner(9);
const encoder = new TextEncoder();
const read = (bytes: Uint8Array) => readGenesis(bytes, strictVerifier);
const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

/** A Genesis with these members, well signed by `registrar`. */
function issued(changes: Record<string, unknown>): Uint8Array {
  const { signature: _signature, ...document } = {
    ...json(ALICE.genesis.bytes),
    issuer_public_key: encodePublicKey(registrar.publicKey),
    ...changes,
  };
  const signed = Object.fromEntries(
    Object.entries(document).filter(([name, value]) => name !== "agent_id" && value !== undefined),
  );
  const all = Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined));
  return canonicalBytes({ ...all, signature: encodeBase64url(registrar.sign(canonicalBytes(signed))) });
}

describe("what is made", () => {
  test("is read as it was meant", () => {
    const genesis = must(read(ALICE.genesis.bytes));
    expect(genesis).toEqual(ALICE.genesis);
    expect(genesis).toMatchObject({
      name: "alice",
      ownerId: "example.org",
      issuer: "example.org",
      issuedAt: "2025-12-31T00:00:00Z",
      agentKey: agent.publicKey,
      issuerKey: agent.publicKey,
      scope: scopes("communication:audio:*, communication:data:*"),
    });
  });

  test("is canonical JSON with the members of the specification", () => {
    expect(canonicalBytes(json(ALICE.genesis.bytes))).toEqual(ALICE.genesis.bytes);
    expect(Object.keys(json(ALICE.genesis.bytes))).toEqual([
      "agent_public_key",
      "agtp_genesis_version",
      "archetype",
      "governance_zone",
      "issued_at",
      "issuer",
      "issuer_public_key",
      "name",
      "owner_id",
      "principal_id",
      "scope",
      "signature",
      "trust_tier",
      "verification_path",
    ]);
  });

  test("may be issued by somebody else", () => {
    const { genesis } = testAgent("carol", 5, { issuer: registrar });
    expect(genesis.issuerKey).toEqual(registrar.publicKey);
    expect(genesis.agentKey).toEqual(seedSigner(5).publicKey);
  });

  test.each([
    ["a name beyond ASCII", { name: "Zoë" }],
    ["a control character", { name: "a\u0001" }],
    ["DEL, which implementations escape differently", { name: "a\u007f" }],
    ["a line feed", { issuer: "a\nb" }],
    ["an empty name", { name: "" }],
    ["a wrong owner", { ownerId: "example org" }],
    ["a wrong path", { verificationPath: "By Word" }],
  ])("%s is refused at creation", (_what, genesis) => {
    expect(() => testAgent("alice", 1, { genesis })).toThrow(ParleyError);
    expect(() => testAgent("alice", 1, { genesis })).toThrow(
      expect.objectContaining({ code: "field-invalid" }),
    );
  });
});

describe("the exact bytes", () => {
  test("are kept, in any layout", () => {
    const indented = encoder.encode(JSON.stringify(json(ALICE.genesis.bytes), null, "\t"));
    const genesis = must(read(indented));
    expect(genesis.bytes).toEqual(indented);
    expect(genesis.agentId).toBe(ALICE.genesis.agentId);
  });

  test("are a copy", () => {
    const bytes = ALICE.genesis.bytes.slice();
    const genesis = must(read(bytes));
    bytes.fill(0);
    expect(genesis.bytes).toEqual(ALICE.genesis.bytes);
  });
});

describe("keys", () => {
  test("in PEM and raw are the same key, and make two Agent-IDs", () => {
    const raw = must(read(issued({})));
    const pem = must(read(issued({ agent_public_key: publicKeyToPem(agent.publicKey) })));
    expect(pem.agentKey).toEqual(raw.agentKey);
    expect(pem.agentId).not.toBe(raw.agentId);
  });

  test("that are small-order or not canonical are refused, agent's and issuer's, raw and PEM", () => {
    for (const key of ODD_KEYS) {
      for (const text of [encodePublicKey(key), publicKeyToPem(key)]) {
        expect(read(issued({ agent_public_key: text }))).toMatchObject({
          fault: { code: "key-unacceptable", at: "genesis.agent_public_key" },
        });
        expect(read(issued({ issuer_public_key: text }))).toMatchObject({
          fault: { code: "key-unacceptable", at: "genesis.issuer_public_key" },
        });
      }
    }
  });
});

describe("documents of other implementations", () => {
  test("may lack what only ours has, and have more", () => {
    const bytes = issued({
      scope: undefined,
      archetype: undefined,
      governance_zone: undefined,
      package_ref: { a: [1] },
    });
    expect(must(read(bytes))).toMatchObject({ scope: undefined, trustTier: 2 });
  });

  test("an `agent_id` member is outside the hash, and must be right", () => {
    const agentId = must(read(issued({}))).agentId;
    expect(must(read(issued({ agent_id: agentId }))).agentId).toBe(agentId);
    expect(read(issued({ agent_id: "0".repeat(64) }))).toMatchObject({ fault: { at: "genesis.agent_id" } });
  });
});

describe("what is refused", () => {
  test("another Agent-ID", () => {
    expect(verifyGenesis(ALICE.genesis.bytes, ALICE.genesis.agentId, strictVerifier).ok).toBe(true);
    expect(verifyGenesis(ALICE.genesis.bytes, "0".repeat(64), strictVerifier)).toMatchObject({
      fault: { code: "genesis-invalid" },
    });
  });

  test("any change of a member", () => {
    for (const name of Object.keys(json(ALICE.genesis.bytes))) {
      const changed = { ...json(ALICE.genesis.bytes), [name]: "agtp-genesis/1" };
      const result = read(canonicalBytes(changed));
      expect(result.ok, name).toBe(name === "agtp_genesis_version");
    }
  });

  test("S plus the group order", () => {
    const document = json(ALICE.genesis.bytes);
    const raw = Buffer.from(document.signature, "base64url");
    const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
    let s = raw.subarray(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + ORDER;
    for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
    expect(read(canonicalBytes({ ...document, signature: encodeBase64url(raw) }))).toMatchObject({
      fault: { code: "genesis-invalid", at: "genesis.signature" },
    });
  });

  const text = new TextDecoder().decode(ALICE.genesis.bytes);
  test.each([
    ["a repeated member", text.replace('"name":', '"name":"mallory","name":'), "genesis"],
    ["a repeated member further in", text.replace("{", '{"package_ref":{"a":1,"a":1},'), "genesis"],
    ["an escaped letter beyond ASCII", text.replace("alice", "\\u00e9"), "genesis.name"],
    ["letters beyond ASCII", text.replace("alice", "é"), "genesis"],
    ["a list", "[]", "genesis"],
    ["no JSON", text.slice(0, -1), "genesis"],
    ["nothing", "", "genesis"],
    ["no agent key", text.replace("agent_public_key", "agent_public_kez"), "genesis.agent_public_key"],
    ["a tier that is none", text.replace('"trust_tier":2', '"trust_tier":4'), "genesis.trust_tier"],
    ["a scope that is none", text.replace("communication:audio:*", "audio"), "genesis.scope[0]"],
  ])("%s", (_what, document, at) => {
    expect(read(encoder.encode(document))).toMatchObject({ fault: { code: "genesis-invalid", at } });
  });

  test("an identity document, though the issuer signed it and all members of a Genesis are in it", () => {
    expect(read(issued({ document_type: "agtp-identity" }))).toMatchObject({
      fault: { code: "genesis-invalid" },
    });
  });

  test("too many bytes", () => {
    const padded = encoder.encode(text + " ".repeat(MAX_GENESIS_BYTES));
    expect(read(padded)).toMatchObject({ fault: { code: "genesis-invalid" } });
  });

  test("junk, without an exception", () => {
    for (const junk of ["00", "ff", "efbbbf7b7d", "6e756c6c", "31"]) {
      expect(read(must(decodeHex(junk))).ok).toBe(false);
    }
  });
});
