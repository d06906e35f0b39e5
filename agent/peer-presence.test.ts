import { describe, expect, it } from "vitest";
import { createSigner } from "../platform/node/sodium.ts";
import { makeMediaKey } from "../signaling/media-key.ts";
import { connected, say } from "../test/scenario/talking.ts";
import { World } from "../test/scenario/world.ts";

describe("the other end's next media key", () => {
  it.each([
    ["the server signed it", "server", 1],
    ["it is for another call", "offer", 1],
    ["it has signed in this call already", "used", 1],
  ] as const)("is not taken where %s", async (_why, what, generation) => {
    const { world, call, answered, certify } = await scene();
    await say(world, answered, 0.2);
    const jws = await certify(what, generation);
    const told = () => call.told({ event: "media-key-changed", fields: { media_key: jws } });
    expect(told).toThrow(expect.objectContaining({ code: "certificate-invalid" }));
    await say(world, answered, 0.2);
    expect(call.stats().heard).toMatchObject({ refused: {} });
  });

  it("is taken where the other end certified it, once", async () => {
    const { world, call, answered, certify } = await scene();
    await say(world, answered, 0.2);
    const jws = await certify("peer", 1);
    for (let times = 0; times < 2; times += 1)
      call.told({ event: "media-key-changed", fields: { media_key: jws } });
    expect(world.reported).toEqual([]);
    // It is in force from then on: what the one before signs is refused.
    await say(world, answered, 0.2);
    expect(call.stats().heard?.refused["key-generation"]).toBeGreaterThan(5);
  });
});

async function scene() {
  const world = new World();
  const identity = world.identity({ name: "Bob" });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob", { identity })];
  const { call, answered } = await connected(world, ada, bob);
  const { offer, peer } = call.session;
  const certify = (what: "server" | "offer" | "used" | "peer", generation: number) =>
    makeMediaKey(
      {
        agentId: bob.id,
        offerId: what === "offer" ? "019b76da-a8a5-7a01-8e44-0242ac1210a5" : offer.payload.offer_id,
        ed25519: what === "used" ? peer.mediaKey.ed25519 : createSigner(new Uint8Array(32).fill(9)).publicKey,
        x25519: peer.mediaKey.x25519,
        generation,
        notBefore: world.clock.wall() - 1_000,
        notAfter: world.clock.wall() + 60_000,
      },
      what === "server" ? world.serverIdentity.signer : identity.signer,
    );
  return { world, call, answered, certify };
}
