import { expect, it } from "vitest";
import { SaidTime } from "./said-time.ts";

it("knows where in its turn a frame stands, also behind what nobody heard", () => {
  const said = new SaidTime();
  said.mark(7);
  said.pass(20);
  said.pass(40);
  said.mark(8);
  said.pass(20);
  said.endTurn();
  said.mark(9);
  expect([7, 8, 9, 10].map((sequence) => said.before(sequence))).toEqual([0, 60, 0, undefined]);
});

it("forgets the oldest", () => {
  const said = new SaidTime();
  for (let sequence = 0; sequence < 8_193; sequence += 1) {
    said.mark(sequence);
    said.pass(20);
  }
  expect([0, 1, 8_192].map((sequence) => said.before(sequence))).toEqual([undefined, 20, 163_840]);
});
