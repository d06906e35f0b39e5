import { describe, expect, it } from "vitest";
import { ERRORS } from "../codecs/error-codes.ts";
import {
  isScopeRefusal,
  isSuccess,
  reasonText,
  STATUS_REASONS,
  scopeRefusalStatus,
  statusOf,
} from "./status.ts";

describe("status codes", () => {
  it("have the codes of the registry and 425, 451, 501", () => {
    expect([...STATUS_REASONS.keys()]).toEqual([
      200, 202, 204, 261, 262, 263, 400, 401, 403, 404, 405, 408, 409, 410, 422, 425, 429, 451, 455, 456, 457,
      458, 459, 460, 461, 462, 463, 464, 500, 501, 503, 550, 551,
    ]);
    expect(reasonText(463)).toBe("Proposal Rejected");
    expect(reasonText(299)).toBe("");
  });

  it("name every status that an error code answers with", () => {
    for (const [code, entry] of Object.entries(ERRORS)) {
      if ("status" in entry) {
        expect(reasonText(entry.status), code).not.toBe("");
      }
    }
  });

  it("mean success from 200 to 299 but for 261 and 262", () => {
    const successes = [...Array(1000).keys()].filter(isSuccess);
    expect(successes).toHaveLength(98);
    expect(successes).not.toContain(261);
    expect(successes).not.toContain(262);
    expect(successes).toContain(263);
  });
});

describe("a scope refusal", () => {
  it.each([
    ["seed", "insufficient", 451],
    ["seed", "claim-exceeds-document", 451],
    ["seed", "claim-exceeds-certificate", 451],
    ["base", "insufficient", 455],
    ["base", "claim-exceeds-document", 262],
    ["base", "claim-exceeds-certificate", 455],
  ] as const)(
    "in the %s dialect for %s is %i, unless the operator says otherwise",
    (dialect, refusal, status) => {
      expect(scopeRefusalStatus(dialect, refusal)).toBe(status);
      for (const setting of [451, 455, 262] as const) {
        expect(scopeRefusalStatus(dialect, refusal, setting)).toBe(setting);
      }
    },
  );

  it("decides the status of its error codes and of no other", () => {
    expect(statusOf("scope-violation", "seed")).toBe(451);
    expect(statusOf("scope-violation", "base")).toBe(455);
    expect(statusOf("scope-claim-invalid", "base")).toBe(262);
    expect(statusOf("scope-claim-invalid", "seed")).toBe(451);
    expect(statusOf("scope-claim-invalid", "base", 455)).toBe(455);
    expect(statusOf("proposal-rejected", "seed", 455)).toBe(463);
    expect(statusOf("frame-malformed", "base")).toBe(500);
  });

  it("is recognised whichever code the peer uses", () => {
    expect(isScopeRefusal(451)).toBe(true);
    expect(isScopeRefusal(455)).toBe(true);
    expect(isScopeRefusal(262, "scope-required")).toBe(true);
    expect(isScopeRefusal(262, "credentials-missing")).toBe(false);
    expect(isScopeRefusal(262)).toBe(false);
    expect(isScopeRefusal(401)).toBe(false);
  });
});
