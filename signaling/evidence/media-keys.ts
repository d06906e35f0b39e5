import { isJsonObject } from "../../codecs/canonical-json.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { jwsDigest } from "../jws.ts";
import { type MediaKey, verifyMediaKey } from "../media-key.ts";
import type { Agreement } from "./agreement.ts";
import type { EvidenceLines } from "./integrity.ts";
import { type Party, ROLES, sameBytes } from "./parties.ts";
import type { CheckedRecords } from "./records.ts";
import type { Findings } from "./report.ts";

/** A media key of one end, and from which record on it is in force. */
export interface DatedKey {
  readonly key: MediaKey;
  /** Number of the record that names its certificate, from 0; -1 for the one that offer or answer brought. */
  readonly since: number;
}

/** The media keys of both ends, by generation: each signed until the next one was in force. */
export class MediaKeys {
  readonly #byLeg: readonly [readonly DatedKey[], readonly DatedKey[]];

  constructor(caller: readonly DatedKey[], callee: readonly DatedKey[]) {
    this.#byLeg = [caller, callee];
  }

  /** In order. */
  of(leg: 0 | 1): readonly DatedKey[] {
    return this.#byLeg[leg];
  }

  /** The key of that generation, if one was presented. */
  at(leg: 0 | 1, generation: number): MediaKey | undefined {
    return this.of(leg).find(({ key }) => key.generation === generation)?.key;
  }

  /** Generation of the last one. */
  lastGeneration(leg: 0 | 1): number {
    return this.of(leg).at(-1)?.key.generation ?? 0;
  }
}

/** What judges the media keys that the ends brought during the session. */
interface MediaKeyInput {
  readonly lines: EvidenceLines;
  readonly agreement: Agreement;
  readonly parties: { readonly caller: Party; readonly callee: Party };
  readonly records: CheckedRecords;
  readonly verifier: Verifier;
  readonly findings: Findings;
}

/**
 * Judges the certificates of later media keys: each signed by its end's identity key for this call, of the generation after the
 * one before, with a key that nobody had, and named by one record.
 */
export function checkMediaKeys(input: MediaKeyInput): MediaKeys {
  const { lines, agreement, records, findings } = input;
  lines.none("media-key", findings, "server");
  const first = [agreement.offer.mediaKey, agreement.answer.mediaKey] as const;
  const known: Uint8Array[] = first.map(({ ed25519 }) => ed25519);
  const named = namings(input);
  const histories = ([0, 1] as const).map((leg) => {
    const keys: DatedKey[] = [{ key: first[leg], since: -1 }];
    for (const { number, line } of lines.of("media-key")) {
      if (line.of !== ROLES[leg]) continue;
      const before = keys.at(-1) as DatedKey;
      const key = checkKey(input, leg, line.jws, number, before.key, known);
      const since = checkNaming(input, leg, line.jws, number, before, named);
      if (key === undefined) continue;
      known.push(key.ed25519);
      keys.push({ key, since: since ?? before.since });
      findings.say(
        "speaker-signed",
        `${ROLES[leg]}: signs media with a new key, generation ${key.generation}, by its identity key`,
        [leg],
      );
      if (since === undefined) continue;
      const when = records.records[since]?.payload.issued_at ?? "an unknown time";
      findings.say(
        "server-claimed",
        `${ROLES[leg]}: generation ${key.generation} in force from ${when} on, nothing of an older one let through since`,
      );
    }
    return keys;
  });
  for (const [digest, { at }] of named) {
    if (lines.of("media-key").some(({ line }) => jwsDigest(line.jws) === digest)) continue;
    findings.fault(
      `The media key that this record names is not in the file (line ${lines.placeOf("media-key")}).`,
      at,
    );
  }
  return new MediaKeys(histories[0] ?? [], histories[1] ?? []);
}

function checkKey(
  { agreement, parties, verifier, findings }: MediaKeyInput,
  leg: 0 | 1,
  jws: string,
  number: number,
  before: MediaKey,
  known: readonly Uint8Array[],
): MediaKey | undefined {
  const { agentId, genesis } = parties[ROLES[leg]];
  const offerId = agreement.offer.payload.offer_id;
  const key = verifyMediaKey(jws, { agentId, publicKey: genesis.agentKey, offerId }, verifier);
  if (!key.ok) {
    findings.fault(key.fault.message, `line ${number}, ${key.fault.at ?? "media_key"}`);
    return undefined;
  }
  const due = before.generation + 1;
  if (key.value.generation !== due) {
    findings.fault(
      `A media key is missing, added or moved: generation ${due} is due, this is ${key.value.generation}.`,
      `line ${number}, media_key.generation`,
    );
    return undefined;
  }
  if (known.some((other) => sameBytes(other, key.value.ed25519))) {
    findings.fault("This key has signed in this call already.", `line ${number}, media_key.ed25519`);
    return undefined;
  }
  return key.value;
}

/** Records that name media keys, by the digest of the certificate. */
type Namings = ReadonlyMap<string, { readonly index: number; readonly at: string }>;

function namings({ lines, records, findings }: MediaKeyInput): Namings {
  const placed = lines.of("record");
  const named = new Map<string, { readonly index: number; readonly at: string }>();
  for (const [index, { payload }] of records.records.entries()) {
    const digest = payload.extra?.media_key;
    if (digest === undefined) continue;
    const at = `line ${placed[index]?.number}, record ${index}`;
    if (typeof digest !== "string") findings.fault("This record names no media key.", at);
    else if (named.has(digest)) findings.fault("Another record names this media key too.", at);
    else named.set(digest, { index, at });
  }
  return named;
}

/** The record that names a certificate, which must say of it what it says itself; `undefined` where none does. */
function checkNaming(
  { records, findings }: MediaKeyInput,
  leg: 0 | 1,
  jws: string,
  number: number,
  before: DatedKey,
  named: Namings,
): number | undefined {
  const naming = named.get(jwsDigest(jws));
  if (naming === undefined) {
    findings.fault("No record names this media key.", `line ${number}, media-key`);
    return undefined;
  }
  const extra = records.records[naming.index]?.payload.extra;
  const isSame = isJsonObject(extra) && extra.leg === leg && extra.generation === before.key.generation + 1;
  if (!isSame) findings.fault("This record says of a media key what it does not say itself.", naming.at);
  if (naming.index <= before.since)
    findings.fault("This record names a media key after the one that follows it.", naming.at);
  return naming.index;
}
