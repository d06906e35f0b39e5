/**
 * Bundles the browser's entry of the agent library as a page's bundler would, fails where anything of Node's can be reached from
 * it, and prints what it weighs. With a path, that entry instead; `npm run build` gives it the compiled one.
 */
import { realpathSync } from "node:fs";
import { builtinModules } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

/** What a bundle holds, and what must not be in it. */
export interface BrowserBundle {
  readonly bytes: number;
  readonly gzipped: number;
  /** Of it, gzipped: what a page has to load before it runs; the rest comes meanwhile, or on demand. */
  readonly gzippedFirst: number;
  /** Modules of Node's reached, each with the first module found to reach it. */
  readonly faults: readonly string[];
  /** Those of `NEVER_ENTERED` that were met. */
  readonly excused: readonly string[];
  /** Modules of the bundle, paths from the package's root. */
  readonly modules: readonly string[];
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const SOURCE_ENTRY = fileURLToPath(new URL("../agent/browser.ts", import.meta.url));

/** Rooms and files of ours that are Node's. */
const OURS =
  /^(?:dist\/)?(?:platform\/node\/|store\/|src\/|agent\/node|transports\/(?:webtransport|websocket|tls)\/(?:client|server|node-|ws-))/;
/** Packages that only Node can run. */
const PACKAGES = [
  "@fastify/static",
  "@moq/web-transport",
  "@peculiar/x509",
  "cli-progress",
  "commander",
  "fastify",
  "lmdb",
  "pino",
  "prom-client",
  "sodium-native",
  "ws",
];

/**
 * What packages name in a branch that only Node enters, guarded by a look at `process.versions.node` or at a page's own
 * `crypto`. Such a package is good for browsers; a new name in it is not taken unseen.
 */
export const NEVER_ENTERED: readonly string[] = [
  "crypto, from node_modules/libsodium/dist/modules-esm/libsodium.mjs",
  "node:module, from node_modules/libopus-wasm/dist/generated/libopus.generated.mjs",
];

/** Bundles `entry` into memory. Rejects where the bundler itself gives up. */
export async function bundleForBrowser(entry: string): Promise<BrowserBundle> {
  const faults = new Set<string>();
  const excused = new Set<string>();
  const modules = new Set<string>();
  const watch: Rolldown.Plugin = {
    name: "no-node",
    resolveId: {
      order: "pre",
      handler(id, importer) {
        if (!isNodes(id)) return null;
        const reached = `${id}, from ${nameOf(importer ?? entry)}`;
        (NEVER_ENTERED.includes(reached) ? excused : faults).add(reached);
        return { id, external: true };
      },
    },
    moduleParsed({ id }) {
      const name = nameOf(id);
      modules.add(name);
      if (OURS.test(name)) faults.add(name);
    },
  };
  const result = (await build({
    configFile: false,
    logLevel: "error",
    root: ROOT,
    resolve: { conditions: [...(entry.endsWith(".ts") ? ["source"] : []), "browser", "module", "import"] },
    plugins: [watch],
    build: {
      write: false,
      minify: true,
      lib: { entry, formats: ["es"], fileName: "agent" },
      rolldownOptions: {
        onLog(level, log) {
          // Vite swaps a built-in for an empty module and says so: that is a page that fails when it gets there.
          if (/externalized for browser compatibility/.test(log.message)) faults.add(log.message);
          else if (level === "warn" && log.code === "UNRESOLVED_IMPORT") faults.add(log.message);
        },
      },
    },
  })) as Rolldown.RolldownOutput[];
  const parts = result.flatMap(({ output }) => output);
  const weighed = (chosen: typeof parts): Buffer =>
    Buffer.concat(chosen.map((part) => Buffer.from(part.type === "chunk" ? part.code : part.source)));
  const whole = weighed(parts);
  return {
    bytes: whole.length,
    gzipped: gzipSync(whole).length,
    gzippedFirst: gzipSync(weighed(parts.filter((part) => first(parts).has(part.fileName)))).length,
    faults: [...faults].sort(),
    excused: [...excused].sort(),
    modules: [...modules].sort(),
  };
}

/** The files of a bundle that its entry begins with: itself, and what it and those name in plain imports. */
function first(parts: readonly (Rolldown.OutputChunk | Rolldown.OutputAsset)[]): ReadonlySet<string> {
  const found = new Set(
    parts.filter((part) => part.type === "chunk" && part.isEntry).map(({ fileName }) => fileName),
  );
  for (const name of found) {
    const part = parts.find(({ fileName }) => fileName === name);
    if (part?.type === "chunk") for (const imported of part.imports) found.add(imported);
  }
  return found;
}

function isNodes(id: string): boolean {
  if (id.startsWith("node:") || builtinModules.includes(id)) return true;
  return PACKAGES.some((name) => id === name || id.startsWith(`${name}/`));
}

/** A path as it reads from the package's root, wherever the dependencies lie. */
function nameOf(id: string): string {
  const path = id.replace(/\?.*$/, "").replaceAll("\0", "");
  const installed = path.lastIndexOf("/node_modules/");
  return installed === -1 ? relative(ROOT, path) : path.slice(installed + 1);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { bytes, gzipped, gzippedFirst, faults } = await bundleForBrowser(process.argv[2] ?? SOURCE_ENTRY);
  if (faults.length > 0) {
    console.error(
      `Not for browsers, and reached from the browser's entry:\n${faults.map((fault) => `  ${fault}`).join("\n")}`,
    );
    process.exit(1);
  }
  const kilobytes = (count: number): string => `${(count / 1000).toFixed(0)} kB`;
  console.log(
    `@parley-rt/parley/agent for browsers: ${kilobytes(bytes)}, ${kilobytes(gzipped)} gzipped, ${kilobytes(gzippedFirst)} of it before a page runs, nothing of Node's in it`,
  );
}
