import type { FastifyInstance } from "fastify";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { MANIFEST_MEDIA_TYPE } from "../../signaling/manifest.ts";
import { bare, isLoopback } from "../server/origins.ts";
import { agtpUrlNamed, type Dialled, originNamed } from "./connect-info.ts";

/** Where programs that know a domain and no more find its AGTP server. */
const WELL_KNOWN_PATH = "/.well-known/agtp";
/** The server's signed manifest, as `DISCOVER /` without an Agent-ID answers it. */
const MANIFEST_PATH = "/.well-known/agtp/manifest";

/** What the public documents are made of. */
export interface WellKnownParts {
  readonly facts: () => WellKnownFacts;
  /** `undefined` while the server starts. */
  readonly manifest: () => Uint8Array | undefined;
}

export interface WellKnownFacts {
  /** Agent-ID of the server. */
  readonly agentId: string;
  readonly webTransport: Dialled | undefined;
  readonly tls: Dialled | undefined;
}

/** What `/.well-known/agtp` says under the name of `origin`. */
export function wellKnownDocument(facts: WellKnownFacts, origin: string): JsonObject {
  const { agentId, tls, webTransport } = facts;
  const agtp = tls === undefined ? null : agtpUrlNamed(tls.origins, origin);
  return {
    agtp_version: "1.0",
    endpoint: agtp,
    namespace_root: `agtp://${new URL(agtp === null ? origin : agtp.replace("agtp:", "https:")).hostname}`,
    // Agents are known by their Agent-IDs alone: no DNS record and no log vouches for them.
    verification: { dns_anchor: null, log_anchor: null },
    issuer: agentId,
    discovery: {
      manifest: `${origin}${MANIFEST_PATH}`,
      bindings: {
        tls: agtp,
        webtransport: webTransport === undefined ? null : `${originNamed(webTransport.origins, origin)}/agtp`,
        websocket: `${origin.replace(/^http/, "ws")}/agtp`,
      },
      certificate_hashes: [...(tls?.certificateHashes ?? webTransport?.certificateHashes ?? [])],
    },
  };
}

/** Adds the two documents. Pages anywhere may read them, except from this machine's loopback: what runs there is no page's business. */
export function addWellKnown(app: FastifyInstance, { facts, manifest }: WellKnownParts): void {
  const headers = (origin: string): Readonly<Record<string, string>> => ({
    "cache-control": `public, max-age=${MAX_AGE_SECONDS}`,
    vary: "host",
    ...(isLoopback(bare(new URL(origin).hostname)) ? {} : PUBLIC_HEADERS),
  });
  app.get(WELL_KNOWN_PATH, (request, reply) => {
    reply.headers(headers(request.pageOrigin)).type("application/json");
    return reply.send(JSON.stringify(wellKnownDocument(facts(), request.pageOrigin)));
  });
  app.get(MANIFEST_PATH, (request, reply) => {
    const bytes = manifest();
    if (bytes === undefined) {
      const error = { code: "draining", message: "The server starts." };
      return reply.code(503).send({ error });
    }
    reply.headers(headers(request.pageOrigin)).type(MANIFEST_MEDIA_TYPE);
    return reply.send(Buffer.from(bytes));
  });
}

const PUBLIC_HEADERS = {
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
} as const;
/** A server that starts anew has another manifest. */
const MAX_AGE_SECONDS = 300;
