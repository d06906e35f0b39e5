import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { ANSWER } from "./answer.ts";
import { ATTRIBUTION } from "./attribution.ts";
import { CLOSING } from "./closing.ts";
import { SEAL } from "./evidence/lines.ts";
import { readSigned, type SignedForm, signJws, verifySigned } from "./jws.ts";
import { MEDIA_KEY } from "./media-key.ts";
import { OFFER } from "./offer.ts";
import { PROOF } from "./proof.ts";
import { CORE_WITNESS } from "./session-core.ts";

const FORMS: readonly SignedForm<unknown>[] = [
  PROOF,
  MEDIA_KEY,
  OFFER,
  ANSWER,
  CORE_WITNESS,
  CLOSING,
  ATTRIBUTION,
  SEAL,
] as readonly SignedForm<unknown>[];
const signer = seedSigner(1);

describe.each(FORMS.map((form) => [form.typ, form] as const))("%s", (typ, form) => {
  test("refuses any other payload than its own, naming a place, and never throws", () => {
    const members = fc.constantFrom(
      "v",
      "iat",
      "exp",
      "session_id",
      "streams",
      "media_key",
      "agent_id",
      "extra",
    );
    fc.assert(
      fc.property(fc.dictionary(members, fc.jsonValue({ maxDepth: 3 })), (payload) => {
        const read = readSigned(signJws(typ, JSON.parse(JSON.stringify(payload)), signer), form);
        expect(read).toMatchObject({ ok: false, fault: { at: expect.stringContaining(form.name) } });
      }),
      { numRuns: 40 },
    );
  });

  test("refuses every other kind of object by its typ", () => {
    for (const other of FORMS) {
      if (other === form) continue;
      expect(
        verifySigned(signJws(other.typ, {}, signer), form, signer.publicKey, strictVerifier),
      ).toMatchObject({
        fault: { at: `${form.name}.header.typ` },
      });
    }
  });

  test("never throws on text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(readSigned(text, form).ok).toBe(false);
      }),
      { numRuns: 40 },
    );
  });
});
