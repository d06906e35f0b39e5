import type { Agent } from "../../agent/agent.ts";
import type { Clock } from "../../codecs/clock.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import type { GatewayStatement } from "../../signaling/gateway.ts";
import type { IceCredentials, IceFragment } from "../../transports/webrtc/description.ts";
import { checkConfirmation } from "../../transports/webrtc/fingerprints.ts";
import type { MediaWorkers } from "../../transports/webrtc/workers.ts";
import type { Asker, JudgedAsker, OpenedPeer, PeerDesk, PeerNamed, PeerOpening } from "./desk.ts";
import { GatewayPeer, type PeerState } from "./gateway-peer.ts";
import { wantedMedia } from "./peer-plan.ts";

/** How many peers may be here at once; one more is refused with `capacity`. */
export interface PeerCaps {
  readonly all: number;
  /** Of these, peers for agents of one owner: who has many agents takes no more than its part. */
  readonly ofOwner: number;
  /** Of these, peers for one agent: each holds one of its inboxes, and its own have to fit beside. */
  readonly ofSubject: number;
}

const USUAL_CAPS: PeerCaps = { all: 512, ofOwner: 256, ofSubject: 6 };
/** When to come again after `capacity`, ms. */
const RETRY_MS = 5_000;

export interface GatewayOptions {
  readonly workers: MediaWorkers;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** Agent-ID that signs here. */
  readonly gatewayId: string;
  /** What a token grants; `origins`: audiences that it may name. */
  readonly judge: (token: string, origins: readonly string[]) => Promise<Result<AccessGrant>>;
  /** Whose agent that is, as its issuer vouches; `undefined` for one that is not known here. */
  readonly ownerOf: (agentId: string) => string | undefined;
  readonly caps?: PeerCaps;
  /** Comes online on behalf of somebody. Throws as `Agent.connect`. */
  readonly connect: (options: {
    readonly onBehalfOf: GatewayStatement;
    readonly token: () => string;
    readonly origins: readonly string[];
    readonly inbox: string;
    /** Whether it is there to be called. */
    readonly takesCalls: boolean;
  }) => Promise<Agent>;
  /** Why no peers are taken now, if so. */
  readonly unready: () => string | undefined;
  /** What becomes of peers, for the log: names and reasons, never what they showed or described. */
  readonly told: (event: GatewayEvent) => void;
  readonly report: (error: unknown) => void;
}

export type GatewayEvent = {
  /** The beginning of what names the peer; who knows all of it reaches the peer. */
  readonly peer: string;
  readonly subject: string;
} & (
  | { readonly type: "opened"; readonly way: PeerOpening["way"]; readonly workerPid: number | undefined }
  | { readonly type: "refused"; readonly way: PeerOpening["way"]; readonly code: string }
  | { readonly type: "ended"; readonly reason: string; readonly session: string | undefined }
);

/** The desk of a server that takes WebRTC peers, each in one call on behalf of the agent whose token it shows. */
export class Gateway implements PeerDesk {
  readonly #options: GatewayOptions;
  readonly #peers = new Map<string, GatewayPeer>();
  /** Those that have ended and have a last word to say. */
  readonly #leaving = new Set<Promise<void>>();
  #opened = 0;
  #isClosed = false;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Peers by state. */
  get counts(): Readonly<Record<Exclude<PeerState, "ended">, number>> {
    const counts = { opening: 0, waiting: 0, up: 0 };
    for (const { state } of this.#peers.values()) if (state !== "ended") counts[state] += 1;
    return counts;
  }

  unavailable(): Fault | undefined {
    return this.#isClosed ? refuse("webrtc-unavailable", STOPS).fault : undefined;
  }

  async judge(asker: Asker): Promise<Result<JudgedAsker>> {
    const { agentId, origins, token } = asker;
    const grant = await this.#options.judge(token, origins);
    if (!grant.ok) return grant;
    if (agentId !== undefined && grant.value.agentId !== agentId)
      return refuse("token-invalid", "The token is another agent's.", "token.sub", { claim: "sub" });
    return ok({ ...asker, grant: grant.value });
  }

  async open(opening: PeerOpening): Promise<Result<OpenedPeer>> {
    const { clock, connect, gatewayId, random, report, told, unready, workers } = this.#options;
    const { grant, origins } = opening.asker;
    const stopping = this.#isClosed ? STOPS : unready();
    if (stopping !== undefined) return refuse("draining", stopping);
    const media = wantedMedia(opening);
    if (!media.ok) return media;
    if (opening.way !== "exchange") {
      const bound = checkConfirmation(grant.confirmation, opening.offer.fingerprints);
      if (!bound.ok) return bound;
    }
    const subject = grant.agentId;
    const room = this.#room(subject);
    if (!room.ok) return room;
    this.#opened += 1;
    // Who calls is in that call alone, and is not to look as if it could be called.
    const takesCalls = opening.to === undefined;
    const inbox = `webrtc-${this.#opened}-${encodeHex(random(4))}`;
    const id = encodeHex(random(16));
    const named = { peer: id.slice(0, SHOWN_DIGITS), subject };
    const peer = new GatewayPeer({
      ...{ id, opening, workers, clock, random, gatewayId, report },
      media: media.value,
      connect: (onBehalfOf, newest) => connect({ onBehalfOf, token: newest, origins, inbox, takesCalls }),
      ended: (ended, reason) => {
        this.#peers.delete(id);
        const leaving = ended.closed.finally(() => this.#leaving.delete(leaving));
        this.#leaving.add(leaving);
        told({ type: "ended", ...named, reason, session: ended.sessionId });
      },
    });
    this.#peers.set(id, peer);
    const outcome = await peer.open();
    const opened = !outcome.ok && this.#isClosed ? refuse("draining", STOPS) : outcome;
    if (opened.ok) told({ type: "opened", ...named, way: opening.way, workerPid: peer.workerPid });
    else told({ type: "refused", ...named, way: opening.way, code: opened.fault.code });
    return opened;
  }

  async trickle(named: PeerNamed, _fragment: IceFragment, iceTag: string | undefined): Promise<Result<void>> {
    const peer = this.#find(named);
    return peer.ok ? peer.value.trickle(iceTag) : peer;
  }

  async restart(named: PeerNamed, ice: IceCredentials | undefined): Promise<Result<Omit<OpenedPeer, "id">>> {
    const peer = this.#find(named);
    return peer.ok ? await peer.value.restart(ice === undefined) : peer;
  }

  async answer(named: PeerNamed, sdp: string): Promise<Result<void>> {
    const peer = this.#find(named);
    return peer.ok ? await peer.value.answer(sdp) : peer;
  }

  async close(named: PeerNamed): Promise<Result<void>> {
    const peer = this.#find(named);
    if (!peer.ok) return peer;
    peer.value.end("peer-closed");
    return ok(undefined);
  }

  /** Ends every peer that is left, as the server stops. Resolves when they are gone. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    for (const peer of [...this.#peers.values()]) peer.end("server-shutdown");
    await Promise.all([...this.#leaving]);
  }

  #find({ id, asker }: PeerNamed): Result<GatewayPeer> {
    const peer = this.#peers.get(id);
    if (peer === undefined || peer.subject !== asker.grant.agentId)
      return refuse("not-found", "There is no such peer of this subject here, or it is over.");
    peer.show(asker);
    return ok(peer);
  }

  #room(subject: string): Result<void> {
    const { caps = USUAL_CAPS, ownerOf } = this.#options;
    const subjects = [...this.#peers.values()].map((peer) => peer.subject);
    const owner = ownerOf(subject);
    const isOwners = (other: string) =>
      other === subject || (owner !== undefined && ownerOf(other) === owner);
    if (subjects.length >= caps.all) return full("all", `${caps.all} WebRTC peers are here already.`);
    if (subjects.filter((other) => other === subject).length >= caps.ofSubject)
      return full("ofSubject", `${caps.ofSubject} WebRTC peers act for this agent already.`);
    if (subjects.filter(isOwners).length >= caps.ofOwner)
      return full("ofOwner", `${caps.ofOwner} WebRTC peers act for agents of this owner already.`);
    return ok(undefined);
  }
}

/** `limit`: which of them it is, since what helps is another thing for each. */
function full(limit: keyof PeerCaps, message: string): Result<never> {
  const named = { all: "peers", ofOwner: "peersPerOwner", ofSubject: "peersPerAgent" }[limit];
  return refuse("capacity", message, undefined, { limit: named, retry_after_ms: RETRY_MS });
}

const STOPS = "The server stops.";
/** Enough to find a peer in the log, and not to reach it. */
const SHOWN_DIGITS = 8;
