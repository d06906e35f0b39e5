import { sha256 } from "@noble/hashes/sha2.js";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { canonicalize } from "../../codecs/canonical-json.ts";
import { concatBytes } from "../../codecs/concat-bytes.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Result } from "../../codecs/result.ts";
import type { Signer, Verifier } from "../../codecs/signer.ts";
import { readAnswer, verifyAnswer } from "../answer.ts";
import { readGenesis } from "../genesis.ts";
import { signJws } from "../jws.ts";
import { callerOf, verifyOffer } from "../offer.ts";
import type { SessionLog } from "../record-log.ts";
import { deriveTerms } from "../terms.ts";
import {
  type EvidenceLine,
  encodeLine,
  indexLines,
  type LineOwner,
  lineRank,
  SEAL,
  type SealPayload,
} from "./lines.ts";

export interface EvidenceInput {
  /** All that the log holds of the session. */
  readonly session: SessionLog;
  /** Seals the file with the key its Genesis names. */
  readonly server: { readonly signer: Signer };
  /** Unix milliseconds. */
  readonly now: number;
}

/** A finished file, and whose call it was. */
export interface BuiltEvidence {
  readonly bytes: Uint8Array;
  /** Agent-IDs of caller and callee. */
  readonly participants: readonly string[];
}

/**
 * Writes the evidence file of an ended session. Throws `evidence-invalid` when the log does not hold what a session that was
 * established must have left.
 */
export function buildEvidence(input: EvidenceInput, verifier: Verifier): BuiltEvidence {
  const { session } = input;
  const artifacts = session.artifacts.map(({ artifact, leg, bytes }) =>
    artifactLine(artifact, ownerOf(leg), bytes),
  );
  const { terms, participants } = derived(artifacts, verifier);
  const lines: EvidenceLine[] = [
    { kind: "evidence", v: 1, session_id: session.sessionId },
    ...artifacts,
    { kind: "terms", document: terms },
    ...session.records.map((jws): EvidenceLine => ({ kind: "record", jws })),
  ];
  const ordered = lines
    .map((line, at) => ({ line, at }))
    .sort(
      (a, b) =>
        lineRank(a.line.kind) - lineRank(b.line.kind) || ownerRank(a.line) - ownerRank(b.line) || a.at - b.at,
    )
    .map(({ line }) => encodeLine(line));
  ordered.push(encodeLine({ kind: "index", digests: encodeBase64url(indexLines(ordered)) }));
  const body = concatBytes(ordered);
  const seal: SealPayload = {
    session_id: session.sessionId,
    lines: ordered.length,
    sha256: encodeHex(sha256(body)),
    iat: Math.floor(input.now / 1000),
  };
  const sealLine = encodeLine({ kind: "seal", jws: signJws(SEAL.typ, seal, input.server.signer) });
  return { bytes: concatBytes([body, sealLine]), participants };
}

/** How lines of one kind follow each other: server, caller, callee. */
export function ownerRank(line: EvidenceLine): number {
  return "of" in line ? OWNERS.indexOf(line.of) : 0;
}

function ownerOf(leg: number | undefined): LineOwner {
  return leg === undefined ? "server" : leg === 0 ? "caller" : "callee";
}

function artifactLine(
  kind: SessionLog["artifacts"][number]["artifact"],
  of: LineOwner,
  bytes: Uint8Array,
): EvidenceLine {
  const asText = () => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  switch (kind) {
    case "genesis":
    case "identity-document":
    case "agent-status":
      return { kind, of, document: asText() };
    case "core":
    case "counters":
      return { kind, document: asText() };
    case "offer":
    case "answer":
    case "core-witness":
      return { kind, jws: asText() };
    case "closing":
    case "media-key":
    case "narrowing":
    case "terms-change":
    case "terms-acceptance":
      return { kind, of, jws: asText() };
    case "checkpoint":
    case "receipt":
    case "interrupt":
      return { kind, of, bytes: encodeBase64url(bytes) };
  }
}

/** What follows from the signed offer and answer. */
function derived(lines: readonly EvidenceLine[], verifier: Verifier) {
  const keyOf = (of: LineOwner) => {
    const line = lines.find((candidate) => candidate.kind === "genesis" && candidate.of === of);
    if (line?.kind !== "genesis") throw missing(`the Genesis of the ${of}`);
    return must(readGenesis(new TextEncoder().encode(line.document), verifier));
  };
  const jwsOf = (kind: "offer" | "answer") => {
    const line = lines.find((candidate) => candidate.kind === kind);
    if (line?.kind !== kind) throw missing(`the ${kind}`);
    return line.jws;
  };
  const caller = keyOf("caller");
  const callee = keyOf("callee");
  const offer = must(
    verifyOffer(jwsOf("offer"), { publicKey: caller.agentKey, caller: caller.agentId }, verifier),
  );
  const isGateway = must(readAnswer(jwsOf("answer"))).gateway !== undefined;
  const gateway = isGateway ? callee.agentId : undefined;
  const answer = must(
    verifyAnswer(jwsOf("answer"), { publicKey: callee.agentKey, gateway, offer }, verifier),
  );
  return {
    terms: canonicalize(deriveTerms(offer, answer)),
    participants: [callerOf(offer.payload), answer.payload.callee],
  };
}

function must<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError(result.fault);
}

function missing(what: string): ParleyError {
  return new ParleyError({ code: "evidence-invalid", message: `The log lacks ${what}.` });
}

const OWNERS: readonly LineOwner[] = ["server", "caller", "callee"];
