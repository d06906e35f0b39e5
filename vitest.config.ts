import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    testTimeout: 20_000,
    reporters: ["default", ["json", { outputFile: "out/test-results.json" }]],
    projects: [
      {
        extends: true,
        test: {
          name: "fast",
          include: [
            "{codecs,signaling,sfu,platform,transports,store,agent,src,web-demo}/**/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: ["test/{browser,e2e,interop,long,lint-fixtures}/**"],
        },
      },
      {
        // Real processes, sockets and browsers: after everything else and one file at a time, so that nothing disturbs their clocks.
        extends: true,
        test: {
          name: "e2e",
          include: ["{test/e2e,test/interop,test/browser,bench}/**/*.test.ts"],
          globalSetup: "test/browser/page/built-page.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
