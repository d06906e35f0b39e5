import { describe, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import type { AgtpRequest } from "../../codecs/message.ts";
import { refuse } from "../../codecs/result.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { BIND_WITHIN, BIND_WITHIN_UNDER_PRESSURE } from "./connections.ts";

const DISCOVER: AgtpRequest = {
  dialect: "base",
  method: "DISCOVER",
  path: "/",
  query: new Map(),
  headers: new Headers([]),
  body: new Uint8Array(0),
};

const limited = (limits: Partial<typeof DEFAULT_LIMITS>) =>
  new Stage({ config: { limits: { ...DEFAULT_LIMITS, ...limits } } });

test("a connection on which nobody proves an identity is closed after 15 s", () => {
  const stage = new Stage();
  const alice = new SignalingPeer(stage, ALICE);
  const nobody = new SignalingPeer(stage, BOB);
  alice.subscribe();
  stage.advance(BIND_WITHIN - 1);
  expect(stage.closes).toEqual([]);
  stage.advance(1);
  expect(stage.closes).toMatchObject([{ connection: nobody.connection, code: 6, reason: "nobody-proved" }]);
});

test("an agent has so many connections; a further one is refused and closed, one that ends makes room", () => {
  const stage = limited({ connectionsPerAgent: 2 });
  const [first, , third] = [1, 2, 3].map(() => new SignalingPeer(stage, ALICE));
  const subscribe = (peer: SignalingPeer | undefined) => peer?.subscribe().outcome;
  expect(subscribe(first)).toBe("ok 200");
  expect(subscribe(new SignalingPeer(stage, ALICE))).toBe("ok 200");
  expect(subscribe(third)).toBe("capacity");
  expect(stage.closes).toMatchObject([{ connection: third?.connection, code: 7 }]);
  expect(subscribe(new SignalingPeer(stage, BOB)), "others are not concerned").toBe("ok 200");
  expect(subscribe(first), "nor is one that is bound").toBe("ok 200");
  first?.drop();
  expect(subscribe(new SignalingPeer(stage, ALICE))).toBe("ok 200");
});

test("connections over TLS, one for each request, count apart from the others", () => {
  const stage = limited({ connectionsPerAgent: 1, tlsConnectionsPerAgent: 2 });
  const overTls = (seed: number) =>
    new SignalingPeer(stage, ALICE, { carrier: "tls", channelBinding: new Uint8Array(32).fill(seed) });
  expect(new SignalingPeer(stage, ALICE).subscribe().outcome).toBe("ok 200");
  const first = overTls(1);
  const asks = (peer: SignalingPeer) => peer.ask("QUERY", "/clock", { t0: 1 }, { proof: true }).outcome;
  expect(asks(first)).toBe("ok 200");
  expect(asks(overTls(2))).toBe("ok 200");
  const third = overTls(3);
  expect(asks(third)).toBe("capacity");
  expect(stage.closes).toMatchObject([{ connection: third.connection, code: 7 }]);
  first.drop();
  expect(asks(overTls(4))).toBe("ok 200");
  expect(new SignalingPeer(stage, ALICE).subscribe().outcome).toBe("capacity");
});

test("who reconnects gets no more anonymous requests: all unbound connections share a rate", () => {
  const stage = limited({ anonymousTotalRate: { perSecond: 1, burst: 2 } });
  const alice = new SignalingPeer(stage, ALICE);
  alice.subscribe();
  new SignalingPeer(stage, BOB).drop(true);
  const records = stage.log.length;
  const last = stage.open();
  stage.request(last, DISCOVER);
  expect(stage.closes).toMatchObject([{ connection: last, code: 7, reason: "anonymous-rate" }]);
  expect(stage.log, "nothing was signed for it").toHaveLength(records);
  expect(alice.query("sess-unknown").outcome, "bound connections go on").toBe("session-not-found");
  stage.advance(1_000);
  expect(new SignalingPeer(stage, BOB).nonce).toBeTruthy();
});

describe("while unbound connections have asked all that they may together", () => {
  const exhausted = () => {
    const stage = limited({ anonymousTotalRate: { perSecond: 1, burst: 4 } });
    const somebody = new SignalingPeer(stage, ALICE);
    for (let i = 0; i < 3; i++) somebody.ask("DISCOVER", "/methods", {}, { proof: false });
    return stage;
  };

  test("a proof on a fresh connection is judged all the same, and takes nothing from them", () => {
    const stage = exhausted();
    for (let i = 0; i < 20; i++) expect(overTls(stage, BOB).subscribe().outcome).toBe("ok 200");
    expect(stage.closes.filter(({ reason }) => reason === "anonymous-rate")).toEqual([]);
    stage.advance(1_000);
    expect(new SignalingPeer(stage, ALICE).nonce, "what they may ask comes back meanwhile").toBeTruthy();
  });

  test("a proof that fails is answered 429, so often, and then its connection is closed", () => {
    const stage = exhausted();
    const failing = () => overTls(stage, BOB).subscribe(undefined, { rawProof: "no.proof.this" });
    for (let i = 0; i < 4; i++) {
      expect(failing().last).toMatchObject({
        status: 429,
        error: { code: "rate-limited", details: { retry_after_ms: 1_000 } },
      });
    }
    const records = stage.log.length;
    expect(failing().raw).toEqual([]);
    expect(stage.closes.at(-1)).toMatchObject({ code: 7, reason: "anonymous-rate" });
    expect(stage.log, "nothing was signed for it").toHaveLength(records);
  });

  test("a request that needs a proof and brings none is not answered", () => {
    const stage = exhausted();
    expect(overTls(stage, BOB).subscribe(undefined, { proof: false }).raw).toEqual([]);
    expect(stage.closes.at(-1)).toMatchObject({ code: 7, reason: "anonymous-rate" });
  });
});

test("proofs that fail take from what unbound connections may ask", () => {
  const stage = limited({ anonymousTotalRate: { perSecond: 1, burst: 2 } });
  const outcomes = [1, 2, 3].map(
    () => overTls(stage, BOB).subscribe(undefined, { rawProof: "no.proof.this" }).outcome,
  );
  expect(outcomes).toEqual(["proof-invalid", "proof-invalid", "rate-limited"]);
});

test("one network may have a quarter of what unbound connections may ask together", () => {
  const stage = limited({ anonymousTotalRate: { perSecond: 4, burst: 40 } });
  const discovers = (network: string | undefined) => {
    const connection = stage.open({ carrier: "tls", network });
    const { arrivals } = stage.request(connection, DISCOVER);
    const [answer] = arrivals.responses;
    return answer?.status === 200 ? 1 : 0;
  };
  const answered = (network: string | undefined, times: number) =>
    Array.from({ length: times }, () => discovers(network)).reduce<number>((sum, one) => sum + one, 0);
  expect(answered("192.0.2.1", 30)).toBe(10);
  expect(answered("192.0.2.2", 30)).toBe(10);
  expect(answered(undefined, 30), "who stands for many has what is left").toBe(20);
  stage.advance(1_000);
  expect(answered("192.0.2.1", 3)).toBe(1);
});

test("while most places are taken, an identity must be proved within 3 s", () => {
  const stage = limited({ connections: 10 });
  const early = stage.open();
  for (let more = 2; more < 8; more++) stage.open();
  stage.advance(BIND_WITHIN_UNDER_PRESSURE);
  expect(stage.closes, "there is still room").toEqual([]);
  const [eighth, ninth] = [stage.open(), stage.open()];
  stage.advance(BIND_WITHIN_UNDER_PRESSURE);
  expect(stage.closes.map(({ connection, code }) => [connection, code])).toEqual([
    [eighth, 6],
    [ninth, 6],
  ]);
  stage.advance(BIND_WITHIN - 2 * BIND_WITHIN_UNDER_PRESSURE);
  expect(stage.closes.map(({ connection }) => connection)).toContain(early);
});

describe("tokens on connections that nobody proved an identity on are counted before they are judged", () => {
  const junk = refuse("token-invalid", "The signature does not hold.");
  /** What a request with a token that does not hold is answered, on a connection of its own or this one. */
  const brings = (stage: Stage, connection = stage.open()) => {
    const [answer] = stage.request(connection, DISCOVER, junk).arrivals.responses;
    return answer?.status;
  };

  test("by connection", () => {
    const stage = limited({ anonymousRate: { perSecond: 1, burst: 3 } });
    const connection = stage.open();
    const answers = Array.from({ length: 5 }, () => brings(stage, connection));
    expect(answers).toEqual([401, 401, 401, 429, 429]);
    expect(stage.tokensJudged).toBe(3);
    stage.advance(1_000);
    expect(brings(stage, connection)).toBe(401);
  });

  test("all together, whatever else those ask; bound connections are not concerned", () => {
    const stage = limited({ anonymousTotalRate: { perSecond: 1, burst: 4 } });
    const alice = overTls(stage, ALICE);
    alice.subscribe();
    const answers = Array.from({ length: 6 }, () => brings(stage));
    expect(answers).toEqual([401, 401, 401, 401, 429, 429]);
    expect(stage.tokensJudged).toBe(4);
    alice.token = junk;
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("token-invalid");
    expect(overTls(stage, BOB).subscribe().outcome, "nor are proofs without a token").toBe("ok 200");
    stage.advance(1_000);
    expect(brings(stage)).toBe(401);
  });

  test("of one network a quarter, however often it is told to come again", () => {
    const stage = limited({ anonymousTotalRate: { perSecond: 1, burst: 8 } });
    const from = (network: string) => brings(stage, stage.open({ carrier: "tls", network }));
    const answers = Array.from({ length: 11 }, () => from("192.0.2.1"));
    expect(answers).toEqual([401, 401, ...Array(8).fill(429), undefined]);
    expect(stage.closes.at(-1)).toMatchObject({ code: 7, reason: "anonymous-rate" });
    expect(from("192.0.2.2")).toBe(401);
    expect(stage.tokensJudged).toBe(3);
  });

  test("and once: an agent that shows one with its proof takes one of what it may ask", () => {
    const stage = limited({ agentRate: { perSecond: 1, burst: 2 }, boundRate: { perSecond: 1, burst: 1 } });
    const alice = overTls(stage, ALICE);
    alice.subscribe();
    alice.token = junk;
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("token-invalid");
    expect(alice.ask("QUERY", "/clock", { t0: 1 }).outcome).toBe("rate-limited");
  });
});
