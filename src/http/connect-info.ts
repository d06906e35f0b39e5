import { withToken } from "./url-tokens.ts";

/** An agent that the server itself runs. */
export interface ResidentListing {
  readonly agent_id: string;
  readonly name: string;
  readonly kind: string;
}

/** `GET /connect.json`: what a page needs to reach the server it came from. */
export interface ConnectInfo {
  readonly server: { readonly agent_id: string; readonly name: string };
  /** `certificate_hashes`: SHA-256 in hex, empty where the browser's own roots vouch. */
  readonly webtransport: { readonly url: string; readonly certificate_hashes: readonly string[] } | null;
  readonly websocket: { readonly url: string };
  readonly residents: readonly ResidentListing[];
  /** Of Parley. */
  readonly version: string;
}

/** What the answer is made of besides the page's own origin. */
export interface ConnectFacts {
  readonly agentId: string;
  readonly name: string;
  readonly webTransport:
    | { readonly origins: readonly string[]; readonly certificateHashes: readonly string[] }
    | undefined;
  readonly residents: readonly ResidentListing[];
  readonly version: string;
}

/** The answer for a page of `origin`, with a fresh `token`. */
export function connectInfo(facts: ConnectFacts, origin: string, token: string): ConnectInfo {
  const { webTransport } = facts;
  return {
    server: { agent_id: facts.agentId, name: facts.name },
    webtransport:
      webTransport === undefined
        ? null
        : {
            url: withToken(`${webTransportOrigin(webTransport.origins, origin)}/agtp`, token),
            certificate_hashes: webTransport.certificateHashes,
          },
    websocket: { url: `${origin.replace(/^http/, "ws")}/agtp` },
    residents: facts.residents,
    version: facts.version,
  };
}

/**
 * The origin of the UDP port under the page's own name where there is one. `localhost` is left out: browsers would try ::1
 * first, where a server on 127.0.0.1 does not listen.
 */
export function webTransportOrigin(origins: readonly string[], origin: string): string {
  const { hostname } = new URL(origin);
  const named = origins.find((own) => hostname !== "localhost" && new URL(own).hostname === hostname);
  return named ?? (origins[0] as string);
}
