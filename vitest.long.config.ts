import { defineConfig } from "vitest/config";

/** Soak runs and a million generated inputs: what is too slow for every change. */
export default defineConfig({
  test: {
    include: ["test/long/**/*.test.ts"],
    testTimeout: 1_800_000,
    fileParallelism: false,
    reporters: ["default", ["json", { outputFile: "out/test-long-results.json" }]],
  },
});
