import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { CursorFile } from "./cursor-file.ts";

const A = "https://a.example/";
const B = "https://b.example/";
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-cursors-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

async function open(urls: readonly string[], newest: number) {
  const told: string[] = [];
  const file = await CursorFile.open(folder, urls, newest, () => told.push("unreadable"));
  return { file, told };
}

test("a new receiver begins behind what has happened, a known one where it stood", async () => {
  const first = await open([A], 7);
  expect(first.file.of(A)).toBe(7);
  await Promise.all([first.file.keep(A, 9), first.file.keep(A, 12)]);
  const second = await open([A, B], 20);
  expect([second.file.of(A), second.file.of(B), second.told]).toEqual([12, 20, []]);
});

test("a receiver that is no longer named is forgotten", async () => {
  const { file } = await open([A, B], 3);
  await file.keep(B, 5);
  await open([A], 9);
  expect((await open([B], 9)).file.of(B)).toBe(9);
});

test.each(["", "[]", "{", '{"https://a.example/":"7"}', '{"https://a.example/":-2}'])(
  "in place of a file that is %o everything is told again",
  async (content) => {
    writeFileSync(join(folder, "webhooks.json"), content);
    const { file, told } = await open([A], 40);
    expect([file.of(A), told]).toEqual([-1, ["unreadable"]]);
    expect(JSON.parse(readFileSync(join(folder, "webhooks.json"), "utf8"))).toEqual({ [A]: -1 });
  },
);
