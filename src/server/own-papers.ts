import { join } from "node:path";
import { createAccessToken, createIdentity } from "../../agent/node.ts";
import { keptIdentity, type LoadedIdentity } from "../../platform/node/identity-file.ts";
import {
  givenCertificate,
  type ServerCertificate,
  storedCertificate,
} from "../../transports/webtransport/certificate.ts";
import type { ServerConfig } from "../config.ts";
import { bare, isAnyAddress } from "./origins.ts";

/** The server's own Genesis, identity document and key, in the data folder; readable by its owner alone. */
export const SERVER_IDENTITY_FILE = "server-identity.json";

/** The identity in the data folder; on the first start the server makes itself one that it vouches for. */
export async function serverIdentity(config: ServerConfig): Promise<LoadedIdentity> {
  const fields = {
    name: config.name,
    archetype: "orchestrator",
    scope: config.policyScope,
    methods: ["DISCOVER", "DESCRIBE", "ESTABLISH", "CONFIRM", "TERMINATE", "SUBSCRIBE", "NOTIFY", "QUERY"],
    capabilities: ["media-relay"],
  } as const;
  return await keptIdentity(join(config.dataFolder, SERVER_IDENTITY_FILE), () => createIdentity(fields).file);
}

/** An access token by which the server lets one of its residents do whatever its documents say. */
export function residentToken(server: LoadedIdentity, agentId: string): string {
  return createAccessToken({
    ...{ by: server, agentId, audience: server.agentId },
    ...{ scope: ["communication:*"], lifetime: 3_600 },
  });
}

/** The certificate that the configuration names, or the stored one, made where there is none. */
export async function certificateOf(config: ServerConfig): Promise<ServerCertificate> {
  const { certificateFile, certificateKeyFile: keyFile } = config;
  const now = Date.now();
  if (certificateFile !== undefined && keyFile !== undefined)
    return await givenCertificate({ certificateFile, keyFile, now });
  const named = config.origins.map((origin) => bare(new URL(origin).hostname));
  const listening = isAnyAddress(config.host) ? [] : [config.host];
  return await storedCertificate({ folder: config.dataFolder, hosts: [...listening, ...named], now });
}
