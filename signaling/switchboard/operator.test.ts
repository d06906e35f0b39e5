import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { seedSigner } from "../../test/keys.ts";
import { askByKey } from "../../test/scenario/lifecycle-asking.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const papers = (agent: TestAgent) => ({
  genesis: text(agent.genesis.bytes),
  identity_document: text(agent.document.bytes),
});
const PROVED = { proof: true, documents: false };
const operatorOf = (stage: Stage) => new SignalingPeer(stage, stage.server);
const add = (operator: SignalingPeer, agent: TestAgent, parameters: JsonObject = papers(agent)) =>
  operator.ask("ACTIVATE", `/agents/${agent.genesis.agentId}`, parameters, PROVED);
const recordOf = (answers: ReturnType<SignalingPeer["ask"]>) =>
  must(readRecord(String(answers.raw.at(-1)?.headers.get("Attribution-Record"))));

describe("the operator registers agents", () => {
  test("with their documents, on a server that takes no others; they are served from then on, and after a restart", () => {
    const stage = new Stage({ config: { registration: "closed" } });
    const alice = new SignalingPeer(stage, ALICE);
    expect(alice.subscribe().outcome).toBe("agent-unknown");
    const added = add(operatorOf(stage), ALICE);
    expect(added.last.result).toMatchObject({ agent_id: alice.id, status: "active", registered: true });
    expect(recordOf(added)).toMatchObject({ event: "agent-registered", extra: { by: "operator" } });
    expect(alice.subscribe(undefined, { documents: false }).outcome).toBe("ok 200");
    const later = new Stage({ config: { registration: "closed" }, log: stage.log });
    expect(new SignalingPeer(later, ALICE).subscribe(undefined, { documents: false }).outcome).toBe("ok 200");
    later.checkChain();
  });

  test("once: again is a noop, and takes a newer identity document", () => {
    const stage = new Stage({ config: { registration: "closed" } });
    const operator = operatorOf(stage);
    add(operator, ALICE);
    expect(add(operator, ALICE).last.result).toMatchObject({ noop: true, status: "active" });
    const newer = testAgent("alice", 1, {
      document: { issuedAt: stage.now, updatedAt: stage.now - 1_000, status: "suspended" },
    });
    expect(newer.genesis.agentId).toBe(ALICE.genesis.agentId);
    expect(add(operator, newer).last.result).toMatchObject({
      status: "active",
      previous_status: "suspended",
    });
  });

  test("but not with half of them, not those of another Agent-ID, and not itself", () => {
    const stage = new Stage({ config: { registration: "closed" } });
    const operator = operatorOf(stage);
    const { genesis } = papers(ALICE);
    expect(add(operator, ALICE, { genesis }).outcome).toBe("field-invalid");
    expect(add(operator, ALICE, papers(BOB)).outcome).toBe("genesis-invalid");
    expect(add(operator, stage.server).outcome).toBe("agent-mismatch");
    expect(add(operator, ALICE, {}).outcome).toBe("agent-not-found");
    expect(stage.sizes.agents).toBe(0);
  });
});

describe("the operator stops agents", () => {
  test("of any issuer, at once, and the record says by whom", () => {
    const scene = new CallScene();
    const operator = operatorOf(scene.stage);
    const done = operator.ask("DEACTIVATE", `/agents/${scene.bob.id}`, { reason: "audit" }, PROVED);
    expect(done.last.result).toMatchObject({ status: "suspended", previous_status: "active" });
    expect(recordOf(done).extra).toMatchObject({ by: "operator", agent_id: scene.bob.id, reason: "audit" });
    expect(recordOf(done).extra).not.toHaveProperty("issuer_key");
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "agent-deactivated" });
    expect(scene.bob.query(scene.sessionId).last.status).toBe(503);
    operator.ask("REINSTATE", `/agents/${scene.bob.id}`, {}, PROVED);
    expect(scene.bob.subscribe().outcome).toBe("ok 200");
    scene.stage.checkChain();
  });
});

describe("what the operator said, the issuer does not lift", () => {
  const by = (stage: Stage, method: string, agent: TestAgent) =>
    operatorOf(stage).ask(method, `/agents/${agent.genesis.agentId}`, {}, PROVED).outcome;
  const issuer = (stage: Stage, method: string, agent: TestAgent) => {
    const answer = askByKey(stage, method, agent.genesis.agentId, agent.identity.publicKey);
    return answer.code ?? answer.result.status;
  };
  const registered = () => {
    const stage = new Stage();
    const peer = new SignalingPeer(stage, ALICE);
    peer.subscribe();
    return { stage, peer };
  };

  test("a suspension, also after a restart; the operator does", () => {
    const { stage, peer } = registered();
    expect(by(stage, "DEACTIVATE", ALICE)).toBe("ok 200");
    for (const method of ["REINSTATE", "ACTIVATE"]) {
      expect(issuer(stage, method, ALICE)).toBe("operator-required");
    }
    expect(peer.subscribe().outcome).toBe("agent-suspended");
    const later = new Stage({ log: stage.log });
    expect(issuer(later, "REINSTATE", ALICE)).toBe("operator-required");
    expect(by(later, "REINSTATE", ALICE)).toBe("ok 200");
    expect(issuer(later, "DEACTIVATE", ALICE)).toBe("suspended");
    expect(issuer(later, "REINSTATE", ALICE)).toBe("active");
    later.checkChain();
  });

  test("a suspension that the issuer had made first", () => {
    const { stage } = registered();
    expect(issuer(stage, "DEACTIVATE", ALICE)).toBe("suspended");
    const said = operatorOf(stage).ask("DEACTIVATE", `/agents/${ALICE.genesis.agentId}`, {}, PROVED);
    expect(said.last.result).toMatchObject({ status: "suspended", previous_status: "suspended" });
    expect(recordOf(said)).toMatchObject({ event: "agent-suspended", extra: { by: "operator" } });
    expect(by(stage, "DEACTIVATE", ALICE)).toBe("ok 200");
    expect(stage.log.filter(({ kind }) => kind === "lifecycle")).toHaveLength(2);
    expect(issuer(stage, "REINSTATE", ALICE)).toBe("operator-required");
  });

  test("and what the issuer adds to a deprecation, it lifts down to that", () => {
    const { stage } = registered();
    expect(by(stage, "DEPRECATE", ALICE)).toBe("ok 200");
    expect(issuer(stage, "ACTIVATE", ALICE)).toBe("operator-required");
    expect(issuer(stage, "DEACTIVATE", ALICE)).toBe("suspended");
    expect(issuer(stage, "REINSTATE", ALICE)).toBe("deprecated");
    expect(issuer(stage, "REVOKE", ALICE)).toBe("retired");
    expect(issuer(stage, "REINSTATE", ALICE)).toBe("lifecycle-conflict");
  });
});

describe("the operator reads", () => {
  test("every record, every session's records, and whose the agents are", () => {
    const scene = new CallScene();
    const operator = operatorOf(scene.stage);
    const name = String(scene.alice.query(scene.sessionId).raw.at(-1)?.headers.get("Audit-ID"));
    const found = operator.ask("INSPECT", "/", { target: "audit", audit_id: name }, PROVED);
    expect(found.last.result).toMatchObject({ audit_id: name });
    const path = `/sessions/${scene.sessionId}/records`;
    expect(operator.ask("QUERY", path, {}, PROVED).last.result.records).toHaveLength(
      scene.stage.sessionRecords(scene.sessionId).length,
    );
    scene.close();
    scene.stage.advance(3 * 3_600_000);
    expect(operator.ask("QUERY", path, {}, PROVED).outcome).toBe("ok 200");
    const { agents } = operator.ask("DISCOVER", "/agents", {}, PROVED).last.result;
    expect(agents).toMatchObject([{ owner_id: "example.org" }, { owner_id: "example.org" }]);
    const [told] = scene.alice.ask("DISCOVER", "/agents").last.result.agents as JsonObject[];
    expect(told).not.toHaveProperty("owner_id");
  });
});

describe("who is no operator", () => {
  test("whoever brings the server's documents without its key", () => {
    const stage = new Stage();
    const { genesis, document } = stage.server;
    const thief: TestAgent = { ...stage.server, genesis, document, identity: seedSigner(99) };
    const peer = new SignalingPeer(stage, thief);
    expect(peer.ask("DISCOVER", "/agents", {}, { proof: true, documents: true }).outcome).toBe(
      "proof-invalid",
    );
    expect(peer.ask("REVOKE", `/agents/${"0".repeat(64)}`).last.status).toBe(404);
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    expect(peer.ask("REVOKE", `/agents/${alice.id}`).outcome).toBe("genesis-issuer-cert-required");
    expect(alice.ask("REVOKE", `/agents/${alice.id}`, {}, { proof: true }).outcome).toBe(
      "genesis-issuer-cert-required",
    );
  });

  test("and the operator is nobody's peer: it neither calls, nor is called, nor has an inbox", () => {
    const stage = new Stage();
    const operator = operatorOf(stage);
    expect(operator.subscribe().outcome).toBe("not-for-operator");
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    expect(operator.call(ALICE).outcome).toBe("not-for-operator");
    expect(alice.call(stage.server).outcome).toBe("agent-not-found");
    expect(stage.sizes.agents).toBe(1);
  });
});
