import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, testAgent } from "../../test/signed-call.ts";
import { auditId } from "../attribution.ts";

const inspect = (peer: SignalingPeer, parameters: JsonObject) => peer.ask("INSPECT", "/", parameters);
const nameOf = (answers: Answers, index = -1) => String(answers.raw.at(index)?.headers.get("Audit-ID"));

function withStranger() {
  const scene = new CallScene();
  const stranger = new SignalingPeer(scene.stage, testAgent("carol", 9));
  stranger.subscribe();
  return { ...scene, scene, stranger };
}

describe("INSPECT of a record by its Audit-ID", () => {
  test("gives the record and what it says to whom it answered", () => {
    const { alice, stranger } = withStranger();
    const name = nameOf(alice.ask("QUERY", "/clock", { t0: 1 }));
    const { result } = inspect(alice, { target: "audit", audit_id: name }).last;
    expect(result).toMatchObject({
      audit_id: name,
      format: "jws",
      payload: { path: "/clock", method: "QUERY" },
    });
    expect(auditId(String(result.record))).toBe(name);
    expect(inspect(stranger, { target: "audit", audit_id: name }).last).toMatchObject({
      status: 403,
      error: { code: "record-forbidden" },
    });
  });

  test("gives any record of a session to its participants, long after it is over, and to nobody else", () => {
    const { alice, bob, stranger, scene, stage } = withStranger();
    const ofAlice = nameOf(alice.query(scene.sessionId));
    scene.close();
    stage.advance(2 * 3_600_000);
    for (const peer of [alice, bob]) {
      const answer = inspect(peer, { target: "audit", audit_id: ofAlice });
      expect(answer.last.result.payload).toMatchObject({ session_id: scene.sessionId });
    }
    expect(inspect(stranger, { target: "audit", audit_id: ofAlice }).outcome).toBe("record-forbidden");
  });

  test("asks who it is, and says 404 for a record that is not there and 422 for a name that is none", () => {
    const { alice } = withStranger();
    const nobody = new SignalingPeer(new Stage(), ALICE);
    expect(inspect(nobody, { target: "audit", audit_id: "0".repeat(64) }).last.status).toBe(401);
    expect(inspect(alice, { target: "audit", audit_id: "0".repeat(64) }).last).toMatchObject({
      status: 404,
      error: { code: "record-not-found" },
    });
    expect(inspect(alice, { target: "audit" }).outcome).toBe("field-invalid");
    expect(inspect(alice, { target: "audit", audit_id: "x" }).outcome).toBe("field-invalid");
    expect(inspect(alice, { target: "songs" }).outcome).toBe("field-invalid");
  });
});

describe("INSPECT of the chain's head", () => {
  test("names the last record before this answer's, of the server and of no other agent", () => {
    const { alice, stage } = withStranger();
    const before = nameOf(alice.ask("QUERY", "/clock", { t0: 1 }));
    const { result } = inspect(alice, { target: "chain_head" }).last;
    expect(result).toMatchObject({ agent_id: stage.server.genesis.agentId, audit_id: before });
    expect(inspect(alice, { target: "chain_head", agent_id: alice.id }).outcome).toBe("record-not-found");
  });
});

describe("INSPECT of what is not kept here", () => {
  test.each(["contract", "rcns-attempt"])("%s is 404", (target) => {
    const { alice } = withStranger();
    expect(inspect(alice, { target }).last).toMatchObject({
      status: 404,
      error: { code: "record-not-found" },
    });
  });

  test("a lifecycle without changes is empty, an unknown agent's 404", () => {
    const { alice, bob } = withStranger();
    expect(inspect(alice, { target: "lifecycle", agent_id: bob.id }).last.result).toEqual({
      agent_id: bob.id,
      status: "active",
      entries: [],
    });
    expect(inspect(alice, { target: "lifecycle" }).outcome).toBe("ok 200");
    expect(inspect(alice, { target: "lifecycle", agent_id: "1".repeat(64) }).outcome).toBe("agent-not-found");
  });
});
