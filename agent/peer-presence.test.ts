import { describe, expect, it } from "vitest";
import { createSigner } from "../platform/node/sodium.ts";
import { makeMediaKey } from "../signaling/media-key.ts";
import { strictVerifier } from "../test/keys.ts";
import { connected, say } from "../test/scenario/talking.ts";
import { World } from "../test/scenario/world.ts";
import type { CallMedia } from "./call-media.ts";
import { PeerPresence } from "./peer-presence.ts";

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

describe("messages to the other end", () => {
  const away = { event: "peer-detached", fields: { until: 0 } };
  const back = { event: "peer-attached", fields: {} };

  it.each([
    ["that is away, by the answer", [], "detached", 0],
    ["that is away, by news that overtook the answer", [away], "active", 0],
    ["that is there, by the answer", [], "active", 1],
    ["that is there, by news that overtook the answer", [back], "detached", 1],
  ] as const)("wait as it is to one %s", async (_which, news, state, sent) => {
    const { world, call } = await scene();
    const left: boolean[] = [];
    const media = { peerLeft: () => left.push(true), peerCame: () => left.push(false) };
    const presence = new PeerPresence({
      ...{ session: call.session, media: media as unknown as CallMedia, verifier: strictVerifier },
      ...{ wall: () => world.clock.wall(), ownClock: { offset_ms: 0, uncertainty_ms: 0 } },
      ...{ detached: () => {}, attached: () => {} },
    });
    // Before that the opposite.
    presence.told((sent === 0 ? back : away).event, {});
    presence.returning();
    for (const { event, fields } of news) presence.told(event, fields);
    presence.reattached(state);
    expect(left.at(-1)).toBe(sent === 0);
  });

  it("wait for one that is away, and go when it is back", async () => {
    const { world, call, answered } = await scene({ data: true });
    call.told(away);
    const waiting = call.data?.send(1);
    await world.clock.advance(30_000);
    expect(answered.stats().data?.heard?.verified).toBe(0);
    call.told(back);
    await world.during(waiting ?? Promise.reject());
    await world.clock.advance(100);
    expect(answered.stats().data?.heard?.verified).toBe(1);
  });
});

async function scene(options: { readonly data?: true } = {}) {
  const world = new World();
  const identity = world.identity({ name: "Bob" });
  const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob", { identity })];
  const { call, answered } = await connected(world, ada, bob, options, options);
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
