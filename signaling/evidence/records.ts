import { canonicalize, isJsonObject } from "../../codecs/canonical-json.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { type SignedRecord, verifyRecord, ZERO_AUDIT_ID } from "../attribution.ts";
import { type ClosingPayload, verifyClosing } from "../closing.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import { type Party, ROLES } from "./parties.ts";
import type { Findings } from "./report.ts";

/** The session's records and closing statements, judged. */
export interface CheckedRecords {
  readonly records: readonly SignedRecord[];
  /** Records up to the last one that an end countersigned. */
  readonly countersigned: number;
  /** Statements that the server says it refused, by reason. */
  readonly refused: string | undefined;
  /** Closing statements by leg. */
  readonly closings: ReadonlyMap<0 | 1, ClosingPayload>;
}

/** Kinds of lines that are not kept as artifacts by the server, but made when the file is written. */
const MADE_LINES = new Set(["evidence", "terms", "record", "index", "seal"]);
/** Events of the record that ends a session's chain. */
const FINAL_EVENTS = new Set(["session-terminated", "session-expired"]);

/** Judges the chain of records, the closing statements, and how far the ends countersigned. */
export function checkRecords(
  lines: EvidenceLines,
  agreement: Agreement,
  parties: { readonly server: Party; readonly caller: Party; readonly callee: Party },
  verifier: Verifier,
  findings: Findings,
): CheckedRecords {
  const records = checkChain(lines, agreement, parties.server, verifier, findings);
  lines.none("closing", findings, "server");
  const closings = new Map<0 | 1, ClosingPayload>();
  const countersigned = { records: 0, by: [] as (typeof ROLES)[number][] };
  for (const [leg, role] of [
    [0, "caller"],
    [1, "callee"],
  ] as const) {
    const line = lines.atMostOne("closing", findings, role);
    if (line === undefined) {
      findings.say("server-claimed", `${role}: vanished without a closing statement`);
      continue;
    }
    const closing = verifyClosing(
      line.line.jws,
      {
        publicKey: parties[role].genesis.agentKey,
        sessionId: agreement.sessionId,
        sessionDigest: agreement.core.digest,
        leg,
      },
      verifier,
    );
    if (!closing.ok) {
      findings.fault(closing.fault.message, `line ${line.number}, ${closing.fault.at ?? "closing"}`);
      continue;
    }
    closings.set(leg, closing.value);
    const seen = records.findIndex(({ auditId }) => auditId === closing.value.last_audit_id) + 1;
    if (seen === 0) {
      findings.fault(
        `The ${role} countersigned a record that is not in the file.`,
        `line ${line.number}, closing.last_audit_id`,
      );
    }
    if (seen > countersigned.records) {
      countersigned.records = seen;
      countersigned.by = [role];
    } else if (seen > 0 && seen === countersigned.records) {
      countersigned.by.push(role);
    }
    findings.say(
      "speaker-signed",
      `${role}: closed the session (${closing.value.reason}) having seen record ${seen} of ${records.length}`,
      [leg],
    );
  }
  const by = countersigned.by;
  findings.say(
    by.length === 0 ? "server-claimed" : by.length === 2 ? "both" : "speaker-signed",
    `${records.length} records, nothing missing up to record ${countersigned.records}` +
      (by.length === 0
        ? ": no end countersigned one"
        : `, the last that the ${by.join(" and the ")} countersigned`),
    ([0, 1] as const).filter((leg) => by.includes(ROLES[leg])),
  );
  const refused = refusedIn(records.at(-1));
  if (refused !== undefined)
    findings.say(
      "server-claimed",
      `the server refused statements, and all that follow in their chains: ${refused}`,
    );
  return { records, countersigned: countersigned.records, closings, refused };
}

/** What the final record counts of statements that the server did not keep. */
function refusedIn(final: SignedRecord | undefined): string | undefined {
  const dropped = final?.payload.extra?.statements_dropped;
  if (!isJsonObject(dropped)) return undefined;
  return Object.entries(dropped)
    .map(([reason, count]) => `${String(count)} ${reason}`)
    .join(", ");
}

function checkChain(
  lines: EvidenceLines,
  agreement: Agreement,
  server: Party,
  verifier: Verifier,
  findings: Findings,
): SignedRecord[] {
  const records: SignedRecord[] = [];
  let previous = ZERO_AUDIT_ID;
  for (const [index, { number, line }] of lines.of("record").entries()) {
    const record = verifyRecord(line.jws, server.genesis.agentKey, verifier);
    if (!record.ok) {
      findings.fault(record.fault.message, `line ${number}, ${record.fault.at ?? "record"}`);
      return records;
    }
    const { payload } = record.value;
    if (payload.session_id !== agreement.sessionId || payload.agent_id !== server.agentId) {
      findings.fault("This record is of another session or server.", `line ${number}, record ${index}`);
    }
    if (payload.session_seq !== index || payload.previous_session_audit_id !== previous) {
      findings.fault(
        "A record is missing, added or moved: the chain breaks here.",
        `line ${number}, record ${index}`,
      );
    }
    previous = record.value.auditId;
    records.push(record.value);
  }
  const last = records.at(-1);
  const reason = last?.payload.extra?.reason;
  if (last === undefined || !FINAL_EVENTS.has(last.payload.event ?? "") || typeof reason !== "string") {
    findings.fault(
      "The records end without the final one, which names the reason.",
      `line ${lines.placeOf("record")}, final record`,
    );
    return records;
  }
  const { by, artifacts, counters } = last.payload.extra ?? {};
  findings.say("server-claimed", `ended: ${reason}${typeof by === "string" ? `, by ${by}` : ""}`);
  const kept = lines.all.filter(({ line }) => !MADE_LINES.has(line.kind)).length;
  if (artifacts !== kept) {
    findings.fault(
      `The final record counts ${String(artifacts)} kept documents and statements, the file holds ${kept}.`,
      `line ${lines.placeOf("record") - 1}, final record, extra.artifacts`,
    );
  }
  const counted = lines.only("counters", findings);
  if (counted !== undefined && counted.line.document !== canonicalize(counters ?? null)) {
    findings.fault("The relay's counters are not those of the final record.", `line ${counted.number}`);
  }
  return records;
}
