import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ConformanceReporter } from "./test/conformance/reporter.ts";

/** Soak runs and a million generated inputs: what is too slow for every change. */
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    // What tests start again and again is compiled once.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url)) },
    globalSetup: "test/browser/page/built-page.ts",
    hookTimeout: 60_000,
    testTimeout: 1_800_000,
    fileParallelism: false,
    reporters: [
      "default",
      ["json", { outputFile: "out/test-long-results.json" }],
      new ConformanceReporter({ long: true }),
    ],
  },
});
