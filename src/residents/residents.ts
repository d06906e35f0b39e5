import { join } from "node:path";
import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { type Agent, type AgentIdentity, createIdentity } from "../../agent/node.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer } from "../../codecs/signer.ts";
import { keptIdentity, type LoadedIdentity } from "../../platform/node/identity-file.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import { forgottenMark } from "../../signaling/forgotten.ts";
import { agentOf } from "../../signaling/gateway.ts";
import type { RecordLog } from "../../signaling/record-log.ts";
import { parseScopes, permitsSending } from "../../signaling/scope.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import type { ResidentListing } from "../http/connect-info.ts";
import { echo } from "./echo.ts";
import { Mouth } from "./mouth.ts";
import { Reader, readersText } from "./reader.ts";

/** What the proofs of residents name as their server: an origin that cannot be dialled from outside (RFC 6761 6.4). */
export const RESIDENTS_ORIGIN = "https://residents.invalid";
/** What callers may have of one resident. Whoever would have more is told that it is busy. */
export interface ResidentBounds {
  /** Calls at once, those that are being taken included. */
  readonly calls: number;
  /** Of these, calls of one caller. */
  readonly callsOfCaller: number;
  /** Longest call, ms; the resident then hangs up, with reason `time-over`. */
  readonly callMs: number;
  /** How long a resident waits for a caller that lost its connection, ms; then it hangs up, with reason `peer-away`. */
  readonly awayMs: number;
}

const BOUNDS: ResidentBounds = { calls: 32, callsOfCaller: 4, callMs: 15 * 60_000, awayMs: 60_000 };

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
    const make = () => createIdentity({ name: NAMES[kind] }, server).file;
    identities.set(kind, await keptIdentity(join(folder, `resident-${kind}.json`), make));
  }
  return identities;
}

/** Has the server know its residents, also where registration is closed; but for those that its operator had erased. */
export async function registerResidents(log: RecordLog, identities: Iterable<AgentIdentity>): Promise<void> {
  const known = new Set([...log.agents()].map(({ agentId }) => agentId));
  const forgotten = new Set(log.forgotten());
  const entries = [...identities]
    .filter(({ agentId }) => !known.has(agentId) && !forgotten.has(forgottenMark(agentId)))
    .map(({ agentId, genesis, identityDocument }) => {
      return { kind: "agent", agentId, genesis, identityDocument } as const;
    });
  if (entries.length > 0) await log.append(entries);
}

/** Brings the residents online at the server that takes their connections. One that it refuses is reported and left out. */
export async function startResidents(options: {
  readonly identities: ReadonlyMap<ResidentKind, AgentIdentity>;
  readonly serverId: string;
  /** What they run on, but for its carrier. */
  readonly platform: AgentPlatform;
  /** Takes connections as a listener's. */
  readonly accept: (connection: Connection) => ConnectionHandlers;
  readonly report: (error: unknown) => void;
  /** An access token for a resident, where the server demands them. Default: none is brought. */
  readonly token?: (agentId: string) => string;
  /** Default: 32 calls, 4 of one caller, 15 minutes, one of them for a caller that is away. */
  readonly bounds?: ResidentBounds;
}): Promise<Residents> {
  const { report, serverId, token, bounds = BOUNDS } = options;
  const { clock } = options.platform;
  const network = new MemoryNetwork({ clock, liveness: false });
  const listener = network.listen(new URL(RESIDENTS_ORIGIN).host, options.accept);
  const platform = { ...options.platform, carrier: network };
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
    const lives = {
      echo: (call: Call, mouth: Mouth) => echo(call, mouth, report),
      reader: (call: Call, mouth: Mouth) => reader.live(call, mouth),
    } as const;
    const taking = { echo: { video: { renditions: 1 }, streams: () => true }, reader: {} } as const;
    for (const [kind, identity] of options.identities) {
      const agent = await connectAgent(platform, `${RESIDENTS_ORIGIN}${AGTP_PATH}`, {
        identity,
        serverId,
        reconnect: true,
        ...(token === undefined ? {} : { token: () => token(identity.agentId) }),
        report,
      }).catch((error: unknown) => void report(error));
      if (agent === undefined) continue;
      agents.push(agent);
      const seats = new Seats(bounds);
      const host = async (guest: string, coming: () => Promise<Call>) => {
        const call = await coming().catch((error: unknown) => {
          seats.leave(guest);
          throw error;
        });
        const cancel = limitCall(call, bounds, clock, report);
        void call.ended.then(() => {
          cancel();
          seats.leave(guest);
        });
        const mouth = new Mouth(call, clock, report);
        call.on("interrupted", () => mouth.stop());
        lives[kind](call, mouth).catch((error: unknown) => {
          // The call may end while something is being answered.
          if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
        });
      };
      agent.onCall(async (incoming) => {
        // Many agents may call through one gateway.
        const agentId = agentOf(incoming.caller);
        if (own.has(agentId)) return await incoming.decline();
        if (!seats.take(agentId)) return await incoming.decline("busy");
        const scope = scopeFor(incoming);
        await host(agentId, () => incoming.accept({ ...taking[kind], ...(scope && { scope }) }));
      });
      // In a server that was started anew, calls of the one before it wait for this end.
      for (const { sessionId, peer } of await agent.sessions()) {
        if (seats.take(peer)) host(peer, () => agent.takeUp(sessionId, taking[kind])).catch(report);
      }
      listings.push({ agent_id: agent.id, name: NAMES[kind], kind });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { listings, close };
}

/** Authority for video that is opened later, where the caller offers as much; else what the call begins with is enough. */
function scopeFor({ offer }: IncomingCall): readonly string[] | undefined {
  const offered = parseScopes(offer.payload.scope);
  return offered.ok && permitsSending(offered.value, "video") ? offer.payload.scope : undefined;
}

/** Hangs up when a call has lasted long enough, or its other end does not come back. The returned function stops that. */
function limitCall(
  call: Call,
  { callMs, awayMs }: ResidentBounds,
  clock: Clock,
  report: (error: unknown) => void,
): () => void {
  const endIn = (ms: number, reason: string) =>
    clock.at(clock.now() + ms, () => void call.end(reason).catch(report));
  const cancelLongest = endIn(callMs, "time-over");
  let cancelAway = () => {};
  call.on("peer-detached", () => {
    cancelAway();
    cancelAway = endIn(awayMs, "peer-away");
  });
  call.on("peer-attached", () => cancelAway());
  return () => {
    cancelLongest();
    cancelAway();
  };
}

/** Who talks to one resident, or is about to. */
class Seats {
  readonly #bounds: ResidentBounds;
  readonly #taken = new Map<string, number>();
  #count = 0;

  constructor(bounds: ResidentBounds) {
    this.#bounds = bounds;
  }

  /** False: there is none left, for this caller or at all. */
  take(caller: string): boolean {
    const own = this.#taken.get(caller) ?? 0;
    if (this.#count >= this.#bounds.calls || own >= this.#bounds.callsOfCaller) return false;
    this.#count += 1;
    this.#taken.set(caller, own + 1);
    return true;
  }

  leave(caller: string): void {
    this.#count -= 1;
    const own = (this.#taken.get(caller) ?? 1) - 1;
    if (own === 0) this.#taken.delete(caller);
    else this.#taken.set(caller, own);
  }
}
