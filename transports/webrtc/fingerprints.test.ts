import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { DtlsFingerprint } from "./description.ts";
import { checkConfirmation, matchesFingerprint, readFingerprint, sha256Of } from "./fingerprints.ts";

const DIGEST = createHash("sha256").update("a certificate").digest();
const HEX = DIGEST.toString("hex");
const COLONS = (HEX.match(/../g) ?? []).join(":");
const OWN: readonly DtlsFingerprint[] = [
  { algorithm: "sha-1", value: Array(20).fill("AB").join(":") },
  { algorithm: "sha-256", value: COLONS.toUpperCase() },
];

describe("a DTLS fingerprint", () => {
  it("is read in either case, and kept in one", () => {
    expect(readFingerprint("SHA-256", COLONS)).toEqual({ algorithm: "sha-256", value: COLONS.toUpperCase() });
    expect(readFingerprint("sha-256", COLONS.toUpperCase())).toEqual(OWN[1]);
  });

  it.each([
    ["a hash function that is not known", "md5", Array(16).fill("AB").join(":")],
    ["a member of every object", "constructor", COLONS],
    ["fewer digits than its function has", "sha-256", COLONS.slice(3)],
    ["more digits than its function has", "sha-256", `${COLONS}:00`],
    ["digits without colons", "sha-256", `${HEX}${"0".repeat(31)}`],
    ["other characters", "sha-256", COLONS.replace(/^../, "xy")],
  ])("is none with %s", (_what, algorithm, value) => {
    expect(readFingerprint(algorithm, value)).toBeUndefined();
  });

  it("is compared by SHA-256 alone", () => {
    expect(sha256Of(OWN)).toBe(HEX);
    expect(matchesFingerprint(OWN, HEX)).toBe(true);
    expect(matchesFingerprint(OWN, "00".repeat(32))).toBe(false);
    expect(sha256Of(OWN.slice(0, 1))).toBeUndefined();
  });

  it("is what a bound access token names, and nothing else", () => {
    expect(checkConfirmation(undefined, OWN).ok).toBe(true);
    expect(checkConfirmation({ fingerprint: HEX }, OWN).ok).toBe(true);
    const refused = { ok: false, fault: { code: "fingerprint-mismatch", at: "cnf" } };
    for (const fingerprint of ["00".repeat(32), "", undefined])
      expect(checkConfirmation({ fingerprint }, OWN), fingerprint).toMatchObject(refused);
    expect(checkConfirmation({ fingerprint: undefined }, [])).toMatchObject(refused);
  });
});
