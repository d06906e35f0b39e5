// A relay of WebRTC voices between two peers, without anything on top. Argument: `pipe`, where they pass in the media worker alone, or
// `node`, where each packet is handed out to Node and back. Prints its address; takes both peers' offers in one POST, as a list, and
// gives their answers.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { types } from "mediasoup";
import { writeU32 } from "../codecs/big-endian.ts";
import { answerPeer } from "../test/answered-peer.ts";
import { mediaWorkers } from "../test/media-workers.ts";
import { must } from "../test/signed-call.ts";
import type { LocalDescription, MediaSection, RemoteDescription } from "../transports/webrtc/description.ts";
import type { OutgoingMedia } from "../transports/webrtc/peer-outgoing.ts";
import { routerCodecs, sentParameters, takenCapabilities } from "../transports/webrtc/router-codecs.ts";
import { readOffer } from "../transports/webrtc/sdp-reading.ts";
import { answeredSections, writeDescription } from "../transports/webrtc/sdp-writing.ts";

type Pair<Value> = readonly [Value, Value];

const workers = mediaWorkers();
const join = process.argv[2] === "pipe" ? joinInWorker : joinInNode;
const server = createServer((request, response) => {
  answer(request).then(
    (answers) => response.end(JSON.stringify(answers)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      response.writeHead(500).end();
    },
  );
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(JSON.stringify({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` }));
process.stdin.resume();
process.stdin.on("end", () => void workers.close().then(() => process.exit(0)));

async function answer(request: IncomingMessage): Promise<Pair<string>> {
  return await join(JSON.parse(await text(request)) as Pair<string>);
}

/** Each peer has a router and a way to Node, as in the gateway; a packet goes over as it is, under the other stream's names. */
async function joinInNode(offers: Pair<string>): Promise<Pair<string>> {
  const ways: OutgoingMedia[] = [];
  const one = async (place: 0 | 1): Promise<string> => {
    const { answer, outgoing } = await answerPeer(workers, offers[place], {
      packet(_kind, packet) {
        const way = ways[1 - place];
        if (way === undefined) return;
        packet[1] = ((packet[1] as number) & 0x80) | way.payloadType;
        writeU32(packet, 8, way.ssrc);
        way.write(packet);
      },
    });
    ways[place] = outgoing.get("audio") as OutgoingMedia;
    return answer;
  };
  return [await one(0), await one(1)];
}

/** Both peers at one router, each one's stream consumed by the other. */
async function joinInWorker(offers: Pair<string>): Promise<Pair<string>> {
  const worker = await workers.take();
  worker.peers += 2;
  const ends = offers.map((offer) => {
    const described = must(readOffer(offer));
    return { described, section: described.sections.find(({ kind }) => kind === "audio") as MediaSection };
  }) as unknown as Pair<{ readonly described: RemoteDescription; readonly section: MediaSection }>;
  const { codecs } = ends[0].section;
  const { router, server: webRtcServer } = await worker.openRouter(routerCodecs(codecs));
  const made = await Promise.all(
    ends.map(async ({ described, section }) => {
      const transport = await router.createWebRtcTransport({ webRtcServer });
      const fingerprints = described.fingerprints.filter(({ algorithm }) => algorithm === "sha-256");
      await transport.connect({ dtlsParameters: { role: "client", fingerprints: [...fingerprints] } });
      const rtpParameters = sentParameters(section, codecs);
      return { transport, producer: await transport.produce({ kind: "audio", rtpParameters }) };
    }),
  );
  const answers = ends.map(async ({ described, section }, place) => {
    const [own, other] = [made[place], made[1 - place]] as Pair<(typeof made)[number]>;
    const consumer = await own.transport.consume({
      producerId: other.producer.id,
      rtpCapabilities: takenCapabilities(codecs, section.headerExtensions),
      mid: section.mid,
    });
    return writeDescription({ ...transportOf(own.transport), sections: answeredBy(described, consumer) });
  });
  return (await Promise.all(answers)) as unknown as Pair<string>;
}

function answeredBy(described: RemoteDescription, { rtpParameters }: types.Consumer) {
  const encodings = (rtpParameters.encodings ?? []).map(({ ssrc = 0 }) => ({ ssrc }));
  const payloadType = rtpParameters.codecs[0]?.payloadType ?? 0;
  const sends = { encodings, cname: "relay", stream: { stream: "relay" } };
  return answeredSections(described, [{ kind: "audio", payloadType, receives: true, sends }], undefined);
}

function transportOf(transport: types.WebRtcTransport): Omit<LocalDescription, "sections"> {
  const { iceCandidates, iceParameters } = transport;
  return {
    origin: { id: "1", version: 1 },
    ice: { usernameFragment: iceParameters.usernameFragment, password: iceParameters.password },
    candidates: iceCandidates.map((candidate) => ({
      ...{ foundation: candidate.foundation, priority: candidate.priority, address: candidate.address },
      ...{ protocol: candidate.protocol, port: candidate.port, type: candidate.type },
    })),
    fingerprints: transport.dtlsParameters.fingerprints.filter(({ algorithm }) => algorithm === "sha-256"),
    setup: "passive",
  };
}
