/** One module of this repository, bundled for browsers and served on a page of its own. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

export interface ModulePage extends AsyncDisposable {
  /** `http://localhost:PORT/`: what browsers take for a secure context. */
  readonly url: string;
}

/**
 * Bundles the module at `entry` as an npm user's page would be, and serves it. What it puts on `globalThis` is there for
 * `page.evaluate` once `document.body.dataset.ready` is set, which the page does after the module has run.
 */
export async function serveModule(entry: URL): Promise<ModulePage> {
  const files = await bundle(fileURLToPath(entry));
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] as string;
    const file = path === "/" ? { type: "text/html", body: HTML } : files.get(path.slice(1));
    response.writeHead(file === undefined ? 404 : 200, {
      "content-type": file?.type ?? "text/plain",
    });
    response.end(file?.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: close,
  };
}

const HTML = `<!doctype html><html lang="en"><title>Module under test</title><link rel="icon" href="data:,"><body><p>A module under test.</p>
<script type="module">import "/entry.js"; document.body.dataset.ready = "";</script></body></html>`;

async function bundle(
  entry: string,
): Promise<Map<string, { readonly type: string; readonly body: string | Uint8Array }>> {
  const result = (await build({
    configFile: false,
    logLevel: "error",
    root: fileURLToPath(new URL("../..", import.meta.url)),
    resolve: { conditions: ["source", "browser", "module", "import"] },
    build: {
      write: false,
      target: "esnext",
      minify: false,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        output: { format: "es", entryFileNames: "entry.js" },
        preserveEntrySignatures: false,
      },
    },
  })) as Rolldown.RolldownOutput;
  return new Map(
    result.output.map((part) => [
      part.fileName,
      part.type === "chunk"
        ? { type: "text/javascript", body: part.code }
        : {
            type: part.fileName.endsWith(".wasm") ? "application/wasm" : "text/javascript",
            body: part.source,
          },
    ]),
  );
}
