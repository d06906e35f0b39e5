/** What the server that gave this page says about itself. */
export interface ConnectInfo {
  readonly server: { readonly agent_id: string; readonly name: string };
  /** `certificate_hashes`: SHA-256 in hex, empty where the browser's own roots vouch. */
  readonly webtransport: { readonly url: string; readonly certificate_hashes: readonly string[] } | null;
  readonly websocket: { readonly url: string };
  /** Whether the server takes calls over WebRTC, and why it does not, in a sentence. */
  readonly webrtc: { readonly available: true } | { readonly available: false; readonly why: string };
  readonly residents: readonly { readonly agent_id: string; readonly name: string; readonly kind: string }[];
  readonly version: string;
}

/** Asks anew each time: tokens are short-lived, and certificates change with restarts. */
export async function fetchConnectInfo(): Promise<ConnectInfo> {
  const response = await fetch(new URL("connect.json", document.baseURI), { cache: "no-store" });
  if (!response.ok) throw new Error(`The server answered ${response.status} to connect.json.`);
  return (await response.json()) as ConnectInfo;
}

/** Where to dial: certificates are pinned where the server names them, and judged by the browser's own roots where not. */
export function addressOf({ webtransport, websocket }: ConnectInfo): {
  readonly url: string;
  readonly certificateHashes?: readonly string[];
} {
  if (webtransport === null) return { url: websocket.url };
  const { url, certificate_hashes: certificateHashes } = webtransport;
  return certificateHashes.length === 0 ? { url } : { url, certificateHashes };
}
