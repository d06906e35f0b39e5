import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { GatewayStatement } from "../gateway.ts";
import { type Agreement, checkAgreement } from "./agreement.ts";
import { checkSeal, readLines } from "./integrity.ts";
import { tellLife } from "./life.ts";
import { checkMediaKeys } from "./media-keys.ts";
import { checkParties, type Party, ROLES, type TrustAnchors } from "./parties.ts";
import { checkRecords } from "./records.ts";
import { type EvidenceReport, Findings } from "./report.ts";
import { checkSteering, type EpochStart } from "./steering.ts";
import { type CheckedStream, checkStreams } from "./streams.ts";
import { readHistory } from "./terms-history.ts";

/** A judged file, with what is needed to judge kept frames against it. */
export interface JudgedEvidence {
  readonly report: EvidenceReport;
  /** Absent when the file does not even hold an agreement. */
  readonly agreement: Agreement | undefined;
  readonly streams: readonly CheckedStream[];
  /** Where the media epochs of the streams begin, epoch 0 apart. */
  readonly epochs: readonly EpochStart[];
}

/**
 * Judges an evidence file offline: what each end signed, whether it fits together, and what only the server says. Trust
 * comes from `anchors`, never from the file. Never throws for what a file holds.
 */
export function verifyEvidence(
  bytes: Uint8Array,
  anchors: TrustAnchors | undefined,
  verifier: Verifier,
): JudgedEvidence {
  const findings = new Findings();
  const { lines, raw } = readLines(bytes, findings);
  const parties = new Map(checkParties(lines, anchors, verifier, findings));
  const server = parties.get("server");
  const caller = parties.get("caller");
  const callee = parties.get("callee");
  let agreement: Agreement | undefined;
  let streams: CheckedStream[] = [];
  let epochs: readonly EpochStart[] = [];
  let records = { count: lines.of("record").length, countersigned: 0 };
  if (server !== undefined && caller !== undefined && callee !== undefined) {
    const signers = { server, caller, callee };
    agreement = checkAgreement(lines, signers, verifier, findings);
    if (agreement !== undefined) {
      const all = {
        server,
        caller: withGateway(caller, agreement.offer.payload.gateway),
        callee: withGateway(callee, agreement.answer.payload.gateway),
      };
      for (const party of [all.caller, all.callee]) parties.set(party.role, party);
      const checked = checkRecords(lines, agreement, all, verifier, findings);
      records = { count: checked.records.length, countersigned: checked.countersigned };
      const judging = { lines, agreement, parties: all, records: checked, verifier, findings };
      const keys = checkMediaKeys(judging);
      const history = readHistory({ ...judging, keys });
      streams = checkStreams(lines, agreement, history, checked, keys, verifier, findings);
      epochs = checkSteering({ ...judging, keys, history, streams });
      tellLife({ lines, records: checked, keys, parties: all, streams, findings });
      for (const { line } of lines.of("counters")) {
        findings.say("server-claimed", `the relay counted ${line.document}`);
        tellContradicted(line.document, findings);
      }
    }
  }
  const sessionId = lines.of("evidence")[0]?.line.session_id ?? "";
  const sealer = server === undefined ? undefined : { key: server.genesis.agentKey, sessionId };
  checkSeal(lines, raw, sealer, verifier, findings);
  const known = [...parties.values()];
  const anchored = known.length === 3 && known.every((party) => party.anchored);
  return {
    agreement,
    streams,
    epochs,
    report: {
      verdict: findings.faults.length > 0 ? "invalid" : anchored ? "verified" : "unanchored",
      faults: findings.faults,
      statements: findings.statements,
      sessionId: agreement?.sessionId,
      sessionDigest: agreement === undefined ? undefined : encodeHex(agreement.core.digest),
      parties: known.map(({ role, agentId, name, anchored: isAnchored, gateway }) => ({
        ...{ role, agentId, name, anchored: isAnchored },
        ...(gateway === undefined ? {} : { gateway }),
      })),
      streams: streams.map(({ report }) => report),
      records,
    },
  };
}

function withGateway(party: Party, gateway: GatewayStatement | undefined): Party {
  return gateway === undefined ? party : { ...party, gateway };
}

/** What came by the relay and is not what the speaker signed that it sent: somebody altered it on the way there, or the server says so. */
function tellContradicted(document: string, findings: Findings): void {
  const counters = parseJson(new TextEncoder().encode(document));
  if (!counters.ok || !Array.isArray(counters.value)) return;
  for (const flow of counters.value) {
    if (!isJsonObject(flow) || typeof flow.contradicted !== "number") continue;
    const { leg, stream, contradicted } = flow;
    const role = leg === 0 || leg === 1 ? ROLES[leg] : `leg ${String(leg)}`;
    findings.say(
      "server-claimed",
      `${role}, stream ${String(stream)}: ${contradicted} frames that came were listed otherwise by the speaker's checkpoints`,
    );
  }
}
