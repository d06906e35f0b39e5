/** Calls and connections by `agtp://` URIs. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { connectAgent } from "../../agent/connect.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { World } from "./world.ts";

const ELSEWHERE = "ab".repeat(32);

async function scene() {
  const world = new World();
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
  bob.onCall(async (incoming) => void (await incoming.accept()));
  return { world, ada, bob };
}

async function refusal(world: World, asked: Promise<unknown>) {
  try {
    await world.during(asked);
  } catch (error) {
    if (error instanceof ParleyError) return error;
    throw error;
  }
  throw new Error("It was not refused.");
}

/** Calls, and tells whom it reached. */
async function reached(world: World, agent: Agent, callee: string): Promise<string> {
  const call = await world.during(agent.call(callee));
  await world.during(call.end("done"));
  return call.peer.agentId;
}

describe("an agent is called", () => {
  it("by agtp://ID, and by agtp://ID@host wherever the hint leads", async () => {
    const { world, ada, bob } = await scene();
    for (const callee of [
      `agtp://${bob.id}`,
      `agtp://${bob.id}@127.0.0.1:4480`,
      `agtp://${bob.id}@media.example`,
    ])
      expect(await reached(world, ada, callee)).toBe(bob.id);
  });

  it("by agtp://domain/agents/NAME at the server that is connected to, and by an ID in the name's place", async () => {
    const { world, ada, bob } = await scene();
    expect(await reached(world, ada, "agtp://localhost/agents/Bob")).toBe(bob.id);
    expect(await reached(world, ada, `agtp://localhost/agents/${bob.id}`)).toBe(bob.id);
  });
});

describe("a call is refused", () => {
  it("for a name that nobody has, by one that differs in its case too", async () => {
    const { world, ada } = await scene();
    for (const name of ["Carol", "bob"]) {
      const { code } = await refusal(world, ada.call(`agtp://localhost/agents/${name}`));
      expect(code).toBe("agent-not-found");
    }
  });

  it("for a name that two have, telling who they are", async () => {
    const { world, ada, bob } = await scene();
    const other = await world.agent("Bob");
    const { code, details } = await refusal(world, ada.call("agtp://localhost/agents/Bob"));
    expect(code).toBe("agent-name-ambiguous");
    expect(details).toEqual({ agent_ids: [bob.id, other.id].sort() });
  });

  it("for a name of another server, for a server, and for what is no URI", async () => {
    const { world, ada } = await scene();
    expect((await refusal(world, ada.call("agtp://media.example/agents/Bob"))).code).toBe("usage");
    expect((await refusal(world, ada.call("agtp://localhost"))).code).toBe("uri-invalid");
    expect((await refusal(world, ada.call("agtp://ada@localhost"))).code).toBe("uri-invalid");
  });

  it("for an agent that the server does not know, whatever host was named with it", async () => {
    const { world, ada } = await scene();
    expect((await refusal(world, ada.call(`agtp://${ELSEWHERE}@localhost`))).code).toBe("agent-not-found");
  });
});

describe("an agent connects", () => {
  const connecting = (world: World, address: string) =>
    connectAgent(world.platform(), address, { identity: world.identity({ name: "Eve" }) });

  it("to agtp://host[:port], port 4480 where none is named", async () => {
    const world = new World();
    for (const address of ["agtp://127.0.0.1", "agtp://127.0.0.1:4480"]) {
      const agent = await world.during(connecting(world, address));
      expect(agent.serverId).toBe(world.serverId);
      await world.during(agent.close());
    }
  });

  it("to no agent, and to nothing that is no URI", async () => {
    const world = new World();
    for (const address of [`agtp://${ELSEWHERE}`, `agtp://${ELSEWHERE}@127.0.0.1`, "agtp://127.0.0.1:0"])
      expect((await refusal(world, connecting(world, address))).code).toBe("uri-invalid");
  });
});
