/** Answers the offer of a foreign WebRTC peer with a peer connection of ours that takes and sends everything that was offered. */

import type { MediaKind, RemoteDescription, RtpCodec, SentMedia } from "../transports/webrtc/description.ts";
import { MAX_MESSAGE_BYTES, PeerConnection, type PeerHandlers } from "../transports/webrtc/peer.ts";
import type { OutgoingMedia } from "../transports/webrtc/peer-outgoing.ts";
import { readOffer } from "../transports/webrtc/sdp-reading.ts";
import { answeredSections, type Taken, writeDescription } from "../transports/webrtc/sdp-writing.ts";
import type { MediaWorkers } from "../transports/webrtc/workers.ts";
import { must } from "./signed-call.ts";

export interface AnsweredPeer {
  readonly peer: PeerConnection;
  /** SDP for the foreign peer. */
  readonly answer: string;
  readonly offered: RemoteDescription;
  readonly outgoing: ReadonlyMap<MediaKind, OutgoingMedia>;
}

/** `expect`: what the peer is held to instead of the fingerprints it offered. */
export async function answerPeer(
  workers: MediaWorkers,
  offer: string,
  handlers: PeerHandlers,
  expect?: RemoteDescription["fingerprints"],
): Promise<AnsweredPeer> {
  const offered = must(readOffer(offer));
  const media = offered.sections.filter(({ kind }) => kind === "audio" || kind === "video");
  const codecs = media.flatMap((section) => ("codecs" in section ? chosen(section.codecs) : []));
  const hasData = offered.sections.some(({ kind }) => kind === "data");
  const channels = hasData
    ? ["parley-control", "parley-data"].map((label) => ({ label, ordered: true }))
    : [];
  const peer = await PeerConnection.open(workers, { codecs, channels }, handlers);
  const outgoing = new Map<MediaKind, OutgoingMedia>();
  const taken: Taken[] = [];
  for (const section of media) {
    if (!("codecs" in section)) continue;
    await peer.receive(section);
    const sent = await peer.send({ ...section, codecs: chosen(section.codecs), cname: "parley" });
    outgoing.set(section.kind, sent);
    const sends: SentMedia = { ...sent.sends, stream: { stream: "parley" } };
    taken.push({ kind: section.kind, payloadType: sent.payloadType, receives: true, sends });
  }
  const { sctpPort } = peer;
  const data = sctpPort === undefined ? undefined : { sctpPort, maxMessageSize: MAX_MESSAGE_BYTES };
  await peer.connect(expect ?? offered.fingerprints, offered.setup);
  return { peer, offered, outgoing, answer: answerOf(peer, offered, taken, data) };
}

function answerOf(
  peer: PeerConnection,
  offered: RemoteDescription,
  taken: readonly Taken[],
  data: { readonly sctpPort: number; readonly maxMessageSize: number } | undefined,
): string {
  return writeDescription({
    origin: { id: "1", version: 1 },
    ice: peer.ice,
    candidates: peer.candidates,
    fingerprints: peer.fingerprints,
    setup: offered.setup === "passive" ? "active" : "passive",
    sections: answeredSections(offered, taken, data),
  });
}

/** The first codec and what repeats it. */
function chosen(codecs: readonly RtpCodec[]): readonly RtpCodec[] {
  const [first] = codecs;
  return codecs.filter((codec) => codec === first || codec.parameters.apt === first?.payloadType);
}
