import { ParleyError } from "../codecs/parley-error.ts";
import { isAgtpUri, parseAgtpUri } from "../signaling/agtp-uri.ts";
import { isLoopback } from "../transports/url.ts";
import type { ControlChannel } from "./control.ts";
import { listAgents } from "./directory.ts";
import { unwrap } from "./unwrap.ts";

/**
 * The Agent-ID of whom a call is for: an Agent-ID itself, or an `agtp://` URI. Where that names an Agent-ID, its host is a hint and no more;
 * a name is looked up in the directory of the server connected to, whose URL is `connected`, and must be of that server. Throws
 * `uri-invalid`, `usage` for a name of another server, `agent-not-found`, `agent-name-ambiguous`.
 */
export async function resolveCallee(
  callee: string,
  control: ControlChannel,
  connected: string,
): Promise<string> {
  if (!isAgtpUri(callee)) return callee;
  const uri = unwrap(parseAgtpUri(callee));
  if (uri.kind === "agent") return uri.agentId;
  if (uri.kind === "server") {
    throw new ParleyError({
      code: "uri-invalid",
      message: "It names a server; a call is for an agent.",
      at: "path",
    });
  }
  const { domain, name } = uri;
  const { hostname } = new URL(connected);
  const isHere = hostname === domain || hostname === `agtp.${domain}`;
  if (!isHere && !(isLoopback(domain) && isLoopback(hostname))) {
    const message = `The name is of ${domain}, and the agent is connected to ${hostname}.`;
    throw new ParleyError({ code: "usage", message });
  }
  const named = (await listAgents(control)).filter((listing) => listing.name === name);
  const [first] = named;
  if (first === undefined)
    throw new ParleyError({ code: "agent-not-found", message: `No agent of ${domain} is called ${name}.` });
  if (named.length > 1) {
    throw new ParleyError({
      code: "agent-name-ambiguous",
      message: `${named.length} agents of ${domain} are called ${name}.`,
      details: { agent_ids: named.slice(0, MAX_NAMED).map(({ agentId }) => agentId) },
    });
  }
  return first.agentId;
}

/** Agents of one name that an error lists. */
const MAX_NAMED = 16;
