/** Encodings of Ed25519 points that no key may be. */
import { decodeHex } from "../codecs/hex.ts";
import { must } from "./signed-call.ts";

/** The eight points of small order, canonically encoded: orders 1, 2, 4, 4, 8, 8, 8, 8. */
const SMALL_ORDER_KEYS: readonly string[] = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

/** The same points, and others, in encodings that are not canonical: y at or above 2^255 - 19, or x = 0 with its sign set. */
const NON_CANONICAL_KEYS: readonly string[] = [
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ...Array.from({ length: 19 }, (_, i) => `${(0xed + i).toString(16)}${"ff".repeat(30)}7f`),
  ...Array.from({ length: 19 }, (_, i) => `${(0xed + i).toString(16)}${"ff".repeat(30)}ff`),
];

/** All of them as bytes. */
export const ODD_KEYS: readonly Uint8Array[] = [...SMALL_ORDER_KEYS, ...NON_CANONICAL_KEYS].map((key) =>
  must(decodeHex(key, 32)),
);
