/** Whole calls between somebody else's client, one TLS connection for each request, and an agent of this library. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Agent, type Call, createIdentity } from "../../agent/node.ts";
import { realServer } from "../exchanges/ways.ts";
import { bodyOf, resultOf } from "../exchanges/wire.ts";
import {
  ForeignAgent,
  type JsonMembers,
  sha256,
  type Tie,
  verifiedPayload,
} from "../foreign/foreign-agent.ts";
import { ForeignCaller, freshOfferId, type Manner, needed } from "../foreign/foreign-caller.ts";
import { ForeignSocket } from "../foreign/foreign-socket.ts";
import { within } from "../waiting.ts";

let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  server = await realServer();
});
afterAll(() => server.stop());

async function library(name: string, carrier: "webtransport" | "websocket"): Promise<Agent> {
  const { url, certificateHashes } = server;
  const { identity } = createIdentity({ name });
  const agent = await Agent.connect(url, { identity, certificateHashes, carrier });
  onTestFinished(() => agent.close());
  return agent;
}

async function dial(): Promise<ForeignSocket> {
  const socket = await ForeignSocket.open(server.port, { fingerprint: server.certificateHash });
  onTestFinished(() => socket.leave());
  return socket;
}

/** ESTABLISH, taken by the other end: what both have of the call. */
async function established(fay: ForeignCaller, bob: Agent) {
  const taken = Promise.withResolvers<Call>();
  bob.onCall((incoming) => void incoming.accept().then(taken.resolve, taken.reject));
  const offerId = freshOfferId();
  const answer = await fay.ask(
    "ESTABLISH",
    "/sessions",
    { target_agent_id: bob.id, offer: fay.agent.offer(bob.id, offerId) },
    [
      "Authority-Scope: communication:audio:capture communication:audio:transmit",
      "Session-Intent: communication",
      "Communication-Modalities: audio",
      "Audio-Codecs: opus",
      `Idempotency-Key: ${offerId}`,
    ],
  );
  const result = resultOf(answer) as JsonMembers;
  const { key } = result.server as { readonly key: string };
  const { core_digest: digest } = verifiedPayload(String(result.core), key);
  const sessionId = needed(answer, "Session-ID");
  expect(result.session_id).toBe(sessionId);
  return {
    answer,
    result,
    sessionId,
    key,
    digest: String(digest),
    call: await within("the call", taken.promise),
  };
}

const manners: readonly (readonly [string, Manner, "raw" | "pem"])[] = [
  ["with the version first and flat bodies", { dialect: "base", body: "flat" }, "pem"],
  ["with the version last and bodies in an envelope", { dialect: "seed", body: "envelope" }, "raw"],
];

describe.each(manners)("a client %s", (_, manner, keys) => {
  it("calls, asks about, suspends, resumes, narrows and ends a call, each on a connection of its own", async () => {
    const bob = await library("Bob", "webtransport");
    const fay = new ForeignCaller(new ForeignAgent("fay", keys), server, manner);
    expect(await fay.result("DISCOVER", `/agents/${bob.id}`)).toMatchObject({
      agent_id: bob.id,
      online: true,
    });
    const { answer, sessionId, key, digest, call } = await established(fay, bob);
    expect(answer.version).toBe(manner.dialect === "base" ? "AGTP/1.0" : "HTTP/AGTP/1.0");
    expect(needed(answer, "Audio-Codec")).toBe("opus");
    expect(needed(answer, "Stream-Parameters")).toContain("codec=opus;clock_rate=48000");
    expect(call.peer.agentId).toBe(fay.agent.id);
    const path = `/sessions/${sessionId}`;
    const inSession = [`Session-ID: ${sessionId}`];
    expect(await fay.result("QUERY", path, {}, inSession)).toMatchObject({
      state: "active",
      session_id: sessionId,
    });
    const suspended = await fay.result(
      "SUSPEND",
      path,
      { reason: "awaiting_input", checkpoint: { page: 7 } },
      inSession,
    );
    expect(suspended).toMatchObject({ session_id: sessionId, status: "suspended" });
    expect(await fay.result("QUERY", path, {}, inSession)).toMatchObject({ state: "suspended" });
    const resumption_nonce = String(suspended.resumption_nonce);
    const resumed = await fay.result("RESUME", path, { workflow_id: sessionId, resumption_nonce }, inSession);
    expect(resumed).toMatchObject({ state: "active", checkpoint: { page: 7 } });
    expect(bodyOf(await fay.ask("RESUME", path, { resumption_nonce }, inSession))).toMatchObject({
      status: 409,
      error: { code: "nonce-invalid" },
    });
    const narrowing = fay.agent.narrowing(sessionId, digest, 0);
    expect(await fay.result("ADJUST", path, { narrowing }, inSession)).toMatchObject({
      number: 2,
      scope: ["communication:audio:transmit"],
    });
    expect(await fay.result("TERMINATE", path, { reason: "said-everything" }, inSession)).toMatchObject({
      state: "terminated",
      by: fay.agent.id,
    });
    expect(await within("the end at the other end", call.ended)).toEqual({
      reason: "said-everything",
      by: "peer",
    });
    await call.settled;
    await checkRecords(fay, path, key);
    expect(fay.connections).toBe(10);
  });

  it("is called, takes the call, and hears of its end", async () => {
    const ada = await library("Ada", "websocket");
    const fay = new ForeignCaller(new ForeignAgent("fay", keys), server, manner);
    const inbox = await fay.open("SUBSCRIBE", `/agents/${fay.agent.id}/inbox`);
    onTestFinished(() => inbox.leave());
    expect(resultOf(await inbox.answer())).toMatchObject({ event: "subscribed" });
    const calling = ada.call(fay.agent.id);
    const event = resultOf(await inbox.answer()) as { event: string; offer: string; session_id: string };
    expect(event.event).toBe("offer");
    const path = `/sessions/${event.session_id}`;
    const confirmed = await fay.result("CONFIRM", path, {
      target_id: event.session_id,
      status: "accepted",
      answer: fay.agent.answer(event),
    });
    expect(confirmed).toMatchObject({ session_id: event.session_id });
    const call = await within("the call", calling);
    expect(call.peer.agentId).toBe(fay.agent.id);
    expect(await fay.result("QUERY", path)).toMatchObject({ state: "active" });
    await call.end("enough");
    const told = resultOf(await inbox.answer());
    expect(told).toMatchObject({ event: "session-ended", by: ada.id, reason: "enough" });
  });
});

describe("somebody else's client", () => {
  it("is offline within a second of leaving its inbox by a bare FIN, as the kernel of a killed process does", async () => {
    const ada = await library("Ada", "webtransport");
    const fay = new ForeignCaller(new ForeignAgent("fay", "raw"), server, { dialect: "base", body: "flat" });
    const inbox = await fay.open("SUBSCRIBE", `/agents/${fay.agent.id}/inbox`);
    await inbox.answer();
    inbox.leave();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const left = performance.now();
    const outcome = ada.call(fay.agent.id).catch((error: unknown) => error);
    expect(await within("the refusal", outcome)).toMatchObject({ code: "callee-unreachable" });
    expect(performance.now() - left).toBeLessThan(2_000);
  });

  it("is refused where its proof is tied to another connection, to the nonce of one, or to none", async () => {
    const fay = new ForeignAgent("fay");
    const other = await dial();
    await other.write(`AGTP/1.0 DISCOVER /\r\nAgent-ID: ${fay.id}\r\n\r\n`);
    const { nonce } = resultOf(await other.answer()).connection as { readonly nonce: string };
    const ties = [{ cb: other.binding }, { nonce }, {}, { cb: other.binding, nonce }, { cb: "00" }];
    for (const tie of ties as Tie[]) {
      const socket = await dial();
      const proved = fay.prove({ method: "QUERY", path: "/clock", origin: server.origin }, tie, { t0: 1 });
      const body = JSON.stringify(proved);
      const head = ["AGTP/1.0 QUERY /clock", `Agent-ID: ${fay.id}`, "Content-Type: application/json"];
      await socket.write(`${head.join("\r\n")}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      const { error } = bodyOf(await socket.answer());
      expect(error).toMatchObject({ code: "proof-invalid" });
    }
  });
});

/** Every record of a session: signed by the server, each naming the one before, the end last. */
async function checkRecords(fay: ForeignCaller, path: string, key: string): Promise<void> {
  const { records, more } = await fay.result("QUERY", `${path}/records`, { after: 0 });
  expect(more).toBe(false);
  let previous: string | undefined;
  for (const jws of records as string[]) {
    const payload = verifiedPayload(jws, key);
    if (previous !== undefined) expect(payload.previous_session_audit_id).toBe(previous);
    previous = sha256(jws);
  }
}
