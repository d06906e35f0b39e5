/** WebRTC peers in calls of a real server: by WHIP, WHEP and exchanges, each hears, sees and reads what the other end sent. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Call, createIdentity } from "../../agent/node.ts";
import { createOpusCodec } from "../../platform/opus.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { parleyAgain } from "../command-line.ts";
import { WhipClient } from "../foreign/whip-client.ts";
import { packets } from "../scenario/encoded-source.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { pause, until, within } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import type { ForeignPeer } from "../webrtc/foreign-peer.ts";
import { PeerServer } from "../webrtc/peer-server.ts";
import { WeriftPeer } from "../webrtc/werift-peer.ts";

const CHANNELS = ["parley-control", "parley-data"];
let site: PeerServer;
beforeAll(async () => {
  site = await PeerServer.start();
});
afterAll(() => site[Symbol.asyncDispose]());

/** What the server said on the control channel. */
function notices(
  peer: ForeignPeer,
): readonly { readonly type: string; readonly state?: string; reason?: string }[] {
  return peer.messages.flatMap(({ stream, message }) => (stream === 0 ? JSON.parse(String(message)) : []));
}

/** The sound of Opus packets. */
async function decoded(payloads: readonly Uint8Array[]): Promise<Int16Array> {
  const codec = await createOpusCodec({ frameMs: 20 });
  const pieces = payloads.map((payload) => codec.decode(payload).slice());
  codec.close();
  return Int16Array.from(pieces.flatMap((piece) => [...piece]));
}

it("Echo says back what a peer said through an exchange, and the peer hangs up", async () => {
  const { identity } = createIdentity({ name: "Ada" });
  await site.online("Ada", identity);
  const exchanges = await site.exchanges(identity);
  await using peer = new DataChannelPeer({ audio: "sendrecv", channels: CHANNELS });
  const echo = await site.resident("echo");
  await exchanges.open(site.tokenOf(identity), peer, { to: echo });
  await until("the call", () => notices(peer).some(({ state }) => state === "up"));
  const { payloads, pcm } = await packets(1.5);
  await peer.speak(payloads);
  await peer.speak(Array.from({ length: 60 }, () => Uint8Array.of(0xf8, 0xff, 0xfe)));
  await pause(2_500);
  const heard = await decoded(peer.heard.audio.map(({ payload }) => new Uint8Array(payload)));
  expect(compareUtterance(pcm, heard, 48_000).correlation).toBeGreaterThan(0.8);
  peer.message(0, '{"type":"hang-up"}');
  await until("the last word", () => notices(peer).some(({ state }) => state === "ended"));
  expect(notices(peer).find(({ state }) => state === "ended")?.reason).toBe("hung-up");
  await peer.ended();
});

/** Opus of 20 ms each: what its first byte says (RFC 6716), and a number. */
const WORDS = Array.from({ length: 50 }, (_, index) => Uint8Array.of(0x78, index, 1, 2, 3));
const numbers = (payloads: readonly Uint8Array[]) => payloads.map((payload) => payload[1]);

describe("a listener by WHEP hears a publisher by WHIP", () => {
  it.each([
    { who: "the publisher waits, and the listener calls", first: "whip", second: "whep" },
    { who: "the listener waits, and the publisher calls", first: "whep", second: "whip" },
  ] as const)("$who", async ({ first, second }) => {
    const [ada, bob] = [await site.known("Ada"), await site.known("Bob")];
    await using publisher = new DataChannelPeer({ audio: "sendonly" });
    await using listener = new WeriftPeer({ audio: "recvonly", channels: CHANNELS });
    const peers = { whip: publisher, whep: listener };
    await site.open(first, site.tokenOf(ada), peers[first]);
    await until("the waiting peer is online", () => site.isOnline(ada.agentId));
    const calling = await site.open(second, site.tokenOf(bob), peers[second], ada.agentId);
    await until("the call", () => notices(listener).some(({ state }) => state === "up"));
    await publisher.speak(WORDS);
    await until("all of it", () => listener.heard.audio.length >= WORDS.length);
    expect(numbers(listener.heard.audio.map(({ payload }) => payload))).toEqual(numbers(WORDS));
    await site.about(calling, "DELETE");
    await until("the last word", () => notices(listener).some(({ state }) => state === "ended"));
    await publisher.ended();
  });
});

describe("a listener by WHEP that would misread what it is sent", () => {
  it.each([
    { who: "the publisher", isCalling: true },
    { who: "nobody, and is called", isCalling: false },
  ])("is offered to, answers by PATCH, and hears the publisher: it calls $who", async ({ isCalling }) => {
    const [ada, bob] = [await site.known("Ada"), await site.known("Bob")];
    await using publisher = new DataChannelPeer({ audio: "sendonly" });
    await using listener = new WeriftPeer({ audio: "recvonly", channels: CHANNELS, misreads: true });
    if (isCalling) {
      await site.open("whip", site.tokenOf(ada), publisher);
      await until("the publisher is online", () => site.isOnline(ada.agentId));
    }
    const token = site.tokenOf(bob);
    const countered = await site.ask(
      "whep",
      token,
      await listener.offer(),
      isCalling ? ada.agentId : undefined,
    );
    expect([countered.status, countered.headers.get("content-type")]).toEqual([406, "application/sdp"]);
    expect(countered.headers.get("accept-patch")).toContain("application/sdp");
    const offer = await countered.text();
    expect(offer).toMatch(/^a=setup:actpass/m);
    const location = countered.headers.get("location") ?? "";
    const peer = { token, location, iceTag: countered.headers.get("etag") ?? "" };
    const sdp = { "content-type": "application/sdp" };
    const garbage = await site.about(peer, "PATCH", sdp, "v=0\r\n");
    expect([garbage.status, (await garbage.json()).code]).toEqual([400, "sdp-malformed"]);
    const answered = await site.about(peer, "PATCH", sdp, await listener.answer(offer));
    expect(answered.status, await answered.text()).toBe(204);
    await listener.connected();
    if (!isCalling) {
      await until("the listener is online", () => site.isOnline(bob.agentId));
      await site.open("whip", site.tokenOf(ada), publisher, bob.agentId);
    }
    await until("the call", () => notices(listener).some(({ state }) => state === "up"));
    await publisher.speak(WORDS);
    await until("all of it", () => listener.heard.audio.length >= WORDS.length);
    expect(numbers(listener.heard.audio.map(({ payload }) => payload))).toEqual(numbers(WORDS));
    const again = await site.about(peer, "PATCH", sdp, "v=0\r\n");
    expect([again.status, (await again.json()).code]).toEqual([409, "session-state-conflict"]);
    await site.about(peer, "DELETE");
    await publisher.ended();
  });
});

it("Debian's simple-whip-client publishes into a call, and a listener on werift hears its tone", async () => {
  const [ada, bob] = [await site.known("Ada"), await site.known("Bob")];
  await using listener = new WeriftPeer({ audio: "recvonly", channels: CHANNELS });
  await site.open("whep", site.tokenOf(bob), listener);
  const url = `${site.server.httpUrl}/webrtc/whip?to=${bob.agentId}`;
  using client = new WhipClient(url, site.tokenOf(ada), 440);
  await until("the tone", () => listener.heard.audio.length > 100).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${client.printed}`);
  });
  const pcm = await decoded(listener.heard.audio.slice(-50).map(({ payload }) => new Uint8Array(payload)));
  expect(pitch(pcm.subarray(9_600), 48_000)).toBeCloseTo(440, -1);
  client.interrupt();
  await until("the last word", () => notices(listener).some(({ state }) => state === "ended"));
  expect(notices(listener).find(({ state }) => state === "ended")?.reason).toBe("peer-closed");
  await within("its end", client.left);
});

it("a peer and an agent by QUIC see and read each other, the agent hangs up, and the evidence tells who signed", async () => {
  const { identity } = createIdentity({ name: "Ada" });
  await site.online("Ada", identity);
  const bob = await site.online("Bob");
  const answered = Promise.withResolvers<Call>();
  bob.onCall((incoming) =>
    incoming.accept({ voices: "encoded", video: true, data: true }).then(answered.resolve, answered.reject),
  );
  const exchanges = await site.exchanges(identity);
  await using peer = new DataChannelPeer({ audio: "sendrecv", video: "sendrecv", channels: CHANNELS });
  const token = site.tokenOf(identity);
  await exchanges.open(token, peer, { to: bob.id, video: "sendrecv" });
  const call = await within("the call", answered.promise);
  const { video, data } = call;
  if (video === undefined || data === undefined) throw new Error("no video, or no data");
  const units = clip();
  const seen: Uint8Array[] = [];
  void (async () => {
    for await (const unit of video) seen.push(unit.data);
  })();
  await until("bridged both ways", () => notices(peer).some(({ type }) => type === "verified"));
  await Promise.all([
    peer.show(units, 70),
    (async () => {
      for (const unit of units) {
        await video.send({ data: unit });
        await pause(70);
      }
    })(),
  ]);
  peer.message(1, '{"from":"the peer"}');
  await data.send({ from: "the agent" });
  for await (const { value } of data) {
    expect(value).toEqual({ from: "the peer" });
    break;
  }
  await until("the agent's message", () => peer.messages.some(({ stream }) => stream === 1));
  expect(peer.messages.find(({ stream }) => stream === 1)?.message).toBe('{"from":"the agent"}');
  await until("all pictures", () => Math.min(seen.length, peer.pictures.length) >= units.length);
  expect(seen).toEqual(units);
  expect(peer.pictures.map((unit) => unit.data)).toEqual(units);
  await call.end("enough");
  await until("the last word", () => notices(peer).some(({ state }) => state === "ended"));
  expect(notices(peer).find(({ state }) => state === "ended")?.reason).toBe("enough");
  const folder = mkdtempSync(join(tmpdir(), "parley-webrtc-evidence-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "call.json");
  writeFileSync(file, await within("the evidence", call.evidence()));
  const { code, stdout } = await parleyAgain("verify", file);
  expect(stdout).toMatch(/as stated by gateway/);
  expect(stdout).not.toMatch(/FAILED|wrong/i);
  expect(code).toBe(3);
});

/** Hz: rising passages through zero. */
function pitch(pcm: Int16Array, rate: number): number {
  let rises = 0;
  for (let at = 1; at < pcm.length; at += 1) if ((pcm[at - 1] ?? 0) < 0 && (pcm[at] ?? 0) >= 0) rises += 1;
  return (rises * rate) / pcm.length;
}

/** Pictures that need less than any way has. */
function clip(): readonly Uint8Array[] {
  return Array.from({ length: 25 }, (_, index) => vp8Frame(index === 0, 200 + index));
}
