/**
 * Calls through every network of the presets between real sockets: over QUIC through the UDP emulator, and over WebSocket through a model
 * of TCP with the same conditions beside it.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import { Agent, type Call, createIdentity, type HeardAudio } from "../../agent/node.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { PRESETS } from "../../src/emulation/link.ts";
import { startTcpEmulator } from "../../src/emulation/tcp-emulator.ts";
import { startUdpEmulator } from "../../src/emulation/udp-emulator.ts";
import { connectCall, say } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { utterance } from "../scenario/talking.ts";
import { pause, within } from "../waiting.ts";

const SECONDS = 10;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Preset = keyof typeof PRESETS;

/** What may be missing of the speech, made up or not, as a share, and the delay from capture to play of nine frames of ten, ms. */
interface Owed {
  readonly missing: number;
  readonly delay: number;
}

/** On a machine that is busy with other tests; docs/performance.md has the figures of one run. */
const OWED: Readonly<Record<Preset, { readonly webtransport: Owed; readonly websocket: Owed }>> = {
  wifi: { webtransport: { missing: 0.08, delay: 300 }, websocket: { missing: 0.1, delay: 500 } },
  "lossy-wifi": { webtransport: { missing: 0.15, delay: 400 }, websocket: { missing: 0.1, delay: 500 } },
  cellular: { webtransport: { missing: 0.1, delay: 700 }, websocket: { missing: 0.1, delay: 700 } },
  // The QUIC stack bounds this one: its window follows every loss, one packet in ten, and carries less than a voice for seconds. The
  // sender drops what it would hold up. Beside it all comes through over TCP, later.
  congested: { webtransport: { missing: 0.6, delay: 800 }, websocket: { missing: 0.15, delay: 1_200 } },
  satellite: { webtransport: { missing: 0.25, delay: 1_800 }, websocket: { missing: 0.4, delay: 2_500 } },
};
const FRAMES = (SECONDS * 1_000) / 20;

it.each(
  (Object.keys(PRESETS) as Preset[]).flatMap((name) =>
    (["webtransport", "websocket"] as const).map((carrier) => [name, carrier] as const),
  ),
)(
  "speech comes through over %s, %s",
  async (name, carrier) => {
    const port = await freePort();
    const server = await realServer({ origins: [`https://127.0.0.1:${port}`] });
    closing.push(() => server.stop());
    const path = {
      target: `127.0.0.1:${server.port}`,
      toServer: PRESETS[name],
      toClient: PRESETS[name],
      seed: 7,
      port,
    };
    const emulators = [await startUdpEmulator(path), await startTcpEmulator(path)];
    closing.push(() => Promise.all(emulators.map((each) => each.close())));
    const online = (agent: string, url: string, options: { carrier: "webtransport" | "websocket" }) =>
      Agent.connect(url, {
        identity: createIdentity({ name: agent }).identity,
        certificateHashes: server.certificateHashes,
        connectTimeout: 20_000,
        ...options,
      });
    const ada = await online("Ada", `https://127.0.0.1:${port}/agtp`, { carrier });
    const bob = await online("Bob", server.url, { carrier: "webtransport" });
    closing.push(() => Promise.all([ada.close(), bob.close()]));
    const { call, answered } = await connectCall(ada, bob);
    const heard = listen(answered);
    await say(call, utterance(SECONDS, 48_000));
    await pause(3_000);
    const spoken = heard.flatMap((one) => (one.kind === "speech" ? [one.playedAt - one.capturedAt] : []));
    const owed = OWED[name][carrier];
    expect(1 - spoken.length / FRAMES).toBeLessThan(owed.missing);
    const ages = spoken.toSorted((a, b) => a - b);
    expect(ages[Math.floor(ages.length * 0.9)]).toBeLessThan(owed.delay);
    expect(heard.every((one, index) => follows(one, heard[index + 1]))).toBe(true);
    await within("the end", call.end(), 20_000);
    await within("the other end", answered.settled, 20_000);
    const anchors = { issuerKeys: [], agentIds: [server.agentId] };
    const { report } = verifyEvidence(await within("the evidence", answered.evidence()), anchors, verifier);
    expect(report.faults).toEqual([]);
  },
  90_000,
);

/** Whether the timeline goes on with this one. */
function follows({ position, pcm, channels }: HeardAudio, next: HeardAudio | undefined): boolean {
  return next === undefined || next.position === position + pcm.length / channels;
}

function listen(call: Call): HeardAudio[] {
  const heard: HeardAudio[] = [];
  void (async () => {
    for await (const one of call.audio.heard({ silence: true })) heard.push(one);
  })();
  return heard;
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
