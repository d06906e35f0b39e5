import { expect, it } from "vitest";
import { heardRows, sentRows, type WayFacts } from "./way-facts.ts";

const NOTHING: WayFacts = {
  heard: undefined,
  sentRate: undefined,
  takes: undefined,
  peerTakes: undefined,
  heardTo: undefined,
};
const texts = (rows: readonly (readonly [string, string, string])[]) => rows.map(([, , text]) => text);

it("says that nothing is known where nothing is", () => {
  expect(texts(heardRows(NOTHING))).toEqual(["–", "–", "–", "–"]);
  expect(texts(sentRows(NOTHING, "Echo"))).toEqual(["–", "–", "–", "nothing yet"]);
});

it("counts what was made up, what was played of copies, and what the delay cost", () => {
  const heard = { concealed: 3, recovered: 2, redundant: 1, accelerated: 420, expanded: 0, target: 38.6 };
  expect(texts(heardRows({ ...NOTHING, heard }))).toEqual([
    "3 frames, 2 recovered from the next one",
    "1 frame",
    "0.4 s, 0.0 s",
    "39 ms",
  ]);
});

it("sets what is sent beside what the way takes: at least that much where no more was tried", () => {
  const takes = { rate: 301_000, isLeast: true, loss: 0.0123 };
  const facts = { ...NOTHING, sentRate: 71_400, takes, peerTakes: 250_000 };
  const said = ["71 kbit/s", "at least 301 kbit/s, 1.2 % lost", "250 kbit/s"];
  expect(texts(sentRows(facts, "Echo")).slice(0, 3)).toEqual(said);
  expect(texts(sentRows({ ...facts, takes: { ...takes, isLeast: false } }, "Echo"))[1]).toMatch(/^about 301/);
});

it("tells how far the other end signed to have heard", () => {
  const at = Date.UTC(2026, 0, 1);
  const heardTo = (playedMs: number | undefined) =>
    sentRows({ ...NOTHING, heardTo: { playedMs, at } }, "Echo")[3]?.[2];
  const time = new Date(at).toLocaleTimeString();
  expect(heardTo(3_240)).toBe(`3.2 s of your last turn, until ${time}`);
  expect(heardTo(83_000)).toBe(`1:23 of your last turn, until ${time}`);
  expect(heardTo(undefined)).toBe(`you until ${time}`);
});
