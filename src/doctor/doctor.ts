import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServerConfig } from "../config.ts";
import { authorityChecks } from "./authority-checks.ts";
import { type Finding, findings } from "./finding.ts";
import { folderChecks } from "./folder-checks.ts";
import { machineChecks } from "./machine-checks.ts";
import { portChecks } from "./port-checks.ts";

/** Looks at everything that a server of this configuration needs, without starting one. Takes a second or two; never throws. */
export function examine(config: ServerConfig): Promise<Finding[]> {
  let ours: Promise<boolean> | undefined;
  const isOurs = (): Promise<boolean> => {
    ours ??= isRunning(config).catch(() => false);
    return ours;
  };
  return findings([
    ...machineChecks(config),
    ...folderChecks(config, isOurs),
    ...authorityChecks(config),
    ...portChecks(config, isOurs),
  ]);
}

/** Whether the server of this data folder answers on its HTTP port. */
async function isRunning({ dataFolder, httpPort }: ServerConfig): Promise<boolean> {
  const { SERVER_IDENTITY_FILE } = await import("../server/own-papers.ts");
  const { loadIdentity } = await import("../../platform/node/identity-file.ts");
  const path = join(dataFolder, SERVER_IDENTITY_FILE);
  if (httpPort === "off" || !existsSync(path)) return false;
  const { agentId } = await loadIdentity(path);
  const response = await fetch(`http://127.0.0.1:${httpPort}/healthz`, {
    signal: AbortSignal.timeout(2_000),
  });
  const health = (await response.json()) as { readonly agent_id?: unknown };
  return health.agent_id === agentId;
}
