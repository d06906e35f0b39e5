/** VP9 and AV1 of files between a WebRTC peer and an agent by QUIC, through whole calls: byte for byte, both ways, with evidence that holds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Call, createIdentity } from "../../agent/node.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { parseIvf } from "../../codecs/ivf.ts";
import { encodeTrustFile } from "../../src/trust-file.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { parleyAgain } from "../command-line.ts";
import { pause, until, within } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import { PeerServer } from "../webrtc/peer-server.ts";

/** Between two units, ms: so slowly that the ways, of which nothing is known yet, take them. */
const EVERY_MS = 200;

let site: PeerServer;
beforeAll(async () => {
  site = await PeerServer.start();
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  DataChannelPeer.cleanUp();
});

/** The first units of a file that ffmpeg made. */
function clip(name: string): readonly Uint8Array[] {
  const file = new URL(`../vectors/ffmpeg/${name}.ivf`, import.meta.url);
  const ivf = parseIvf(new Uint8Array(readFileSync(file)));
  if (!ivf.ok) throw new Error(ivf.fault.message);
  return ivf.value.frames.slice(0, 16).map(({ data }) => data);
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "parley-webrtc-pictures-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it.each([
  ["vp9", "vp9-layers", "vp9-superframes"],
  ["av1", "av1-svt", "av1-libaom"],
] as const)(
  "%s of a peer (%s) and of the agent (%s) arrives unit for unit, and the evidence holds",
  async (format, own, other) => {
    const { identity } = createIdentity({ name: "Ada" });
    await site.online("Ada", identity);
    const bob = await site.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) =>
      incoming
        .accept({ voices: "encoded", video: { codecs: [format] }, adaptation: false })
        .then(answered.resolve, answered.reject),
    );
    const exchanges = await site.exchanges(identity);
    // With a token for this certificate alone the call is made before the peer is offered to, and settles the codec.
    const certificate = await storedCertificate({ folder: folder(), now: Date.now() });
    const channels = ["parley-control", "parley-data"];
    await using peer = new DataChannelPeer({
      ...{ audio: "sendrecv", video: "sendrecv", format, channels, certificate },
    });
    const token = site.tokenOf(identity, { fingerprint: encodeHex(certificate.hash) });
    await exchanges.open(token, peer, { to: bob.id, video: "sendrecv" });
    const call = await within("the call", answered.promise);
    const { video } = call;
    expect(video?.codec).toBe(format);
    if (video === undefined) throw new Error("no video");
    const seen: Uint8Array[] = [];
    void (async () => {
      for await (const unit of video) seen.push(unit.data);
    })();
    const isBridged = () => peer.messages.some(({ message }) => String(message).includes('"verified"'));
    await until("bridged both ways", isBridged);
    const [mine, theirs] = [clip(own), clip(other)];
    const fates: string[] = [];
    await Promise.all([
      peer.show(mine, EVERY_MS),
      (async () => {
        for (const data of theirs) {
          fates.push(await video.send({ data }));
          await pause(EVERY_MS);
        }
      })(),
    ]);
    expect(new Set(fates)).toEqual(new Set(["sent"]));
    await until("all pictures", () => seen.length >= mine.length && peer.pictures.length >= theirs.length);
    expect(seen).toEqual(mine);
    expect(peer.pictures.map(({ data }) => data)).toEqual(theirs);
    await call.end("enough");
    const file = join(folder(), "call.json");
    writeFileSync(file, await within("the evidence", call.evidence()));
    const trust = join(folder(), "trust.json");
    const agentIds = [site.server.agentId, bob.id, call.peer.agentId];
    writeFileSync(trust, encodeTrustFile({ issuerKeys: [], agentIds }));
    const { code, stdout } = await parleyAgain("verify", file, "--trust", trust);
    expect(stdout).toMatch(/\(video\)/);
    expect(stdout).toMatch(/as stated by gateway/);
    expect(stdout).not.toMatch(/FAILED|wrong/i);
    expect(code, stdout).toBe(0);
  },
  60_000,
);

it("a picture that the agent opens in mid-call reaches a peer that took the call without any", async () => {
  const { identity } = createIdentity({ name: "Ada" });
  const ada = await site.online("Ada", identity);
  const bob = await site.online("Bob");
  const rang = Promise.withResolvers<string>();
  ada.onCall(({ sessionId }) => rang.resolve(sessionId));
  const scope = ["audio", "video"].flatMap((what) =>
    ["capture", "transmit"].map((act) => `communication:${what}:${act}`),
  );
  const calling = bob.call(ada.id, { gateways: "accept", voices: "encoded", scope, adaptation: false });
  const exchanges = await site.exchanges(identity);
  const certificate = await storedCertificate({ folder: folder(), now: Date.now() });
  const channels = ["parley-control", "parley-data"];
  await using peer = new DataChannelPeer({ audio: "sendrecv", video: "recvonly", channels, certificate });
  const token = site.tokenOf(identity, { fingerprint: encodeHex(certificate.hash) });
  await exchanges.open(token, peer, {
    session_id: await within("the offer", rang.promise),
    video: "sendrecv",
  });
  const call = await within("the call", calling);
  expect(call.video).toBeUndefined();
  const video = await within(
    "the picture",
    call.open({ modality: "video", codecs: ["vp8"], direction: "sendonly" }),
  );
  const units = clip("vp8-small");
  for (const data of units) {
    expect(await video.send({ data })).toBe("sent");
    await pause(EVERY_MS);
  }
  await until("all pictures", () => peer.pictures.length >= units.length);
  expect(peer.pictures.map(({ data }) => data)).toEqual(units);
  await call.end("enough");
}, 60_000);
