import type { Fault } from "../../codecs/result.ts";
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
  /** AGTP over TLS, `agtp://host:port`: for programs, not for pages. */
  readonly tls: { readonly url: string; readonly certificate_hashes: readonly string[] } | null;
  /** Whether WebRTC peers are taken now; `why` not, in a sentence. */
  readonly webrtc: { readonly available: true } | { readonly available: false; readonly why: string };
  readonly residents: readonly ResidentListing[];
  /** Of Parley. */
  readonly version: string;
}

/** Where a listener is dialled. */
export interface Dialled {
  /** Its own address first, under which this machine reaches it. */
  readonly origins: readonly string[];
  readonly certificateHashes: readonly string[];
}

/** What the answer is made of besides the page's own origin. */
export interface ConnectFacts {
  readonly agentId: string;
  readonly name: string;
  readonly webTransport: Dialled | undefined;
  readonly tls: Dialled | undefined;
  /** Why no WebRTC peer is taken now, if so. */
  readonly webRtcFault: Pick<Fault, "message"> | undefined;
  readonly residents: readonly ResidentListing[];
  readonly version: string;
}

/** The answer for a page of `origin`, with a fresh `token`. */
export function connectInfo(facts: ConnectFacts, origin: string, token: string): ConnectInfo {
  const { webTransport, tls, webRtcFault } = facts;
  return {
    server: { agent_id: facts.agentId, name: facts.name },
    webtransport:
      webTransport === undefined
        ? null
        : {
            url: withToken(`${originNamed(webTransport.origins, origin)}/agtp`, token),
            certificate_hashes: webTransport.certificateHashes,
          },
    websocket: { url: `${origin.replace(/^http/, "ws")}/agtp` },
    tls:
      tls === undefined
        ? null
        : {
            url: agtpUrlNamed(tls.origins, origin),
            certificate_hashes: tls.certificateHashes,
          },
    webrtc: webRtcFault === undefined ? { available: true } : { available: false, why: webRtcFault.message },
    residents: facts.residents,
    version: facts.version,
  };
}

/**
 * The origin of another port under the page's own name where there is one. `localhost` is left out: browsers would try ::1
 * first, where a server on 127.0.0.1 does not listen.
 */
export function originNamed(origins: readonly string[], origin: string): string {
  const { hostname } = new URL(origin);
  const named = origins.find((own) => hostname !== "localhost" && new URL(own).hostname === hostname);
  return named ?? (origins[0] as string);
}

/** An origin as AGTP's own scheme writes it. */
export function agtpUrlOf(origin: string): string {
  const { hostname, port } = new URL(origin);
  return `agtp://${hostname}:${port || "443"}`;
}

/**
 * Where AGTP over TLS is under the name of `origin`, where the port answers to that. An origin without a port is a proxy's for HTTP: AGTP
 * is at the port itself then.
 */
export function agtpUrlNamed(origins: readonly string[], origin: string): string {
  const own = new URL(origins[0] as string);
  const { hostname } = new URL(originNamed(origins, origin));
  const named = origins
    .map((other) => new URL(other))
    .find((url) => url.hostname === hostname && url.port !== "");
  return agtpUrlOf(named?.origin ?? `https://${hostname}:${own.port || "443"}`);
}
