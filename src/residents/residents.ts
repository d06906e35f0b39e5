import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import { type Agent, type AgentIdentity, createIdentity, nodePlatform } from "../../agent/node.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer } from "../../codecs/signer.ts";
import { type LoadedIdentity, loadIdentity, saveIdentity } from "../../platform/node/identity-file.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import type { ResidentListing } from "../http/connect-info.ts";
import { echo } from "./echo.ts";
import { Mouth } from "./mouth.ts";
import { Reader, readersText } from "./reader.ts";

/** What the proofs of residents name as their server: an origin that cannot be dialled from outside (RFC 6761 6.4). */
export const RESIDENTS_ORIGIN = "https://residents.invalid";
/** Calls that one resident takes at once; further callers are told that it is busy. */
const MAX_CALLS = 32;

const KINDS = ["echo", "reader"] as const;
/** What a resident does. */
export type ResidentKind = (typeof KINDS)[number];

const NAMES: Readonly<Record<ResidentKind, string>> = { echo: "Echo", reader: "Reader" };

/** The agents that live in a server. */
export interface Residents {
  readonly listings: readonly ResidentListing[];
  /** Takes them offline at once. Idempotent. */
  close(): Promise<void>;
}

/** The identities of the residents, from the data folder; made there, vouched for by the server, where there are none. */
export async function residentIdentities(
  folder: string,
  server: { readonly name: string; readonly signer: Signer },
): Promise<ReadonlyMap<ResidentKind, LoadedIdentity>> {
  const identities = new Map<ResidentKind, LoadedIdentity>();
  for (const kind of KINDS) {
    const path = join(folder, `resident-${kind}.json`);
    if (!existsSync(path)) await saveIdentity(path, createIdentity({ name: NAMES[kind] }, server).file);
    identities.set(kind, await loadIdentity(path));
  }
  return identities;
}

/** Has the server know its residents, also where registration is closed. */
export async function registerResidents(log: RecordLog, identities: Iterable<AgentIdentity>): Promise<void> {
  const known = new Set([...log.agents()].map(({ agentId }) => agentId));
  const entries = [...identities]
    .filter(({ agentId }) => !known.has(agentId))
    .map(({ agentId, genesis, identityDocument }) => {
      return { kind: "agent", agentId, genesis, identityDocument } as const;
    });
  if (entries.length > 0) await log.append(entries);
}

/** Brings the residents online at the server that takes their connections. Throws what connecting throws. */
export async function startResidents(options: {
  readonly identities: ReadonlyMap<ResidentKind, AgentIdentity>;
  readonly serverId: string;
  readonly clock: Clock;
  /** Takes connections as a listener's. */
  readonly accept: (connection: Connection) => ConnectionHandlers;
  readonly report: (error: unknown) => void;
}): Promise<Residents> {
  const { clock, report, serverId } = options;
  const network = new MemoryNetwork({ clock, liveness: false });
  const listener = network.listen(new URL(RESIDENTS_ORIGIN).host, options.accept);
  const platform = { ...nodePlatform(), clock, carrier: network };
  const own = new Set([...options.identities.values()].map(({ agentId }) => agentId));
  const agents: Agent[] = [];
  const listings: ResidentListing[] = [];
  const close = async () => {
    // The connections first: an agent would wait for a server that may be gone to hear its last statements.
    await listener.close();
    await Promise.all(agents.map((agent) => agent.close()));
  };
  try {
    const reader = new Reader(await readersText());
    const lives = { echo, reader: (call: Call, mouth: Mouth) => reader.live(call, mouth) } as const;
    for (const [kind, identity] of options.identities) {
      const agent = await connectAgent(platform, `${RESIDENTS_ORIGIN}${AGTP_PATH}`, {
        identity,
        serverId,
        reconnect: true,
        report,
      });
      agents.push(agent);
      agent.onCall(async (incoming) => {
        if (own.has(incoming.caller.agentId)) return await incoming.decline();
        if (agent.calls.length >= MAX_CALLS) return await incoming.decline("busy");
        const call = await incoming.accept();
        const mouth = new Mouth(call, clock, report);
        call.on("interrupted", () => mouth.stop());
        lives[kind](call, mouth).catch((error: unknown) => {
          // The call may end while something is being answered.
          if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
        });
      });
      listings.push({ agent_id: agent.id, name: NAMES[kind], kind });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { listings, close };
}
