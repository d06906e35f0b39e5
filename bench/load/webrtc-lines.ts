/** WebRTC peers of the load generator, connected to what is measured: through a plain relay of packets, or in calls of a Parley server. */
import { Agent, createAccessToken, createIdentity } from "../../agent/node.ts";
import { readRtp } from "../../test/rtp-packet.ts";
import { pause, until } from "../../test/waiting.ts";
import { DataChannelPeer } from "../../test/webrtc/data-channel-peer.ts";
import type { MediaKind } from "../../test/webrtc/foreign-peer.ts";
import { PeerExchanges } from "../../test/webrtc/peer-exchanges.ts";
import { inParallel, type LoadTarget } from "./link.ts";

/**
 * `pipe`: two peers and the media worker between them; `node`: the same with each packet handed out to Node and back; `gateway`: two
 * peers in a call of a Parley server; `agent`: each peer in a call with an agent by QUIC that says everything back.
 */
export type WebRtcKind = "pipe" | "node" | "gateway" | "agent";

/** One peer. */
export interface WebRtcLine {
  readonly peer: LoadPeer;
  /** Whose packets come here: its place. */
  readonly hears: number;
  /** Milliseconds until it was connected and, where there is one, its call was up. */
  readonly setup: number;
  /** Why it is over, if it is. */
  ended(): string | undefined;
  /** Ends its call. */
  leave(): void;
}

/** A peer that keeps nothing of what comes. */
export class LoadPeer extends DataChannelPeer {
  voice: (payload: Uint8Array) => void = () => {};

  protected override came(_kind: MediaKind, bytes: Uint8Array): void {
    const second = bytes[1] as number;
    // RTCP.
    if (second >= 192 && second <= 223) return;
    this.voice(readRtp(bytes).payload);
  }
}

/** Connects so many peers, few at a time. Throws when one does not come about. */
export async function webRtcLines(
  kind: WebRtcKind,
  target: LoadTarget,
  count: number,
): Promise<readonly WebRtcLine[]> {
  if (kind === "agent") return await inParallel(count, SETUPS_AT_ONCE, (index) => agentLine(target, index));
  const pairOf = kind === "gateway" ? gatewayPair : relayedPair;
  const pairs = await inParallel(count / 2, SETUPS_AT_ONCE, (index) => pairOf(target, 2 * index));
  return pairs.flat();
}

/** The relay describes both ends at once. */
async function relayedPair({ address }: LoadTarget, first: number): Promise<WebRtcLine[]> {
  const begun = performance.now();
  const peers = [new LoadPeer({ audio: "sendrecv" }), new LoadPeer({ audio: "sendrecv" })];
  const offers = await Promise.all(peers.map((peer) => peer.offer()));
  const response = await fetch(`http://${address}/`, { method: "POST", body: JSON.stringify(offers) });
  const answers = (await response.json()) as string[];
  await Promise.all(peers.map((peer, index) => peer.accept(answers[index] as string)));
  await Promise.all(peers.map((peer) => peer.connected()));
  return peers.map((peer, index) => ({
    ...{ peer, hears: first + 1 - index, setup: performance.now() - begun },
    ended: () => (peer.isConnected ? undefined : "not connected"),
    leave: () => {},
  }));
}

/** The second one waits for the call that the first one makes. */
async function gatewayPair(target: LoadTarget, first: number): Promise<WebRtcLine[]> {
  const begun = performance.now();
  const callee = await opened(target, `callee ${first}`);
  // It is online once its certificate is known.
  await pause(ONLINE_MS);
  const caller = await opened(target, `caller ${first}`, callee.agentId);
  const lines = [caller, callee];
  await Promise.all(lines.map((line) => line.up()));
  const setup = performance.now() - begun - ONLINE_MS;
  return lines.map((line, index) => ({ ...line, hears: first + 1 - index, setup }));
}

async function agentLine(target: LoadTarget, index: number): Promise<WebRtcLine> {
  const begun = performance.now();
  const { agents = [] } = target;
  const line = await opened(target, `peer ${index}`, agents[index % agents.length]);
  await line.up();
  return { ...line, hears: index, setup: performance.now() - begun };
}

/** A peer that its agent asked for in an exchange. */
async function opened({ address, certificateHash = "" }: LoadTarget, name: string, to?: string) {
  const url = `https://${address}/agtp`;
  const { identity } = createIdentity({ name });
  // Its first proof makes it known there.
  const certificateHashes = [Buffer.from(certificateHash, "hex")];
  const agent = await Agent.connect(url, { identity, certificateHashes, carrier: "webtransport" });
  await agent.close();
  const exchanges = await PeerExchanges.connect({ url, certificateHash }, identity);
  const { agentId } = identity;
  const token = createAccessToken({
    ...{ by: identity, agentId, audience: new URL(url).origin, scope: ["communication:*"], lifetime: 3_600 },
  });
  const peer = new LoadPeer({ audio: "sendrecv", channels: ["parley-control", "parley-data"] });
  await exchanges.open(token, peer, to === undefined ? {} : { to });
  const told = (state: string) =>
    peer.messages
      .map(({ message }) => JSON.parse(String(message)) as { state?: string; reason?: string })
      .find((notice) => notice.state === state);
  const ended = () => told("ended")?.reason ?? (peer.isConnected ? undefined : "not connected");
  return {
    ...{ peer, agentId, ended },
    up: () =>
      until(
        `the call of ${name}`,
        () => {
          const reason = ended();
          if (reason !== undefined) throw new Error(`The call of ${name} ended: ${reason}.`);
          return told("up") !== undefined;
        },
        CALL_MS,
      ),
    leave: () => peer.message(0, JSON.stringify({ type: "hang-up" })),
  };
}

/** Setting up is not what is measured: it goes slowly. */
const SETUPS_AT_ONCE = 2;
const ONLINE_MS = 500;
const CALL_MS = 20_000;
