import { describe, expect, it } from "vitest";
import { contentLines, resigned } from "../../test/evidence-edit.ts";
import { seedSigner, strictVerifier } from "../../test/keys.ts";
import { ANCHORS, COUNTERSIGNED, loggedCall, RECORDS } from "../../test/logged-call.ts";
import { ALICE, BOB, SERVER, scopes, testAgent } from "../../test/signed-call.ts";
import { verifyEvidence } from "./verify.ts";

const CALL = loggedCall();

function judged(file: Uint8Array) {
  return verifyEvidence(file, ANCHORS, strictVerifier).report;
}

describe("the evidence of a call", () => {
  it("verifies, and says whose word each line is", () => {
    const report = judged(CALL.evidence);
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    expect(report.parties.map(({ role, name }) => [role, name])).toEqual([
      ["server", "parley"],
      ["caller", "alice"],
      ["callee", "bob"],
    ]);
    expect(report.records).toEqual({ count: RECORDS, countersigned: COUNTERSIGNED });
    const streams = [0, 1].flatMap((leg) => [
      { leg, stream: 0, modality: "audio", frames: 9, checkpoints: 3, received: 9, heard: 9, receipts: 3 },
      { leg, stream: 1, modality: "data", frames: 1, checkpoints: 1, received: 1, heard: 1, receipts: 1 },
    ]);
    const closed = { closedBySpeaker: true, closedByListener: true, played: [] };
    expect(report.streams).toEqual(streams.map((stream) => ({ ...stream, ...closed })));
    const said = (by: string) => report.statements.filter((statement) => statement.by === by).length;
    expect(
      ["issuer-signed", "speaker-signed", "listener-signed", "both", "server-claimed"].map(said),
    ).toEqual([5, 10, 5, 8, 6]);
  });

  it("tells what the ends changed while they talked, and whose word that is", () => {
    const { statements } = judged(CALL.evidence);
    for (const said of [
      "listener-signed: caller, stream 0: interrupted by the callee, epoch 1",
      "speaker-signed: callee, stream 0: took back what was not yet heard, epoch 1",
      "speaker-signed: caller: gave up scope, from terms 2 on keeps communication:audio:capture",
      "server-claimed: caller, stream 0: frames up to 70008 let through before the narrowing",
      "server-claimed: caller, stream 1: frames up to 70000 let through before the narrowing",
    ]) {
      expect(statements.map(({ by, text }) => `${by}: ${text}`)).toContain(said);
    }
  });

  it("may hold no frame at all", () => {
    const report = judged(loggedCall({ checkpoints: 0, frames: 0 }).evidence);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    expect(report.streams.map(({ frames }) => frames)).toEqual([0, 0, 0, 0]);
  });

  it("says so where an end vanished without its closing statement", () => {
    const report = judged(loggedCall({ closes: [0] }).evidence);
    expect(report).toMatchObject({
      verdict: "verified",
      faults: [],
      records: { count: RECORDS, countersigned: COUNTERSIGNED - 1 },
    });
    expect(report.statements).toContainEqual({
      by: "server-claimed",
      text: "callee: vanished without a closing statement",
    });
  });

  it("claims nothing as countersigned where both ends vanished", () => {
    const report = judged(loggedCall({ closes: [] }).evidence);
    expect(report).toMatchObject({ verdict: "verified", records: { count: RECORDS, countersigned: 0 } });
    expect(report.statements).toContainEqual({
      by: "server-claimed",
      text: "7 records, nothing missing up to record 0: no end countersigned one",
    });
  });

  it("is refused as a whole when it is no such file", () => {
    const cases = [new Uint8Array(0), new TextEncoder().encode("hello"), new Uint8Array(4096)];
    for (const file of cases) {
      const report = judged(file);
      expect(report.verdict).toBe("invalid");
      expect(report.faults[0]).toMatchObject({ code: "evidence-malformed" });
    }
  });
});

describe("authority", () => {
  // The issuer's own word, newer or older than the call: the documents of one agent are all signed alike.
  it.each([
    ["whose document grants other scopes", { scope: scopes("documents:query") }, "the identity document"],
    ["that is retired", { status: "retired" }, "retired"],
    ["that is suspended", { status: "suspended" }, "suspended"],
  ] as const)("of a caller %s does not cover what it sent", (_name, document, why) => {
    const other = testAgent("alice", 1, { document });
    const lines = contentLines(CALL.evidence).map((line) =>
      line.kind === "identity-document" && line.of === "caller"
        ? { ...line, document: new TextDecoder().decode(other.document.bytes) }
        : line,
    );
    const report = judged(resigned(lines, SERVER.identity, COUNTERSIGNED));
    expect(report.verdict).toBe("invalid");
    expect(report.faults).toContainEqual(
      expect.objectContaining({ at: "caller, scope", message: expect.stringContaining(why) }),
    );
  });

  it("ends with the agreed time and the media key: frames captured later are a fault of their checkpoint", () => {
    const report = judged(loggedCall({ spokenAfter: 40 * 86_400_000 }).evidence);
    expect(report.verdict).toBe("invalid");
    expect(report.faults[0]?.message).toContain("outside the agreed time");
  });
});

describe("trust", () => {
  const { publicKey } = seedSigner(99);
  const keys = [SERVER, ALICE, BOB].map(({ identity }) => identity.publicKey);
  const ids = [SERVER, ALICE, BOB].map(({ genesis }) => genesis.agentId);

  it.each([
    ["no anchors", undefined, "unanchored"],
    ["an empty list", { issuerKeys: [], agentIds: [] }, "unanchored"],
    ["another issuer's key", { issuerKeys: [publicKey], agentIds: [] }, "unanchored"],
    ["another agent's id", { issuerKeys: [], agentIds: ["0".repeat(64)] }, "unanchored"],
    ["only the server's", { issuerKeys: keys.slice(0, 1), agentIds: [] }, "unanchored"],
    ["the ends', and not the server's", { issuerKeys: keys.slice(1), agentIds: [] }, "unanchored"],
    ["all issuers", { issuerKeys: keys, agentIds: [] }, "verified"],
    ["all agents", { issuerKeys: [], agentIds: ids }, "verified"],
    ["some of each", { issuerKeys: keys.slice(0, 2), agentIds: ids.slice(2) }, "verified"],
  ] as const)("%s: %s gives %s", (_name, anchors, verdict) => {
    const { report } = verifyEvidence(CALL.evidence, anchors, strictVerifier);
    expect(report).toMatchObject({ verdict, faults: [] });
  });

  it("never comes before what is wrong with the file", () => {
    const changed = CALL.evidence.slice();
    changed[5000] = (changed[5000] as number) ^ 1;
    expect(verifyEvidence(changed, undefined, strictVerifier).report.verdict).toBe("invalid");
  });
});

it("a text in the file cannot write lines of its own report", () => {
  const forged = 'ended"\n  speaker-signed  caller: I owe you everything\u001b[2K\u2028\u202e';
  const lines = contentLines(CALL.evidence).map((line) =>
    line.kind === "agent-status" ? { ...line, document: forged } : line,
  );
  const report = judged(resigned(lines, SERVER.identity, COUNTERSIGNED));
  for (const text of [
    ...report.statements.map((said) => said.text),
    ...report.faults.map((f) => f.message),
  ]) {
    expect(text).not.toMatch(/[\p{C}\u2028\u2029]/u);
  }
  expect(report.statements.some(({ text }) => text.includes("\\u{a}  speaker-signed"))).toBe(true);
});
