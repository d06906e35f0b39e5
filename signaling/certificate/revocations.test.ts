import { describe, expect, test } from "vitest";
import type { AgentCertificate } from "../authority.ts";
import { MAX_REVOCATIONS, type Revocation, Revocations } from "./revocations.ts";

const DAY = 86_400_000;
const NOW = 1_000 * DAY;
const CERTIFICATE: AgentCertificate = {
  fingerprint: "f".repeat(64),
  serial: "1a2b",
  issuerKeyId: "c".repeat(64),
  authorities: [],
  agentId: "a".repeat(64),
  ownerId: "acme",
  commitment: { grants: [], limits: {} },
  governanceZone: undefined,
  trustTier: undefined,
  notBefore: 0,
  notAfter: 2 * NOW,
};

function revocation(changes: Partial<Revocation> = {}): Revocation {
  const { agentId, serial, issuerKeyId } = CERTIFICATE;
  return { agentId, serial, issuerKeyId, reason: "key-compromise", effectiveAt: NOW, ...changes };
}

describe("a revoked certificate", () => {
  test.each([
    ["by its authority", {}, true],
    [
      "by its authority, which names another agent: the serial number is the authority's word",
      { agentId: "b" },
      true,
    ],
    ["by another authority with the same serial number", { issuerKeyId: "d" }, false],
    ["by whoever speaks for the agent", { issuerKeyId: undefined }, true],
    ["by whoever speaks for another agent", { issuerKeyId: undefined, agentId: "b" }, false],
    ["with another serial number", { serial: "1a2c" }, false],
    ["later", { effectiveAt: NOW + 1 }, false],
  ])("%s", (_, changes, isRevoked) => {
    const revocations = new Revocations();
    expect(revocations.add(revocation(changes), NOW)).toBe("new");
    expect(revocations.find(CERTIFICATE, NOW) !== undefined).toBe(isRevoked);
  });

  test("is revoked from the earliest time on that was told", () => {
    const revocations = new Revocations();
    revocations.add(revocation({ effectiveAt: NOW + DAY }), NOW);
    expect(revocations.find(CERTIFICATE, NOW)).toBeUndefined();
    expect(revocations.add(revocation(), NOW)).toBe("new");
    expect(revocations.add(revocation({ effectiveAt: NOW + 2 * DAY }), NOW)).toBe("known");
    expect(revocations.find(CERTIFICATE, NOW)).toEqual(revocation());
    expect(revocations.size).toBe(1);
  });

  test("at the cap a further one is refused, until those of certificates out of their time make room", () => {
    const revocations = new Revocations();
    for (let i = 0; i < MAX_REVOCATIONS; i++) revocations.add(revocation({ serial: i.toString(16) }), NOW);
    expect(revocations.add(revocation({ serial: "fffff" }), NOW + 90 * DAY)).toBe("full");
    expect(revocations.add(revocation({ issuerKeyId: undefined }), NOW), "those of agents count apart").toBe(
      "new",
    );
    expect(revocations.add(revocation({ serial: "ffffe" }), NOW + 90 * DAY, false), "the operator's").toBe(
      "new",
    );
    expect(revocations.add(revocation({ serial: "fffff" }), NOW + 92 * DAY)).toBe("new");
    expect(revocations.size).toBe(2);
  });

  test("stays one when a log tells of it again, however many there are", () => {
    const revocations = new Revocations();
    const all = Array.from({ length: MAX_REVOCATIONS + 1 }, (_, i) => revocation({ serial: i.toString(16) }));
    revocations.load(all);
    expect(revocations.size).toBe(all.length);
    expect(revocations.find({ ...CERTIFICATE, serial: MAX_REVOCATIONS.toString(16) }, NOW)).toBeDefined();
  });
});
