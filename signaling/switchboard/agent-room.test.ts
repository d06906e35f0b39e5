/** Who goes when there is no room for another agent, and who stays. */
import { describe, expect, it } from "vitest";
import { askByKey } from "../../test/scenario/lifecycle-asking.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage, type StageOptions } from "../../test/scenario/signaling-stage.ts";
import { ALICE, BOB, type TestAgent, testAgent } from "../../test/signed-call.ts";
import { DEFAULT_LIMITS } from "./config.ts";

const AGENTS = Array.from({ length: 8 }, (_, at) => testAgent(`agent ${at}`, 0x60 + at));
const limits = (selfRegisteredAgents: number, agents = 100) => ({
  config: { limits: { ...DEFAULT_LIMITS, selfRegisteredAgents, agents } },
});

/** Comes, registers itself where it is not known, and stays. */
function come(stage: Stage, agent: TestAgent): SignalingPeer {
  const peer = new SignalingPeer(stage, agent);
  peer.subscribe();
  stage.now += 1;
  return peer;
}

function visit(stage: Stage, ...agents: readonly TestAgent[]): void {
  for (const agent of agents) come(stage, agent).drop();
}

/** Which of the agents a server knows. */
function known(stage: Stage, agents: readonly TestAgent[] = AGENTS): number[] {
  const asker = new SignalingPeer(stage, stage.server);
  return agents.flatMap(({ genesis: { agentId } }, at) =>
    asker.ask("DISCOVER", `/agents/${agentId}`).outcome === "ok 200" ? [at] : [],
  );
}

const restart = (stage: Stage, options: StageOptions) => new Stage({ ...options, log: stage.log });

describe("where another agent would register itself and there is no room", () => {
  it("the one that was not here for longest goes, with its inbox; it may come again", () => {
    const stage = new Stage(limits(3));
    visit(stage, ...AGENTS.slice(0, 3));
    visit(stage, AGENTS[0]!);
    visit(stage, AGENTS[3]!);
    expect(known(stage)).toEqual([0, 2, 3]);
    expect(stage.sizes.agents).toBe(3);
    expect(stage.sizes.inboxes.inboxes).toBe(3);
    expect(stage.logs.filter(({ event }) => event === "agent-evicted")).toMatchObject([
      { fields: { agentId: AGENTS[1]!.genesis.agentId } },
    ]);
    visit(stage, AGENTS[1]!);
    expect(known(stage)).toEqual([0, 1, 3]);
    stage.checkChain();
  });

  it("who left last counts as here last, however long ago it came", () => {
    const stage = new Stage(limits(2));
    const stayed = come(stage, AGENTS[0]!);
    visit(stage, AGENTS[1]!);
    stayed.drop();
    visit(stage, AGENTS[2]!);
    expect(known(stage)).toEqual([0, 2]);
  });

  it("nobody goes that has a connection, or a call: the newcomer is refused", () => {
    const scene = new CallScene({
      ...limits(2),
      offer: { session: { model: "persistent", ttl: 3_600 } },
    });
    const { stage } = scene;
    scene.alice.drop();
    scene.bob.drop();
    expect(new SignalingPeer(stage, AGENTS[0]!).subscribe().outcome).toBe("capacity");
    expect(known(stage, [ALICE, BOB])).toEqual([0, 1]);
    stage.advance((DEFAULT_LIMITS.detachedSeconds + 10) * 1000);
    expect(new SignalingPeer(stage, AGENTS[0]!).subscribe().outcome).toBe("ok 200");
    expect(known(stage, [ALICE, BOB])).toHaveLength(1);
    expect(new SignalingPeer(stage, AGENTS[1]!).subscribe().outcome).toBe("ok 200");
    expect(new SignalingPeer(stage, AGENTS[2]!).subscribe().outcome).toBe("capacity");
  });

  it("nor while somebody calls it who waits for it to come back", () => {
    const stage = new Stage(limits(2));
    const caller = come(stage, ALICE);
    const callee = come(stage, BOB);
    const call = caller.call(BOB);
    callee.drop();
    expect(new SignalingPeer(stage, AGENTS[2]!).subscribe().outcome).toBe("capacity");
    stage.advance(60_000);
    expect(call.outcome).toBe("callee-unreachable");
    expect(new SignalingPeer(stage, AGENTS[2]!).subscribe().outcome).toBe("ok 200");
    expect(known(stage, [ALICE, BOB])).toEqual([0]);
  });

  it("the operator registers one all the same, and what the operator registered stays", () => {
    const stage = new Stage(limits(100, 2));
    visit(stage, AGENTS[0]!, AGENTS[1]!);
    const add = (agent: TestAgent) => {
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const papers = {
        genesis: text(agent.genesis.bytes),
        identity_document: text(agent.document.bytes),
      };
      return new SignalingPeer(stage, stage.server).ask(
        "ACTIVATE",
        `/agents/${agent.genesis.agentId}`,
        papers,
        {
          proof: true,
          documents: false,
        },
      );
    };
    expect(add(AGENTS[2]!).last.result).toMatchObject({ registered: true });
    expect(known(stage)).toEqual([1, 2]);
    // One that had registered itself is registered by this.
    expect(add(AGENTS[1]!).last.result).toMatchObject({ noop: true });
    expect(new SignalingPeer(stage, AGENTS[3]!).subscribe().outcome).toBe("capacity");
    expect(add(AGENTS[3]!).outcome).toBe("capacity");
    const later = restart(stage, limits(100, 2));
    expect(new SignalingPeer(later, AGENTS[3]!).subscribe().outcome).toBe("capacity");
    expect(known(later)).toEqual([1, 2]);
  });

  it("nor does one go of which issuer or operator said something, or that is retired for ever", () => {
    const stage = new Stage(limits(1));
    visit(stage, AGENTS[0]!);
    const { genesis, identity } = AGENTS[0]!;
    expect(askByKey(stage, "DEACTIVATE", genesis.agentId, identity.publicKey).code).toBeUndefined();
    const retired = testAgent("agent 1", 0x61, { document: { status: "retired", updatedAt: stage.now } });
    visit(stage, AGENTS[1]!, retired);
    visit(stage, AGENTS[2]!, AGENTS[3]!);
    expect(known(stage)).toEqual([0, 1, 3]);
    const later = restart(stage, limits(1));
    visit(later, AGENTS[4]!);
    expect(known(later)).toEqual([0, 1, 4]);
    expect(come(later, AGENTS[1]!).subscribe().outcome).toBe("agent-retired");
    expect(come(later, AGENTS[0]!).subscribe().outcome).toBe("agent-suspended");
  });
});

describe("after a restart", () => {
  it("who registered first goes first, and who went is not back", () => {
    const stage = new Stage(limits(3));
    visit(stage, ...AGENTS.slice(0, 4));
    const later = restart(stage, limits(3));
    expect(known(later)).toEqual([1, 2, 3]);
    visit(later, AGENTS[1]!, AGENTS[5]!);
    expect(known(later)).toEqual([1, 3, 5]);
  });

  it("as many go as a lower limit wants, when the next one comes", () => {
    const stage = new Stage(limits(6));
    visit(stage, ...AGENTS.slice(0, 6));
    const later = restart(stage, limits(2));
    expect(known(later)).toHaveLength(6);
    visit(later, AGENTS[6]!);
    expect(known(later)).toEqual([5, 6]);
  });
});
