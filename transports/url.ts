import { ParleyError } from "../codecs/parley-error.ts";

/** The one path Parley's carriers serve. */
export const AGTP_PATH = "/agtp";

/** The URL to dial: `https:`, with `/agtp` where no path was given. Throws `usage` for anything that is no such URL. */
export function dialUrl(url: string): URL {
  if (!URL.canParse(url)) throw usage(`"${url}" is not a URL`);
  const parsed = new URL(url);
  if (parsed.protocol !== "https:") throw usage(`"${url}" does not begin with https:`);
  if (parsed.username !== "" || parsed.password !== "")
    throw usage("a URL with a user name cannot be dialled");
  if (parsed.pathname === "/") parsed.pathname = AGTP_PATH;
  parsed.hash = "";
  return parsed;
}

/**
 * The WebSocket URL to dial: `wss:`, or `ws:` to this machine itself, with `/agtp` where no path was given. An `https:` URL stands
 * for `wss:` at the same host and port. Throws `usage` for anything else.
 */
export function dialWebSocketUrl(url: string): URL {
  const plain = url.startsWith("ws:");
  const dialled = dialUrl(url.replace(/^wss?:/, "https:"));
  if (plain && !isLoopback(dialled.hostname))
    throw usage(`"${url}" is not encrypted, which only loopback addresses may be`);
  const webSocket = new URL(dialled.href.replace(/^https:/, plain ? "ws:" : "wss:"));
  // Each scheme forgets the port that it would have anyway.
  if (plain) webSocket.port = new URL(url).port;
  return webSocket;
}

/** Whether a URL's host is this machine itself. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** What possession proofs name as the server they are for: the origin dialled, over WebSocket that of the same server's pages. */
export function audienceOf(url: string): string {
  return new URL(url.replace(/^ws/, "http")).origin;
}

/** Whether a client dialled the path that is served here. */
export function isServed(url: string): boolean {
  return URL.canParse(url) && new URL(url).pathname === AGTP_PATH;
}

/** The URL up to its query, which may hold a token: what is kept and logged. */
export function withoutQuery(url: string): string {
  return url.split(/[?#]/, 1)[0] as string;
}

/** Close reason for a client that dialled another path. */
export const WRONG_PATH = `the path is not ${AGTP_PATH}`;

function usage(what: string): ParleyError {
  return new ParleyError({ code: "usage", message: `Cannot connect: ${what}.` });
}
