/**
 * The keys of profile `chain`: each end's X25519 pair, the key that two ends share for one stream, and the keyed tags
 * made with it. `docs/wire-media.md` has the layout.
 */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { writeU16, writeU32 } from "./big-endian.ts";
import { MAX_U16, MAX_U32, requireInteger, requireLength } from "./field-range.ts";
import { MAX_KEY_GENERATION, SESSION_DIGEST_BYTES } from "./frame-layout.ts";

/** First bytes of what a tag key is derived for; never sent. */
const TAG_KEY_LABEL = "\0parley chain v1\0";

/** Bytes of a tag key. */
const TAG_KEY_BYTES = 32;

/** One end's X25519 pair (RFC 7748). The secret half stays inside. */
export interface ExchangeKey {
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  /** The 32 bytes shared with the holder of `peer`'s secret half. Throws `key-unacceptable` for a point of small order. */
  agree(peer: Uint8Array): Uint8Array;
}

/** Tags of profile `chain`: keyed BLAKE2b (RFC 7693) of 16 bytes. */
export interface FrameMac {
  /** The 16-byte tag of `message`, new, under a key of 32 bytes. */
  tag(key: Uint8Array, message: Uint8Array): Uint8Array;
  /** True only when `tag` is that of `message` under `key`; takes as long whatever differs. Never throws. */
  holds(key: Uint8Array, message: Uint8Array, tag: Uint8Array): boolean;
}

/** What a tag key is for: one speaker's stream of one session, between two media keys. */
export interface TagPlace {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** The speaker's. */
  readonly leg: number;
  readonly stream: number;
  /** Generations of both ends' media keys. */
  readonly speakerGeneration: number;
  readonly listenerGeneration: number;
}

/**
 * The key of the tags on one stream: HKDF-SHA256 (RFC 5869) of what both ends' X25519 keys share, with the session digest
 * as salt. Throws `field-invalid`.
 */
export function deriveTagKey(shared: Uint8Array, place: TagPlace): Uint8Array {
  requireLength(shared, 32, "shared");
  requireLength(place.sessionDigest, SESSION_DIGEST_BYTES, "sessionDigest");
  requireInteger(place.leg, MAX_U16, "leg");
  requireInteger(place.stream, MAX_U32, "stream");
  requireInteger(place.speakerGeneration, MAX_KEY_GENERATION, "speakerGeneration");
  requireInteger(place.listenerGeneration, MAX_KEY_GENERATION, "listenerGeneration");
  const info = new Uint8Array(LABEL_BYTES.length + 8);
  info.set(LABEL_BYTES, 0);
  const at = writeU16(info, LABEL_BYTES.length, place.leg);
  writeU32(info, at, place.stream);
  info[at + 4] = place.speakerGeneration;
  info[at + 5] = place.listenerGeneration;
  return hkdf(sha256, shared, place.sessionDigest, info, TAG_KEY_BYTES);
}

const LABEL_BYTES = new TextEncoder().encode(TAG_KEY_LABEL);
