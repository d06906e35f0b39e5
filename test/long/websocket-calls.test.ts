/** Whole calls with one end, or both, on a WebSocket. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import { type Agent, createIdentity, nodePlatform } from "../../agent/node.ts";
import { parseWav } from "../../codecs/wav.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { connectCall, say } from "../calling.ts";
import { CallListener } from "../listener.ts";
import { type RealServer, startRealServer } from "../real-server.ts";
import { until } from "../waiting.ts";
import { listenWebSocket, type WebSocketListener } from "../web-socket-server.ts";

let server: RealServer;
let sockets: WebSocketListener;
beforeAll(async () => {
  server = await startRealServer();
  const certificate = await storedCertificate({ folder: server.folder, now: Date.now() });
  sockets = await listenWebSocket({ clock: systemClock, certificate }, (connection) =>
    server.server.accept(connection, [new URL(server.url).origin, `https://${sockets.address}`]),
  );
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await sockets.close();
  await server.stop();
});

it.each([
  ["webtransport", "websocket"],
  ["websocket", "websocket"],
] as const)("a call from %s to %s carries both voices, and its evidence verifies", async (from, to) => {
  const [ada, bob] = await Promise.all([agent("Ada", from), agent("Bob", to)]);
  expect([ada.carrier.kind, bob.carrier.kind]).toEqual([from, to]);
  const { call, answered } = await connectCall(ada, bob);
  const listeners = [new CallListener(answered), new CallListener(call)] as const;
  const [adaSays, bobSays] = [speech("ada-1"), speech("bob-1")];
  await Promise.all([say(call, adaSays), say(answered, bobSays)]);
  await until("both turns heard", () => listeners.every(({ turns }) => turns === 1));
  await call.end("said-everything");
  await Promise.all(listeners.map(({ over }) => over));
  expect(listeners[0].compare(adaSays).correlation).toBeGreaterThanOrEqual(0.9);
  expect(listeners[1].compare(bobSays).correlation).toBeGreaterThanOrEqual(0.9);
  const { report } = verifyEvidence(await call.evidence(), server.anchors, verifier);
  expect(report).toMatchObject({ verdict: "verified", faults: [] });
});

it("an agent whose UDP is blocked comes online by WebSocket without being told, and says why", async () => {
  const agent = await connectAgent(nodePlatform(), sockets.url.replace("wss:", "https:"), {
    identity: createIdentity({ name: "Eve" }, server.issuer).identity,
    certificateHashes: [server.certificateHash],
  });
  onTestFinished(() => agent.close());
  expect(agent.carrier).toMatchObject({ kind: "websocket", reason: "no answer over UDP within 1.5 s" });
});

async function agent(name: string, choice: "webtransport" | "websocket"): Promise<Agent> {
  const connected = await connectAgent(nodePlatform({ choice, webSocketUrl: sockets.url }), server.url, {
    identity: createIdentity({ name }, server.issuer).identity,
    certificateHashes: [server.certificateHash],
    anchors: [server.issuer.signer.publicKey],
    serverId: server.agentId,
  });
  onTestFinished(() => connected.close());
  return connected;
}

function speech(name: string): Int16Array {
  const parsed = parseWav(readFileSync(new URL(`../../examples/speech/${name}.wav`, import.meta.url)));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value.samples;
}
