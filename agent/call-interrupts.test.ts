/** What a speaker makes of an interrupt that a listener signed and a server of ill will handed on. */
import { expect, test } from "vitest";
import { encodeBase64url } from "../codecs/base64url.ts";
import { encodeInterrupt } from "../codecs/interrupt.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { createSigner, verifier } from "../platform/node/sodium.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { CallInterrupts, type CallInterruptsOptions } from "./call-interrupts.ts";

const DIGEST = new Uint8Array(32).fill(7);
const STREAM = 1;

/** The caller's end of a call, and what became of its own voice. */
function speaker(interruptible: readonly [boolean, boolean] | undefined) {
  const listener = createSigner(new Uint8Array(32).fill(3));
  const begun: number[] = [];
  const sender = {
    stream: STREAM,
    epoch: 0,
    beginEpoch: (epoch: number) => begun.push(epoch),
    returnToEpoch() {},
    flush() {},
  };
  const terms = { streams: [{ stream: STREAM, ...(interruptible === undefined ? {} : { interruptible }) }] };
  const clock = new VirtualClock();
  const parts = {
    session: { leg: 0, sessionDigest: DIGEST, peer: { agentId: "b0b" } },
    clock,
    wall: () => clock.wall(),
    media: { voice: () => ({ stream: STREAM, sender, receiver: undefined }) },
    terms: { present: terms },
    verifier,
    peerKey: () => listener.publicKey,
    interrupted() {},
    isOver: () => false,
    report() {},
  };
  const interrupts = new CallInterrupts(parts as unknown as CallInterruptsOptions);
  const time = unixMsToNtp(clock.wall());
  const bytes = encodeInterrupt(
    { sessionDigest: DIGEST, leg: 1, speakerLeg: 0, stream: STREAM, keyGeneration: 0, epoch: 1, time },
    listener,
  );
  return { begun, told: () => interrupts.told({ interrupt: encodeBase64url(bytes) }) };
}

test("obeys one that nobody forbade", () => {
  const { begun, told } = speaker(undefined);
  told();
  expect(begun).toEqual([1]);
});

test("obeys one where it is only the other end that is not to be interrupted", () => {
  const { begun, told } = speaker([true, false]);
  told();
  expect(begun).toEqual([1]);
});

test("refuses one where it signed that it is not to be interrupted, and goes on", () => {
  const { begun, told } = speaker([false, true]);
  expect(told).toThrow(expect.objectContaining({ code: "interrupt-forbidden" }));
  expect(begun).toEqual([]);
});
