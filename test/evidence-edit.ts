/** Changes to an evidence file, as somebody who found it makes them, and as the server that sealed it can. */

import { sha256 } from "@noble/hashes/sha2.js";
import { decodeBase64url, encodeBase64url } from "../codecs/base64url.ts";
import type { JsonObject } from "../codecs/canonical-json.ts";
import { parseCheckpoint } from "../codecs/checkpoint.ts";
import { encodeHex } from "../codecs/hex.ts";
import { parseInterrupt } from "../codecs/interrupt.ts";
import { parseReceipt } from "../codecs/receipt.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import { auditId, buildRecord, readRecord, ZERO_AUDIT_ID } from "../signaling/attribution.ts";
import {
  decodeLine,
  type EvidenceLine,
  encodeLine,
  indexLines,
  type LineKind,
  SEAL,
  splitLines,
} from "../signaling/evidence/lines.ts";
import { signJws } from "../signaling/jws.ts";
import { strictVerifier } from "./keys.ts";
import { must } from "./signed-call.ts";

/** The lines of a file as bytes, each with its line end. */
export function rawLines(file: Uint8Array): Uint8Array[] {
  return must(splitLines(file));
}

/** A file of these lines, nothing made good. */
export function joined(lines: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(lines));
}

/** The lines a server would index and seal: all but index and seal. */
export function contentLines(file: Uint8Array): EvidenceLine[] {
  return rawLines(file)
    .map((raw, at) => must(decodeLine(raw, at + 1)).line)
    .filter(({ kind }) => kind !== "index" && kind !== "seal");
}

/** A file of these lines with an index and a seal that hold. */
export function sealed(lines: readonly EvidenceLine[], server: Signer): Uint8Array {
  const raw = lines.map(encodeLine);
  raw.push(encodeLine({ kind: "index", digests: encodeBase64url(indexLines(raw)) }));
  const header = lines.find(({ kind }) => kind === "evidence");
  const seal = {
    session_id: header?.kind === "evidence" ? header.session_id : "sess-none",
    lines: raw.length,
    sha256: encodeHex(sha256(joined(raw))),
    iat: 1_767_225_600,
  };
  return joined([...raw, encodeLine({ kind: "seal", jws: signJws(SEAL.typ, seal, server) })]);
}

/**
 * All that the server itself can make good: records from number `from` (counting from 0) on are chained and signed anew,
 * the final one counts what the file holds now, and the file is sealed.
 */
export function resigned(lines: readonly EvidenceLine[], server: Signer, from: number): Uint8Array {
  const kept = lines.filter(({ kind }) => !["evidence", "terms", "record"].includes(kind)).length;
  const last = lines.filter(({ kind }) => kind === "record").length - 1;
  let previous = ZERO_AUDIT_ID;
  let at = -1;
  return sealed(
    lines.map((line) => {
      if (line.kind !== "record") return line;
      at += 1;
      const payload = must(readRecord(line.jws));
      const extra: JsonObject = { ...payload.extra, ...(at === last ? { artifacts: kept } : {}) };
      const jws =
        at < from
          ? line.jws
          : buildRecord({ ...payload, session_seq: at, previous_session_audit_id: previous, extra }, server)
              .jws;
      previous = auditId(jws);
      return { kind: "record", jws };
    }),
    server,
  );
}

/** Places of the lines of one kind. */
export function placesOf(lines: readonly EvidenceLine[], ...kinds: readonly LineKind[]): number[] {
  return lines.flatMap(({ kind }, at) => (kinds.includes(kind) ? [at] : []));
}

/** The speaker's leg and the stream that a line is about, where it is about one. */
export function streamOf(line: EvidenceLine | undefined): string | undefined {
  if (line?.kind !== "checkpoint" && line?.kind !== "receipt" && line?.kind !== "interrupt") return undefined;
  const bytes = must(decodeBase64url(line.bytes));
  if (line.kind === "checkpoint") {
    const { leg, stream } = must(parseCheckpoint(bytes));
    return `${leg}/${stream}`;
  }
  const { speakerLeg, stream } =
    line.kind === "receipt" ? must(parseReceipt(bytes)) : must(parseInterrupt(bytes));
  return `${speakerLeg}/${stream}`;
}

export function without<Item>(items: readonly Item[], at: number): Item[] {
  return items.filter((_, index) => index !== at);
}

export function inserted<Item>(items: readonly Item[], at: number, item: Item): Item[] {
  return [...items.slice(0, at), item, ...items.slice(at)];
}

export function swapped<Item>(items: readonly Item[], a: number, b: number): Item[] {
  const copy = [...items];
  [copy[a], copy[b]] = [copy[b] as Item, copy[a] as Item];
  return copy;
}

/** Verdicts of libsodium, remembered: a test that judges one file a thousand times changes few signatures at a time. */
export function rememberingVerifier(): Verifier {
  const known = new Map<string, boolean>();
  const remember = (asked: readonly Uint8Array[], judge: () => boolean) => {
    const key = asked.map((bytes) => `${bytes.length}:${Buffer.from(bytes).toString("latin1")}`).join("");
    const found = known.get(key) ?? judge();
    known.set(key, found);
    return found;
  };
  return {
    verify: (key, message, signature) =>
      remember([key, message, signature], () => strictVerifier.verify(key, message, signature)),
    isAcceptableKey: (key) => remember([key], () => strictVerifier.isAcceptableKey(key)),
  };
}
