/** Calls that nobody wants any more, at twice and a half as many moments as in every run, and between all kinds of ends. */
import { withdrawCalls } from "../scenario/withdrawing.ts";

withdrawCalls(10, [
  ["network", "network"],
  ["separate", "network"],
  ["network", "separate"],
  ["separate", "separate"],
]);
