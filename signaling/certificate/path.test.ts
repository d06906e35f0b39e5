import { expect, test } from "vitest";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { makeTestAuthority, type NewAuthority } from "../../src/certificates/test-authority.ts";
import { CALL_TIME } from "../../test/signed-call.ts";
import { findPath } from "./path.ts";
import { readX509 } from "./x509.ts";

/** The authority's certificate, read anew: another one to whoever compares. */
function certificateOf({ certificatePem }: NewAuthority) {
  const [der] = certificatesOfPem(certificatePem);
  const read = readX509(der as Uint8Array);
  if (!read.ok) throw new Error(read.fault.message);
  return read.value;
}

test("many certificates of one name, which all could have issued each other, cost no more than 16 signatures", () => {
  let judged = 0;
  const signatures = {
    verify(...parts: Parameters<typeof certificateSignatures.verify>) {
      judged++;
      return certificateSignatures.verify(...parts);
    },
  };
  const loop = makeTestAuthority("loop", CALL_TIME);
  const sent = Array.from({ length: 7 }, () => certificateOf(loop));
  const pinned = [certificateOf(makeTestAuthority("elsewhere", CALL_TIME))];
  const found = findPath(certificateOf(loop), sent, { pinned }, signatures, CALL_TIME, () => undefined);
  expect(found).toMatchObject({ ok: false, fault: { details: { flaw: "path-too-long" } } });
  expect(judged).toBe(16);
});
