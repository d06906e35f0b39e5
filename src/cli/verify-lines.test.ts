import { describe, expect, it } from "vitest";
import type { ProvenFrame } from "../../signaling/evidence/media.ts";
import type { EvidenceReport } from "../../signaling/evidence/report.ts";
import { describeReport } from "./verify-lines.ts";

const [GATEWAY, BOB] = ["aa".repeat(32), "bb".repeat(32)];
const gateway = {
  ...{ subject: BOB, issuer: "https://login.example" },
  evidence: { jti: "1", token: "cc".repeat(32), fingerprint: "dd".repeat(32) },
};
/** Ada called Bob, for whom a gateway answered. */
const REPORT: EvidenceReport = {
  ...{ verdict: "verified", faults: [], statements: [], streams: [], sessionId: "s", sessionDigest: "ee" },
  records: { count: 1, countersigned: 1 },
  parties: [
    { role: "server", agentId: "00".repeat(32), name: "Server", anchored: true },
    { role: "caller", agentId: "11".repeat(32), name: "Ada", anchored: true },
    { role: "callee", agentId: GATEWAY, name: "Gateway", anchored: true, gateway },
  ],
};
const frame = (leg: number): ProvenFrame => ({
  ...{ leg, stream: 1, sequence: 0, timestamp: 0, payloadType: 0, payload: new Uint8Array(1) },
  ...{ profile: "frame", capture: { seconds: 0, fraction: 0 }, audioLevel: undefined, keyGeneration: 0 },
  ...{ startOfTurn: false, endOfTurn: false, recorded: undefined, checkpointed: true, epoch: 0 },
  interrupted: false,
});
const run = {
  ...{ sessionDigest: "ff".repeat(32), stream: 1, frames: 1, first: 0, last: 0, proven: 0 },
  ...{ signedBy: [0, 0] as const, repeated: 0, unknown: 1 },
};

describe("kept frames of a call in which a gateway acts", () => {
  const written = (speaker: "caller" | "callee") => {
    const leg = speaker === "caller" ? 0 : 1;
    return describeReport(
      REPORT,
      { frames: [frame(leg)], faults: [], recorded: { runs: [{ ...run, leg }], faults: [] } },
      undefined,
      {
        wav: { ...{ file: "a.wav", speaker, frames: 1, undecodable: 0 }, misplaced: 0, seconds: 1 },
        ivf: { ...{ file: "a.ivf", speaker, stream: 1, units: 1 }, before_key: 0, undecodable: 0 },
        messages: { file: "a.jsonl", messages: 1, speakers: [speaker], undecodable: 0 },
      },
    );
  };

  it("are its word, where it spoke", () => {
    const lines = written("callee");
    expect(lines).toHaveLength(5);
    for (const line of lines)
      expect(line).toMatch(/^speaker-signed .*, as stated by the gateway of the callee$/);
  });

  it("are the other end's own where that spoke", () => {
    for (const line of written("caller")) expect(line).not.toContain("gateway");
  });
});
