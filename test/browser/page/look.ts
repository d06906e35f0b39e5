/** Looks at the page: screenshots for people, and what axe finds wrong. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";

/** How the page is shown. */
export interface View {
  /** CSS pixels. */
  readonly width: number;
  readonly colorScheme: "light" | "dark";
}

/** Each width and each scheme once. */
export const PAIRED: readonly View[] = [
  { width: 1440, colorScheme: "light" },
  { width: 390, colorScheme: "dark" },
];

/** Each width with each scheme. */
export const EVERY_VIEW: readonly View[] = [
  ...PAIRED,
  { width: 1440, colorScheme: "dark" },
  { width: 390, colorScheme: "light" },
];

/** Screenshots of each run. */
const SHOTS = fileURLToPath(new URL("../../../out/browser", import.meta.url));
/** Given to the debugger rather than to the page, whose policy takes no scripts but its own. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Axe {
  run(context: Document, options: RunOptions): Promise<AxeResults>;
}

/** Once for each page that {@link lookAt} looks at. */
export async function readyForLooks(page: Page): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.evaluate(AXE);
}

/** Looks at the page as it is now, in each of these views; gives what axe finds wrong, and leaves screenshots named after `state`. */
export async function lookAt(page: Page, state: string, views: readonly View[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { width, colorScheme } of views) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme });
    const how = `${state}-${width}-${colorScheme}`;
    await page.screenshot({ path: join(SHOTS, `${how}.png`), fullPage: true });
    const { violations, passes } = await page.evaluate(
      (options) => (globalThis as unknown as { axe: Axe }).axe.run(document, options),
      { resultTypes: ["violations"] } satisfies RunOptions,
    );
    // Contrast was really looked at.
    expect(passes.map(({ id }) => id)).toContain("color-contrast");
    for (const { impact, id, nodes } of violations)
      found.push(`${how}: ${impact} ${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  return found;
}
