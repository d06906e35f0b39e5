/** A server that takes WebRTC peers, agents at it, and what a peer asks of it by WHIP and WHEP: real sockets, workers and certificates. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, type AgentIdentity, createAccessToken, createIdentity } from "../../agent/node.ts";
import type { Signer } from "../../codecs/signer.ts";
import { type RunningServer, type ServeOptions, serve } from "../../src/server/serve.ts";
import type { ForeignPeer } from "./foreign-peer.ts";
import { PeerExchanges } from "./peer-exchanges.ts";

export type Known = AgentIdentity<Signer>;

/** How a token of a peer differs from the usual one. */
export interface TokenWishes {
  /** Seconds. Default 600. */
  readonly lifetime?: number;
  readonly fingerprint?: string;
  readonly audience?: string;
  readonly scope?: readonly string[];
}

/** A peer that the server has opened. */
export interface TakenPeer {
  readonly location: string;
  readonly iceTag: string;
  readonly token: string;
}

export interface LoggedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class PeerServer implements AsyncDisposable {
  readonly server: RunningServer;
  readonly logged: readonly LoggedEvent[];
  readonly #folder: string;
  readonly #agents: Agent[] = [];
  readonly #exchanges: PeerExchanges[] = [];
  #watcher: Promise<Agent> | undefined;

  private constructor(server: RunningServer, folder: string, logged: readonly LoggedEvent[]) {
    this.server = server;
    this.#folder = folder;
    this.logged = logged;
  }

  static async start(options: ServeOptions = {}): Promise<PeerServer> {
    const folder = mkdtempSync(join(tmpdir(), "parley-webrtc-"));
    const logged: LoggedEvent[] = [];
    const server = await serve({
      ...{ dataFolder: join(folder, "data"), port: 0, tcpPort: "off", httpPort: 0 },
      ...{ registration: "open", webrtc: "on", webrtcPort: 0 },
      events: { log: (level, event, fields) => void logged.push({ level, event, fields }) },
      ...options,
    });
    return new PeerServer(server, folder, logged);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const exchanges of this.#exchanges) exchanges.disconnect();
    await Promise.all(this.#agents.map((agent) => agent.close()));
    await this.server.stop(0);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** An agent that is online, by QUIC. */
  async online(name: string, identity: Known = createIdentity({ name }).identity): Promise<Agent> {
    const { certificateHash, url } = this.server;
    const agent = await Agent.connect(url, { identity, certificateHashes: [certificateHash] });
    this.#agents.push(agent);
    return agent;
  }

  /** An agent that is known there, and not online. */
  async known(name: string): Promise<Known> {
    const { identity } = createIdentity({ name });
    const agent = await this.online(name, identity);
    await agent.close();
    return identity;
  }

  /** A token that an agent makes for a peer of its own. */
  tokenOf(by: Known, wishes: TokenWishes = {}): string {
    const { agentId } = by;
    const usual = { audience: this.server.agentId, scope: ["communication:*"], lifetime: 600 };
    return createAccessToken({ ...{ by, agentId }, ...usual, ...wishes });
  }

  /** Whether an agent can be called, itself or by a gateway. */
  async isOnline(agentId: string): Promise<boolean> {
    this.#watcher ??= this.online("Watcher");
    const listed = await (await this.#watcher).directory();
    return listed.some((agent) => agent.agentId === agentId && agent.online);
  }

  /** Agent-ID of a resident. */
  async resident(kind: "echo" | "reader"): Promise<string> {
    const info = await fetch(new URL("/connect.json", this.server.httpUrl));
    const { residents } = (await info.json()) as { residents: { agent_id: string; kind: string }[] };
    return residents.find((resident) => resident.kind === kind)?.agent_id ?? "";
  }

  /** Asks for a peer by WHIP or WHEP. `more`: headers besides. */
  async ask(
    way: "whip" | "whep",
    token: string,
    offer: string,
    to?: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const url = new URL(`/webrtc/${way}`, this.server.httpUrl);
    if (to !== undefined) url.searchParams.set("to", to);
    const headers = { ...more, authorization: `Bearer ${token}`, "content-type": "application/sdp" };
    return await fetch(url, { method: "POST", headers, body: offer });
  }

  /** Has a peer send, or receive: it is connected then. */
  async open(
    way: "whip" | "whep",
    token: string,
    peer: ForeignPeer,
    to?: string,
    more?: Readonly<Record<string, string>>,
  ): Promise<TakenPeer> {
    const response = await this.ask(way, token, await peer.offer(), to, more);
    const sdp = await response.text();
    if (response.status !== 201) throw new Error(`${response.status}: ${sdp}`);
    await peer.accept(sdp);
    await peer.connected();
    const location = response.headers.get("location") ?? "";
    return { token, location, iceTag: response.headers.get("etag") ?? "" };
  }

  /** A request about a peer that is open. */
  async about(
    { location, token }: TakenPeer,
    method: "PATCH" | "DELETE",
    headers: Readonly<Record<string, string>> = {},
    body?: string,
  ): Promise<Response> {
    const shown = { authorization: `Bearer ${token}`, ...headers };
    return await fetch(location, { method, headers: shown, ...(body === undefined ? {} : { body }) });
  }

  /** A connection of an agent by QUIC, for requests about peers alone. */
  async exchanges(identity: Known): Promise<PeerExchanges> {
    const exchanges = await PeerExchanges.connect(this.server, identity);
    this.#exchanges.push(exchanges);
    return exchanges;
  }

  /** Names and codes of what became of peers. */
  get ends(): readonly unknown[] {
    return this.logged
      .filter(({ event }) => event === "webrtc-peer-ended")
      .map(({ fields }) => fields.reason);
  }
}
