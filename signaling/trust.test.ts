import { describe, expect, test } from "vitest";
import { scopes, testAgent } from "../test/signed-call.ts";
import type { GenesisFields } from "./genesis.ts";
import { formatScopes } from "./scope.ts";
import { mayTalk, trustPosture, withoutTalking } from "./trust.ts";

/** How an agent is trusted whose documents say so. */
function postureOf(
  genesis: Partial<GenesisFields>,
  document: { readonly trustTier?: 1 | 2 | 3; readonly verificationPath?: string } = {},
  isVouched = true,
) {
  const agent = testAgent("carol", 9, { genesis, document });
  return trustPosture(agent.genesis, agent.document, isVouched);
}

describe("tier and path", () => {
  test("are the identity document's before the Genesis's", () => {
    const genesis = { trustTier: 2, verificationPath: "org-asserted" } as const;
    expect(postureOf(genesis, { trustTier: 1, verificationPath: "dns-anchored" })).toEqual({
      tier: 1,
      path: "dns-anchored",
      warning: undefined,
    });
    const better = { trustTier: 1, verificationPath: "log-anchored" } as const;
    expect(postureOf(better, { trustTier: 2, verificationPath: "org-asserted" })).toEqual({
      tier: 2,
      path: "org-asserted",
      warning: "verification-incomplete",
    });
  });

  test("are the Genesis's where the document says nothing, each for itself, and tier 2 by an organisation where neither does", () => {
    const { genesis, document } = testAgent("carol", 9, {
      genesis: { trustTier: 1, verificationPath: "hybrid" },
    });
    const silent = { ...document, trustTier: undefined, verificationPath: undefined };
    expect(trustPosture(genesis, silent, true)).toMatchObject({ tier: 1, path: "hybrid" });
    expect(trustPosture(genesis, { ...silent, trustTier: 3 }, true)).toMatchObject({
      tier: 3,
      path: "hybrid",
    });
    const nothing = { ...genesis, trustTier: 2, verificationPath: "org-asserted" } as const;
    expect(trustPosture(nothing, silent, true)).toMatchObject({ tier: 2, path: "org-asserted" });
  });

  test("of an unknown path are tier 2 and org-asserted, with a warning of their own", () => {
    expect(postureOf({ trustTier: 1, verificationPath: "blood-oath" })).toEqual({
      tier: 2,
      path: "org-asserted",
      warning: "verification-path-unsupported",
    });
    expect(postureOf({ trustTier: 3, verificationPath: "blood-oath" })).toMatchObject({
      tier: 3,
      warning: "verification-path-unsupported",
    });
  });

  test("of tier 1 are an issuer's word, which counts where the operator believes that issuer", () => {
    const genesis = { trustTier: 1, verificationPath: "dns-anchored" } as const;
    expect(postureOf(genesis, {}, false)).toEqual({
      tier: 2,
      path: "org-asserted",
      warning: "verification-incomplete",
    });
  });

  test("without an owner are tier 3", () => {
    const { genesis, document } = testAgent("carol", 9);
    expect(trustPosture({ ...genesis, ownerId: "" }, document, true).tier).toBe(3);
  });
});

describe("who may talk", () => {
  test.each([
    [1, false, "verified", true],
    [2, false, "verified", false],
    [2, true, "verified", true],
    [2, false, "org-asserted", true],
    [3, true, "verified", false],
    [3, true, "org-asserted", false],
    [3, false, "experimental", true],
  ] as const)(
    "tier %i, with a certificate: %s, where the floor is %s: %s",
    (tier, isCertified, floor, may) => {
      expect(mayTalk(tier, isCertified, floor)).toBe(may);
    },
  );

  test("who may not keeps what is for reading", () => {
    const scope = scopes("communication:bilateral, documents:*, knowledge:query, calendar:read");
    expect(formatScopes(withoutTalking(scope))).toEqual(["documents:query", "knowledge:query"]);
    expect(formatScopes(withoutTalking(scopes("communication:*")))).toEqual([]);
  });
});
