import { describe, expect, test } from "vitest";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, SERVER, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS, type SwitchboardLimits } from "./config.ts";
import { SharedRates } from "./shared-rates.ts";

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

test("those who have not asked for long are forgotten, and of many the ones heard of longest ago", () => {
  const limits = { ...DEFAULT_LIMITS, agentRate: { perSecond: 1, burst: 5 }, connections: 4 };
  const rates = new SharedRates(limits);
  const agents = Array.from({ length: 8 }, (_, index) => testAgent(`${index}`, 0x50 + index));
  const registered = agents.map(({ genesis, document }) => ({
    ...{ agentId: genesis.agentId, genesis, document },
    status: document.status,
  }));
  for (const agent of registered) rates.take(agent, 0);
  expect(rates.size).toBe(8);
  const [last] = registered.slice(-1);
  if (last === undefined) throw new Error("nobody");
  expect(Array.from({ length: 5 }, () => rates.take(last, 0)).at(-1), "it is not forgotten").toBe(1_000);
  for (let second = 1; second <= 20; second++) {
    const at = second * 1_000;
    expect([rates.take(last, at), rates.take(last, at)], "nor is it while it goes on").toEqual([
      undefined,
      1_000,
    ]);
  }
  rates.take(last, 3_600_000);
  expect(rates.size).toBe(2);
});
