import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalBytes } from "../codecs/canonical-json.ts";
import { strictVerifier } from "../test/keys.ts";
import {
  ALICE,
  ANSWER,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  CORE,
  CORE_DIGEST,
  must,
  OFFER,
  SERVER,
  SERVER_IDENTITY,
  SESSION_ID,
  WITNESS,
} from "../test/signed-call.ts";
import { signJws } from "./jws.ts";
import { encodePublicKey } from "./keys.ts";
import {
  buildSessionCore,
  CORE_WITNESS,
  makeCoreWitness,
  readSessionCore,
  verifyCoreWitness,
} from "./session-core.ts";

describe("the core", () => {
  test("names session, server and both legs with what they signed", () => {
    expect(CORE.payload).toEqual({
      v: 1,
      session_id: SESSION_ID,
      server: { agent_id: SERVER.genesis.agentId, key: encodePublicKey(SERVER.identity.publicKey) },
      legs: [
        { leg: 0, agent_id: ALICE.genesis.agentId, media_key: OFFER.payload.media_key, signed: OFFER.digest },
        { leg: 1, agent_id: BOB.genesis.agentId, media_key: ANSWER.payload.media_key, signed: ANSWER.digest },
      ],
    });
    expect(CORE.bytes).toEqual(canonicalBytes(CORE.payload));
  });

  test("has a digest in a domain of its own, the same for every session that is the same", () => {
    const digest = createHash("sha256").update("parley session v1\0").update(CORE.bytes).digest();
    expect(Buffer.from(CORE.digest).equals(digest)).toBe(true);
    expect(CORE_DIGEST).toBe("7314d6511f9dbeb7dd8d5abbf67ef28f196e04bda7fc42e848e868f9d2b20e07");
  });

  test("is read back from its bytes", () => {
    expect(must(readSessionCore(CORE.bytes))).toEqual(CORE);
  });

  test("another server makes another session", () => {
    const other = buildSessionCore({ ...SERVER_IDENTITY, key: BOB.identity.publicKey }, OFFER, ANSWER);
    expect(other.digest).not.toEqual(CORE.digest);
  });

  test.each<[what: string, payload: unknown, at: string]>([
    ["another version", { ...CORE.payload, v: 2 }, "core.v"],
    ["one leg", { ...CORE.payload, legs: CORE.payload.legs.slice(1) }, "core.legs"],
    ["legs the wrong way round", { ...CORE.payload, legs: CORE.payload.legs.toReversed() }, "core.legs"],
    ["a member more", { ...CORE.payload, more: 1 }, "core.more"],
    ["a list", [], "core"],
  ])("%s is refused", (_what, payload, at) => {
    expect(readSessionCore(canonicalBytes(payload))).toMatchObject({ fault: { code: "field-invalid", at } });
  });

  test("bytes that are not canonical are refused", () => {
    const loose = new TextEncoder().encode(JSON.stringify(CORE.payload, null, 1));
    expect(readSessionCore(loose)).toMatchObject({ fault: { code: "json-not-canonical" } });
  });
});

describe("the server's witness", () => {
  const verify = (jws: string, digest = CORE.digest) =>
    verifyCoreWitness(jws, { digest, serverKey: SERVER.identity.publicKey }, strictVerifier);

  test("holds for the core it was made for", () => {
    expect(verify(WITNESS)).toEqual({ ok: true, value: { core_digest: CORE_DIGEST, iat: CALL_SECONDS + 5 } });
  });

  test("of another core is a mismatch", () => {
    expect(verify(WITNESS, new Uint8Array(32))).toMatchObject({ fault: { code: "session-core-mismatch" } });
  });

  test("by another key, or of another kind, is none", () => {
    expect(verify(makeCoreWitness(CORE, CALL_TIME, BOB.identity))).toMatchObject({
      fault: { code: "signature-invalid" },
    });
    const seal = signJws("parley-seal+jwt", { core_digest: CORE_DIGEST, iat: 0 }, SERVER.identity);
    expect(verify(seal)).toMatchObject({
      fault: { code: "signature-invalid", at: "core_witness.header.typ" },
    });
    const more = signJws(CORE_WITNESS.typ, { core_digest: CORE_DIGEST, iat: 0, more: 1 }, SERVER.identity);
    expect(verify(more)).toMatchObject({ fault: { code: "field-invalid" } });
  });
});
