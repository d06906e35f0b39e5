/** What every answer says to browsers, and what the page's own answers say besides. */
export const PLAIN_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/**
 * Headers of the page: code and style of its own only, WebAssembly, AudioWorklets from blobs, connections to this server
 * alone, never framed. `connectTo`: the origins it connects to besides the one it came from.
 */
export function pageHeaders(origin: string, connectTo: readonly string[]): Readonly<Record<string, string>> {
  const socket = origin.replace(/^http/, "ws");
  const connect = ["'self'", socket, ...connectTo].join(" ");
  return {
    "content-security-policy": [
      "default-src 'none'",
      "script-src 'self' blob: 'wasm-unsafe-eval'",
      "worker-src 'self' blob:",
      "style-src 'self'",
      "font-src 'self'",
      "img-src 'self' data: blob:",
      "media-src 'self' blob:",
      "manifest-src 'self'",
      `connect-src ${connect}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(self), display-capture=(self), geolocation=()",
  };
}
