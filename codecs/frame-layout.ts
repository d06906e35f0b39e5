/** Identifiers, sizes and small types of the media frame envelope. The table for people is `docs/wire-media.md`. */
import { EXTENSION_HEADER_BYTES, RTP_HEADER_BYTES } from "./rtp.ts";

/** How a frame is attributed: its own Ed25519 signature, or a tag that checkpoints back. */
export type FrameProfile = "frame" | "chain";

/** Identifiers of the elements in the header extension. 6 and 7 are kept for encryption and key id. */
export const ELEMENT = { attribution: 1, frameInfo: 2, epoch: 3, audioLevel: 4, recorded: 5 } as const;

/** Profile numbers in the attribution element's first byte. */
export const PROFILE_NUMBER = { frame: 1, chain: 2 } as const satisfies Record<FrameProfile, number>;

/** Tag bytes by profile: an Ed25519 signature, or a 16-byte MAC. */
export const TAG_BYTES = { frame: 64, chain: 16 } as const satisfies Record<FrameProfile, number>;

/** Attribution data before its tag: profile and key generation, high half of the sequence number, capture time. */
export const ATTRIBUTION_HEAD_BYTES = 13;
/** Source session digest, stream, sequence number and original capture time. */
export const RECORDED_BYTES = 50;
export const EPOCH_BYTES = 4;
export const AUDIO_LEVEL_BYTES = 1;
/** How far back a frame can say that the newest one is which it needs. */
export const MAX_NEEDS = 0xff;

/** Frame info may grow to this; what follows its second byte is kept for later and ignored. */
export const MAX_FRAME_INFO_BYTES = 4;

/** Bits of frame info's first byte; the low five are the layer. */
export const INFO_KEY = 0x80;
export const INFO_END_OF_TURN = 0x40;
export const INFO_START_OF_TURN = 0x20;
export const MAX_LAYER = 0x1f;
/** Audio level byte: voice activity bit over seven bits of level (RFC 6464). */
export const LEVEL_VOICE = 0x80;
export const MAX_AUDIO_LEVEL = 127;
/** Key generations fit four bits. */
export const MAX_KEY_GENERATION = 15;

/** Shorter than any frame: fixed header, extension header and the smaller attribution element. */
export const MIN_FRAME_BYTES =
  RTP_HEADER_BYTES + EXTENSION_HEADER_BYTES + 2 + ATTRIBUTION_HEAD_BYTES + TAG_BYTES.chain;

/** Longest packet Parley reads or builds, on a datagram or a stream. Longer ones are refused whole. */
export const MAX_FRAME_BYTES = 1 << 20;

/** Bytes of a session digest (SHA-256). */
export const SESSION_DIGEST_BYTES = 32;
/** Bytes of a frame digest: the first half of a SHA-256. */
export const FRAME_DIGEST_BYTES = 16;
