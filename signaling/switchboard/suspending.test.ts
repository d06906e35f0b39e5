import { describe, expect, test } from "vitest";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { Headers } from "../../codecs/headers.ts";
import { strictVerifier } from "../../test/keys.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { type Answers, overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must, scopes, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { readRecord } from "../attribution.ts";
import { createIdentityDocument } from "../identity-document.ts";
import { formatUtc } from "../utc-time.ts";
import { ATTACH_GRACE } from "./detaching.ts";
import { IDLE_LIMIT } from "./endings.ts";

const CAROL = testAgent("carol", 21);
const HOUR = 3_600_000;
const longLived: SceneOptions = { offer: { session: { model: "bounded", ttl: 3_600 } } };

const suspend = (scene: CallScene, parameters: JsonObject = {}, peer = scene.alice): Answers =>
  peer.ask("SUSPEND", `/sessions/${scene.sessionId}`, parameters, { proof: false });
const resume = (scene: CallScene, nonce: string, peer = scene.alice, more: JsonObject = {}): Answers =>
  peer.ask("RESUME", `/sessions/${scene.sessionId}`, { resumption_nonce: nonce, ...more });
const nonceOf = (answer: Answers): string => String(answer.last.result.resumption_nonce);
const states = (scene: CallScene) =>
  scene.stage.admissions.flatMap((message) => (message.kind === "state" ? [message.state] : []));
const stateOf = (scene: CallScene) => scene.bob.query(scene.sessionId).last.result.state;
const records = (scene: CallScene) =>
  scene.stage.sessionRecords(scene.sessionId).map((jws) => must(readRecord(jws)));

const SPEAKING = "communication:audio:capture, communication:audio:transmit";

/** Alice, or another agent, with an identity document of this moment. */
function renewed(scene: CallScene, status: "active" | "suspended", scope: string, agent = ALICE): TestAgent {
  const now = scene.stage.now;
  const document = createIdentityDocument(
    {
      ...{ name: agent.genesis.name, description: "Renewed.", principal: "Example", status },
      ...{ methods: [], capabilities: [], trustScore: 0.5, issuedAt: now, updatedAt: now },
      scope: scopes(scope),
    },
    agent.genesis,
    agent.identity,
    strictVerifier,
  );
  return { ...agent, document };
}

describe("T5: SUSPEND", () => {
  test("stops media, answers the fields of both drafts, and tells the other end all but the nonce", () => {
    const scene = new CallScene(longLived);
    const until = formatUtc(scene.stage.now + 60_000);
    const answer = suspend(scene, { reason: "awaiting_input", resume_by: until });
    expect(states(scene)).toEqual(["held"]);
    const { suspension_id, resumption_nonce, ...rest } = answer.last.result;
    expect(rest).toEqual({
      session_id: scene.sessionId,
      by: scene.alice.id,
      reason: "awaiting_input",
      resume_by: until,
      expires_at: until,
      suspended_at: formatUtc(scene.stage.now),
      status: "suspended",
      state: "suspended",
    });
    expect(resumption_nonce, "128 bits, base64url").toMatch(/^[\w-]{22}$/);
    const told = scene.bobInbox.event("session-suspended");
    expect(told).toMatchObject({
      suspension_id,
      by: scene.alice.id,
      reason: "awaiting_input",
      resume_by: until,
    });
    expect(JSON.stringify(told)).not.toContain(resumption_nonce);
    expect(scene.aliceInbox.events).not.toContain("session-suspended");
    expect(scene.bob.query(scene.sessionId).last.result).toMatchObject({
      state: "suspended",
      suspension: { suspension_id, by: scene.alice.id },
    });
  });

  test("is recorded in the session's chain without the nonce, by its reason and deadline", () => {
    const scene = new CallScene(longLived);
    const answer = suspend(scene, { reason: "scheduled_pause" });
    const record = records(scene).find(({ event }) => event === "session-suspended");
    expect(record).toMatchObject({
      extra: {
        by: scene.alice.id,
        reason: "scheduled_pause",
        suspension_id: answer.last.result.suspension_id,
      },
    });
    expect(JSON.stringify(records(scene))).not.toContain(nonceOf(answer));
    scene.stage.checkChain();
  });

  test("by either end, with parameters at top level as in the envelope, and by seconds instead of a time", () => {
    const scene = new CallScene(longLived);
    const { stage, bob } = scene;
    const body = canonicalBytes({ session_id: scene.sessionId, ttl_seconds: 90, reason: "resource_limit" });
    const { arrivals } = stage.request(bob.connection, {
      dialect: "base",
      method: "SUSPEND",
      path: `/sessions/${scene.sessionId}`,
      query: new Map(),
      headers: new Headers([
        ["Agent-ID", bob.id],
        ["Content-Type", "application/json"],
      ]),
      body,
    });
    expect(arrivals.responses).toMatchObject([{ status: 200 }]);
    expect(scene.aliceInbox.event("session-suspended")).toMatchObject({
      by: bob.id,
      resume_by: formatUtc(stage.now + 90_000),
    });
  });

  test("lasts an hour where nobody says how long, and never longer than the session", () => {
    const [long, short] = [new CallScene(longLived), new CallScene()];
    const { expires_at: hour } = suspend(long).last.result;
    expect(hour).toBe(formatUtc(long.stage.now + HOUR));
    const far = formatUtc(short.stage.now + 10 * HOUR);
    expect(suspend(short, { resume_by: far }).last.result.resume_by).not.toBe(far);
  });

  test("the same suspension again is the same answer; another one is refused with the state", () => {
    const scene = new CallScene(longLived);
    const first = suspend(scene, { suspension_id: "mine" });
    const again = suspend(scene, { suspension_id: "mine" });
    expect(nonceOf(again)).toBe(nonceOf(first));
    expect(scene.bobInbox.events.filter((event) => event === "session-suspended")).toHaveLength(1);
    expect(suspend(scene, { suspension_id: "mine" }, scene.bob).last, "not the other end's").toMatchObject({
      status: 409,
      error: { code: "session-state-conflict", details: { state: "suspended" } },
    });
    expect(suspend(scene).outcome).toBe("session-state-conflict");
  });

  test.each<[string, JsonObject, string]>([
    ["a time that is past", { resume_by: "2020-01-01T00:00:00Z" }, "parameters.resume_by"],
    ["a time that is none", { resume_by: "tomorrow" }, "parameters.resume_by"],
    ["no time at all", { ttl_seconds: 0 }, "parameters.ttl_seconds"],
    ["a reason of control characters", { reason: "a\nb" }, "parameters.reason"],
    ["a checkpoint of 5,000 octets", { checkpoint: "x".repeat(5_000) }, "parameters.checkpoint"],
    ["another session's name", { session_id: "sess-other" }, "parameters"],
  ])("%s is refused by name, and nothing is suspended", (_, parameters, at) => {
    const scene = new CallScene();
    expect(suspend(scene, parameters).last).toMatchObject({ status: 422, error: { details: { at } } });
    expect(states(scene)).toEqual([]);
  });

  test("by nobody else, of no other session, and not once it is over", () => {
    const scene = new CallScene();
    const carol = new SignalingPeer(scene.stage, CAROL);
    carol.subscribe();
    expect(suspend(scene, {}, carol).last).toMatchObject({
      status: 401,
      error: { code: "session-identity-mismatch" },
    });
    const unknown = scene.alice.ask("SUSPEND", "/sessions/sess-unknown", {}, { proof: false });
    expect(unknown.last).toMatchObject({ status: 404, error: { code: "session-not-found" } });
    scene.alice.hangUp(scene.sessionId);
    expect(suspend(scene).outcome).toBe("session-terminated");
  });
});

describe("while a session is suspended", () => {
  test("what changes it is refused; reading, statements and hanging up are not", () => {
    const scene = new CallScene(longLived);
    suspend(scene);
    expect(scene.interrupt(0, 1).outcome).toBe("session-state-conflict");
    expect(
      scene.alice.ask("ADJUST", `/sessions/${scene.sessionId}`, { narrowing: "x" }, { proof: false }).outcome,
    ).toBe("session-state-conflict");
    expect(scene.bob.ask("QUERY", `/sessions/${scene.sessionId}/records`, {}, { proof: false }).outcome).toBe(
      "ok 200",
    );
    const { connection } = scene.bob;
    const flow = Number(scene.stream(1, "receive").receipt_flow);
    scene.stage.handle({ kind: "item", connection, flow, bytes: scene.receipt(1) });
    expect(scene.stage.items).toHaveLength(1);
    scene.close();
    expect(scene.finalRecord()).toMatchObject({ event: "session-terminated", extra: { reason: "hangup" } });
  });

  test("nobody has to do anything: it does not end by inactivity, and is counted anew afterwards", () => {
    const scene = new CallScene(longLived);
    const answer = suspend(scene, { ttl_seconds: 1_800 });
    scene.stage.advance(10 * IDLE_LIMIT);
    expect(stateOf(scene)).toBe("suspended");
    resume(scene, nonceOf(answer));
    scene.stage.advance(IDLE_LIMIT - 1);
    expect(scene.bobInbox.events).not.toContain("session-ended");
    scene.stage.advance(20_000);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "inactivity" });
  });

  test("its lifetime goes on", () => {
    const scene = new CallScene({ offer: { session: { model: "bounded", ttl: 120 } } });
    suspend(scene, { ttl_seconds: 1_000 });
    scene.stage.advance(120_000);
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
    expect(scene.stage.admissions.at(-1)).toMatchObject({ kind: "state", state: "ended" });
  });

  test("a lost connection does not end it: whoever lost it has 10 s once it goes on", () => {
    const scene = new CallScene(longLived);
    const answer = suspend(scene, { ttl_seconds: 600 });
    scene.bob.drop();
    scene.stage.advance(300_000);
    expect(scene.alice.query(scene.sessionId).last.result).toMatchObject({
      state: "suspended",
      participants: [{ attached: true }, { attached: false }],
    });
    resume(scene, nonceOf(answer));
    const bob = new SignalingPeer(scene.stage, BOB);
    scene.stage.advance(ATTACH_GRACE - 1);
    expect(bob.openMedia(scene.sessionId).last.result).toMatchObject({ state: "active" });
    scene.stage.advance(ATTACH_GRACE);
    expect(scene.aliceInbox.events).not.toContain("session-ended");

    const other = new CallScene(longLived);
    const nonce = nonceOf(suspend(other));
    other.bob.drop();
    resume(other, nonce);
    other.stage.advance(ATTACH_GRACE);
    expect(other.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });

  test("an end over TLS that never had media is not missed meanwhile, and has its 60 s afterwards", () => {
    const scene = new CallScene({ ...longLived, bobOverTls: true });
    const nonce = nonceOf(suspend(scene, { ttl_seconds: 600 }));
    scene.stage.advance(300_000);
    resume(scene, nonce);
    const askAll = () => scene.alice.query(scene.sessionId);
    for (let second = 0; second < 59; second += 1) {
      scene.stage.advance(1_000);
      askAll();
    }
    expect(scene.aliceInbox.events).not.toContain("session-ended");
    scene.stage.advance(1_000);
    expect(scene.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });

  test("refused frames that were under way are no news", () => {
    const scene = new CallScene(longLived);
    suspend(scene);
    const flow = Number(scene.stream(0, "send").flow);
    const refused = { first: 1, last: 3, reason: "session-state", count: 3 } as const;
    scene.stage.handle({
      kind: "refused",
      sessionId: scene.sessionId,
      connection: scene.alice.connection,
      flow,
      ...refused,
    });
    expect(scene.bobInbox.events).not.toContain("frames_refused");
  });
});

describe("T6: RESUME", () => {
  test("with the nonce lets media flow again, gives the checkpoint back and tells the other end", () => {
    const scene = new CallScene(longLived);
    const answer = suspend(scene, { checkpoint: { page: 7 } });
    scene.stage.advance(60_000);
    const resumed = resume(scene, nonceOf(answer), scene.alice, { workflow_id: scene.sessionId });
    expect(resumed.last.result).toEqual({
      session_id: scene.sessionId,
      workflow_id: scene.sessionId,
      suspension_id: answer.last.result.suspension_id,
      status: "resumed",
      state: "active",
      resumed_at: formatUtc(scene.stage.now),
      checkpoint: { page: 7 },
    });
    expect(states(scene)).toEqual(["held", "active"]);
    expect(scene.bobInbox.event("session-resumed")).toMatchObject({ by: scene.alice.id });
    expect(scene.bob.query(scene.sessionId).last.result).not.toHaveProperty("suspension");
    expect(records(scene).map(({ event }) => event)).toContain("session-resumed");
    expect(scene.interrupt(0, 1).outcome).toBe("ok 200");
    scene.close();
    scene.stage.checkChain();
  });

  test("is not undone by the request for its suspension, come late", () => {
    const scene = new CallScene(longLived);
    resume(scene, nonceOf(suspend(scene, { suspension_id: "mine" })));
    expect(suspend(scene, { suspension_id: "mine" }).last).toMatchObject({
      status: 409,
      error: { code: "idempotency-conflict" },
    });
    expect(stateOf(scene)).toBe("active");
    expect(suspend(scene, { suspension_id: "another" }).outcome).toBe("ok 200");
  });

  test("by the other end, where it has the nonce", () => {
    const scene = new CallScene(longLived);
    const answer = suspend(scene);
    expect(resume(scene, nonceOf(answer), scene.bob, { session_id: scene.sessionId }).outcome).toBe("ok 200");
    expect(scene.aliceInbox.event("session-resumed")).toMatchObject({ by: scene.bob.id });
  });

  test("any number of times, each with a nonce of its own", () => {
    const scene = new CallScene(longLived);
    const nonces = new Set<string>();
    for (let times = 0; times < 3; times += 1) {
      const nonce = nonceOf(suspend(scene));
      nonces.add(nonce);
      expect(resume(scene, nonce).outcome).toBe("ok 200");
    }
    expect(nonces.size).toBe(3);
  });

  test("with a wrong nonce: 409, counted and logged, and the right one still opens", () => {
    const scene = new CallScene(longLived);
    const nonce = nonceOf(suspend(scene));
    for (const wrong of ["AAAAAAAAAAAAAAAAAAAAAA", nonce.slice(1), `${nonce}A`, nonce.toLowerCase()]) {
      expect(resume(scene, wrong, scene.bob).last).toMatchObject({
        status: 409,
        error: { code: "nonce-invalid", details: { state: "suspended" } },
      });
    }
    const logged = scene.stage.logs.filter(({ event }) => event === "resume-nonce-refused");
    expect(logged.at(-1)).toMatchObject({ level: "warn", fields: { agentId: scene.bob.id, count: 4 } });
    expect(resume(scene, nonce).outcome).toBe("ok 200");
    scene.close();
    expect(scene.finalRecord()).toMatchObject({ extra: { resume_nonces_refused: 4 } });
  });

  test("with a used nonce: 409 while the session is up, and in a later suspension", () => {
    const scene = new CallScene(longLived);
    const used = nonceOf(suspend(scene));
    resume(scene, used);
    expect(resume(scene, used).last).toMatchObject({
      status: 409,
      error: { code: "nonce-invalid", details: { state: "active" } },
    });
    const fresh = nonceOf(suspend(scene));
    expect(resume(scene, used).outcome).toBe("nonce-invalid");
    expect(resume(scene, fresh).outcome).toBe("ok 200");
  });

  test("of a session that is not suspended: the machine's refusal", () => {
    const scene = new CallScene();
    expect(resume(scene, "AAAAAAAAAAAAAAAAAAAAAA").last).toMatchObject({
      status: 409,
      error: { code: "session-state-conflict", details: { state: "active" } },
    });
    const carol = new SignalingPeer(scene.stage, CAROL);
    expect(resume(scene, "AAAAAAAAAAAAAAAAAAAAAA", carol).outcome).toBe("session-identity-mismatch");
    scene.close();
    expect(resume(scene, "AAAAAAAAAAAAAAAAAAAAAA").outcome).toBe("session-terminated");
  });

  test("takes a proof, and no other session's name", () => {
    const scene = new CallScene(longLived);
    const resumption_nonce = nonceOf(suspend(scene));
    const path = `/sessions/${scene.sessionId}`;
    expect(scene.alice.ask("RESUME", path, { resumption_nonce }, { proof: false }).outcome).toBe(
      "proof-required",
    );
    for (const named of [{ session_id: "sess-other" }, { workflow_id: "sess-other" }]) {
      expect(resume(scene, resumption_nonce, scene.alice, named).outcome).toBe("field-invalid");
    }
    expect(resume(scene, resumption_nonce).outcome, "the nonce was not burnt").toBe("ok 200");
  });

  test("burns the nonce before it judges who may go on: who comes with a document that suspends it is refused, and the session ends", () => {
    const scene = new CallScene(longLived);
    const nonce = nonceOf(suspend(scene));
    scene.stage.advance(1_000);
    const suspended = renewed(scene, "suspended", SPEAKING);
    const answer = resume(scene, nonce, new SignalingPeer(scene.stage, suspended));
    expect(answer.last).toMatchObject({ status: 503, error: { code: "agent-suspended" } });
    expect(stateOf(scene)).toBe("terminated");
    expect(resume(scene, nonce, scene.bob).outcome).toBe("nonce-invalid");
    expect(scene.bobInbox.event("session-ended")).toMatchObject({ reason: "identity-revoked", by: "server" });
  });

  test("goes on with what a document renewed meanwhile still covers", () => {
    const scene = new CallScene(longLived);
    const nonce = nonceOf(suspend(scene));
    scene.stage.advance(1_000);
    new SignalingPeer(scene.stage, renewed(scene, "active", "communication:data:transmit")).subscribe();
    expect(resume(scene, nonce).outcome).toBe("ok 200");
    const changes = scene.stage.admissions.filter((message) => message.kind === "terms");
    expect(changes).toMatchObject([{ flow: scene.stream(0, "send").flow, transmitAllowed: false }]);
  });

  test("is refused where nothing of what the ends do is covered any more", () => {
    const scene = new CallScene(longLived);
    const nonce = nonceOf(suspend(scene));
    scene.stage.advance(1_000);
    for (const agent of [ALICE, BOB]) {
      new SignalingPeer(scene.stage, renewed(scene, "active", "documents:query", agent)).subscribe();
    }
    expect(stateOf(scene)).toBe("suspended");
    expect(resume(scene, nonce).outcome).toBe("scope-violation");
    expect(stateOf(scene)).toBe("suspended");
  });
});

describe("T7: the deadline", () => {
  test("ends the session as expired; a later RESUME is 408, also when only its tombstone is left", () => {
    const scene = new CallScene(longLived);
    const nonce = nonceOf(suspend(scene, { ttl_seconds: 60 }));
    scene.stage.advance(59_999);
    expect(stateOf(scene)).toBe("suspended");
    scene.stage.advance(1);
    for (const inbox of [scene.aliceInbox, scene.bobInbox]) {
      expect(inbox.event("session-ended")).toMatchObject({ reason: "resume-expired", by: "server" });
    }
    const late = { status: 408, error: { code: "resume-expired" } };
    expect(resume(scene, nonce).last).toMatchObject(late);
    scene.stage.advance(10_000);
    expect(scene.finalRecord()).toMatchObject({
      event: "session-expired",
      extra: { reason: "resume-expired" },
    });
    expect(resume(scene, nonce).last).toMatchObject(late);
    expect(suspend(scene).outcome).toBe("session-terminated");
    scene.stage.checkChain();
  });

  test("is gone once the session was resumed", () => {
    const scene = new CallScene(longLived);
    resume(scene, nonceOf(suspend(scene, { ttl_seconds: 5 })));
    scene.stage.advance(10_000);
    expect(stateOf(scene)).toBe("active");
  });

  test("of one suspension does not end a later one, which lasts as long as the session", () => {
    const scene = new CallScene(longLived);
    const first = suspend(scene, { ttl_seconds: 60 });
    expect(resume(scene, nonceOf(first)).outcome).toBe("ok 200");
    expect(suspend(scene, { ttl_seconds: 7_200 }).outcome).toBe("ok 200");
    scene.stage.advance(120_000);
    expect(stateOf(scene)).toBe("suspended");
  });
});

describe("an end that suspends and resumes on and on", () => {
  test("is refused beyond 10 changes a second, and takes nothing from the other end", () => {
    const scene = new CallScene(longLived);
    let pairs = 0;
    for (let round = 0; round < 200; round += 1) {
      const { last } = suspend(scene);
      const nonce = last.result?.resumption_nonce;
      if (nonce !== undefined && resume(scene, String(nonce)).last.status === 200) pairs += 1;
      scene.stage.advance(25);
    }
    // 40 at once and 10 a second for 5 s, two for each pair.
    expect(pairs).toBeLessThan(50);
    suspend(scene);
    expect(suspend(scene).last).toMatchObject({
      status: 429,
      error: { code: "rate-limited", details: { retry_after_ms: expect.any(Number) } },
    });
    expect(suspend(scene, {}, scene.bob).outcome).toBe("session-state-conflict");
  });

  test("opens media no oftener either", () => {
    const scene = new CallScene({ ...longLived, bobOverTls: true });
    const opened: string[] = [];
    for (let seq = 1; seq <= 50; seq += 1) {
      opened.push(overTls(scene.stage, BOB).openMedia(scene.sessionId, seq).outcome);
    }
    expect(opened.filter((outcome) => outcome === "ok 200")).toHaveLength(40);
    expect(opened.at(-1)).toBe("rate-limited");
    scene.stage.advance(200);
    expect(overTls(scene.stage, BOB).openMedia(scene.sessionId, 50).outcome).toBe("ok 200");
  });

  test("leaves one event of it in the other's inbox, and pushes nothing out", () => {
    const scene = new CallScene(longLived);
    for (let round = 0; round < 150; round += 1) {
      resume(scene, nonceOf(suspend(scene)));
      scene.stage.advance(200);
    }
    const again = new SignalingPeer(scene.stage, BOB).subscribe(0);
    expect(again.events.filter((event) => event.startsWith("session-"))).toEqual(["session-resumed"]);
    expect(scene.stage.logs.filter(({ event }) => event === "inbox-event-dropped")).toEqual([]);
  });
});
