import { expect, it } from "vitest";
import { shareAmongVideos } from "./video-shares.ts";

it.each([
  ["one video has all of it", 500, [900], [500]],
  ["one video has also what it does not need", 5_000, [800], [5_000]],
  ["two that want more than there is have as much each", 1_000, [900, 2_000], [500, 500]],
  ["what one does not need, with room to spare, goes to the other", 1_000, [80, 2_000], [100, 900]],
  ["what nobody needs is shared evenly", 1_000, [80, 160], [450, 550]],
  ["of three, the modest one is served whole", 1_000, [2_000, 80, 800], [450, 100, 450]],
  ["nothing of nothing", 0, [80, 160], [0, 0]],
  ["while nothing is known there is no bound", Infinity, [80, 160], [Infinity, Infinity]],
  ["no video has no share", 1_000, [], []],
])("%s", (_, room, best, shares) => {
  expect(shareAmongVideos(room, best)).toEqual(shares);
});
