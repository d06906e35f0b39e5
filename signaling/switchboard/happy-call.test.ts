import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { strictVerifier } from "../../test/keys.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import type { Answers } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, must } from "../../test/signed-call.ts";
import { checkSession } from "../peer-check.ts";
import { verifySessionChain } from "../record-chain.ts";

test("the relay is told until when keys and terms are in force", () => {
  const scene = new CallScene({ offer: { session: { model: "bounded", ttl: 600 } } });
  const rows = scene.stage.admissions.flatMap((message) => (message.kind === "install" ? [message.row] : []));
  const { now } = scene.stage;
  expect(rows.map(({ leg, notBefore, notAfter }) => [leg, notBefore, notAfter])).toEqual([
    [0, now - 60_000, now + 600_000],
    [1, now - 60_000, now + 600_000],
  ]);
  const long = new CallScene({ offer: { session: { model: "bounded", ttl: 86_400 } } });
  const [row] = long.stage.admissions.flatMap((message) => (message.kind === "install" ? [message.row] : []));
  expect(row?.notAfter, "the certificate ends first").toBe(now + 3_600_000);
});

describe("a call from ESTABLISH to its final record", () => {
  test("both ends are told the same session, and their checks hold", () => {
    const scene = new CallScene();
    expect(scene.established.outcome).toBe("ok 200");
    expect(scene.confirmed.outcome).toBe("ok 200");
    const { result } = scene.established.last;
    const { server } = scene.stage;
    const checked = must(
      checkSession(
        {
          leg: 0,
          me: { agentId: ALICE.genesis.agentId, publicKey: ALICE.identity.publicKey },
          peerAgentId: BOB.genesis.agentId,
          offer: String(scene.bobInbox.event("offer").offer),
          answer: String(result.answer),
          peer: {
            genesis: encode(result.peer, "genesis"),
            identityDocument: encode(result.peer, "identity_document"),
          },
          sessionId: String(result.session_id),
          witness: String(result.core),
          server: { agentId: server.genesis.agentId, key: server.identity.publicKey },
          now: scene.stage.now,
        },
        strictVerifier,
      ),
    );
    expect(checked.core.digest).toEqual(scene.core.digest);
    expect(scene.confirmed.last.result.core).toBe(result.core);
  });

  test("says what the session takes as it opens, and what the server takes as an inbox opens", () => {
    const scene = new CallScene();
    const methods = (answers: Answers) => answers.raw[0]?.headers.get("Supported-Methods")?.split(", ");
    const ofSession = methods(scene.established);
    expect(ofSession).toEqual(expect.arrayContaining(["CONFIRM", "QUERY", "TERMINATE"]));
    expect(ofSession).not.toContain("DISCOVER");
    expect(methods(scene.confirmed)).toEqual(ofSession);
    expect(methods(scene.bobInbox)).toEqual(expect.arrayContaining(["DISCOVER", "SUBSCRIBE", "TERMINATE"]));
  });

  test("flows are installed before the answers, and meet at the relay", () => {
    const { stage, ...scene } = new CallScene();
    const rows = stage.admissions.map((message) => (message.kind === "install" ? message.row : undefined));
    expect(rows).toHaveLength(2);
    const [fromAlice] = rows;
    expect(fromAlice).toMatchObject({
      connection: scene.alice.connection,
      leg: 0,
      stream: 0,
      transmitAllowed: true,
    });
    expect(fromAlice?.keys.get(0)).toEqual(ALICE.media.publicKey);
    const all = (scene.established.last.result.streams as JsonObject[]).concat(
      scene.confirmed.last.result.streams as JsonObject[],
    );
    const sent = all.find((stream) => stream.leg === 0 && stream.direction === "send");
    const heard = all.find((stream) => stream.leg === 0 && stream.direction === "receive");
    expect(fromAlice?.flow).toBe(sent?.flow);
    expect(fromAlice?.egress).toEqual([{ connection: scene.bob.connection, flow: heard?.flow }]);
  });

  test("the session's records chain from established to terminated, naming the reason", () => {
    const scene = new CallScene();
    scene.close();
    const records = must(
      verifySessionChain(
        scene.stage.sessionRecords(scene.sessionId),
        { publicKey: scene.stage.server.identity.publicKey, sessionId: scene.sessionId },
        strictVerifier,
      ),
    ).map((record) => record.payload);
    expect(records[0]).toMatchObject({ event: "session-established", method: "ESTABLISH", status: 200 });
    expect(records[1]).toMatchObject({ event: "session-established", method: "CONFIRM" });
    expect(records.at(-1)).toMatchObject({
      event: "session-terminated",
      extra: { reason: "hangup", by: ALICE.genesis.agentId },
    });
    scene.stage.checkChain();
  });

  test("the evidence keeps what both ends signed, without a gap in its numbers", () => {
    const scene = new CallScene();
    scene.close();
    const artifacts = scene.stage.artifacts(scene.sessionId);
    expect(artifacts.map((entry) => entry.index)).toEqual(artifacts.map((_, index) => index));
    expect(artifacts.map((entry) => `${entry.artifact} ${entry.leg ?? "server"}`)).toEqual([
      "genesis server",
      "identity-document server",
      "genesis 0",
      "identity-document 0",
      "agent-status 0",
      "genesis 1",
      "identity-document 1",
      "agent-status 1",
      "offer 0",
      "answer 1",
      "core server",
      "core-witness server",
      "checkpoint 0",
      "receipt 0",
      "closing 0",
      "checkpoint 1",
      "receipt 1",
      "closing 1",
      "counters server",
    ]);
    expect(scene.stage.admissions.map((message) => message.kind)).toEqual([
      "install",
      "install",
      "state",
      "remove",
    ]);
    const file = scene.bob.evidence(scene.sessionId);
    expect(file.isOver).toBe(true);
    expect(file.all.map((message) => String(message.result.chunk)).join("")).toContain("closing 1 ");
  });

  test("checkpoints and receipts go on to the other end", () => {
    const scene = new CallScene();
    scene.sendFinals(0);
    expect(scene.stage.items.map(({ connection, flow }) => ({ connection, flow }))).toEqual([
      { connection: scene.bob.connection, flow: scene.stream(1, "receive").checkpoint_flow },
      { connection: scene.bob.connection, flow: scene.stream(1, "send").receipt_flow },
    ]);
  });

  test("every answer is complete", () => {
    const { established } = new CallScene();
    const headers = established.raw.at(-1)?.headers;
    for (const name of ["Server-ID", "Response-ID", "Attribution-Record", "Audit-ID", "Session-ID"]) {
      expect(headers?.has(name), name).toBe(true);
    }
    expect(headers?.get("Agent-ID")).toBe(ALICE.genesis.agentId);
    expect(headers?.get("Audio-Codec")).toBe("opus");
    expect(headers?.get("Stream-Parameters")).toContain("payload_type=111");
  });
});

function encode(peer: unknown, member: string): Uint8Array {
  return new TextEncoder().encode((peer as Record<string, string>)[member]);
}
