import { describe, expect, test } from "vitest";
import { type JsonObject, parseCanonical } from "../../codecs/canonical-json.ts";
import { strictVerifier } from "../../test/keys.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must } from "../../test/signed-call.ts";
import { verifyManifest } from "../manifest.ts";
import { ROUTES } from "../paths.ts";

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
      modalities: ["audio", "video", "data"],
      communication: {
        audio_codecs: ["opus", "g722", "pcmu", "pcma"],
        video_codecs: ["vp8", "vp9", "av1"],
        bindings: ["webtransport", "websocket"],
        data_formats: ["json", "text", "binary"],
      },
    });
    expect(ask("DISCOVER", "/genesis")).toEqual({
      genesis: new TextDecoder().decode(stage.server.genesis.bytes),
      identity_document: new TextDecoder().decode(stage.server.document.bytes),
    });
    expect(ask("QUERY", "/clock", { t0: 12.5 })).toEqual({ t0: 12.5, t1: stage.now, t2: stage.now });
  });

  test("who says no Agent-ID gets the signed manifest, on its own, and no nonce", () => {
    const stage = new Stage();
    const [response] = stage.ask("DISCOVER", "/");
    if (response === undefined) throw new Error("no answer");
    expect(response.headers.get("Content-Type")).toBe("application/vnd.agtp.manifest+json");
    const manifest = must(parseCanonical(response.body)) as JsonObject;
    const { publicKey } = stage.server.identity;
    expect(verifyManifest(manifest, publicKey, strictVerifier)).toBe(true);
    expect(verifyManifest({ ...manifest, endpoints: [] }, publicKey, strictVerifier)).toBe(false);
    expect(verifyManifest(manifest, ALICE.identity.publicKey, strictVerifier)).toBe(false);
    expect(manifest).toMatchObject({
      agtp_version: "1.0",
      catalog_versions_supported: ["1.0.0"],
      server: { server_id: "parley.test" },
      hosted_agents: [{ agent_id: stage.server.genesis.agentId }],
      policies: { synthesis_enabled: false, max_synthesis_depth: 0 },
    });
    expect(manifest.embedded_methods).toHaveLength(18);
    expect(response.headers.get("AGTP-API-Version")).toBe(manifest.document_version);
    expect(JSON.stringify(manifest)).not.toContain('"nonce":');
    stage.advance(60_000);
    expect(stage.ask("DISCOVER", "/")[0]?.body).toEqual(response.body);
  });

  test("the manifest has every endpoint, with the shapes that requests are checked against", () => {
    const stage = new Stage();
    const [response] = stage.ask("DISCOVER", "/");
    const { endpoints } = must(parseCanonical(response?.body ?? new Uint8Array())) as {
      endpoints: readonly {
        readonly method: string;
        readonly path: string;
        readonly input_schema: JsonObject;
      }[];
    };
    expect(endpoints.map(({ method, path }) => `${method} ${path}`)).toEqual([...ROUTES]);
    for (const endpoint of endpoints) {
      expect(endpoint).toMatchObject({
        semantic: { actor: "agent", confidence: 1 },
        input_schema: {
          type: "object",
          additionalProperties: false,
          properties: { proof: { type: "string" } },
        },
        output_schema: { type: "object", additionalProperties: true },
        handler: { type: "builtin" },
        required_scopes: [],
      });
    }
    const establish = endpoints.find(({ method }) => method === "ESTABLISH");
    const properties = Object.keys(establish?.input_schema.properties as JsonObject);
    expect(properties).toEqual(
      expect.arrayContaining(["target_agent_id", "offer", "session_ttl", "genesis"]),
    );
  });

  test("DISCOVER /methods lists every exchange with its tier", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const { methods } = alice.ask("DISCOVER", "/methods").last.result as { methods: readonly JsonObject[] };
    expect(methods.map(({ method, path }) => `${method} ${path}`)).toEqual([...ROUTES]);
    expect(methods).toContainEqual({
      method: "QUERY",
      path: "/clock",
      description: "Reads the clock that capture times are held against.",
      tier: "A",
    });
    expect(methods).toContainEqual(expect.objectContaining({ method: "ESTABLISH", tier: "B" }));
  });

  test("DESCRIBE answers the domains asked for, and whether a version is there", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const describe = (parameters: JsonObject) => alice.ask("DESCRIBE", "/", parameters);
    expect(Object.keys(describe({ capability_domains: ["tools", "budget"] }).last.result)).toEqual([
      "budget_units_accepted",
      "tools",
    ]);
    expect(describe({ capability_domains: "zones,version" }).last.result).toEqual({
      version: "1.0",
      zones_accepted: [],
    });
    expect(describe({ version_min: "1.0" }).last.result.version_min_satisfied).toBe(true);
    expect(describe({ version_min: "1.1" }).last.result.version_min_satisfied).toBe(false);
    expect(describe({ capability_domains: ["songs"] }).outcome).toBe("field-invalid");
    expect(describe({ version_min: "new" }).outcome).toBe("field-invalid");
  });

  test("floor methods without a service here are refused by name, nobody's proof asked for", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.ask("PROPOSE", "/").last).toMatchObject({
      status: 463,
      error: { code: "proposal-rejected", reason: "synthesis-disabled" },
    });
    for (const method of ["SUMMARIZE", "PLAN", "EXECUTE", "DELEGATE", "ESCALATE"]) {
      expect(alice.ask(method, "/").last).toMatchObject({
        status: 422,
        error: { code: "method-unserved", details: { method, missing: expect.any(String) } },
      });
      expect(alice.ask(method, "/sessions").outcome).toBe("method-not-allowed");
    }
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
