/** Calls that nobody wants any more, each stage of their setting up met once or more; `test/long` has them between ends that differ, too. */
import { withdrawCalls } from "./withdrawing.ts";

withdrawCalls(25, [
  ["network", "network"],
  ["separate", "separate"],
]);
