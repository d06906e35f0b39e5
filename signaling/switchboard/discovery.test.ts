import { describe, expect, test } from "vitest";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";

describe("discovery", () => {
  test("is open to anybody: directory, capabilities, the server's documents, the clock", () => {
    const stage = new Stage();
    const nobody = new SignalingPeer(stage, ALICE);
    const ask = (method: string, path: string, parameters = {}) =>
      nobody.ask(method, path, parameters).last.result;
    expect(ask("DISCOVER", "/")).toMatchObject({
      agents_path: "/agents",
      connection: {
        nonce: nobody.nonce,
        server_id: "parley.test",
        server_agent_id: stage.server.genesis.agentId,
      },
    });
    expect(ask("DESCRIBE", "/")).toMatchObject({
      modalities: ["audio", "data"],
      communication: {
        audio_codecs: ["opus", "pcmu", "pcma"],
        bindings: ["webtransport", "websocket"],
        data_formats: ["json"],
      },
    });
    expect(ask("DISCOVER", "/genesis")).toEqual({
      genesis: new TextDecoder().decode(stage.server.genesis.bytes),
      identity_document: new TextDecoder().decode(stage.server.document.bytes),
    });
    expect(ask("QUERY", "/clock", { t0: 12.5 })).toEqual({ t0: 12.5, t1: stage.now, t2: stage.now });
  });

  test("lists agents in order with their presence, and gives their documents byte-exact", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    bob.drop();
    const { agents } = alice.ask("DISCOVER", "/agents").last.result;
    const expected = [
      { agent_id: ALICE.genesis.agentId, name: "alice", online: true },
      { agent_id: BOB.genesis.agentId, name: "bob", online: false },
    ].sort((left, right) => (left.agent_id < right.agent_id ? -1 : 1));
    expect(agents).toMatchObject(expected);
    const first = String(expected[0]?.agent_id);
    expect(alice.ask("DISCOVER", "/agents", { after: first }).last.result.agents).toHaveLength(1);
    expect(alice.ask("DISCOVER", `/agents/${bob.id}`).last.result).toMatchObject({
      genesis: new TextDecoder().decode(BOB.genesis.bytes),
      online: false,
    });
    expect(alice.ask("DISCOVER", `/agents/${"0".repeat(64)}`).outcome).toBe("agent-not-found");
  });

  test("agents may be kept from strangers", () => {
    const stage = new Stage({ config: { agentDisclosure: "authenticated" } });
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.ask("DISCOVER", "/agents").outcome).toBe("proof-required");
    alice.subscribe();
    expect(alice.ask("DISCOVER", "/agents").outcome).toBe("ok 200");
  });
});
