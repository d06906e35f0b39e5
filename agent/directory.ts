import type { JsonValue } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ControlChannel } from "./control.ts";

/** Agents listed at most: a server that pages on for ever is not followed. */
const MAX_LISTED = 100_000;

/** One agent that the server knows. */
export interface AgentListing {
  readonly agentId: string;
  readonly name: string;
  /** It can be called now. */
  readonly online: boolean;
  /** Gateways alone would answer for it now: a call takes `gateways: "accept"`. Absent: it is there itself, or not online. */
  readonly gateway?: true;
}

/** Every agent the server lists, by ascending Agent-ID. Throws `body-malformed`, or the refusal. */
export async function listAgents(control: ControlChannel): Promise<AgentListing[]> {
  const listed: AgentListing[] = [];
  let after: string | undefined;
  do {
    const parameters = after === undefined ? {} : { after };
    const { result } = await control.request({ method: "DISCOVER", path: "/agents", parameters });
    const { agents, next } = result;
    if (!Array.isArray(agents)) throw malformed("agents");
    for (const [index, entry] of agents.entries()) listed.push(readListing(entry, `agents[${index}]`));
    // Pages go up: one that does not would be asked for without end.
    if (next !== undefined && (typeof next !== "string" || (after !== undefined && next <= after)))
      throw malformed("next");
    after = next;
  } while (after !== undefined && listed.length < MAX_LISTED);
  return listed;
}

function readListing(entry: JsonValue, at: string): AgentListing {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) throw malformed(at);
  const { agent_id: agentId, name, online, gateway } = entry as Readonly<Record<string, JsonValue>>;
  if (typeof agentId !== "string") throw malformed(`${at}.agent_id`);
  if (typeof name !== "string") throw malformed(`${at}.name`);
  return { agentId, name, online: online === true, ...(gateway === true ? { gateway } : {}) };
}

function malformed(at: string): ParleyError {
  return new ParleyError({ code: "body-malformed", message: "The server's list of agents is not one.", at });
}
