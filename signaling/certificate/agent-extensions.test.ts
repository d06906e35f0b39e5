import { describe, expect, test } from "vitest";
import { AGENT_EXTENSIONS, type AgentExtension, readAgentExtensions } from "./agent-extensions.ts";

const ID = "2e43ad80b98d79550e4a18a365efb0a532d5069d3d83d1a81969d2265c7d33eb";
const MANDATORY = { "agent-id": ID, "owner-id": "acme.tld", "authority-scope-commitment": "" };

function read(values: Partial<Record<AgentExtension, string | Uint8Array>>) {
  const all = Object.entries({ ...MANDATORY, ...values }) as [AgentExtension, string | Uint8Array][];
  return readAgentExtensions(
    all.map(([name, value]) => ({
      oid: AGENT_EXTENSIONS[name][0],
      isCritical: false,
      value: typeof value === "string" ? new TextEncoder().encode(value) : value,
    })),
  );
}

/** Version, log, time and what follows of a signed certificate timestamp; in a list where `isListed`. */
function timestamp(isListed: boolean): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, 1_767_225_600_000n);
  const sct = [0, ...new Array<number>(32).fill(7), ...time, 0, 0, 4, 3, 0, 2, 9, 9];
  const list = [0, sct.length + 2, 0, sct.length, ...sct];
  return Uint8Array.from(isListed ? [4, list.length, ...list] : sct);
}

describe("AGTP's extensions", () => {
  test.each([
    [
      "of two segments",
      "communication:audio:transmit,documents:query",
      ["communication:audio:transmit", "documents:query"],
    ],
    ["of nothing at all", "", []],
    ["in any order", "documents:query,calendar:read", ["calendar:read", "documents:query"]],
    ["with wildcards", "communication:*", ["communication:*"]],
  ])("commit to a scope %s", (_, commitment, grants) => {
    expect(read({ "authority-scope-commitment": commitment })).toMatchObject({
      value: { commitment: { grants } },
    });
  });

  test.each([
    ["agent-id", ID.slice(1)],
    ["agent-id", Uint8Array.of(0xff)],
    ["owner-id", ""],
    ["owner-id", "a\u0000b"],
    ["owner-id", "x".repeat(257)],
    ["authority-scope-commitment", "documents:query, calendar:read"],
    ["authority-scope-commitment", "x".repeat(9_000)],
    ["governance-zone", "lab"],
    ["governance-zone", "zone:"],
    ["trust-tier", "1"],
    ["trust-tier", Uint8Array.of(2, 1, 0)],
    ["trust-tier", Uint8Array.of(2, 2, 0, 1)],
    ["archetype", "Assistant"],
    ["activation-certificate-id", "abc"],
  ] as const)("are refused by name: %s %j", (extension, value) => {
    expect(read({ [extension]: value })).toMatchObject({
      fault: { code: "agent-certificate-refused", details: { flaw: "extension-malformed", extension } },
    });
  });

  test.each([
    ["alone", timestamp(false), 1_767_225_600_000],
    ["in a list", timestamp(true), 1_767_225_600_000],
    ["of another version", Uint8Array.of(1, ...timestamp(false).subarray(1)), undefined],
    ["cut short", timestamp(true).subarray(0, 20), undefined],
    ["that is none", "yes, it is logged", undefined],
    ["that is empty", "", undefined],
  ])("decide nothing on the timestamp of a log: one %s", (_, sct, loggedAt) => {
    expect(read({ "agtp-ctl-sct": sct })).toMatchObject({ ok: true, value: { agentId: ID, loggedAt } });
  });
});
