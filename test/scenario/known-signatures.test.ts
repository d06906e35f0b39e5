import { expect, it } from "vitest";
import { seedSigner } from "../keys.ts";
import { KnownSignatures } from "./known-signatures.ts";

it("knows what its own keys signed, and judges everything else as libsodium does", () => {
  const known = new KnownSignatures();
  const seed = new Uint8Array(32).fill(1);
  const [own, other] = [known.createSigner(seed), seedSigner(2)];
  const message = new TextEncoder().encode("so it was said");
  const signature = own.sign(message);
  expect(signature).toEqual(seedSigner(1).sign(message));
  expect(known.verify(own.publicKey, message, signature)).toBe(true);
  expect(known.verify(own.publicKey, message.with(0, 0), signature)).toBe(false);
  expect(known.verify(other.publicKey, message, signature)).toBe(false);
  expect(known.verify(own.publicKey, message, signature.with(63, 0xff))).toBe(false);
  expect(known.verify(own.publicKey, message, signature.subarray(1))).toBe(false);
  expect(known.verify(other.publicKey, message, other.sign(message))).toBe(true);
  message[0] = 0;
  expect(known.verify(own.publicKey, message, signature)).toBe(false);
});
