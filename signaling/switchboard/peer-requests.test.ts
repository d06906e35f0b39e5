import { describe, expect, test } from "vitest";
import { ok, refuse } from "../../codecs/result.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { ORIGIN, type Output } from "../../test/scenario/signaling-stage.ts";
import { BOB, must } from "../../test/signed-call.ts";
import { parseScopes } from "../scope.ts";

const ALL = { audio: "sendrecv", video: "recvonly", data: true } as const;

/** Alice's server, with what its carrier of WebRTC peers was asked for. */
function scene() {
  const scene = new CallScene();
  const wanted: Output<"peer-wanted">[] = [];
  scene.stage.peers = (asked) => void wanted.push(asked);
  return { ...scene, alice: scene.alice, stage: scene.stage, wanted };
}

describe("a request about a WebRTC peer", () => {
  test("goes to whoever carries them, with who asks and the token it brought, and is answered when that is", () => {
    const { alice, stage, wanted } = scene();
    const scope = must(parseScopes("communication:*"));
    const grant = {
      issuer: alice.id,
      tokenId: "t1",
      agentId: alice.id,
      scope,
      expiresAt: stage.now + 60_000,
    };
    const wish = { ...ALL, to: BOB.genesis.agentId };
    const opening = alice.ask(
      "OPEN",
      "/webrtc",
      { ...wish, access_token: "e30.e30.AA" },
      { token: ok(grant) },
    );
    expect(wanted).toMatchObject([
      {
        ...{ agentId: alice.id, origins: [ORIGIN], token: "e30.e30.AA" },
        wish: { kind: "open", ...wish },
      },
    ]);
    expect(opening.raw).toHaveLength(0);
    const offered = ok({ peer_id: "p1", sdp: "v=0" });
    stage.handle({ kind: "peer", exchange: opening.exchange, outcome: offered });
    expect(opening.last.result).toMatchObject({ peer_id: "p1", sdp: "v=0" });
    expect(opening.isOver).toBe(true);
    stage.handle({ kind: "peer", exchange: opening.exchange, outcome: offered });
    expect(opening.raw).toHaveLength(1);
  });

  test("leaves the connection it came on as it was: its token is the peer's, and runs out for that peer alone", () => {
    const { alice, stage } = scene();
    const grant = {
      ...{
        issuer: alice.id,
        tokenId: "t1",
        agentId: alice.id,
        scope: must(parseScopes("communication:data:*")),
      },
      expiresAt: stage.now + 60_000,
    };
    alice.ask("OPEN", "/webrtc", { ...ALL, access_token: "e30.e30.AA" }, { token: ok(grant) });
    alice.ask("ADJUST", "/webrtc/p1", { sdp: "v=0", access_token: "e30.e30.AA" }, { token: ok(grant) });
    stage.advance(61_000);
    // It rings: neither the scope of that token nor its end is in the way.
    expect(alice.call(BOB).raw).toHaveLength(0);
  });

  test.each([
    ["an answer", "ADJUST", { sdp: "v=0" }, { kind: "answer", peerId: "p1", sdp: "v=0" }],
    ["candidates", "ADJUST", { fragment: "a=x" }, { kind: "trickle", peerId: "p1", fragment: "a=x" }],
    ["a restart", "ADJUST", { restart: true }, { kind: "restart", peerId: "p1" }],
    ["its end", "CLOSE", {}, { kind: "close", peerId: "p1" }],
  ])("may be %s", (_what, method, parameters, wish) => {
    const { alice, wanted } = scene();
    alice.ask(method, "/webrtc/p1", parameters, { headers: [["Authorization", "Bearer e30.e30.AA"]] });
    expect(wanted).toMatchObject([{ token: "e30.e30.AA", wish }]);
  });

  test.each([
    ["OPEN", "/webrtc", {}],
    ["OPEN", "/webrtc", { audio: "none", video: "none" }],
    ["OPEN", "/webrtc", { audio: "both", video: "none" }],
    ["OPEN", "/webrtc", { ...ALL, to: "echo" }],
    ["OPEN", "/webrtc", { ...ALL, to: BOB.genesis.agentId, session_id: "sess-1" }],
    ["ADJUST", "/webrtc/p1", {}],
    ["ADJUST", "/webrtc/p1", { restart: false }],
    ["ADJUST", "/webrtc/p1", { sdp: "v=0", restart: true }],
    ["ADJUST", "/webrtc/p1", { sdp: 1 }],
  ])("is refused by its form: %s %s %j", (method, path, parameters) => {
    const { alice, wanted } = scene();
    expect(alice.ask(method, path, parameters).outcome).toBe("field-invalid");
    expect(wanted).toEqual([]);
  });

  test("is for who is known", () => {
    const { stage, wanted } = scene();
    const [answer] = stage.ask("OPEN", "/webrtc", [["Agent-ID", BOB.genesis.agentId]]);
    expect(answer?.status).toBe(401);
    expect(wanted).toEqual([]);
  });

  test("is refused by name where there is no carrier, and goes into the record as any other", () => {
    const { alice, stage } = new CallScene();
    const before = stage.log.length;
    expect(alice.ask("OPEN", "/webrtc", ALL).outcome).toBe("webrtc-unavailable");
    expect(stage.log.slice(before).filter(({ kind }) => kind === "record")).toHaveLength(1);
  });

  test("that nobody waits for any more is taken back", () => {
    const { alice, stage, wanted } = scene();
    const first = alice.ask("OPEN", "/webrtc", ALL);
    const second = alice.ask("OPEN", "/webrtc", ALL);
    const { connection } = alice;
    stage.handle({ kind: "abandoned", connection, exchange: first.exchange });
    expect(stage.unwanted).toEqual([first.exchange]);
    stage.handle({ kind: "closed", connection, orderly: true });
    expect(stage.unwanted).toEqual([first.exchange, second.exchange]);
    stage.handle({ kind: "peer", exchange: second.exchange, outcome: refuse("declined", "No.") });
    expect(second.raw).toHaveLength(0);
    expect(wanted).toHaveLength(2);
  });

  test("to open one is taken back by the name it was given, by the agent that gave it", () => {
    const { alice, stage } = scene();
    const opening = alice.ask("OPEN", "/webrtc", { ...ALL, open_id: "first" });
    expect(alice.ask("OPEN", "/webrtc", { ...ALL, open_id: "first" }).outcome).toBe("field-invalid");
    expect(alice.ask("CLOSE", "/webrtc/first", {}).last.result).toMatchObject({ peer_id: "first" });
    expect(stage.unwanted).toEqual([opening.exchange]);
    const cancelled = refuse("cancelled", "Nobody waits for it any more.");
    stage.handle({ kind: "peer", exchange: opening.exchange, outcome: cancelled });
    expect(opening.outcome).toBe("cancelled");
    // Now it names nothing any more.
    expect(alice.ask("CLOSE", "/webrtc/first", {}).raw).toHaveLength(0);
    expect(stage.unwanted).toEqual([opening.exchange]);
  });

  test("finds 256 at most waiting", () => {
    const { alice, stage } = scene();
    const outcomes = Array.from({ length: 257 }, () => {
      stage.advance(1_000);
      return alice.ask("OPEN", "/webrtc", ALL);
    });
    expect(outcomes[255]?.raw).toHaveLength(0);
    expect(outcomes[256]?.outcome).toBe("capacity");
  });
});
