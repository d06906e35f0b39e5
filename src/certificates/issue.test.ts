import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { judgeCertificates } from "../../signaling/certificate/agent-certificate.ts";
import { readAgentExtensions } from "../../signaling/certificate/agent-extensions.ts";
import { readAuthorities } from "../../signaling/certificate/authorities.ts";
import { readX509 } from "../../signaling/certificate/x509.ts";
import { strictVerifier } from "../../test/keys.ts";
import { ALICE, CALL_TIME, must } from "../../test/signed-call.ts";
import { certificateRules } from "../server/certificate-authorities.ts";
import { issueAgentCertificate } from "./issue.ts";
import { createTestAuthority, loadTestAuthority, makeTestAuthority } from "./test-authority.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-authority-"));
afterAll(() => rmSync(folder, { recursive: true }));

const DAY = 86_400_000;
const { genesis, document } = ALICE;
const IDENTITY = { agentId: genesis.agentId, genesis: genesis.bytes, identityDocument: document.bytes };
const WANTED = { days: 90, isCritical: true, now: CALL_TIME };

describe("a certificate for an agent", () => {
  test("says what its documents say, in all of AGTP's extensions but the timestamp of a log", () => {
    const authority = makeTestAuthority("test", CALL_TIME);
    const { pem, serial, notAfter } = issueAgentCertificate(authority, IDENTITY, WANTED);
    const chain = certificatesOfPem(pem);
    const rules = {
      authorities: must(readAuthorities(certificatesOfPem(authority.certificatePem))),
      signatures: certificateSignatures,
      verifier: strictVerifier,
    };
    expect(must(judgeCertificates(chain, rules, CALL_TIME, () => undefined))).toMatchObject({
      agentId: genesis.agentId,
      ownerId: genesis.ownerId,
      commitment: document.scope,
      trustTier: genesis.trustTier,
      serial,
      issuerKeyId: authority.certificate.keyId,
      notAfter,
    });
    expect(notAfter).toBe(CALL_TIME + 90 * DAY);
    const { extensions } = must(readX509(chain[0] as Uint8Array));
    expect(extensions.filter(({ oid, isCritical }) => isCritical && oid.startsWith("2.25."))).toHaveLength(3);
    expect(must(readAgentExtensions(extensions))).toMatchObject({
      archetype: "assistant",
      activationCertificateId: genesis.agentId,
      governanceZone: expect.stringMatching(/^zone:/),
      loggedAt: undefined,
    });
  });

  test("commits to less, for another zone, with nothing critical, where that is wanted", () => {
    const options = { ...WANTED, scope: ["documents:query"], zone: "zone:lab", isCritical: false };
    const { pem } = issueAgentCertificate(makeTestAuthority("test", CALL_TIME), IDENTITY, options);
    const { extensions } = must(readX509(certificatesOfPem(pem)[0] as Uint8Array));
    expect(extensions.filter(({ oid, isCritical }) => isCritical && oid.startsWith("2.25."))).toEqual([]);
    expect(must(readAgentExtensions(extensions))).toMatchObject({
      commitment: { grants: ["documents:query"] },
      governanceZone: "zone:lab",
    });
  });
});

describe("a test authority", () => {
  test("is kept in a folder, its key for its owner alone, and never overwritten", async () => {
    const path = await createTestAuthority(join(folder, "own"), "own", CALL_TIME);
    expect(statSync(join(folder, "own", "authority-key.pem")).mode & 0o777).toBe(0o600);
    const before = readFileSync(path, "utf8");
    await expect(createTestAuthority(join(folder, "own"), "own", CALL_TIME)).rejects.toMatchObject({
      code: "key-file-invalid",
    });
    expect(readFileSync(path, "utf8")).toBe(before);
    const { certificate } = await loadTestAuthority(join(folder, "own"));
    expect(certificate.constraints).toMatchObject({ isAuthority: true });
    const rules = await certificateRules([path, path]);
    expect(rules?.authorities.pinned).toHaveLength(2);
  });

  test("that is none is refused by name", async () => {
    await expect(loadTestAuthority(join(folder, "none"))).rejects.toMatchObject({
      code: "certificate-broken",
    });
    const { pem } = issueAgentCertificate(makeTestAuthority("test", CALL_TIME), IDENTITY, WANTED);
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    for (const [path, why] of [
      [join(folder, "nowhere.pem"), /cannot be read/],
      [file("empty.pem", "nothing"), /holds no certificate/],
      [file("agent.pem", pem), /not of an authority/],
    ] as const)
      await expect(certificateRules([path])).rejects.toMatchObject({
        code: "certificate-broken",
        message: expect.stringMatching(why),
      });
    expect(await certificateRules([])).toBeUndefined();
  });
});
