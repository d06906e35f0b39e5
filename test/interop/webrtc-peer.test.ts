import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { encodeSenderReport } from "../../codecs/rtcp-report.ts";
import type { RtpPacket } from "../../codecs/rtp-packet.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { MAX_WAITING_BYTES } from "../../transports/webrtc/data-outlet.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import type { CaptureReport } from "../../transports/webrtc/peer-incoming.ts";
import type { WorkerEvent } from "../../transports/webrtc/workers.ts";
import { answerPeer } from "../answered-peer.ts";
import { mediaWorkers } from "../media-workers.ts";
import { readRtp, rtpPacket } from "../rtp-packet.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { pause, until } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import type { ForeignPeer, ForeignPeerOptions } from "../webrtc/foreign-peer.ts";
import { WeriftPeer } from "../webrtc/werift-peer.ts";

const CHANNELS = ["parley-control", "parley-data"];
/** Of what a foreign peer sends. */
const PLAIN = { marker: false, extensions: [] };

const events: WorkerEvent[] = [];
const workers = mediaWorkers({ told: (event) => events.push(event) });
const closing: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(async () => {
  await workers.close();
  DataChannelPeer.cleanUp();
});

describe("a peer on libdatachannel", () => {
  it("is heard and hears, byte for byte, with its timestamps", async () => {
    const foreign = datachannelPeer({ audio: "sendrecv" });
    const { outgoing, packets } = await connect(foreign);
    const voice = outgoing.get("audio");
    if (voice === undefined) throw new Error("no way for voice");
    for (let index = 0; index < 20; index += 1) {
      const numbers = { sequence: 100 + index, timestamp: 48_000 + 960 * index };
      foreign.sendRtp("audio", { ...PLAIN, ...numbers, payload: Uint8Array.of(1, index) });
      const { ssrc, payloadType } = voice;
      voice.write(rtpPacket({ ssrc, payloadType, ...numbers, payload: Buffer.from([2, index]) }));
    }
    await until("all voice", () => packets.audio.length === 20 && foreign.heard.audio.length === 20);
    const expected = (mark: number) =>
      Array.from({ length: 20 }, (_, index) => ({
        payloadType: 111,
        payload: Buffer.from([mark, index]),
        timestamp: 48_000 + 960 * index,
      }));
    expect(packets.audio.map(readRtp)).toMatchObject(expected(1));
    expect(foreign.heard.audio.map(plain)).toMatchObject(expected(2));
    // On the wire the source is the one that the description names.
    expect(foreign.heard.audio.map(({ ssrc }) => ssrc)).toEqual(
      Array.from({ length: 20 }, () => voice.sends.encodings[0]?.ssrc),
    );
  });

  it("shows pictures from a key frame on, and asks for one", async () => {
    const foreign = datachannelPeer({ audio: "sendrecv", video: "sendrecv" });
    const { peer, outgoing, packets, told } = await connect(foreign);
    const pictures = outgoing.get("video");
    if (pictures === undefined) throw new Error("no way for pictures");
    const frame = (index: number) => ({
      payload: Buffer.concat([VP8_DESCRIPTOR, vp8Frame(index === 2, 200 + index)]),
      marker: true,
      sequence: 500 + index,
      timestamp: 90_000 + 3_000 * index,
    });
    for (let index = 0; index < 10; index += 1) {
      foreign.sendRtp("video", { ...PLAIN, ...frame(index) });
      pictures.write(rtpPacket({ ...frame(index), ssrc: pictures.ssrc, payloadType: pictures.payloadType }));
      if (index === 1) await until("the wish for a key frame", () => told.keyFramesWanted > 0);
    }
    await until("all pictures", () => packets.video.length === 8 && foreign.heard.video.length === 8);
    const payloads = Array.from({ length: 8 }, (_, index) => frame(index + 2).payload);
    expect(packets.video.map((packet) => readRtp(packet).payload)).toEqual(payloads);
    expect(foreign.heard.video.map((packet) => plain(packet).payload)).toEqual(payloads);
    expect(foreign.heard.video.map(({ marker }) => marker)).not.toContain(false);
    const asked = foreign.keyFramesAsked;
    peer.requestKeyFrame();
    await until("a picture loss indication", () => foreign.keyFramesAsked > asked);
  });

  it("speaks on both data channels, in text and in bytes, also empty ones", async () => {
    const foreign = datachannelPeer({ channels: CHANNELS });
    const { peer, told } = await connect(foreign);
    const said = [
      { stream: 0, message: "{}" },
      { stream: 1, message: Buffer.from([0, 1, 255]) },
      { stream: 1, message: "" },
      { stream: 1, message: Buffer.alloc(60_000, 7) },
    ];
    await foreign.connected();
    for (const { stream, message } of said) {
      foreign.message(stream, message);
      expect(peer.sendMessage(stream, message)).toBe(true);
    }
    await until("all messages", () => told.messages.length === 4 && foreign.messages.length === 4);
    const onStream = (messages: readonly Message[], stream: number) =>
      messages.filter((message) => message.stream === stream);
    for (const stream of [0, 1]) {
      const expected = onStream(said, stream).map(asBytes);
      expect(onStream(told.messages, stream).map(asBytes)).toEqual(expected);
      expect(onStream(foreign.messages, stream).map(asBytes)).toEqual(expected);
    }
  });

  it("keeps what does not go through at once up to a cap, and counts what it drops", async () => {
    const foreign = datachannelPeer({ channels: CHANNELS });
    const { peer, told } = await connect(foreign);
    await foreign.connected();
    const taken = Array.from({ length: 100 }, (_, index) =>
      peer.sendMessage(1, Buffer.alloc(50_000, index)),
    ).filter((isTaken) => isTaken).length;
    expect(taken).toBeGreaterThanOrEqual(Math.floor(MAX_WAITING_BYTES / 50_000));
    expect(taken).toBeLessThan(100);
    await until("what was taken", () => foreign.messages.length === taken);
    const { channels } = await peer.stats();
    expect(channels[1]).toEqual({ sent: taken, received: 0, dropped: 100 - taken });
    expect(foreign.messages.map(({ message }) => (message as Uint8Array)[0])).toEqual(
      Array.from({ length: taken }, (_, index) => index),
    );
    expect(told.end).toBeUndefined();
  });

  it("gets our sender reports, and we get its own", async () => {
    const foreign = datachannelPeer({ audio: "sendrecv" });
    const { outgoing, told } = await connect(foreign);
    const voice = outgoing.get("audio");
    if (voice === undefined) throw new Error("no way for voice");
    const captured = { seconds: 3_900_000_000, fraction: 0 };
    const report = (sender: number): Uint8Array =>
      encodeSenderReport({ sender, time: captured, timestamp: 48_000, packets: 1, octets: 2, blocks: [] });
    let index = 0;
    await until("reports both ways", async () => {
      const numbers = { sequence: 100 + index, timestamp: 48_000 + 960 * index };
      foreign.sendRtp("audio", { ...PLAIN, ...numbers, payload: Uint8Array.of(1) });
      const { ssrc, payloadType } = voice;
      voice.write(rtpPacket({ ssrc, payloadType, ...numbers, payload: Buffer.from([2]) }));
      if (index % 10 === 0) {
        foreign.sendRtcp("audio", report(foreign.sourceOf("audio")));
        voice.report(report(ssrc));
      }
      index += 1;
      await pause(20);
      return told.reports.length > 0 && foreign.reports.length > 0;
    });
    expect(told.reports[0]).toEqual({ time: captured, timestamp: 48_000 });
  });

  it("ends with its reason when its certificate is another than it named", async () => {
    const foreign = datachannelPeer({ channels: CHANNELS });
    const wrong = Array.from({ length: 32 }, () => "AB").join(":");
    const ended = Promise.withResolvers<string>();
    const { answer } = await answerPeer(workers, await foreign.offer(), { closed: ended.resolve }, [
      { algorithm: "sha-256", value: wrong },
    ]);
    // It is turned away at the first candidate, and may not come to the second.
    await foreign
      .accept(answer)
      .catch((error: unknown) => expect(String(error)).toMatch(/without ICE transport/));
    expect(await ended.promise).toBe("dtls-failed");
  });

  it("ends with its reason when the peer leaves", async () => {
    const foreign = datachannelPeer({ channels: CHANNELS });
    const { told } = await connect(foreign);
    await foreign.connected();
    await foreign.close();
    await until("the end", () => told.end !== undefined);
    expect(told.end).toBe("peer-closed");
  });

  it("ends with its reason when its worker dies, and the next one is served by another", async () => {
    const foreign = datachannelPeer({ channels: CHANNELS });
    const { peer, told } = await connect(foreign);
    const before = workers.counts;
    process.kill(peer.workerPid, "SIGKILL");
    await until("the end", () => told.end !== undefined);
    expect(told.end).toBe("media-worker-lost");
    const died = expect.objectContaining({ type: "died", pid: peer.workerPid, peers: 1 });
    expect(events).toContainEqual(died);
    const again = await connect(datachannelPeer({ channels: CHANNELS }));
    expect(again.peer.workerPid).not.toBe(peer.workerPid);
    expect(workers.counts.deaths).toBe(before.deaths + 1);
    expect(workers.counts.peers).toBe(1);
  });
});

describe("a peer on werift", () => {
  it("is heard, seen and read, and hears, sees and reads", async () => {
    const foreign = new WeriftPeer({ audio: "sendrecv", video: "sendrecv", channels: CHANNELS });
    closing.push(() => foreign.close());
    const { peer, outgoing, packets, told } = await connect(foreign);
    await foreign.connected();
    foreign.message(0, "hello");
    peer.sendMessage(1, Buffer.from([9]));
    for (let index = 0; index < 10; index += 1) {
      for (const kind of ["audio", "video"] as const) {
        const way = outgoing.get(kind);
        if (way === undefined) throw new Error(`no way for ${kind}`);
        const unit = Buffer.concat([VP8_DESCRIPTOR, vp8Frame(index === 0, 100)]);
        const payload = kind === "audio" ? Buffer.from([index]) : unit;
        const numbers = { sequence: 100 + index, timestamp: 960 * (index + 1), marker: kind === "video" };
        const { ssrc, payloadType } = way;
        foreign.sendRtp(kind, { ...PLAIN, ...numbers, payload });
        way.write(rtpPacket({ ssrc, payloadType, ...numbers, payload }));
      }
    }
    const isThere = (heard: Readonly<Record<MediaKind, readonly unknown[]>>) =>
      heard.audio.length === 10 && heard.video.length === 10;
    await until("all media", () => isThere(packets) && isThere(foreign.heard));
    await until("messages", () => told.messages.length === 1 && foreign.messages.length === 1);
    expect(told.messages).toEqual([{ stream: 0, message: "hello" }]);
    expect(foreign.heard.audio.map(({ payload }) => payload[0])).toEqual(
      packets.audio.map((packet) => readRtp(packet).payload[0]),
    );
  });
});

it.each([
  { name: "chromium-both", repeats: true },
  { name: "firefox", repeats: true },
  { name: "obs-av1", repeats: true },
  { name: "werift-both", repeats: false },
] as const)(
  "what $name asks for again goes as rtx under the number that it named: $repeats",
  async (peer) => {
    const offer = readFileSync(new URL(`../vectors/sdp/${peer.name}-offer.sdp`, import.meta.url), "utf8");
    const both = offer.replaceAll("a=sendonly", "a=sendrecv");
    const answered = await answerPeer(workers, both, {});
    closing.push(() => answered.peer.close("done"));
    // A stream under a number that no description names is refused as it is opened.
    const [encoding] = answered.outgoing.get("video")?.sends.encodings ?? [];
    expect(encoding?.rtx !== undefined).toBe(peer.repeats);
    expect(answered.answer.includes(`ssrc-group:FID ${encoding?.ssrc} ${encoding?.rtx?.ssrc}`)).toBe(
      peer.repeats,
    );
  },
);

it("pictures that are lost on the way are asked for and come again", async () => {
  const foreign = new WeriftPeer({ video: "recvonly" });
  closing.push(() => foreign.close());
  const answered = await answerPeer(workers, await foreign.offer(), {});
  closing.push(() => answered.peer.close("done"));
  const { host, port } = placeOf(answered.answer);
  const emulator = await startUdpEmulator({
    ...{ target: `${host}:${port}`, seed: 5 },
    ...{ toServer: { delay: 2 }, toClient: { delay: 2 } },
  });
  closing.push(() => emulator.close());
  await foreign.accept(ledThrough(answered.answer, emulator.address));
  await foreign.connected();
  const way = answered.outgoing.get("video");
  if (way === undefined) throw new Error("no way for pictures");
  emulator.change({ toServer: { delay: 2 }, toClient: { delay: 2, loss: 0.1, burst: 2 } });
  const { payloadType, ssrc } = way;
  for (let index = 0; index < PICTURES; index += 1) {
    const payload = Buffer.concat([VP8_DESCRIPTOR, vp8Frame(index === 0, 100), Buffer.of(index)]);
    const numbers = { sequence: 100 + index, timestamp: 1_800 * index, marker: true };
    way.write(rtpPacket({ ssrc, payloadType, ...numbers, payload }));
    await pause(10);
  }
  const seen = () => new Set(foreign.heard.video.map(({ payload }) => payload.at(-1)));
  // What follows the last one shows that it is missing.
  await until("every picture", () => seen().size >= PICTURES - 3);
  expect(emulator.toClient.lost).toBeGreaterThan(3);
  expect((await way.stats()).packetsRepeated).toBeGreaterThan(3);
});

it("leaves no worker behind when the process that has it is killed", async () => {
  const owner = spawn(process.execPath, [OWNER], { stdio: ["ignore", "pipe", "inherit"] });
  closing.push(() => void owner.kill("SIGKILL"));
  const pid = await new Promise<number>((resolve) => {
    owner.stdout.once("data", (line: Buffer) => resolve(Number(line.toString())));
  });
  expect(isRunning(pid)).toBe(true);
  owner.kill("SIGKILL");
  await until("the worker's end", () => !isRunning(pid));
});

const PICTURES = 120;

/** Where the first candidate for UDP of a description is. */
function placeOf(description: string): { readonly host: string; readonly port: string } {
  const [, host = "", port = ""] = CANDIDATE.exec(description) ?? [];
  return { host, port };
}

/** The description with its candidates for UDP somewhere else, and none for TCP. */
function ledThrough(description: string, place: string): string {
  const lines = description.split("\r\n").filter((line) => !/^a=candidate:\S+ 1 tcp /i.test(line));
  return lines
    .map((line) => line.replace(/^(a=candidate:\S+ 1 udp \d+) \S+ \d+/i, `$1 ${place.replace(":", " ")}`))
    .join("\r\n");
}

const CANDIDATE = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+)/im;

/** Nothing but that a frame begins here (RFC 7741). */
const VP8_DESCRIPTOR = Buffer.from([0x10]);

const OWNER = fileURLToPath(new URL("../processes/worker-owner.ts", import.meta.url));

/** Whether the process is there; one that is over and was not fetched by anybody is not. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function asBytes({ message }: { readonly message: string | Uint8Array }): Buffer {
  return typeof message === "string" ? Buffer.from(`text ${message}`) : Buffer.from(message);
}

/** With its payload as those are that are compared with it. */
function plain(packet: RtpPacket) {
  return { ...packet, payload: Buffer.from(packet.payload) };
}

interface Message {
  readonly stream: number;
  readonly message: string | Uint8Array;
}

function datachannelPeer(options: ForeignPeerOptions): DataChannelPeer {
  const peer = new DataChannelPeer(options);
  closing.push(() => peer.close());
  return peer;
}

async function connect(foreign: ForeignPeer) {
  const packets: Record<MediaKind, Uint8Array[]> = { audio: [], video: [] };
  const told = {
    messages: [] as Message[],
    reports: [] as CaptureReport[],
    keyFramesWanted: 0,
    connected: 0,
    end: undefined as string | undefined,
  };
  const answered = await answerPeer(workers, await foreign.offer(), {
    connected: () => (told.connected += 1),
    packet: (kind, packet) => packets[kind].push(packet),
    senderReport: (_, report) => told.reports.push(report),
    keyFrameWanted: () => (told.keyFramesWanted += 1),
    message: (stream, message) => told.messages.push({ stream, message }),
    closed: (reason) => {
      told.end = reason;
    },
  });
  closing.push(() => answered.peer.close("done"));
  await foreign.accept(answered.answer);
  await until("a connection", () => told.connected > 0 && foreign.isConnected);
  return { ...answered, packets, told };
}
