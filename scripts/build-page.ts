/** Builds the page for browsers and prints what it weighs: `node scripts/build-page.ts [--out FOLDER]`, by default `web-demo/dist`. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = join(ROOT, "web-demo");
const { values } = parseArgs({ options: { out: { type: "string" } } });
const out = values.out === undefined ? join(PAGE, "dist") : join(ROOT, values.out);
await buildPage();

async function buildPage(): Promise<void> {
  await build({
    configFile: false,
    root: PAGE,
    base: "./",
    // What only Node has and browsers never enter is looked at by check-browser-entry.ts.
    logLevel: "error",
    resolve: { conditions: ["source", "browser", "module", "import"] },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: "es2024",
      // The page's policy lets no code or style of its own come from anything but its own files.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 2_000,
    },
  });
  printSizes();
}

function printSizes(): void {
  const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(out, name)).isFile(),
  );
  let [raw, packed] = [0, 0];
  console.log(`The page, in ${relative(ROOT, out)}:`);
  for (const name of files.sort()) {
    const bytes = readFileSync(join(out, name));
    const small = gzipSync(bytes).length;
    raw += bytes.length;
    packed += small;
    console.log(`  ${sizes(bytes.length, small)}  ${name}`);
  }
  console.log(`  ${sizes(raw, packed)}  in all`);
}

function sizes(raw: number, packed: number): string {
  return `${kilobytes(raw)}, gzip ${kilobytes(packed)}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1).padStart(7)} kB`;
}
