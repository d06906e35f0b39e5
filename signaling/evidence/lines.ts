import { sha256 } from "@noble/hashes/sha2.js";
import { canonicalBytes, type JsonObject, parseCanonical } from "../../codecs/canonical-json.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { DIGEST, integer, object, oneOf, readShape, type Shape, text } from "../shape.ts";

/** Longest evidence file read, bytes. A ten-minute call is about 2 MB. */
const MAX_EVIDENCE_BYTES = 256 * 1024 * 1024;

/** Whose a line is: a leg, or the server. */
export type LineOwner = "server" | "caller" | "callee";

/** One line of an evidence file, in the order they stand in it. Texts are byte-exact documents, JWS, or base64url bytes. */
export type EvidenceLine =
  | { readonly kind: "evidence"; readonly v: 1; readonly session_id: string }
  | { readonly kind: "genesis"; readonly of: LineOwner; readonly document: string }
  | { readonly kind: "identity-document"; readonly of: LineOwner; readonly document: string }
  | { readonly kind: "agent-status"; readonly of: LineOwner; readonly document: string }
  | { readonly kind: "offer"; readonly jws: string }
  | { readonly kind: "answer"; readonly jws: string }
  | { readonly kind: "core"; readonly document: string }
  | { readonly kind: "core-witness"; readonly jws: string }
  | { readonly kind: "media-key"; readonly of: LineOwner; readonly jws: string }
  | { readonly kind: "terms"; readonly document: string }
  | { readonly kind: "record"; readonly jws: string }
  | { readonly kind: "checkpoint"; readonly of: LineOwner; readonly bytes: string }
  | { readonly kind: "receipt"; readonly of: LineOwner; readonly bytes: string }
  | { readonly kind: "narrowing"; readonly of: LineOwner; readonly jws: string }
  | { readonly kind: "terms-change"; readonly of: LineOwner; readonly jws: string }
  | { readonly kind: "terms-acceptance"; readonly of: LineOwner; readonly jws: string }
  | { readonly kind: "interrupt"; readonly of: LineOwner; readonly bytes: string }
  | { readonly kind: "closing"; readonly of: LineOwner; readonly jws: string }
  | { readonly kind: "counters"; readonly document: string }
  | { readonly kind: "index"; readonly digests: string }
  | { readonly kind: "seal"; readonly jws: string };

export type LineKind = EvidenceLine["kind"];

/** A line with where it stands. */
export interface PlacedLine<Kind extends LineKind = LineKind> {
  /** From 1. */
  readonly number: number;
  readonly line: Extract<EvidenceLine, { kind: Kind }>;
}

/** What the server seals a file with: signed over everything before the seal's own line. */
export type SealPayload = {
  readonly session_id: string;
  /** Lines before the seal. */
  readonly lines: number;
  /** SHA-256 of those lines with their line ends, 64 hex digits. */
  readonly sha256: string;
  /** Unix seconds. */
  readonly iat: number;
};

export const SEAL = {
  typ: "parley-seal+jwt",
  name: "seal",
  code: "evidence-invalid",
  shape: object<SealPayload>({
    session_id: text({ min: 1, max: 128 }),
    lines: integer(1, Number.MAX_SAFE_INTEGER),
    sha256: DIGEST,
    iat: integer(0, Number.MAX_SAFE_INTEGER),
  }),
} as const;

/** Bytes of each line's digest that the index keeps: enough to name the line that differs; the seal covers all of it. */
export const INDEX_DIGEST_BYTES = 8;

/** Canonical JSON of a line, with its line end. */
export function encodeLine(line: EvidenceLine): Uint8Array {
  const json = canonicalBytes(line as JsonObject);
  const bytes = new Uint8Array(json.length + 1);
  bytes.set(json);
  bytes[json.length] = LINE_END;
  return bytes;
}

/** A file cut into its lines, each with its line end. Faults: `evidence-malformed`. */
export function splitLines(bytes: Uint8Array): Result<Uint8Array[]> {
  if (bytes.length > MAX_EVIDENCE_BYTES) return refuse("evidence-malformed", "The file is too long.");
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
    lines.push(bytes.subarray(start, end + 1));
    start = end + 1;
  }
  if (start !== bytes.length) {
    return refuse("evidence-malformed", "The last line is cut off.", `line ${lines.length + 1}`);
  }
  if (lines.length === 0) return refuse("evidence-malformed", "The file is empty.");
  return ok(lines);
}

/** One line as it stands in the file. Faults: `evidence-malformed` naming the line. */
export function decodeLine(bytes: Uint8Array, number: number): Result<PlacedLine> {
  const parsed = parseCanonical(bytes.subarray(0, bytes.length - 1));
  if (!parsed.ok) return refuse("evidence-malformed", parsed.fault.message, `line ${number}`);
  const named = readShape(KIND, parsed.value, `line ${number}`);
  if (!named.ok) return refuse("evidence-malformed", named.fault.message, named.fault.at);
  const { kind } = named.value;
  const line = readShape<EvidenceLine>(SHAPES[kind], parsed.value, `line ${number}`);
  if (!line.ok) return refuse("evidence-malformed", line.fault.message, line.fault.at);
  return ok({ number, line: line.value });
}

/** Where a kind of line stands among the others. */
export function lineRank(kind: LineKind): number {
  return ORDER.indexOf(kind);
}

/** The index of lines: the first bytes of each one's SHA-256, one after the other. */
export function indexLines(lines: readonly Uint8Array[]): Uint8Array {
  const index = new Uint8Array(lines.length * INDEX_DIGEST_BYTES);
  for (const [at, line] of lines.entries()) {
    index.set(sha256(line).subarray(0, INDEX_DIGEST_BYTES), at * INDEX_DIGEST_BYTES);
  }
  return index;
}

const LINE_END = 0x0a;
const TEXT = text({ min: 1, max: 1_000_000 });
const OWNER: Shape<LineOwner> = oneOf("server", "caller", "callee");

const ORDER: readonly LineKind[] = [
  "evidence",
  "genesis",
  "identity-document",
  "agent-status",
  "offer",
  "answer",
  "core",
  "core-witness",
  "media-key",
  "terms",
  "record",
  "checkpoint",
  "receipt",
  "narrowing",
  "terms-change",
  "terms-acceptance",
  "interrupt",
  "closing",
  "counters",
  "index",
  "seal",
];

const KIND: Shape<{ readonly kind: LineKind }> = object({ kind: oneOf(...ORDER) }, { open: true });

function documentLine<Kind extends LineKind>(kind: Kind) {
  return object<{ kind: Kind; document: string }>({ kind: oneOf(kind), document: TEXT });
}

function ownedDocumentLine<Kind extends LineKind>(kind: Kind) {
  return object<{ kind: Kind; of: LineOwner; document: string }>({
    kind: oneOf(kind),
    of: OWNER,
    document: TEXT,
  });
}

function jwsLine<Kind extends LineKind>(kind: Kind) {
  return object<{ kind: Kind; jws: string }>({ kind: oneOf(kind), jws: TEXT });
}

function bytesLine<Kind extends LineKind>(kind: Kind) {
  return object<{ kind: Kind; of: LineOwner; bytes: string }>({ kind: oneOf(kind), of: OWNER, bytes: TEXT });
}

const SHAPES: { readonly [Kind in LineKind]: Shape<Extract<EvidenceLine, { kind: Kind }>> } = {
  evidence: object({ kind: oneOf("evidence"), v: oneOf(1), session_id: text({ min: 1, max: 128 }) }),
  genesis: ownedDocumentLine("genesis"),
  "identity-document": ownedDocumentLine("identity-document"),
  "agent-status": ownedDocumentLine("agent-status"),
  offer: jwsLine("offer"),
  answer: jwsLine("answer"),
  core: documentLine("core"),
  "core-witness": jwsLine("core-witness"),
  "media-key": object({ kind: oneOf("media-key"), of: OWNER, jws: TEXT }),
  terms: documentLine("terms"),
  record: jwsLine("record"),
  checkpoint: bytesLine("checkpoint"),
  receipt: bytesLine("receipt"),
  narrowing: object({ kind: oneOf("narrowing"), of: OWNER, jws: TEXT }),
  "terms-change": object({ kind: oneOf("terms-change"), of: OWNER, jws: TEXT }),
  "terms-acceptance": object({ kind: oneOf("terms-acceptance"), of: OWNER, jws: TEXT }),
  interrupt: bytesLine("interrupt"),
  closing: object({ kind: oneOf("closing"), of: OWNER, jws: TEXT }),
  counters: documentLine("counters"),
  index: object({ kind: oneOf("index"), digests: text({ min: 1, max: 100_000_000 }) }),
  seal: jwsLine("seal"),
};
