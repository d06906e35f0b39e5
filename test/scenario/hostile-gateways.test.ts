/** Who would speak for an agent, and may not: each is turned away by name, and the agent is as it was. */
import { describe, expect, it } from "vitest";
import { GatewayScene, type Known, type ShownToken, type TokenWishes } from "./gateway-scene.ts";
import { connected, refusal, say } from "./talking.ts";

const accepting = { gateways: "accept" } as const;

async function scene() {
  const here = new GatewayScene();
  const [bob, eve] = [await here.known("Bob"), await here.known("Eve")];
  return { ...here, here, world: here.world, bob, eve };
}

/** What comes of bringing `shown` for whom it says, with the identity of `as`. */
async function refused(
  here: GatewayScene,
  shown: Partial<ShownToken>,
  as: Known = here.gateway,
): Promise<string> {
  const { token, statement } = shown;
  const options = { identity: as, ...(statement === undefined ? {} : { onBehalfOf: statement }) };
  const { world } = here;
  const coming = world.connecting("somebody", {
    ...{ ...options, inbox: "webrtc-x" },
    ...(token === undefined ? {} : { token }),
  });
  return await refusal(world, coming);
}

describe("is turned away who says that it acts for an agent", () => {
  it("and is an agent like others, whoever made its token", async () => {
    const { here, bob, eve } = await scene();
    expect(await refused(here, here.shown(bob), eve)).toBe("gateway-refused");
    expect(await refused(here, here.shown(bob, { by: bob }), bob)).toMatch(/^gateway-refused/);
    expect(here.world.reported).toEqual([]);
  });

  it.each([
    ["for another server", { audience: "https://elsewhere.example" }, "token-invalid"],
    ["by another agent", { by: "eve" }, "token-invalid"],
    ["that has run out", { lifetime: 1 }, "token-expired"],
  ] as const)("with a token %s", async (_, wishes, code) => {
    const { here, world, bob, eve } = await scene();
    const by = "by" in wishes ? { by: eve } : {};
    const shown = here.shown(bob, { ...(wishes as TokenWishes), ...by });
    await world.clock.advance(2_000);
    expect(await refused(here, shown)).toBe(code);
  });

  it("without a token, or with another agent's", async () => {
    const { here, bob, eve } = await scene();
    const { statement } = here.shown(bob);
    expect(await refused(here, { statement })).toBe("token-required");
    const { token } = here.shown(eve);
    expect(await refused(here, { statement, token })).toBe("token-invalid");
  });

  it("and that agent is unknown here", async () => {
    const { here, world } = await scene();
    expect(await refused(here, here.shown(world.identity({ name: "Nobody" })))).toBe("agent-unknown");
  });
});

describe("a gateway that states what it was not shown", () => {
  it("calls nobody, and answers nobody", async () => {
    const { here, world, bob } = await scene();
    const { token, statement } = here.shown(bob);
    const other = here.shown(bob).statement;
    const lying = await here.online({ token, statement: other });
    const ada = await world.agent("Ada");
    expect(await refusal(world, lying.call(ada.id))).toBe("gateway-refused");
    const failed = Promise.withResolvers<unknown>();
    lying.onCall((incoming) => void incoming.accept().catch(failed.resolve));
    const calling = ada.call(bob.agentId, accepting);
    calling.catch(() => undefined);
    expect(await world.during(failed.promise)).toMatchObject({ code: "gateway-refused" });
    const honest = await here.online({ token, statement });
    const { call } = await connected(world, await world.agent("Carol"), honest, accepting);
    expect(call.peer.gateway).toMatchObject(statement);
  });

  it("speaks for no peer but the one that the token is bound to", async () => {
    const { here, world, bob } = await scene();
    const leg = await here.online(here.shown(bob, { boundTo: "ee".repeat(32) }));
    const ada = await world.agent("Ada");
    expect(await refusal(world, leg.call(ada.id))).toBe("fingerprint-mismatch");
  });

  it("does no more than the agent's token lets it", async () => {
    const { here, world, bob } = await scene();
    const leg = await here.online(here.shown(bob, { scope: "communication:data:*" }));
    const ada = await world.agent("Ada");
    expect(await refusal(world, leg.call(ada.id))).toMatch(/^scope-violation/);
  });
});

it("an agent's own calls go on beside what a gateway does for it, and end apart", async () => {
  const { here, world, bob } = await scene();
  const own = await world.agent("Bob", { identity: bob });
  const leg = await here.online(here.shown(bob, { lifetime: 60 }));
  const [ada, carol] = [await world.agent("Ada"), await world.agent("Carol")];
  const mine = await connected(world, own, ada);
  const theirs = await connected(world, leg, carol);
  await say(world, mine.call, 0.2);
  await say(world, theirs.call, 0.2);
  await world.clock.advance(80_000);
  expect(await theirs.answered.ended).toMatchObject({ reason: "token-expired" });
  await say(world, mine.answered, 0.2);
  expect(mine.call.state).toBe("active");
  expect(world.reported).toEqual([]);
});
