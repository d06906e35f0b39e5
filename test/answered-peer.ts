/** Answers the offer of a foreign WebRTC peer with a peer connection of ours that takes what is sent and sends what is taken. */

import type { MediaKind, RemoteDescription, RtpCodec, SentMedia } from "../transports/webrtc/description.ts";
import { sentMid } from "../transports/webrtc/header-extensions.ts";
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
    const { direction, headerExtensions, kind, mid } = section;
    const kept = chosen(section.codecs);
    if (direction !== "recvonly") await peer.receive(section);
    let sends: SentMedia | undefined;
    if (direction !== "sendonly") {
      const sent = await peer.send({
        ...{ kind, headerExtensions, codecs: kept, cname: "parley" },
        mid: sentMid(mid, offered.mappedExtensions),
      });
      outgoing.set(kind, sent);
      sends = { ...sent.sends, stream: { stream: "parley" } };
    }
    const [codec] = kept;
    if (codec !== undefined)
      taken.push({ kind, payloadType: codec.payloadType, receives: true, ...(sends && { sends }) });
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
