import { readFileSync } from "node:fs";
import sodium from "sodium-native";
import { it } from "vitest";

it("may read files, the clock and native code in a test", () => {
  console.log(readFileSync, sodium, Date.now(), Math.random(), Buffer.from("00", "hex"));
});
