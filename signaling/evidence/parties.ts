import type { Verifier } from "../../codecs/signer.ts";
import { type Genesis, readGenesis } from "../genesis.ts";
import { type IdentityDocument, readIdentityDocument } from "../identity-document.ts";
import type { EvidenceLines } from "./integrity.ts";
import type { LineOwner } from "./lines.ts";
import type { EvidenceReport, Findings } from "./report.ts";

export { ROLES } from "./report.ts";

/** Whom the auditor trusts. Never taken from the file. */
export interface TrustAnchors {
  /** Raw Ed25519 keys of issuers. */
  readonly issuerKeys: readonly Uint8Array[];
  /** Agent-IDs known from elsewhere. */
  readonly agentIds: readonly string[];
}

export type Party = EvidenceReport["parties"][number] & {
  readonly genesis: Genesis;
  /** Absent when the file holds none that its issuer signed. */
  readonly identity: IdentityDocument | undefined;
};

/** Judges Genesis, identity document and stated status of the server and both ends. */
export function checkParties(
  lines: EvidenceLines,
  anchors: TrustAnchors | undefined,
  verifier: Verifier,
  findings: Findings,
): ReadonlyMap<LineOwner, Party> {
  const parties = new Map<LineOwner, Party>();
  for (const role of ["server", "caller", "callee"] as const) {
    const party = checkParty(lines, role, anchors, verifier, findings);
    if (party !== undefined) parties.set(role, party);
  }
  return parties;
}

function checkParty(
  lines: EvidenceLines,
  role: LineOwner,
  anchors: TrustAnchors | undefined,
  verifier: Verifier,
  findings: Findings,
): Party | undefined {
  const encoder = new TextEncoder();
  const line = lines.only("genesis", findings, role);
  if (line === undefined) return undefined;
  const genesis = readGenesis(encoder.encode(line.line.document), verifier);
  if (!genesis.ok) {
    findings.fault(
      `The Genesis of the ${role}: ${genesis.fault.message}`,
      `line ${line.number}, ${genesis.fault.at ?? "genesis"}`,
    );
    return undefined;
  }
  const { agentId, name, issuer } = genesis.value;
  const anchored = isAnchored(genesis.value, anchors);
  findings.say(
    "issuer-signed",
    `${role}: ${name}, agent ${agentId}, issued by ${issuer}${anchored ? "" : " (not anchored)"}`,
  );
  let identity: IdentityDocument | undefined;
  const document = lines.only("identity-document", findings, role);
  if (document !== undefined) {
    const read = readIdentityDocument(encoder.encode(document.line.document), genesis.value, verifier);
    if (read.ok) identity = read.value;
    else {
      findings.fault(
        `The identity document of the ${role}: ${read.fault.message}`,
        `line ${document.number}, ${read.fault.at ?? "identity-document"}`,
      );
    }
  }
  if (role === "server") {
    lines.none("agent-status", findings, role);
  } else {
    const status = lines.only("agent-status", findings, role);
    if (status !== undefined)
      findings.say("server-claimed", `${role}: standing at the time ${status.line.document}`);
  }
  return { role, agentId, name, anchored, genesis: genesis.value, identity };
}

function isAnchored(genesis: Genesis, anchors: TrustAnchors | undefined): boolean {
  if (anchors === undefined) return false;
  const { issuerKeys, agentIds } = anchors;
  return agentIds.includes(genesis.agentId) || issuerKeys.some((key) => sameBytes(key, genesis.issuerKey));
}

/** Whether two byte strings are the same. Nothing secret is compared here. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
