import { describe, expect, test } from "vitest";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, SERVER, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS, type SwitchboardLimits } from "./config.ts";

const limited = (limits: Partial<SwitchboardLimits>) =>
  new Stage({ config: { limits: { ...DEFAULT_LIMITS, ...limits } } });

/** Somebody for whom the issuer of these tests vouches. */
const vouched = (name: string, byte: number, ownerId: string) =>
  testAgent(name, byte, { genesis: { ownerId }, issuer: SERVER.identity });

/** A connection on which this agent has proved itself: one request of it. */
function bound(stage: Stage, agent: TestAgent): SignalingPeer {
  const peer = new SignalingPeer(stage, agent);
  expect(peer.subscribe().outcome).toBe("ok 200");
  return peer;
}

function asks(peer: SignalingPeer, times: number): string[] {
  return Array.from({ length: times }, () => peer.ask("QUERY", "/clock", { t0: 1 }).outcome);
}

describe("an agent", () => {
  test("may ask so much over all its connections, and is told when it may again", () => {
    const stage = limited({ agentRate: { perSecond: 10, burst: 6 } });
    const [first, second] = [bound(stage, ALICE), bound(stage, ALICE)];
    expect([...asks(first, 2), ...asks(second, 2)]).toEqual(Array(4).fill("ok 200"));
    for (const peer of [first, second]) {
      expect(peer.ask("QUERY", "/clock", { t0: 1 }).last).toMatchObject({
        status: 429,
        error: { code: "rate-limited", details: { retry_after_ms: 100 } },
      });
    }
    expect(asks(bound(stage, BOB), 5), "others are not concerned").toEqual(Array(5).fill("ok 200"));
    stage.advance(100);
    expect(asks(second, 2)).toEqual(["ok 200", "rate-limited"]);
  });

  test("gets no more by connecting anew for every request", () => {
    const stage = limited({ agentRate: { perSecond: 1, burst: 3 } });
    const outcomes = Array.from({ length: 5 }, () => {
      const peer = new SignalingPeer(stage, ALICE, {
        carrier: "tls",
        channelBinding: stage.newBinding(),
      });
      const { outcome } = peer.ask("QUERY", "/clock", { t0: 1 }, { proof: true });
      peer.drop(true);
      return outcome;
    });
    expect(outcomes).toEqual(["ok 200", "ok 200", "ok 200", "rate-limited", "rate-limited"]);
  });
});

describe("an owner", () => {
  const ownerRate = { perSecond: 10, burst: 6 };

  test("may ask so much through all its agents", () => {
    const stage = limited({ ownerRate });
    const [one, other] = [
      bound(stage, vouched("one", 0x41, "acme")),
      bound(stage, vouched("two", 0x42, "acme")),
    ];
    expect([...asks(one, 2), ...asks(other, 2)]).toEqual(Array(4).fill("ok 200"));
    expect([...asks(one, 1), ...asks(other, 1)]).toEqual(["rate-limited", "rate-limited"]);
    expect(asks(bound(stage, vouched("three", 0x43, "other")), 3)).toEqual(Array(3).fill("ok 200"));
    stage.advance(100);
    expect(asks(one, 1)).toEqual(["ok 200"]);
  });

  test("is not used up by agents that name it in a Genesis of their own", () => {
    const stage = limited({ ownerRate });
    const impostor = bound(stage, testAgent("impostor", 0x44, { genesis: { ownerId: "acme" } }));
    expect(asks(impostor, 6)).toContain("rate-limited");
    expect(asks(bound(stage, vouched("one", 0x41, "acme")), 5)).toEqual(Array(5).fill("ok 200"));
  });

  test("is not used up by one of its agents that asks more than it may itself", () => {
    const stage = limited({ ownerRate, agentRate: { perSecond: 1, burst: 3 } });
    asks(bound(stage, vouched("one", 0x41, "acme")), 20);
    expect(asks(bound(stage, vouched("two", 0x42, "acme")), 2)).toEqual(["ok 200", "ok 200"]);
  });
});

test("an address may ask so much through all agents that come from it", () => {
  const stage = limited({ addressRate: { perSecond: 10, burst: 3 } });
  const from = (agent: TestAgent, network: string | undefined) => {
    const peer = new SignalingPeer(stage, agent, { network });
    peer.subscribe();
    return peer;
  };
  const [alice, bob] = [from(ALICE, "192.0.2.1"), from(BOB, "192.0.2.1")];
  expect([asks(alice, 1), asks(bob, 1)]).toEqual([["ok 200"], ["rate-limited"]]);
  const carol = testAgent("carol", 0x45);
  expect(asks(from(carol, "192.0.2.2"), 2), "another address is not concerned").toEqual(["ok 200", "ok 200"]);
  stage.advance(100);
  expect(asks(bob, 2)).toEqual(["ok 200", "rate-limited"]);
});

test("agents register themselves at a rate, of an address and in all; those that are known come in as ever", () => {
  const stage = limited({
    registrationRate: { perSecond: 1, burst: 2 },
    registrationTotalRate: { perSecond: 1, burst: 4 },
  });
  const comes = (n: number, network?: string) =>
    new SignalingPeer(stage, testAgent(`newcomer ${n}`, 40 + n), {
      ...(network === undefined ? {} : { network }),
      channelBinding: new Uint8Array(32),
    }).subscribe();
  const [one, other] = ["203.0.113.7", "203.0.113.8"];
  expect([1, 2].map((n) => comes(n, one).outcome)).toEqual(["ok 200", "ok 200"]);
  expect(comes(3, one).last).toMatchObject({
    error: { code: "rate-limited", details: { retry_after_ms: expect.any(Number) } },
  });
  expect(stage.sizes.agents).toBe(2);
  expect(comes(1, one).outcome, "known").toBe("ok 200");
  expect([3, 4].map((n) => comes(n, other).outcome)).toEqual(["ok 200", "ok 200"]);
  expect(comes(5).outcome, "from nowhere in particular").toBe("rate-limited");
  stage.advance(1_000);
  expect(comes(5).outcome).toBe("ok 200");
});
