import { text } from "node:stream/consumers";
import type { TokenSource } from "../../agent/access-tokens.ts";
import { urlOfServer } from "../../agent/address.ts";
import type { NodeConnectOptions } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { parseAgtpUri } from "../../signaling/agtp-uri.ts";
import type { CarrierChoice } from "../../transports/choosing.ts";
import { loadTrustFile } from "../trust-file.ts";
import { readInput } from "./files.ts";
import { usageError } from "./output.ts";

/** How `call` and `answer` reach a server, and as whom. */
export interface AgentConnectFlags {
  /** Default: `DEFAULT_SERVER`, or where the URI of the agent called says. */
  readonly server?: string;
  readonly carrier: CarrierChoice;
  /** Hex; none: what the system's roots vouch for. */
  readonly certHash?: readonly string[];
  /** Identity file. */
  readonly key: string;
  /** PEM file of an Agent Certificate, and of its key where that is in another. */
  readonly certificate?: string;
  readonly certificateKey?: string;
  readonly trust?: string;
  readonly serverId?: string;
  /** Access token (JWT). */
  readonly token?: string;
  /** File that holds it, or `-`: standard input. */
  readonly tokenFile?: string;
}

/** Where `parley serve` listens unless told otherwise. */
const DEFAULT_SERVER = "https://127.0.0.1:4480/agtp";

/** The server to connect to; the URI of the agent called may hint at it. */
export function serverOf({ server }: AgentConnectFlags, callee = ""): string {
  if (server !== undefined) return server;
  const uri = parseAgtpUri(callee);
  const hinted = uri.ok ? uri.value.server : undefined;
  return hinted === undefined ? DEFAULT_SERVER : urlOfServer(hinted);
}

/** The flags as the agent library takes them. Throws `key-file-invalid` and `usage`. */
export async function connectOptions(flags: AgentConnectFlags): Promise<NodeConnectOptions> {
  const anchors = flags.trust === undefined ? undefined : (await loadTrustFile(flags.trust)).issuerKeys;
  if (anchors?.length === 0) {
    throw usageError(`${flags.trust} names no issuer key, so nobody could be talked to.`);
  }
  const token = await tokenOf(flags);
  const { certificate: certificateFile, certificateKey: keyFile = certificateFile, carrier } = flags;
  if (certificateFile === undefined && keyFile !== undefined)
    throw usageError("--certificate-key goes with --certificate.");
  const certificate =
    certificateFile === undefined || keyFile === undefined ? undefined : { certificateFile, keyFile };
  return {
    identity: await identityOf(flags.key),
    // Only AGTP over TLS shows certificates; who names none of the others means that.
    carrier: certificate !== undefined && carrier === "auto" ? "tls" : carrier,
    ...(certificate === undefined ? {} : { certificate }),
    ...(flags.certHash === undefined ? {} : { certificateHashes: flags.certHash }),
    ...(anchors === undefined ? {} : { anchors }),
    ...(flags.serverId === undefined ? {} : { serverId: flags.serverId }),
    ...(token === undefined ? {} : { token }),
  };
}

/** Whoever writes a fresh token into the file in time has a call go on for as long as that is done. */
async function tokenOf({ token, tokenFile }: AgentConnectFlags): Promise<TokenSource | undefined> {
  if (tokenFile === undefined) return token;
  if (token !== undefined) throw usageError("--token and --token-file cannot be used together.");
  const read = async () => {
    const given =
      tokenFile === "-" ? await text(process.stdin) : new TextDecoder().decode(await readInput(tokenFile));
    if (given.trim() === "") throw usageError(`${tokenFile} holds no access token.`);
    return given.trim();
  };
  const first = await read();
  return tokenFile === "-" ? first : read;
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
