import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { ConformanceReporter } from "./test/conformance/reporter.ts";

const WITHOUT_CLOCKS = [
  "test/e2e/{access-tokens,agent-certificates,command-line,data,data-kinds,exchanges,foreign-bytes,foreign-call,http-side,issuer,lifecycle,lost-connections,mixed-carriers,nothing-recorded,reattaching,residents,server-restart,streams,tls-port,video,webhooks}.test.ts",
  "test/interop/**/*.test.ts",
];

const BY_EAR = ["test/browser/page/{echo,voices,webrtc}.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    // What tests start is compiled once for all of them: a command is up in half the time.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url)) },
    reporters: ["default", ["json", { outputFile: "out/test-results.json" }], new ConformanceReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "fast",
          // Loading the same modules anew for each of two hundred files would take as long as the tests themselves.
          isolate: false,
          maxWorkers: 2,
          include: [
            "{codecs,signaling,sfu,platform,transports,store,agent,src,web-demo}/**/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: ["test/{browser,e2e,interop,long,lint-fixtures}/**"],
        },
      },
      {
        // Real browsers and an installed package: their tests wait for events and judge no sound, so two files at a time do.
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts", "test/e2e/package.test.ts"],
          exclude: BY_EAR,
          globalSetup: "test/browser/page/built-page.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What was sung into one browser and heard in another: nothing else runs beside them.
        extends: true,
        test: {
          name: "by ear",
          include: BY_EAR,
          globalSetup: "test/browser/page/built-page.ts",
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          isolate: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Real processes and sockets that are asked what they answer, or allow for what a busy machine conceals: two files at a time.
        extends: true,
        test: {
          name: "sockets",
          include: WITHOUT_CLOCKS,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          isolate: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        // The others: after everything else and one file at a time, so that nothing disturbs their clocks.
        extends: true,
        test: {
          name: "e2e",
          include: ["{test/e2e,test/interop,bench}/**/*.test.ts"],
          exclude: ["test/e2e/package.test.ts", ...WITHOUT_CLOCKS],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          isolate: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
