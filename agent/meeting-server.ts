import { isJsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { verifyGenesis } from "../signaling/genesis.ts";
import type { ServerPeer } from "./answer-records.ts";
import { objectOf, textOf } from "./call-assembly.ts";
import type { ControlChannel } from "./control.ts";
import type { AgentPlatform } from "./platform.ts";
import { unwrap } from "./unwrap.ts";

/** Servers whose Genesis was verified, remembered in one process; the oldest is forgotten and verified anew. */
const MAX_KNOWN_SERVERS = 64;

/** By who verified them. An Agent-ID is the hash of a Genesis: what it names never changes. */
const knownServers = new WeakMap<Verifier, Map<string, ServerPeer>>();

function rememberServer(verifier: Verifier, server: ServerPeer): void {
  const known = knownServers.get(verifier) ?? new Map<string, ServerPeer>();
  knownServers.set(verifier, known);
  if (known.size >= MAX_KNOWN_SERVERS) {
    const [oldest] = known.keys();
    if (oldest !== undefined) known.delete(oldest);
  }
  known.set(server.agentId, server);
}

/**
 * Learns this connection's nonce and who the server is; its Genesis must hash to the Agent-ID it claims, unless that is the one `known`
 * already, or one that another agent of this process met. Whether it has that Genesis' key is seen by its next answer's record.
 */
export async function meetServer(
  control: ControlChannel,
  platform: AgentPlatform,
  expected: string | undefined,
  known?: ServerPeer,
): Promise<ServerPeer> {
  const { result } = await control.request({ method: "DISCOVER", path: "/" });
  const greeting = objectOf(result, "connection");
  const agentId = textOf(greeting, "server_agent_id");
  if (expected !== undefined && agentId !== expected) {
    throw new ParleyError({
      code: "peer-untrusted",
      message: "The server is another than expected.",
      at: agentId,
    });
  }
  control.useNonce(textOf(greeting, "nonce"));
  const { certificate } = greeting;
  if (isJsonObject(certificate)) {
    const { status, flaw = "" } = certificate;
    if (status === "refused") {
      const message = "The server does not take this agent's certificate.";
      throw new ParleyError({ code: "agent-certificate-refused", message, details: { flaw } });
    }
    control.becomeCertified();
  }
  if (known?.agentId === agentId) return known;
  const met = knownServers.get(platform.verifier)?.get(agentId);
  if (met !== undefined) return met;
  const presented = await control.request({ method: "DISCOVER", path: "/genesis" });
  const bytes = new TextEncoder().encode(textOf(presented.result, "genesis"));
  const server = { agentId, key: unwrap(verifyGenesis(bytes, agentId, platform.verifier)).agentKey };
  rememberServer(platform.verifier, server);
  return server;
}
