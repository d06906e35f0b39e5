import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../package-info.ts";

/** Where the built page is: in a checkout, else in the package; `undefined` while it is not built. */
export function pageFolder(): string | undefined {
  const folders = [join(packageFolder(), "web-demo", "dist"), join(packageFolder(), "dist", "web-demo")];
  return folders.find((folder) => existsSync(join(folder, "index.html")));
}

/** Files whose names change with their content, as Vite writes them. */
const NAMED_BY_CONTENT = /[\\/]assets[\\/][^\\/]*-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+$/;

/** How long a browser may keep a page file without asking. */
export function cacheControl(path: string): string {
  return NAMED_BY_CONTENT.test(path) ? "public, max-age=31536000, immutable" : "no-cache";
}

/** What stands in place of a page that is not built. */
export const UNBUILT_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Parley</title>
<h1>The page is not built</h1>
<p>The server runs; agents can connect. Build the page and start the server again:</p>
<pre>npm run build:page
npm start</pre>
</html>
`;
