import type { JsonObject } from "../../codecs/canonical-json.ts";
import { bodyHash } from "../attribution.ts";
import type { Genesis } from "../genesis.ts";
import { apiVersion, MANIFEST_MEDIA_TYPE, makeManifest } from "../manifest.ts";
import { ROUTES, type Route } from "../paths.ts";
import type { ServerIdentity, SwitchboardConfig } from "./config.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { CREDENTIALS } from "./parameters.ts";
import type { PreparedBody } from "./replies.ts";

/** The server's manifest: made and signed when it is first asked for, the same until the process ends. */
export class OwnManifest {
  readonly #config: SwitchboardConfig;
  readonly #identity: ServerIdentity;
  readonly #genesis: Genesis;
  #issuedAt: number | undefined;
  #body: PreparedBody | undefined;

  constructor(config: SwitchboardConfig, identity: ServerIdentity, genesis: Genesis) {
    this.#config = config;
    this.#identity = identity;
    this.#genesis = genesis;
  }

  /** Its `AGTP-API-Version`. */
  version(now: number): number {
    this.#issuedAt ??= now;
    return apiVersion(this.#issuedAt);
  }

  body(now: number): PreparedBody {
    this.#issuedAt ??= now;
    this.#body ??= this.#make(this.#issuedAt);
    return this.#body;
  }

  #make(issuedAt: number): PreparedBody {
    const { serverId, agentDisclosure, bindings } = this.#config;
    const bytes = makeManifest(
      {
        serverId,
        agentId: this.#identity.agentId,
        name: this.#genesis.name,
        operator: this.#genesis.ownerId,
        issuedAt,
        features: [
          "communication:audio",
          "communication:video",
          "communication:data",
          ...bindings.map((name) => `binding:${name}`),
        ],
        endpoints: ROUTES.map(endpointEntry),
        methods: [...new Set(ROUTES.map((route) => route.slice(0, route.indexOf(" "))))].sort(),
        agentDisclosure,
        anonymousDiscovery: agentDisclosure === "public",
      },
      this.#identity.signer,
    );
    return { bytes, hash: bodyHash(bytes), mediaType: MANIFEST_MEDIA_TYPE };
  }
}

/** One endpoint; its input schema is the very shape that parameters are checked against, with the credentials any may carry. */
function endpointEntry(route: Route): JsonObject {
  const [method, path] = route.split(" ") as [string, string];
  const { description, intent, outcome, capability, impact, isIdempotent, input, output, errors } =
    ENDPOINTS[route];
  const properties = {
    ...(input.schema.properties as JsonObject),
    ...(CREDENTIALS.schema.properties as JsonObject),
  };
  return {
    method,
    path,
    description,
    semantic: {
      intent,
      actor: "agent",
      outcome,
      capability,
      confidence: 1,
      impact,
      is_idempotent: isIdempotent,
    },
    input_schema: { ...input.schema, $schema: SCHEMA, properties, additionalProperties: false },
    output_schema: {
      $schema: SCHEMA,
      type: "object",
      properties: Object.fromEntries(Object.entries(output).map(([name, type]) => [name, { type }])),
      additionalProperties: true,
    },
    errors: [...errors],
    handler: { type: "builtin" },
    required_scopes: [],
  };
}

const SCHEMA = "https://json-schema.org/draft/2020-12/schema";
