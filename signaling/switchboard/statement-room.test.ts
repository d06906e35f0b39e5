import { expect, it } from "vitest";
import { Checkpointer } from "../../sfu/checkpointer.ts";
import { seedSigner } from "../../test/keys.ts";
import { LAST_WORDS_ROOM, STATEMENT_BURST, StatementRoom } from "./statement-room.ts";

const HOUR = 3_600_000;

it.each([
  [10, "chain"],
  [20, "chain"],
  [10, "frame"],
] as const)(
  "a voice of %i ms frames in profile %s never uses up its room, in a call of thirty days",
  (ms, profile) => {
    const facts = {
      sessionDigest: new Uint8Array(32),
      leg: 0,
      stream: 1,
      keyGeneration: 0,
      startSequence: 0,
    };
    const maker = new Checkpointer({ ...facts, signer: seedSigner(3), profile });
    let bytes = 0;
    for (let at = 0; at < 60_000; at += ms)
      for (const made of [maker.poll(at), maker.add(at / ms, at, new Uint8Array(16), at)])
        bytes += made?.length ?? 0;
    const room = new StatementRoom(1, 0, 0);
    for (let now = 0; now < 30 * 24 * HOUR; now += HOUR) {
      expect(room.fits(60 * bytes, now)).toBe(true);
      room.take(60 * bytes);
    }
  },
);

it("is what was in use when the process began, empties with time, and never by a clock that is set back", () => {
  const room = new StatementRoom(2, STATEMENT_BURST, 1_000);
  expect([room.left(1_000), room.isSpent(1_000), room.left(0)]).toEqual([0, true, 0]);
  expect(room.left(1_000)).toBe(12 * 1024);
  expect(room.fits(1, 20_000)).toBe(false);
  expect(room.left(HOUR)).toBeGreaterThan(LAST_WORDS_ROOM);
  expect([room.fits(1, HOUR), room.bytes]).toEqual([true, expect.any(Number)]);
});
