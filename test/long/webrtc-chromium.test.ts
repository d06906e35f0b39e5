/** Offers of Chromium's own that are answered, through a peer connection on a real media worker. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseRtpPacket } from "../../codecs/rtp-packet.ts";
import { createOpusCodec } from "../../platform/opus.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { extensionsClash } from "../../transports/webrtc/header-extensions.ts";
import { answerPeer } from "../answered-peer.ts";
import { type Chromium, startChromium } from "../browser/chromium.ts";
import { type ModulePage, serveModule } from "../browser/module-page.ts";
import { mediaWorkers } from "../media-workers.ts";
import { rtpPacket } from "../rtp-packet.ts";
import { pause, until } from "../waiting.ts";

const FRAME_MS = 20;
const FRAME_SAMPLES = 960;
/** Three seconds. */
const FRAMES = 150;
const TONE_HZ = 440;

const workers = mediaWorkers();
let served: ModulePage;
let browser: Chromium;

beforeAll(async () => {
  served = await serveModule(new URL("../browser/browser-facts.ts", import.meta.url));
  browser = await startChromium();
});
afterAll(async () => {
  await browser.close();
  await served[Symbol.asyncDispose]();
  await workers.close();
});

/** The connection that the page holds, as `globalThis.connection`, offers. */
async function accept(page: Page, answer: string): Promise<void> {
  await page.evaluate(async (sdp) => {
    const { connection } = globalThis as unknown as { connection: RTCPeerConnection };
    await connection.setRemoteDescription({ type: "answer", sdp });
  }, answer);
}

it("a page that only listens is answered, and hears", async () => {
  const page = await browser.open(served.url);
  const offer = await page.evaluate(async () => {
    const connection = new RTCPeerConnection();
    connection.addTransceiver("audio", { direction: "recvonly" });
    connection.ontrack = ({ track }) => {
      const player = new Audio();
      player.srcObject = new MediaStream([track]);
      void player.play();
    };
    Object.assign(globalThis, { connection });
    await connection.setLocalDescription();
    return connection.localDescription?.sdp as string;
  });
  let isUp = false;
  const { answer, offered, outgoing, peer } = await answerPeer(workers, offer, {
    connected: () => {
      isUp = true;
    },
  });
  expect(extensionsClash(offered.mappedExtensions, ["audio"])).toBe(false);
  expect(offered.mappedExtensions.find(({ id }) => id === 1)?.uri).toContain("audio-level");
  await accept(page, answer);
  await until("a connection", () => isUp);
  const voice = outgoing.get("audio");
  if (voice === undefined) throw new Error("no way for a voice");
  const codec = await createOpusCodec();
  const start = performance.now();
  for (let index = 0; index < FRAMES; index += 1) {
    const pcm = Int16Array.from({ length: FRAME_SAMPLES }, (_, at) =>
      Math.round(12_000 * Math.sin((2 * Math.PI * TONE_HZ * (index * FRAME_SAMPLES + at)) / 48_000)),
    );
    const { payloadType, ssrc } = voice;
    const numbers = { payloadType, ssrc, sequence: index, timestamp: index * FRAME_SAMPLES };
    voice.write(rtpPacket({ ...numbers, payload: codec.encode(pcm) }));
    await pause(Math.max(0, start + (index + 1) * FRAME_MS - performance.now()));
  }
  codec.close();
  const heard = await page.evaluate(async () => {
    const { connection } = globalThis as unknown as { connection: RTCPeerConnection };
    const stats: Record<string, unknown>[] = [];
    (await connection.getStats()).forEach((row) => {
      stats.push(row);
    });
    return stats.find(({ type }) => type === "inbound-rtp");
  });
  expect(heard).toMatchObject({ packetsReceived: FRAMES, packetsLost: 0 });
  // A sine of 12,000 of 32,768 has 0.067 of the energy of the loudest there is.
  expect(Number(heard?.totalAudioEnergy)).toBeGreaterThan(0.05);
  peer.close("done");
  await page.close();
});

it("a page that sends AV1 alone, under a payload type below 64, is seen", async () => {
  const page = await browser.open(served.url);
  const offer = await page.evaluate(async () => {
    const connection = new RTCPeerConnection();
    const media = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
    const [camera] = media.getVideoTracks() as [MediaStreamTrack];
    const transceiver = connection.addTransceiver(camera, { direction: "sendonly" });
    const { codecs = [] } = RTCRtpSender.getCapabilities("video") ?? {};
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /AV1|rtx/.test(mimeType)));
    Object.assign(globalThis, { connection });
    await connection.setLocalDescription();
    return connection.localDescription?.sdp as string;
  });
  const frames = new RtpFrames("av1");
  const units: boolean[] = [];
  const { answer, offered, peer } = await answerPeer(workers, offer, {
    connected: () => peer.requestKeyFrame(),
    packet: (_kind, bytes) => {
      const packet = parseRtpPacket(bytes);
      if (!packet.ok) throw new Error(packet.fault.message);
      frames.insert(packet.value, performance.now());
      for (
        let unit = frames.next(performance.now());
        unit !== undefined;
        unit = frames.next(performance.now())
      )
        units.push(unit.key);
    },
  });
  const [section] = offered.sections;
  const [codec] = section?.kind === "video" ? section.codecs : [];
  expect(codec?.mimeType).toBe("video/AV1");
  expect(codec?.payloadType).toBeLessThan(64);
  await accept(page, answer);
  await until("two seconds of pictures", () => units.length >= 40);
  expect(units[0]).toBe(true);
  peer.close("done");
  await page.close();
});
