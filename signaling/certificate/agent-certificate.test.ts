import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Result } from "../../codecs/result.ts";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { verifier } from "../../platform/node/sodium.ts";
import type { AgentCertificate } from "../authority.ts";
import { judgeCertificates } from "./agent-certificate.ts";
import { readAuthorities } from "./authorities.ts";
import { readX509 } from "./x509.ts";

const FOLDER = new URL("../../test/vectors/openssl-agent-certificates/", import.meta.url);
const AGENT = "2e43ad80b98d79550e4a18a365efb0a532d5069d3d83d1a81969d2265c7d33eb";
const NOW = Date.UTC(2026, 1, 1);
const PINNED = ["root", "root-p256", "root-p384", "root-rsa", "expired-root"];

function chain(name: string): Uint8Array[] {
  const pem = readFileSync(new URL(`${name}.pem`, FOLDER), "latin1");
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)].map(
    ([, base64 = ""]) => new Uint8Array(Buffer.from(base64, "base64")),
  );
}

function judge(
  shown: readonly Uint8Array[],
  now = NOW,
  pinned = PINNED,
): Result<AgentCertificate | undefined> {
  const authorities = readAuthorities(pinned.flatMap(chain));
  if (!authorities.ok) throw new Error(authorities.fault.message);
  const rules = { authorities: authorities.value, signatures: certificateSignatures, verifier };
  return judgeCertificates(shown, rules, now, () => undefined);
}

/** The flaw and where it is. */
function refusal(result: Result<unknown>): string {
  if (result.ok) return "none";
  expect(result.fault.code).toBe("agent-certificate-refused");
  return `${result.fault.details?.flaw} at ${result.fault.at}`;
}

describe("Agent Certificates made by OpenSSL", () => {
  test.each([
    "old-critical",
    "old-plain",
    "new-critical",
    "new-plain",
    "by-p256",
    "by-p384",
    "by-rsa",
    "huge",
  ])("%s holds, and says what stands in it", (name) => {
    const judged = judge(chain(name));
    expect(judged).toMatchObject({
      ok: true,
      value: {
        agentId: AGENT,
        ownerId: "acme.tld",
        commitment: { grants: ["communication:audio:capture", "communication:audio:transmit"], limits: {} },
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
        serial: expect.stringMatching(/^[1-9a-f][0-9a-f]{0,39}$/),
        issuerKeyId: expect.stringMatching(/^[0-9a-f]{64}$/),
        notBefore: Date.UTC(2026, 0, 1),
        notAfter: Date.UTC(2026, 2, 31),
      },
    });
    if (name !== "huge")
      expect(judged).toMatchObject({ value: { governanceZone: "zone:test", trustTier: 1 } });
  });

  test.each(["mandatory-alone", "with-usages", "beneath-two", "beneath-two-shuffled"])("%s holds", (name) => {
    expect(judge(chain(name))).toMatchObject({ ok: true, value: { agentId: AGENT, trustTier: undefined } });
  });

  test("one without AGTP's extensions says nothing of an agent, whoever issued it", () => {
    expect(judge(chain("no-agent"))).toEqual({ ok: true, value: undefined });
    expect(judge(chain("no-agent"), NOW, ["unknown"])).toEqual({ ok: true, value: undefined });
    expect(judge([])).toEqual({ ok: true, value: undefined });
  });

  test.each([
    ["by-rogue", "signature-invalid at certificate[0]"],
    ["rogue-chain", "signature-invalid at certificate[1]"],
    ["by-unknown", "issuer-unknown at certificate[0]"],
    ["between-missing", "issuer-unknown at certificate[0]"],
    ["expired", "expired at certificate[0]"],
    ["not-yet", "not-yet-valid at certificate[0]"],
    ["too-long", "validity-too-long at certificate[0]"],
    ["by-expired", "expired at authority[4]"],
    ["p256-key", "key-type at certificate[0]"],
    ["rsa-key", "key-type at certificate[0]"],
    ["unknown-critical", "critical-extension-unknown at certificate[0]"],
    ["no-signing", "key-usage at certificate[0]"],
    ["server-only", "key-usage at certificate[0]"],
    ["no-owner", "extension-missing at certificate[0]"],
    ["bad-agent-id", "extension-malformed at certificate[0]"],
    ["tagged-owner", "extension-malformed at certificate[0]"],
    ["bad-scope", "extension-malformed at certificate[0]"],
    ["tier-four", "extension-malformed at certificate[0]"],
    ["both-names", "extension-duplicate at certificate[0]"],
    ["twice", "extension-duplicate at certificate[0]"],
    ["by-not-authority", "issuer-not-authority at certificate[1]"],
    ["by-no-cert-sign", "issuer-not-authority at certificate[1]"],
    ["by-constrained", "critical-extension-unknown at certificate[1]"],
    ["pathlen", "path-too-long at certificate[2]"],
    ["too-deep", "path-too-long at"],
    ["tampered", "signature-invalid at certificate[0]"],
    ["tampered-signature", "signature-invalid at certificate[0]"],
    ["larger-than-read", "too-large at certificate[0]"],
  ])("%s is refused: %s", (name, why) => {
    expect(refusal(judge(chain(name)))).toContain(why);
  });

  test("nobody issues for an operator who pinned nobody", () => {
    expect(refusal(judge(chain("old-critical"), NOW, []))).toBe("issuer-unknown at certificate[0]");
  });

  test.each([
    ["before", Date.UTC(2026, 0, 1) - 1, "not-yet-valid"],
    ["at the first moment", Date.UTC(2026, 0, 1), "none"],
    ["at the last moment", Date.UTC(2026, 2, 31), "none"],
    ["after", Date.UTC(2026, 2, 31) + 1, "expired"],
  ])("its time counts %s", (_, now, flaw) => {
    expect(refusal(judge(chain("old-critical"), now))).toContain(flaw);
  });

  test("cut short at any byte it is refused as malformed, and any byte changed never throws", () => {
    const [whole = new Uint8Array()] = chain("old-critical");
    for (let length = 0; length < whole.length; length++)
      expect(refusal(judge([whole.subarray(0, length)]))).toMatch(/^malformed at certificate\[0\] byte \d+$/);
    expect(refusal(judge([new Uint8Array([...whole, 0])]))).toMatch(/^malformed/);
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at] = (changed[at] as number) ^ 0x55;
      const judged = judge([changed]);
      // Where AGTP's last name is gone it is no Agent Certificate; this one has eight.
      expect(judged.ok).toBe(false);
    }
  });

  test("more certificates than are looked at are refused", () => {
    const [one = new Uint8Array()] = chain("old-critical");
    expect(refusal(judge(new Array(9).fill(one)))).toContain("too-large");
    expect(refusal(judge([one, ...new Array(7).fill(chain("rogue")[0])]))).toBe("none");
  });
});

describe("pinned authorities", () => {
  test.each([
    ["not an authority", "old-critical", "issuer-not-authority at certificate[0]"],
    ["without the right to sign certificates", "by-no-cert-sign", "issuer-not-authority at certificate[0]"],
  ])("%s is refused", (_, name, why) => {
    expect(refusal(readAuthorities(chain(name)))).toBe(why);
  });

  test("a serial number is told without leading zeros", () => {
    const read = readX509(chain("old-critical")[0] as Uint8Array);
    expect(read.ok && read.value.serial).toMatch(/^[1-9a-f]/);
  });
});
