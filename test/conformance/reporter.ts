import { relative, sep } from "node:path";
import type { Reporter, TestModule, Vitest } from "vitest/node";
import { faultsOfRows, type Outcome, unproved } from "./gate.ts";
import { ROWS } from "./groups.ts";

/**
 * Fails a run in which a row of docs/conformance.md names a test that did not pass. A run of some files answers for the rows
 * that name them; one of tests chosen by name answers for none.
 */
export class ConformanceReporter implements Reporter {
  readonly #isLong: boolean;
  #vitest: Vitest | undefined;

  constructor(options: { readonly long?: boolean } = {}) {
    this.#isLong = options.long ?? false;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: string): Promise<void> {
    const vitest = this.#vitest;
    if (vitest === undefined || reason === "interrupted" || vitest.getGlobalTestNamePattern() !== undefined)
      return;
    const { root } = vitest.config;
    const files = new Set(modules.map(({ moduleId }) => inside(root, moduleId)));
    const outcomes = modules.flatMap((module) => outcomesOf(module, inside(root, module.moduleId)));
    const isWhole = await isWholeRun(vitest, modules);
    const run = { files, outcomes, isWhole, isLong: this.#isLong };
    const lacking = [...(isWhole ? faultsOfRows(ROWS) : []), ...unproved(ROWS, run)];
    if (lacking.length === 0) return;
    vitest.logger.error(`\nRows of docs/conformance.md without proof:\n${lacking.join("\n")}\n`);
    process.exitCode = 1;
  }
}

/** True when every test file of every project ran. */
async function isWholeRun(vitest: Vitest, modules: readonly TestModule[]): Promise<boolean> {
  if (vitest.config.project.length > 0) return false;
  const ran = new Set(modules.map(({ moduleId }) => moduleId));
  const all = await vitest.globTestSpecifications();
  return all.every(({ moduleId }) => ran.has(moduleId));
}

function outcomesOf(module: TestModule, file: string): Outcome[] {
  return [...module.children.allTests()].map((test) => ({
    file,
    name: test.fullName,
    state: test.result().state,
  }));
}

function inside(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}
