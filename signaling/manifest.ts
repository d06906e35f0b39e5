import { encodeBase64url } from "../codecs/base64url.ts";
import { canonicalBytes, type JsonObject } from "../codecs/canonical-json.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import { signJws, verifyJws } from "./jws.ts";
import { allRedirects, CATALOG_METHODS, CATALOG_VERSION, FLOOR_METHODS, LEGACY_METHODS } from "./methods.ts";
import { formatUtc } from "./utc-time.ts";

/** Content-Type of a manifest. */
export const MANIFEST_MEDIA_TYPE = "application/vnd.agtp.manifest+json";

/** `typ` of the manifest's signature. */
const MANIFEST_TYP = "agtp-manifest+jwt";

/** What a server says of itself in its manifest (`spec/agtp.md` 2.8). */
export interface ManifestFacts {
  readonly serverId: string;
  readonly agentId: string;
  readonly name: string;
  readonly operator: string;
  /** Unix milliseconds; the manifest's version is the second of it. */
  readonly issuedAt: number;
  readonly features: readonly string[];
  readonly endpoints: readonly JsonObject[];
  /** Methods answered, in order. */
  readonly methods: readonly string[];
  readonly agentDisclosure: "public" | "authenticated";
  readonly anonymousDiscovery: boolean;
}

/** `AGTP-API-Version` of a manifest made at `issuedAt`: rises with every start of the server, and nothing changes in between. */
export function apiVersion(issuedAt: number): number {
  return Math.floor(issuedAt / 1000);
}

/** The manifest, signed: canonical JSON. */
export function makeManifest(facts: ManifestFacts, server: Signer): Uint8Array {
  const manifest = manifestBody(facts);
  // The text signed is the manifest itself: the signature goes without a copy of it (RFC 7515, appendix F).
  const [header, , signature] = signJws(MANIFEST_TYP, manifest, server).split(".");
  return canonicalBytes({ ...manifest, manifest_signature: `${header}..${signature}` });
}

/** True when a manifest's signature is by that key. */
export function verifyManifest(manifest: JsonObject, publicKey: Uint8Array, verifier: Verifier): boolean {
  const { manifest_signature: detached, ...body } = manifest;
  const [header, payload, signature] = typeof detached === "string" ? detached.split(".") : [];
  if (header === undefined || payload !== "" || signature === undefined) return false;
  const jws = `${header}.${encodeBase64url(canonicalBytes(body))}.${signature}`;
  return verifyJws(jws, MANIFEST_TYP, publicKey, verifier, "manifest", MAX_MANIFEST_CHARACTERS).ok;
}

/** Longest manifest whose signature is judged, base64url characters: what fits in the largest body. */
const MAX_MANIFEST_CHARACTERS = 1_400_000;

function manifestBody(facts: ManifestFacts): JsonObject {
  const issued = formatUtc(facts.issuedAt);
  return {
    agtp_version: "1.0",
    agtp_api_version: "1.0",
    document_version: String(apiVersion(facts.issuedAt)),
    catalog_version: CATALOG_VERSION,
    catalog_versions_supported: [CATALOG_VERSION],
    server: {
      server_id: facts.serverId,
      domain: facts.serverId,
      operator: facts.operator,
      contact: "",
      supported_features: facts.features,
      issued,
      updated: issued,
    },
    embedded_methods: [...FLOOR_METHODS].sort(),
    custom_methods: [],
    endpoints: facts.endpoints,
    agent_disclosure: facts.agentDisclosure,
    hosted_agents: [{ agent_id: facts.agentId, name: facts.name }],
    agent_disclosure_notice:
      "This names the server itself. DISCOVER /agents lists the others, a page at a time.",
    apis: [],
    hosted_protocols: [],
    policies: {
      wildcards_accepted: true,
      anonymous_discovery: facts.anonymousDiscovery,
      scope_required_for_invocation: false,
      synthesis_enabled: false,
      max_synthesis_depth: 0,
      methods: {
        allow: facts.methods,
        disallow: [...CATALOG_METHODS].filter(
          (method) => FLOOR_METHODS.has(method) && !facts.methods.includes(method),
        ),
        legacy: [...LEGACY_METHODS.keys()],
        aliases: { CLOSE: "TERMINATE", DISCONNECT: "TERMINATE" },
        redirects: allRedirects(),
      },
    },
  };
}
