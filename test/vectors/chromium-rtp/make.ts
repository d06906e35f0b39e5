/**
 * Has Chromium send a moving picture in each codec, and a tone, to a peer made of libdatachannel, and keeps the first packets of it, RTP and RTCP as they
 * come out of SRTP, each behind its length (RFC 4571): `node test/vectors/chromium-rtp/make.ts`.
 */
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { PeerConnection } from "node-datachannel";
import { readU32 } from "../../../codecs/big-endian.ts";
import { encodePictureLoss } from "../../../codecs/rtcp-pli.ts";
import { startChromium } from "../../browser/chromium.ts";

const CAPTURES = [
  { name: "vp8", codec: "VP8" },
  { name: "vp9", codec: "VP9" },
  { name: "vp9-layers", codec: "VP9", scalabilityMode: "L1T3" },
  { name: "av1", codec: "AV1" },
  { name: "opus", codec: "opus" },
] as const;
const ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
/** A key frame is asked for after so many pictures' time, ms, and what came until a second time after is kept. */
const HALF_MS = 700;

const server = createServer((_, response) => void response.end("<!doctype html><title>x</title>"));
await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as { port: number };
const browser = await startChromium();
for (const capture of CAPTURES) {
  const { codec, name } = capture;
  const page = await browser.open(`http://127.0.0.1:${port}/`);
  const wishes = { wanted: codec, mode: "scalabilityMode" in capture ? capture.scalabilityMode : undefined, uri: ABS_CAPTURE_TIME };
  const offer = await page.evaluate(async ({ wanted, mode, uri }) => {
    const kind = wanted === "opus" ? "audio" : "video";
    // Permission for a microphone has candidates name addresses.
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 180];
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    let turn = 0;
    setInterval(() => {
      turn += 1;
      for (let at = 0; at < 24; at += 1) {
        context.fillStyle = `hsl(${(at * 47 + turn * 9) % 360} 80% 50%)`;
        context.fillRect((at * 53 + turn * 4) % 320, (at * 31 + turn * 2) % 180, 60, 40);
      }
    }, 50);
    const stream = kind === "audio" ? microphone : canvas.captureStream(20);
    const [track] = stream.getTracks() as [MediaStreamTrack];
    const pc = new RTCPeerConnection();
    Object.assign(window, { pc });
    const transceiver = pc.addTransceiver(track, {
      direction: "sendonly",
      streams: [stream],
      ...(mode === undefined ? {} : { sendEncodings: [{ scalabilityMode: mode } as object] }),
    }) as RTCRtpTransceiver & {
      getHeaderExtensionsToNegotiate(): { uri: string; direction: string }[];
      setHeaderExtensionsToNegotiate(all: { uri: string; direction: string }[]): void;
    };
    const extensions = transceiver.getHeaderExtensionsToNegotiate();
    for (const one of extensions) if (one.uri === uri) one.direction = "sendrecv";
    transceiver.setHeaderExtensionsToNegotiate(extensions);
    const { codecs } = RTCRtpSender.getCapabilities(kind) as RTCRtpCapabilities;
    const some = codecs.filter(({ mimeType }) => mimeType.toLowerCase() === `${kind}/${wanted}`.toLowerCase());
    transceiver.setCodecPreferences(some.slice(0, 1));
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
    return pc.localDescription?.sdp ?? "";
  }, wishes);
  const kept: Uint8Array[] = [];
  const peer = new PeerConnection("capture", { iceServers: [], bindAddress: "127.0.0.1" });
  const answer = new Promise<string>((resolve) => {
    peer.onGatheringStateChange((state) => {
      if (state === "complete") resolve(peer.localDescription()?.sdp ?? "");
    });
  });
  const done = new Promise<void>((resolve) => {
    peer.onTrack((track) => {
      let first = true;
      track.onMessage((packet) => {
        kept.push(new Uint8Array(packet));
        if (!first) return;
        first = false;
        const ssrc = readU32(packet, 8);
        if (codec !== "opus")
          setTimeout(() => track.sendMessageBinary(Buffer.from(encodePictureLoss({ sender: 1, ssrc }))), HALF_MS);
        setTimeout(resolve, 2 * HALF_MS);
      });
      // The track lives as long as something holds it.
      held.push(track);
    });
  });
  const held: unknown[] = [];
  peer.setRemoteDescription(offer, "offer" as never);
  const sdp = await answer;
  await page.evaluate(
    (text) =>
      (window as unknown as { pc: RTCPeerConnection }).pc.setRemoteDescription({ type: "answer", sdp: text }),
    sdp,
  );
  await done;
  await page.close();
  peer.close();
  const framed = kept.flatMap((one) => [one.length >> 8, one.length & 0xff, ...one]);
  writeFileSync(new URL(`${name}.rtp`, import.meta.url), Uint8Array.from(framed));
  const ids = [...sdp.matchAll(/^a=extmap:\d+ .*$/gm)].map(([line]) => line);
  console.log(name, kept.length, [...ids, ...sdp.matchAll(/^a=rtpmap:.*$/gm)].join("\n"));
}
await browser.close();
server.close();
process.exit(0);
