/** A peer that knows nothing but WHIP, in a call with an agent by QUIC: what it says is heard there, byte for byte. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Call } from "../../agent/node.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { must } from "../signed-call.ts";
import { until, within } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import { PeerServer } from "../webrtc/peer-server.ts";

let site: PeerServer;
beforeAll(async () => {
  site = await PeerServer.start();
});
afterAll(() => site[Symbol.asyncDispose]());

/** Opus of 20 ms each: what its first byte says (RFC 6716), and a number. */
const WORDS = Array.from({ length: 25 }, (_, index) => Uint8Array.of(0x78, index, 1, 2, 3));

it("a publisher calls an agent, which hears every packet of it, and hangs up by DELETE", async () => {
  const ada = await site.known("Ada");
  const bob = await site.online("Bob");
  const answered = Promise.withResolvers<Call>();
  bob.onCall((incoming) => incoming.accept({ voices: "encoded" }).then(answered.resolve, answered.reject));
  await using peer = new DataChannelPeer({ audio: "sendonly" });
  const taken = await site.open("whip", site.tokenOf(ada), peer, bob.id);
  const call = await within("the call", answered.promise);
  expect(call.peer.gateway).toMatchObject({
    subject: ada.agentId,
    evidence: { fingerprint: peer.fingerprint },
  });
  const heard: number[] = [];
  void (async () => {
    for await (const { payload } of call.voice?.heard() ?? []) heard.push(payload[1] ?? -1);
  })();
  await peer.speak(WORDS);
  await until("all of it", () => heard.length >= WORDS.length);
  expect(heard).toEqual(WORDS.map((word) => word[1]));
  expect((await site.about(taken, "DELETE")).status).toBe(200);
  expect((await within("the end", call.ended)).reason).toBe("peer-closed");
  expect((await site.about(taken, "DELETE")).status).toBe(200);
});

it("the gateway takes part under its own name, for the token's agent, whatever else HTTP says, and the call's records come to an end", async () => {
  const ada = await site.known("Ada");
  const bob = await site.online("Bob");
  const carol = await site.known("Carol");
  const answered = Promise.withResolvers<Call>();
  bob.onCall((incoming) => incoming.accept({ voices: "encoded" }).then(answered.resolve, answered.reject));
  await using peer = new DataChannelPeer({ audio: "sendonly" });
  const claims = { "agent-id": carol.agentId, "owner-id": "carol", "allow-rcns": "true" };
  const taken = await site.open("whip", site.tokenOf(ada), peer, bob.id, claims);
  const call = await within("the call", answered.promise);
  const { agentId: gateway } = call.peer;
  expect([ada.agentId, bob.id, carol.agentId, site.server.agentId]).not.toContain(gateway);
  expect(call.peer.gateway).toMatchObject({ agentId: gateway, subject: ada.agentId, issuer: ada.agentId });
  expect((await site.about(taken, "DELETE")).status).toBe(200);
  await within("the end", call.ended);
  let records = await call.records();
  await until("the last record", async () => {
    records = await call.records();
    return records.some(({ reason }) => reason === "peer-closed");
  });
  const named = records.map(({ jws }) => {
    const { counterparty_agent_id: agent, extra } = must(readRecord(jws));
    return [agent, extra?.gateway];
  });
  expect(named).toContainEqual([ada.agentId, gateway]);
  expect(named.flat()).not.toContain(carol.agentId);
});
