import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Fault } from "../../codecs/result.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, must, testAgent } from "../../test/signed-call.ts";
import { auditId, readRecord } from "../attribution.ts";
import type { Asked } from "./asked.ts";
import type { Desk } from "./desk.ts";
import { Inspection } from "./inspection.ts";
import { Outputs } from "./outputs.ts";
import type { Exchange } from "./replies.ts";

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

describe("INSPECT of sessions", () => {
  test("lists an agent's own, newest first and page by page, and reads their chains to whoever takes part", () => {
    const { alice, bob, stranger, scene, stage, sessionId } = withStranger();
    scene.close();
    alice.call(BOB);
    const event = scene.bobInbox.event("offer");
    bob.accept(event);
    const later = event.session_id;
    const listed = inspect(alice, { target: "sessions", limit: 1 }).last.result;
    expect(listed.sessions).toMatchObject([{ session_id: later }]);
    const rest = inspect(bob, { target: "sessions", before: Number(listed.next) }).last.result;
    expect(rest.sessions).toMatchObject([{ session_id: sessionId }]);
    expect(inspect(stranger, { target: "sessions" }).last.result.sessions).toEqual([]);
    expect(inspect(stranger, { target: "sessions", agent_id: bob.id }).outcome).toBe("record-forbidden");

    const all = stage.sessionRecords(sessionId);
    const page = inspect(alice, { target: "session", session_id: sessionId, limit: 2 }).last.result;
    expect(page).toMatchObject({ records: all.slice(0, 2), more: true });
    const next = inspect(alice, { target: "session", session_id: sessionId, after: 1, limit: 64 }).last
      .result;
    expect(next).toMatchObject({ records: all.slice(2), more: false });
    expect(inspect(stranger, { target: "session", session_id: sessionId }).outcome).toBe("record-forbidden");
    expect(inspect(alice, { target: "session", session_id: "sess-none" }).outcome).toBe("session-not-found");
  });

  test("reads the whole chain to the operator alone", () => {
    const { alice, stage } = withStranger();
    const operator = new SignalingPeer(stage, stage.server);
    const answers = operator.ask(
      "INSPECT",
      "/",
      { target: "chain", after: 1, limit: 3 },
      { proof: true, documents: false },
    );
    const records = stage.log.filter((entry) => entry.kind === "record").map(({ jws }) => jws);
    expect(answers.last.result).toMatchObject({ records: records.slice(2, 5), more: true });
    expect(inspect(alice, { target: "chain" }).outcome).toBe("record-forbidden");
  });
});

describe("who may read is the operator's setting", () => {
  const ask = (stage: Stage, target: string) =>
    stage.ask("INSPECT", "/", [["Agent-ID", ALICE.genesis.agentId]]).at(-1)?.status ?? target;

  test("agent_only: who is not known is 401", () => {
    expect(ask(new Stage(), "chain_head")).toBe(401);
  });

  test("operator_only: an agent is 403 whatever it names", () => {
    const stage = new Stage({ config: { recordReading: "operator_only" } });
    const alice = new SignalingPeer(stage, ALICE);
    alice.subscribe();
    for (const target of ["chain_head", "lifecycle", "sessions"]) {
      expect(inspect(alice, { target }).last).toMatchObject({
        status: 403,
        error: { code: "record-forbidden" },
      });
    }
    const operator = new SignalingPeer(stage, stage.server);
    const answers = operator.ask("INSPECT", "/", { target: "chain_head" }, { proof: true, documents: false });
    expect(answers.outcome).toBe("ok 200");
  });

  test("public: anybody reads any record, also without an identity", () => {
    const stage = new Stage({ config: { recordReading: "public" } });
    const alice = new SignalingPeer(stage, ALICE);
    const name = nameOf(alice.subscribe());
    const nobody = new SignalingPeer(stage, testAgent("carol", 9));
    expect(inspect(nobody, { target: "audit", audit_id: name }).last.result).toMatchObject({
      audit_id: name,
    });
    expect(inspect(nobody, { target: "chain" }).outcome).toBe("ok 200");
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

describe("who may read a record, by what the log gives", () => {
  /** An inspection whose look-ups a test answers. */
  function bare() {
    const [answers, refusals]: [JsonObject[], string[]] = [[], []];
    const inspection = new Inspection({
      identity: { agentId: "server" },
      config: {},
      registry: { operator: {} },
      outputs: new Outputs(),
      replies: {
        answer: (_: Exchange, reply: { readonly result: JsonObject }) => answers.push(reply.result),
        refuse: (_: Exchange, fault: Fault) => refusals.push(fault.code),
      },
    } as unknown as Desk);
    const ask = (exchange: number, agentId: string, connection = 1) =>
      inspection.inspect(
        { exchange: { id: exchange, connection }, agent: { agentId } } as unknown as Asked,
        { target: "audit", audit_id: "0".repeat(64) },
        0,
      );
    return { inspection, ask, answers, refusals };
  }

  test("another session's beginning, or one that says nothing of it, makes nobody a participant", () => {
    const { alice, bob, sessionId, stage } = new CallScene();
    const recordOf = (answers: Answers) => String(answers.raw[0]?.headers.get("Attribution-Record"));
    const ofAlice = recordOf(alice.query(sessionId));
    const roots = stage
      .sessionRecords(sessionId)
      .filter((jws) => must(readRecord(jws)).event === "session-established");
    const { inspection, ask, answers, refusals } = bare();
    const read = (exchange: number, beginning: readonly string[]) => {
      ask(exchange, bob.id);
      inspection.deliver(exchange, { records: [ofAlice], roots: beginning }, 0);
    };
    read(1, roots.map(ofAnotherSession));
    read(2, [recordOf(bob.query(sessionId))]);
    expect(refusals).toEqual(["record-forbidden", "record-forbidden"]);
    read(3, roots);
    expect(answers).toHaveLength(1);
  });

  test("64 look-ups wait at once; one more is refused until some are answered or their connection is gone", () => {
    const { inspection, ask, refusals } = bare();
    for (let n = 0; n < 64; n++) expect(ask(n, "ada", n < 60 ? 1 : 2).ok).toBe(true);
    expect(ask(64, "ada")).toMatchObject({ ok: false, fault: { code: "rate-limited" } });
    inspection.deliver(63, { records: [] }, 0);
    expect(refusals).toEqual(["record-not-found"]);
    expect(ask(64, "ada").ok).toBe(true);
    inspection.drop(1);
    expect(inspection.size).toBe(3);
  });
});

/** The same record, but of a session that is not there. */
function ofAnotherSession(jws: string): string {
  const [head, , signature] = jws.split(".");
  const payload = { ...must(readRecord(jws)), session_id: "sess-other" };
  return [head, Buffer.from(JSON.stringify(payload)).toString("base64url"), signature].join(".");
}
