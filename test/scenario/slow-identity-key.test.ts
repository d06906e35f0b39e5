/** An identity key that answers later, as a key of WebCrypto or of a token does: everything else is as with any other. */
import { expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { newIdentity } from "../../agent/new-identity.ts";
import type { IdentitySigner } from "../../codecs/signer.ts";
import { createSigner, verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

class SlowKey implements IdentitySigner {
  readonly publicKey: Uint8Array;
  readonly #world: World;
  readonly #sign: (message: Uint8Array) => Uint8Array;

  constructor(world: World, seed: number) {
    const signer = createSigner(new Uint8Array(32).fill(seed));
    this.publicKey = signer.publicKey;
    this.#sign = signer.sign;
    this.#world = world;
  }

  async sign(message: Uint8Array): Promise<Uint8Array> {
    const { clock } = this.#world;
    const copy = message.slice();
    await new Promise<void>((resolve) => clock.at(clock.now() + 30, resolve));
    return this.#sign(copy);
  }
}

it("makes its agent, registers it, calls, answers, talks and closes", async () => {
  const world = new World();
  const keys = [new SlowKey(world, 61), new SlowKey(world, 62)] as const;
  const anchors = keys.map(({ publicKey }) => publicKey);
  const comeOnline = async (name: string, key: SlowKey): Promise<Agent> => {
    const made = Promise.resolve(newIdentity({ name }, key, undefined, world.clock.wall(), verifier));
    return await world.agent(name, { identity: await world.during(made), anchors });
  };
  const [ada, bob] = [await comeOnline("Ada", keys[0]), await comeOnline("Bob", keys[1])];
  const { call, answered } = await connected(world, ada, bob);
  expect([call.peer.anchored, answered.peer.anchored]).toEqual([true, true]);
  await say(world, call, 0.5);
  await world.clock.advance(200);
  expect(answered.stats().heard?.verified).toBe(26);
  await world.during(call.end());
  await world.during(answered.settled);

  const judged = verifyEvidence(
    await world.during(call.evidence()),
    { issuerKeys: anchors, agentIds: [world.serverId] },
    verifier,
  );
  expect(judged.report.verdict).toBe("verified");
  expect(world.reported).toEqual([]);
});
