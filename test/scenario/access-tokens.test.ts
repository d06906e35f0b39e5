/** Agents with access tokens: what they may do, for how long, and who asks for the next one. */
import { describe, expect, it } from "vitest";
import type { ConnectOptions } from "../../agent/connect.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import type { Signer } from "../../codecs/signer.ts";
import { makeAccessToken } from "../../signaling/access-token.ts";
import { must, scopes } from "../signed-call.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

const LIFETIME = 60;

/** A backend that makes tokens in the server's name, and how often it was asked. */
class Backend {
  asked = 0;
  isDown = false;
  readonly #world: World;
  readonly #scope: string;
  #made = 0;

  constructor(world: World, scope = "communication:audio:*") {
    this.#world = world;
    this.#scope = scope;
  }

  tokenFor(agentId: string, lifetime = LIFETIME, age = 0): string {
    const { serverIdentity: by, clock } = this.#world;
    return makeAccessToken(
      {
        ...{ issuer: by.agentId, agentId, audience: by.agentId, scope: scopes(this.#scope) },
        ...{ lifetime, jti: `${++this.#made}`, now: clock.wall() - age },
      },
      by.signer,
    );
  }

  source(agentId: string) {
    return async () => {
      this.asked += 1;
      if (this.isDown) throw new Error("the backend is down");
      return this.tokenFor(agentId);
    };
  }
}

function scene(config = {}) {
  const world = new World({ config: { tokens: "required", ...config } });
  const [ada, bob] = ["Ada", "Bob"].map((name) => world.identity({ name })) as [Known, Known];
  return { world, ada, bob, backend: new Backend(world) };
}
type Known = AgentIdentity<Signer>;

const online = (world: World, identity: Known, options: Partial<ConnectOptions>, isSeparate = false) =>
  world.agent("somebody", { identity, ...options }, isSeparate ? world.separate : undefined);

describe("two agents whose backend makes their tokens", () => {
  it.each([
    ["on one connection each", false],
    ["with connections of their own for requests and media", true],
  ])("talk far longer than any of them lasts, %s", async (_, isSeparate) => {
    const { world, ada, bob, backend } = scene();
    const first = await online(world, ada, { token: backend.source(ada.agentId) }, isSeparate);
    const second = await online(world, bob, { token: backend.source(bob.agentId) }, isSeparate);
    expect(backend.asked, "one for each").toBe(2);
    const { call, answered } = await connected(world, first, second);
    for (let minute = 0; minute < 5; minute += 1) {
      await world.clock.advance(60_000);
      await say(world, call, 0.2);
    }
    expect([call, answered].map(({ state }) => state)).toEqual(["active", "active"]);
    expect(backend.asked, "each again after three quarters of the time").toBe(2 + 2 * Math.floor(300 / 45));
    await world.during(call.end());
    await world.during(first.close());
    await world.during(second.close());
    expect(world.reported).toEqual([]);
    const asked = backend.asked;
    await world.clock.advance(600_000);
    expect(backend.asked, "nobody asks for agents that are gone").toBe(asked);
  });

  it("lose their call when the backend gives no more, and know why", async () => {
    const { world, ada, bob, backend } = scene();
    const other = new Backend(world);
    const first = await online(world, ada, { token: backend.source(ada.agentId) });
    const second = await online(world, bob, { token: other.source(bob.agentId) });
    const { call, answered } = await connected(world, first, second);
    backend.isDown = true;
    await world.clock.advance(LIFETIME * 1_000 + 5_000);
    expect(await call.ended).toMatchObject({ reason: "token-expired" });
    expect(await answered.ended).toMatchObject({ reason: "token-expired" });
    expect(world.reported.map(String)).toContain("Error: the backend is down");
    await expect(world.during(first.call(second.id))).rejects.toThrow("the backend is down");
    backend.isDown = false;
    const again = await world.during(first.call(second.id));
    expect(again.state).toBe("active");
  });
});

describe("an agent with a token", () => {
  it("that is all it has ends its calls with it", async () => {
    const { world, ada, bob, backend } = scene();
    const first = await online(world, ada, { token: backend.tokenFor(ada.agentId) });
    const second = await online(world, bob, { token: backend.source(bob.agentId) });
    const { call } = await connected(world, first, second);
    await world.clock.advance(LIFETIME * 1_000 + 5_000);
    expect(await call.ended).toMatchObject({ reason: "token-expired" });
    expect(await refusal(world, first.call(second.id))).toBe("token-expired");
  });

  it("that ran out by the server's clock brings another at once", async () => {
    const { world, ada, bob, backend } = scene();
    const tokens = [backend.tokenFor(ada.agentId, 60, 61_000), backend.tokenFor(ada.agentId)];
    // Its own clock is late: it takes the first one for fresh.
    const first = await online(world, ada, { token: () => must({ ok: true, value: tokens.shift() ?? "" }) });
    const second = await online(world, bob, { token: backend.source(bob.agentId) });
    expect((await connected(world, first, second)).call.state).toBe("active");
    expect(tokens).toEqual([]);
  });

  it("may do what it says and no more, whatever its documents say", async () => {
    const { world, ada, bob } = scene();
    const backend = new Backend(world, "communication:data:*");
    const both = new Backend(world, "communication:*");
    const first = await online(world, ada, { token: backend.source(ada.agentId) });
    const second = await online(world, bob, { token: both.source(bob.agentId) });
    expect(await refusal(world, first.call(second.id))).toBe("scope-violation");
  });

  it("of another agent is not let in with it", async () => {
    const { world, ada, bob, backend } = scene();
    const joining = world.connecting("somebody", { identity: ada, token: backend.tokenFor(bob.agentId) });
    expect(await refusal(world, joining)).toBe("token-invalid");
  });

  it("registers itself with it where nobody else can", async () => {
    const { world, ada, bob, backend } = scene({ registration: "token" });
    expect(await refusal(world, world.connecting("somebody", { identity: ada }))).toBe("agent-unknown");
    const first = await online(world, ada, { token: backend.source(ada.agentId) });
    const second = await online(world, bob, { token: backend.source(bob.agentId) });
    expect((await connected(world, first, second)).call.state).toBe("active");
  });
});

it("an agent without a token takes no call where they are demanded", async () => {
  const { world, ada, bob, backend } = scene();
  const first = await online(world, ada, {});
  const second = await online(world, bob, { token: backend.source(bob.agentId) });
  expect(await refusal(world, first.call(second.id))).toBe("token-required");
});
