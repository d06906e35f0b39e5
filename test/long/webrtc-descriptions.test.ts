/** What this server writes in SDP is taken by other implementations, and what they answer is read: Chromium, werift, libdatachannel. */
import nodeDataChannel from "node-datachannel";
import { expect, it } from "vitest";
import { RTCPeerConnection as WeriftConnection, MediaStreamTrack as WeriftTrack } from "werift";
import type {
  LocalDescription,
  MediaKind,
  MediaSection,
  RemoteDescription,
  RtpCodec,
  SentMedia,
} from "../../transports/webrtc/description.ts";
import { offeredExtensions } from "../../transports/webrtc/header-extensions.ts";
import { FEEDBACK } from "../../transports/webrtc/sdp-codecs.ts";
import { readAnswer, readOffer } from "../../transports/webrtc/sdp-reading.ts";
import { answeredSections, writeDescription } from "../../transports/webrtc/sdp-writing.ts";
import { startChromium } from "../browser/chromium.ts";
import { serveModule } from "../browser/module-page.ts";
import { OWN_TRANSPORT } from "../sdp-offers.ts";
import { until } from "../waiting.ts";

const SENT: Readonly<Record<MediaKind, SentMedia>> = {
  audio: { encodings: [{ ssrc: 71 }], cname: "own", stream: { stream: "parley", track: "voice" } },
  video: {
    ...{ encodings: [{ ssrc: 72, rtx: { ssrc: 73 } }], cname: "own" },
    stream: { stream: "parley", track: "sight" },
  },
};
const DATA = { sctpPort: 5000, maxMessageSize: 65_536 };

const OPUS: RtpCodec = {
  ...{ mimeType: "audio/opus", payloadType: 111, clockRate: 48_000, channels: 2 },
  ...{ parameters: { minptime: 10, useinbandfec: 1 }, rtcpFeedback: FEEDBACK.audio },
};
const video = (name: string, payloadType: number, parameters: RtpCodec["parameters"]): RtpCodec => ({
  ...{ mimeType: `video/${name}`, payloadType, clockRate: 90_000, parameters },
  rtcpFeedback: name === "rtx" ? [] : FEEDBACK.video,
});
const VIDEO = [
  ...[video("VP8", 96, {}), video("rtx", 97, { apt: 96 })],
  ...[video("VP9", 98, { "profile-id": 0 }), video("AV1", 100, { profile: 0 })],
];
const section = (kind: MediaKind, mid: string, codecs: readonly RtpCodec[]): MediaSection => ({
  ...{ kind, mid, codecs, sends: SENT[kind] },
  direction: "sendrecv",
  headerExtensions: offeredExtensions(kind),
});
const OFFERED: LocalDescription = {
  ...OWN_TRANSPORT,
  setup: "actpass",
  sections: [
    section("audio", "0", [OPUS]),
    section("video", "1", VIDEO),
    { kind: "data", mid: "2", ...DATA },
  ],
};
const OFFER = writeDescription(OFFERED);

/** The answer of a server that takes the first codec of every kind, both ways. */
function answerTo(text: string): string {
  const offer = readOffer(text);
  if (!offer.ok) throw new Error(JSON.stringify(offer.fault));
  const taken = offer.value.sections.flatMap((one) => {
    if (one.kind === "none" || one.kind === "data") return [];
    const payloadType = one.codecs[0]?.payloadType as number;
    return [{ kind: one.kind, payloadType, receives: true, sends: SENT[one.kind] }];
  });
  const sections = answeredSections(offer.value, taken, DATA);
  return writeDescription({ ...OWN_TRANSPORT, setup: "passive", sections });
}

/** The answer to {@link OFFER}, as it is read. */
function answered(text: string): RemoteDescription {
  const read = readAnswer(text, OFFERED);
  if (!read.ok) throw new Error(`${JSON.stringify(read.fault)}\n${text}`);
  return read.value;
}

const kinds = ({ sections }: RemoteDescription) => sections.map(({ kind }) => kind);

it("werift", async () => {
  const offering = new WeriftConnection();
  for (const kind of ["audio", "video"] as const)
    offering.addTransceiver(new WeriftTrack({ kind }), { direction: "sendrecv" });
  await offering.setLocalDescription(await offering.createOffer());
  await offering.setRemoteDescription({
    type: "answer",
    sdp: answerTo(offering.localDescription?.sdp as string),
  });
  expect(offering.getTransceivers().map(({ currentDirection }) => currentDirection)).toEqual([
    "sendrecv",
    "sendrecv",
  ]);
  await offering.close();
  const answering = new WeriftConnection();
  await answering.setRemoteDescription({ type: "offer", sdp: OFFER });
  await answering.setLocalDescription(await answering.createAnswer());
  const answer = answered(answering.localDescription?.sdp as string);
  await answering.close();
  expect(kinds(answer)).toEqual(["audio", "video", "data"]);
});

it("libdatachannel", async () => {
  const offering = new nodeDataChannel.PeerConnection("offering", { iceServers: [] });
  const audio = new nodeDataChannel.Audio("audio", "SendRecv");
  audio.addOpusCodec(111);
  audio.addSSRC(42, "cname", "stream", "audio");
  offering.addTrack(audio);
  offering.createDataChannel("parley-control");
  offering.setLocalDescription();
  await until("candidates of libdatachannel", () => offering.gatheringState() === "complete");
  offering.setRemoteDescription(answerTo(offering.localDescription()?.sdp as string), "answer" as never);
  expect(offering.signalingState()).toBe("stable");
  offering.close();
  const answering = new nodeDataChannel.PeerConnection("answering", { iceServers: [] });
  answering.setRemoteDescription(OFFER, "offer" as never);
  await until("its own candidates", () => answering.gatheringState() === "complete");
  const answer = answered(answering.localDescription()?.sdp as string);
  answering.close();
  expect(kinds(answer)).toContain("data");
});

it("Chromium", async () => {
  await using served = await serveModule(new URL("../browser/browser-facts.ts", import.meta.url));
  await using browser = await startChromium();
  const page = await browser.open(served.url);
  const offers = await page.evaluate(async () => {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    const [camera] = media.getVideoTracks() as [MediaStreamTrack];
    const ways: Readonly<Record<string, (connection: RTCPeerConnection) => void>> = {
      both: (connection) => {
        for (const track of media.getTracks()) connection.addTrack(track, media);
        connection.createDataChannel("parley-control", { negotiated: true, id: 0 });
      },
      whip: (connection) => {
        for (const track of media.getTracks()) connection.addTransceiver(track, { direction: "sendonly" });
      },
      whep: (connection) => {
        for (const kind of ["audio", "video"]) connection.addTransceiver(kind, { direction: "recvonly" });
      },
      simulcast: (connection) => {
        const sendEncodings = [{ rid: "f" }, { rid: "q", scaleResolutionDownBy: 4 }];
        connection.addTransceiver(camera, { direction: "sendonly", sendEncodings });
      },
    };
    const connections: Record<string, RTCPeerConnection> = {};
    const offers: [string, string][] = [];
    for (const [name, prepare] of Object.entries(ways)) {
      const connection = new RTCPeerConnection();
      connections[name] = connection;
      prepare(connection);
      await connection.setLocalDescription();
      offers.push([name, connection.localDescription?.sdp as string]);
    }
    Object.assign(globalThis, { connections, media });
    return offers;
  });
  const answers = offers.map(([name, sdp]) => [name, answerTo(sdp)] as const);
  const agreed = await page.evaluate(async (all) => {
    const { connections } = globalThis as unknown as { connections: Record<string, RTCPeerConnection> };
    const said: Record<string, unknown> = {};
    for (const [name, sdp] of all) {
      const connection = connections[name] as RTCPeerConnection;
      await connection.setRemoteDescription({ type: "answer", sdp });
      said[name] = connection.getTransceivers().map(({ currentDirection, sender }) => {
        return `${currentDirection} ${sender.getParameters().encodings.length}`;
      });
    }
    return said;
  }, answers);
  expect(agreed).toEqual({
    both: ["sendrecv 1", "sendrecv 1"],
    whip: ["sendonly 1", "sendonly 1"],
    whep: ["recvonly 1", "recvonly 1"],
    simulcast: ["sendonly 1"],
  });
  const answer = await page.evaluate(async (sdp) => {
    const { media } = globalThis as unknown as { media: MediaStream };
    const connection = new RTCPeerConnection();
    await connection.setRemoteDescription({ type: "offer", sdp });
    for (const track of media.getTracks()) connection.addTrack(track, media);
    await connection.setLocalDescription();
    return connection.localDescription?.sdp as string;
  }, OFFER);
  const { sections } = answered(answer);
  expect(sections).toMatchObject([
    { kind: "audio", direction: "sendrecv", codecs: [{ mimeType: "audio/opus" }] },
    { kind: "video", direction: "sendrecv", sends: { encodings: [{ rtx: {} }] } },
    { kind: "data" },
  ]);
  const [, pictures] = sections;
  const names = pictures?.kind === "video" ? pictures.codecs.map(({ mimeType }) => mimeType) : [];
  expect(names).toEqual(["video/VP8", "video/rtx", "video/VP9", "video/AV1"]);
});
