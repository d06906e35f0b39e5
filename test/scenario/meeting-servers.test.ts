/** What an agent asks on coming online: who the server is, and what its clock says. */
import { expect, it } from "vitest";
import type { Carrier } from "../../sfu/carrier.ts";
import { RequestTap } from "../net/request-tap.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { refusal } from "./talking.ts";
import { World } from "./world.ts";

/** The paths that an agent asks for until it is online. */
async function asked(world: World, name: string, carrier: Carrier = world.network): Promise<string[]> {
  const tap = new RequestTap(carrier);
  await world.agent(name, {}, tap);
  return tap.requests.map(({ path }) => path);
}

it("a server's Genesis is asked for once in a process, and verified once", async () => {
  const world = new World();
  expect(await asked(world, "Ada")).toContain("/genesis");
  expect(await asked(world, "Bob")).not.toContain("/genesis");
  // Another verifier goes by nothing that this one found.
  expect(await asked(new World(), "Cy")).toContain("/genesis");
});

it("who claims to be a server that is known here, and has not its key, is not connected to", async () => {
  const world = new World();
  const relay = new HostileRelay(world);
  const other = world.identity({ name: "Other" });
  const genesis = new TextDecoder().decode(other.genesis);
  relay.answer = ({ path }, result) => {
    if (path === "/genesis") return { ...result, genesis };
    const { connection } = result;
    if (path !== "/" || typeof connection !== "object") return result;
    return { ...result, connection: { ...connection, server_agent_id: other.agentId } };
  };
  const unmet = await refusal(world, world.agent("Ada", {}, relay));
  const known = await refusal(world, world.agent("Bob", {}, relay));
  expect(unmet).toBe("signature-invalid at Attribution-Record");
  expect(known).toBe(unmet);
});

it.each([
  ["once where the answer comes at once", 1, [0]],
  ["twice where the way takes its time, each time the same", 2, [60, 60]],
  ["once more while that makes it better known", 4, [200, 140, 80, 30]],
  ["no more where that does not", 3, [200, 100, 90, 30]],
])("the server's clock is asked for %s", async (_, times, waits) => {
  const world = new World();
  const relay = new HostileRelay(world);
  const left = [...waits];
  relay.requestTakes = ({ path }) => (path === "/clock" ? (left.shift() ?? 0) : 0);
  const paths = await asked(world, "Ada", relay);
  expect(paths.filter((path) => path === "/clock")).toHaveLength(times);
});
