/** The server itself changes a file and seals it anew: what it cannot make good, and what it can. */
import { describe, expect, it } from "vitest";
import {
  contentLines,
  inserted,
  placesOf,
  rememberingVerifier,
  resigned,
  sealed,
  streamOf,
  swapped,
  without,
} from "../../test/evidence-edit.ts";
import { ANCHORS, COUNTERSIGNED as HEAD, loggedCall, RECORDS } from "../../test/logged-call.ts";
import { must, SERVER, testAgent } from "../../test/signed-call.ts";
import { buildRecord, readRecord } from "../attribution.ts";
import type { EvidenceLine, LineKind } from "./lines.ts";
import { verifyEvidence } from "./verify.ts";

const LINES = contentLines(loggedCall().evidence);
const OTHER = contentLines(loggedCall({ number: 2 }).evidence);
/** What an end signed after the answer. */
const SAID: readonly LineKind[] = ["checkpoint", "receipt", "narrowing", "interrupt", "closing"];
const SIGNED: readonly LineKind[] = ["record", ...SAID];
const verifier = rememberingVerifier();

function judged(file: Uint8Array) {
  return verifyEvidence(file, ANCHORS, verifier).report;
}

function expectInvalid(file: Uint8Array, what: string): void {
  const { verdict, faults } = judged(file);
  expect(verdict, what).toBe("invalid");
  for (const { at } of faults)
    expect(at, what).toMatch(/^line \d+|^closing of the c|^receipts of the c|^c\w+, stream \d+/);
}

function expectInvalidSealed(lines: readonly EvidenceLine[], what: string): void {
  expectInvalid(sealed(lines, SERVER.identity), what);
}

/** Sealed only, and with records after the countersigned head signed anew as well. */
function expectInvalidBothWays(lines: readonly EvidenceLine[], what: string): void {
  expectInvalidSealed(lines, what);
  expectInvalid(resigned(lines, SERVER.identity, HEAD), `${what}, records signed anew`);
}

/** Places of the signed lines that no end countersigned: the server's own last records. */
const afterHead = placesOf(LINES, "record").slice(HEAD);

it("an unchanged file sealed anew verifies: sealing alone is the server's to do", () => {
  expect(judged(sealed(LINES, SERVER.identity))).toMatchObject({ verdict: "verified", faults: [] });
  expect(judged(resigned(LINES, SERVER.identity, HEAD))).toMatchObject({ verdict: "verified", faults: [] });
});

describe("a server that seals the file anew", () => {
  it("cannot take out a record, checkpoint, receipt or closing statement, the last ones included", () => {
    for (const at of placesOf(LINES, ...SIGNED)) {
      expectInvalidSealed(without(LINES, at), `${LINES[at]?.kind} at ${at}`);
    }
  });

  it("cannot take out any other line", () => {
    for (const at of LINES.keys()) {
      expectInvalidSealed(without(LINES, at), `${LINES[at]?.kind} at ${at}`);
    }
  });

  it("cannot put in any line twice, or one of another call", () => {
    for (const [at, line] of LINES.entries()) {
      // More records of its own after the head are the server's to write: they are its claims.
      const expectIt = line.kind === "record" ? expectInvalidSealed : expectInvalidBothWays;
      expectIt(inserted(LINES, at, line), `${line.kind} twice`);
      expectIt(inserted(LINES, at, OTHER[at] as EvidenceLine), `foreign ${line.kind}`);
    }
  });

  it("cannot put another call's line in the place of one that somebody else signed", () => {
    for (const at of placesOf(LINES, "offer", "answer", ...SAID)) {
      const replaced = inserted(without(LINES, at), at, OTHER[at] as EvidenceLine);
      expectInvalidBothWays(replaced, `foreign ${LINES[at]?.kind} at ${at}`);
    }
  });

  it("cannot move signed lines of one stream, or of the session", () => {
    for (const at of placesOf(LINES, ...SIGNED)) {
      if (LINES[at + 1]?.kind !== LINES[at]?.kind || afterHead.includes(at)) continue;
      if (streamOf(LINES[at]) !== streamOf(LINES[at + 1])) continue;
      expectInvalidBothWays(swapped(LINES, at, at + 1), `${LINES[at]?.kind} at ${at}`);
    }
  });

  it("cannot give one end's statements to the other", () => {
    for (const at of placesOf(LINES, ...SAID)) {
      const line = LINES[at] as EvidenceLine;
      if (!("of" in line)) continue;
      for (const of of ["caller", "callee", "server"] as const) {
        if (of === line.of) continue;
        expectInvalidBothWays(inserted(without(LINES, at), at, { ...line, of }), `${line.kind} to ${of}`);
      }
    }
  });

  it("cannot alter what an end signed", () => {
    for (const at of placesOf(LINES, "offer", "answer", ...SAID)) {
      const line = LINES[at] as EvidenceLine;
      const [field, text] = "jws" in line ? ["jws", line.jws] : ["bytes", "bytes" in line ? line.bytes : ""];
      for (let step = 1; step < 8; step += 1) {
        const place = Math.floor((text.length * step) / 8);
        const letter = text[place] === "A" ? "B" : "A";
        const altered = { ...line, [field]: text.slice(0, place) + letter + text.slice(place + 1) };
        expectInvalidBothWays(inserted(without(LINES, at), at, altered as EvidenceLine), line.kind);
      }
    }
  });

  it("cannot change records before the countersigned head, even by signing all of them anew", () => {
    const [first, head] = placesOf(LINES, "record") as [number, number];
    const anew = (lines: readonly EvidenceLine[]) => resigned(lines, SERVER.identity, 0);
    expectInvalid(anew(without(LINES, first)), "first removed");
    expectInvalid(anew(without(LINES, head)), "head removed");
    expectInvalid(anew(inserted(LINES, first, OTHER[first] as EvidenceLine)), "one added");
    expectInvalid(anew(swapped(LINES, first, head)), "swapped");
  });

  it("cannot count records of another session or server as this one's, even chained into it", () => {
    const at = afterHead[0] as number;
    const line = LINES[at];
    const payload = must(readRecord(line?.kind === "record" ? line.jws : ""));
    for (const change of [{ session_id: "sess-another-session" }, { agent_id: "0".repeat(64) }]) {
      const { jws } = buildRecord({ ...payload, ...change }, SERVER.identity);
      expectInvalid(resigned(LINES.with(at, { kind: "record", jws }), SERVER.identity, HEAD), "chained in");
    }
  });

  it("cannot pass the call off as another server's", () => {
    const other = testAgent("other", 7);
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const renamed = LINES.map((line): EvidenceLine => {
      if (line.kind === "genesis" && line.of === "server") {
        return { ...line, document: decode(other.genesis.bytes) };
      }
      return line.kind === "identity-document" && line.of === "server"
        ? { ...line, document: decode(other.document.bytes) }
        : line;
    });
    expectInvalid(resigned(renamed, other.identity, 0), "other server");
  });
});

/** Whether a record names a narrowing or an interrupt. */
function namesChange(line: EvidenceLine): boolean {
  const extra = line.kind === "record" ? must(readRecord(line.jws)).extra : undefined;
  return extra?.narrowing !== undefined || extra?.interrupt !== undefined;
}

/** Another order of the same claims is another record. */
function restated(line: EvidenceLine): EvidenceLine {
  return line.kind === "agent-status" ? { ...line, document: "{}" } : line;
}

describe("what a server can still do, and how the file then speaks", () => {
  const file = (lines: readonly EvidenceLine[]) => judged(resigned(lines, SERVER.identity, HEAD));
  const said = (report: ReturnType<typeof judged>) => report.statements.map(({ text }) => text);

  it("withhold records after the countersigned head: the head is named, and nothing after it is vouched for", () => {
    const report = file(without(LINES, afterHead[0] as number));
    expect(report).toMatchObject({
      verdict: "verified",
      records: { count: RECORDS - 1, countersigned: HEAD },
    });
    expect(said(report)).toContain(
      "6 records, nothing missing up to record 5, the last that the callee countersigned",
    );
  });

  it("withhold one end's closing statement: that end is said to have vanished", () => {
    const [caller, callee] = placesOf(LINES, "closing") as [number, number];
    expect(said(file(without(LINES, caller)))).toContain("caller: vanished without a closing statement");
    const report = judged(resigned(without(LINES, callee), SERVER.identity, HEAD - 1));
    expect(report).toMatchObject({ verdict: "verified", records: { countersigned: HEAD - 1 } });
    expect(said(report)).toContain("callee: vanished without a closing statement");
  });

  it("with an end's closing statement, withhold that end's last statements: the streams are said to be open", () => {
    const rest = LINES.filter((line) => !(line.kind === "closing" && line.of === "caller"));
    const lastCheckpoint = rest.findLastIndex((line) => line.kind === "checkpoint" && line.of === "caller");
    const report = file(without(rest, lastCheckpoint));
    expect(report.streams[0]).toMatchObject({ frames: 6, checkpoints: 2, closedBySpeaker: false });
    expect(said(report)).toContain(
      "caller, stream 0 (audio): 6 frames in 2 checkpoints; the speaker never closed it, later frames may exist",
    );
    const lastReceipt = rest.findLastIndex((line) => line.kind === "receipt" && line.of === "caller");
    expect(said(file(without(rest, lastReceipt)))).toContain(
      "callee, stream 0 (audio): received 6, heard 6, concealed 0; the listener never closed it",
    );
  });

  it("with both closing statements, withhold everything either end signed since the answer", () => {
    const bare = LINES.filter((line) => !SAID.includes(line.kind) && !namesChange(line));
    const report = judged(resigned(bare, SERVER.identity, 0));
    expect(report).toMatchObject({ verdict: "verified", records: { countersigned: 0 } });
    expect(report.streams.map(({ frames, closedBySpeaker }) => [frames, closedBySpeaker])).toEqual(
      [0, 1, 2, 3].map(() => [0, false]),
    );
    expect(said(report).filter((text) => text.includes("vanished"))).toHaveLength(2);
  });

  it("but never one end's middle statements, nor any while that end's closing statement stands", () => {
    const open = LINES.filter(({ kind }) => kind !== "closing");
    for (const at of placesOf(open, "checkpoint", "receipt")) {
      const line = open[at] as EvidenceLine;
      const next = open[at + 1] as EvidenceLine;
      const isLast = next.kind !== line.kind || streamOf(next) !== streamOf(line);
      if (!isLast) expectInvalid(resigned(without(open, at), SERVER.identity, 0), `${line.kind} at ${at}`);
    }
    for (const at of placesOf(LINES, "checkpoint", "receipt")) {
      expectInvalidBothWays(without(LINES, at), `${LINES[at]?.kind} at ${at}`);
    }
  });

  it("nor, while it is countersigned, a narrowing or an interrupt together with the record that names it", () => {
    const records = LINES.flatMap((line, at) => (namesChange(line) ? [at] : []));
    const changes = placesOf(LINES, "narrowing", "interrupt");
    expect(records).toHaveLength(changes.length);
    for (const record of records) {
      for (const change of changes) {
        const both = LINES.filter((_, at) => at !== record && at !== change);
        for (const from of [0, HEAD])
          expectInvalid(resigned(both, SERVER.identity, from), `${record}, ${change}`);
      }
    }
  });

  it("say what it likes of standing and counters, as its own claim", () => {
    const report = file(LINES.map(restated));
    expect(report.verdict).toBe("verified");
    expect(report.statements).toContainEqual({
      by: "server-claimed",
      text: "caller: standing at the time {}",
    });
  });
});
