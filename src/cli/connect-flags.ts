import type { NodeConnectOptions } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { loadTrustFile } from "../trust-file.ts";
import { usageError } from "./output.ts";

/** How `call` and `answer` reach a server, and as whom. */
export interface AgentConnectFlags {
  readonly url: string;
  /** Hex; none: what the system's roots vouch for. */
  readonly certHash?: readonly string[];
  /** Identity file. */
  readonly key: string;
  readonly trust?: string;
  readonly serverId?: string;
}

/** The flags as the agent library takes them. Throws `key-file-invalid` and `usage`. */
export async function connectOptions(flags: AgentConnectFlags): Promise<NodeConnectOptions> {
  const anchors = flags.trust === undefined ? undefined : (await loadTrustFile(flags.trust)).issuerKeys;
  if (anchors?.length === 0) {
    throw usageError(`${flags.trust} names no issuer key, so nobody could be talked to.`);
  }
  return {
    identity: await identityOf(flags.key),
    ...(flags.certHash === undefined ? {} : { certificateHashes: flags.certHash }),
    ...(anchors === undefined ? {} : { anchors }),
    ...(flags.serverId === undefined ? {} : { serverId: flags.serverId }),
  };
}

async function identityOf(path: string) {
  try {
    return await loadIdentity(path);
  } catch (error) {
    const isMissing = (error as { cause?: NodeJS.ErrnoException }).cause?.code === "ENOENT";
    if (!(error instanceof ParleyError) || !isMissing) throw error;
    const message = `The key file ${path} does not exist; "parley keygen ${path}" makes one.`;
    throw new ParleyError({ code: "key-file-invalid", message }, { cause: error });
  }
}
