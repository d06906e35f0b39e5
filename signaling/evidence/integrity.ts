import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { verifySigned } from "../jws.ts";
import { ownerRank } from "./build.ts";
import {
  decodeLine,
  encodeLine,
  INDEX_DIGEST_BYTES,
  indexLines,
  type LineKind,
  type LineOwner,
  lineRank,
  type PlacedLine,
  SEAL,
  type SealPayload,
  splitLines,
} from "./lines.ts";
import type { Findings } from "./report.ts";

/** A file's lines, by kind. */
export class EvidenceLines {
  readonly all: readonly PlacedLine[];

  constructor(all: readonly PlacedLine[]) {
    this.all = all;
  }

  /** Lines of one kind, in order. */
  of<Kind extends LineKind>(kind: Kind): PlacedLine<Kind>[] {
    return this.all.filter((placed) => placed.line.kind === kind) as unknown as PlacedLine<Kind>[];
  }

  /** The one line of its kind, or of its kind and owner; a fault when there is none or another. */
  only<Kind extends LineKind>(
    kind: Kind,
    findings: Findings,
    owner?: LineOwner,
  ): PlacedLine<Kind> | undefined {
    const lines = this.#owned(kind, owner);
    if (lines.length !== 1) {
      const what = owner === undefined ? kind : `${kind} of the ${owner}`;
      findings.fault(
        `The file holds ${lines.length} lines of kind ${what} where one belongs.`,
        `line ${lines[1]?.number ?? this.placeOf(kind)}, ${what}`,
      );
    }
    return lines[0];
  }

  /** Like `only`, where there may also be none. */
  atMostOne<Kind extends LineKind>(
    kind: Kind,
    findings: Findings,
    owner: LineOwner,
  ): PlacedLine<Kind> | undefined {
    return this.#owned(kind, owner).length === 0 ? undefined : this.only(kind, findings, owner);
  }

  /** A fault for every line of a kind that `owner` cannot have. */
  none(kind: LineKind, findings: Findings, owner: LineOwner): void {
    for (const { number } of this.#owned(kind, owner)) {
      findings.fault(`There is no ${kind} of the ${owner} in such a file.`, `line ${number}`);
    }
  }

  /** Number of the line before which further ones of this kind would stand. */
  placeOf(kind: LineKind): number {
    const next = this.all.find(({ line }) => lineRank(line.kind) > lineRank(kind));
    return next?.number ?? (this.all.at(-1)?.number ?? 0) + 1;
  }

  #owned<Kind extends LineKind>(kind: Kind, owner: LineOwner | undefined): PlacedLine<Kind>[] {
    return this.of(kind).filter(({ line }) => owner === undefined || ("of" in line && line.of === owner));
  }
}

/** Reads a file strictly: every line canonical, of a known form and in its place. */
export function readLines(
  bytes: Uint8Array,
  findings: Findings,
): { lines: EvidenceLines; raw: readonly Uint8Array[] } {
  const split = splitLines(bytes);
  if (!split.ok) {
    findings.fault(split.fault.message, split.fault.at ?? "file", split.fault.code);
    return { lines: new EvidenceLines([]), raw: [] };
  }
  const placed: PlacedLine[] = [];
  for (const [at, raw] of split.value.entries()) {
    const line = decodeLine(raw, at + 1);
    if (!line.ok) findings.fault(line.fault.message, line.fault.at ?? `line ${at + 1}`, line.fault.code);
    else placed.push(line.value);
  }
  for (const [at, current] of placed.entries()) {
    const before = placed[at - 1];
    if (before === undefined) continue;
    const step =
      lineRank(current.line.kind) - lineRank(before.line.kind) ||
      ownerRank(current.line) - ownerRank(before.line);
    if (step < 0)
      findings.fault(`A ${current.line.kind} stands after a ${before.line.kind}.`, `line ${current.number}`);
  }
  return { lines: new EvidenceLines(placed), raw: split.value };
}

/**
 * Judges the server's seal, and names the first line that is not as it was sealed. Without `server` (its Genesis is not in
 * the file) only the index is left to go by.
 */
export function checkSeal(
  lines: EvidenceLines,
  raw: readonly Uint8Array[],
  server: { readonly key: Uint8Array; readonly sessionId: string } | undefined,
  verifier: Verifier,
  findings: Findings,
): void {
  lines.only("index", findings);
  const sealed = raw.slice(0, -1);
  const unsealed = (message: string, at: string) => {
    findings.fault(message, at);
    const differing = differingLine(lines, sealed);
    if (differing !== undefined) findings.fault("This line is not as it was indexed.", differing);
  };
  const line = lines.of("seal").at(-1);
  if (line === undefined || line.number !== raw.length) {
    unsealed("The file does not end with its seal.", `line ${raw.length}`);
    return;
  }
  if (server === undefined) {
    unsealed("Nobody is named whose seal this could be.", `line ${line.number}`);
    return;
  }
  const seal = verifySigned(line.line.jws, SEAL, server.key, verifier);
  if (!seal.ok) {
    unsealed(seal.fault.message, `line ${line.number}, ${seal.fault.at ?? "seal"}`);
    return;
  }
  const { sha256: expected, lines: count, session_id } = seal.value;
  if (session_id !== server.sessionId)
    findings.fault("The seal is another session's.", `line ${line.number}`);
  if (hexDigest(sealed) === expected && count === sealed.length) return;
  findings.fault("The lines are not those that were sealed.", sealedPlace(lines, sealed, seal.value));
}

/** Where sealed lines differ from what was sealed. */
function sealedPlace(lines: EvidenceLines, sealed: readonly Uint8Array[], seal: SealPayload): string {
  const index = lines.of("index").at(-1);
  if (index !== undefined && isIndexAlone(index, sealed, seal)) return `line ${index.number}`;
  const differing = differingLine(lines, sealed);
  if (differing !== undefined) return differing;
  return `line ${sealed.length + 1}: ${seal.lines} were sealed`;
}

/** The first line that the index lists otherwise. */
function differingLine(lines: EvidenceLines, sealed: readonly Uint8Array[]): string | undefined {
  const index = lines.of("index").at(-1);
  const digests = index === undefined ? undefined : decodeBase64url(index.line.digests);
  if (index === undefined || digests?.ok !== true) return undefined;
  const found = indexLines(sealed.slice(0, index.number - 1));
  const at = found.findIndex((byte, place) => byte !== digests.value[place]);
  if (at >= 0) return `line ${Math.floor(at / INDEX_DIGEST_BYTES) + 1}`;
  return found.length === digests.value.length ? undefined : `line ${index.number}`;
}

/** Whether the lines are as sealed once the index is made anew: then only the index was changed. */
function isIndexAlone(index: PlacedLine<"index">, sealed: readonly Uint8Array[], seal: SealPayload): boolean {
  const before = sealed.slice(0, index.number - 1);
  const remade = encodeLine({ kind: "index", digests: encodeBase64url(indexLines(before)) });
  return hexDigest([...before, remade, ...sealed.slice(index.number)]) === seal.sha256;
}

function hexDigest(lines: readonly Uint8Array[]): string {
  const digest = sha256.create();
  for (const line of lines) digest.update(line);
  return encodeHex(digest.digest());
}
