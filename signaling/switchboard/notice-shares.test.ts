import { expect, test } from "vitest";
import { MAX_NOTICES_PER_INBOX, oldestOfMost, roomForNotice } from "./notice-shares.ts";

const notice = (agentId: string, owner: string, n = 0) => ({ from: { agentId, owner }, n });
const many = (count: number, agentId: string, owner: string) =>
  Array.from({ length: count }, (_, n) => notice(agentId, owner, n));

test("a sender's ninth is refused while its eight wait, and takes the place of the oldest once they were delivered", () => {
  const eight = many(8, "a", "o");
  expect(roomForNotice(eight.slice(1), { agentId: "a", owner: "o" }, false)).toEqual({ fits: true });
  expect(roomForNotice(eight, { agentId: "a", owner: "o" }, false)).toEqual({ fits: false });
  expect(roomForNotice(eight, { agentId: "a", owner: "o" }, true)).toEqual({ fits: true, drop: eight[0] });
});

test("in a full inbox whoever has most makes room", () => {
  const full = [
    notice("x", "x", 0),
    ...["a", "b", "c", "d"].flatMap((id) => many(7, id, "big")),
    ...many(3, "y", "y"),
  ];
  expect(full).toHaveLength(MAX_NOTICES_PER_INBOX);
  expect(roomForNotice(full, { agentId: "new", owner: "new" }, false)).toEqual({ fits: true, drop: full[1] });
  expect(roomForNotice(full, { agentId: "x", owner: "x" }, false).drop).toBe(full[1]);
  expect(roomForNotice(full, { agentId: "new", owner: "big" }, false)).toEqual({ fits: false });
  expect(roomForNotice(full, { agentId: "new", owner: "big" }, true).drop).toBe(full[1]);
});

test("of owners that have as many the oldest goes, and a newcomer has as much right as they", () => {
  const each = Array.from({ length: MAX_NOTICES_PER_INBOX }, (_, n) => notice(`a${n}`, `o${n}`));
  expect(oldestOfMost(each)).toBe(each[0]);
  expect(roomForNotice(each, { agentId: "new", owner: "new" }, false).drop).toBe(each[0]);
  expect(roomForNotice(each, { agentId: "again", owner: "o5" }, false)).toEqual({ fits: false });
  expect(oldestOfMost([])).toBeUndefined();
});
