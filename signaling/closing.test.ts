import { describe, expect, test } from "vitest";
import { strictVerifier } from "../test/keys.ts";
import { ALICE, BOB, CALL_SECONDS, CORE, CORE_DIGEST, SESSION_ID, ZERO_DIGEST } from "../test/signed-call.ts";
import { type ClosingExpectation, type ClosingPayload, makeClosing, verifyClosing } from "./closing.ts";

const payload: ClosingPayload = {
  v: 1,
  session_id: SESSION_ID,
  session_digest: CORE_DIGEST,
  leg: 0,
  last_audit_id: ZERO_DIGEST,
  reason: "hangup",
  totals: {
    sent: { frames: 500, checkpoints: 2 },
    received: { frames: 498, heard: 495, concealed: 5, late: 2, refused: 1, receipts: 3 },
  },
  iat: CALL_SECONDS + 15,
};
const expected: ClosingExpectation = {
  publicKey: ALICE.identity.publicKey,
  sessionId: SESSION_ID,
  sessionDigest: CORE.digest,
  leg: 0,
};
const verify = (
  changes: Partial<ClosingPayload>,
  signer = ALICE.identity,
  wanted: Partial<ClosingExpectation> = {},
) =>
  verifyClosing(makeClosing({ ...payload, ...changes }, signer), { ...expected, ...wanted }, strictVerifier);

test("a closing statement is one end's last word on one session", () => {
  expect(verify({})).toEqual({ ok: true, value: payload });
});

describe("what is refused", () => {
  const received = payload.totals.received;
  test.each<[what: string, changes: Partial<ClosingPayload>, at: string]>([
    ["another session id", { session_id: `sess-${"B".repeat(43)}` }, "closing.session_digest"],
    ["another session under the same id", { session_digest: ZERO_DIGEST }, "closing.session_digest"],
    ["the other leg", { leg: 1 }, "closing.leg"],
    ["a third leg", { leg: 2 as 1 }, "closing.leg"],
    ["no reason", { reason: "" }, "closing.reason"],
    ["a reason that a terminal obeys", { reason: "\u001b[2Jhangup" }, "closing.reason"],
    ["a reason of two lines", { reason: "hang\nup" }, "closing.reason"],
    ["a reason that turns the writing around", { reason: "hang\u202eup" }, "closing.reason"],
    ["an endless reason", { reason: "x".repeat(65) }, "closing.reason"],
    [
      "a count below zero",
      { totals: { ...payload.totals, sent: { frames: -1, checkpoints: 0 } } },
      "closing.totals.sent.frames",
    ],
    [
      "half a frame",
      { totals: { ...payload.totals, received: { ...received, heard: 0.5 } } },
      "closing.totals.received.heard",
    ],
    ["a member more", { more: 1 } as Partial<ClosingPayload>, "closing.more"],
  ])("%s", (_what, changes, at) => {
    expect(verify(changes)).toMatchObject({ fault: { code: "field-invalid", at } });
  });

  test("another signer, the media key among them", () => {
    for (const signer of [BOB.identity, ALICE.media]) {
      expect(verify({}, signer)).toMatchObject({ fault: { code: "signature-invalid" } });
    }
  });
});
