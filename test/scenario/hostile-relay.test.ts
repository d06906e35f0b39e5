/** A relay that changes what the ends agree on: each end finds out before it sends or plays a frame. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { createSigner } from "../../platform/node/sodium.ts";
import { makeMediaKey } from "../../signaling/media-key.ts";
import { type Change, payloadOf, rewritten, signedBy, streamChanged } from "./forging.ts";
import { HostileRelay, type PassingRequest } from "./hostile-relay.ts";
import { refusal } from "./talking.ts";
import { World } from "./world.ts";

const OWN = createSigner(new Uint8Array(32).fill(0xee));

/** A media-key certificate that the relay makes for an end, with a key it holds. */
function swappedKey(payload: JsonObject, role: "caller" | "callee"): string {
  const certificate = payloadOf(String(payload.media_key));
  return makeMediaKey(
    {
      agentId: String(payload[role]),
      offerId: String(certificate.offer_id),
      ed25519: OWN.publicKey,
      x25519: new Uint8Array(32).fill(9),
      generation: 0,
      notBefore: Number(certificate.not_before) * 1000,
      notAfter: Number(certificate.not_after) * 1000,
    },
    OWN,
  );
}

const codec = (change: JsonObject): Change => {
  return (payload) =>
    streamChanged(payload, (stream) => ({
      ...stream,
      codec: { ...(stream.codec as JsonObject), ...change },
    }));
};

/** What a relay may want to change about the answer. */
const ANSWER_CHANGES: readonly (readonly [string, Change])[] = [
  ["the media key", (payload) => ({ ...payload, media_key: swappedKey(payload, "callee") })],
  ["the attribution profile", (payload) => ({ ...payload, profile: "chain" })],
  ["the codec", codec({ name: "pcmu", clock_rate: 8000, payload_type: 0 })],
  ["the frame size", codec({ frame_ms: 60 })],
  ["the scope", (payload) => ({ ...payload, scope: [] })],
  ["the direction", (payload) => streamChanged(payload, (stream) => ({ ...stream, direction: "recvonly" }))],
  ["the callee", (payload) => ({ ...payload, callee: payload.caller as string })],
];

const OFFER_CHANGES: readonly (readonly [string, Change])[] = [
  ["the media key", (payload) => ({ ...payload, media_key: swappedKey(payload, "caller") })],
  ["the attribution profile", (payload) => ({ ...payload, profiles: ["chain"] })],
  [
    "the codecs",
    (payload) =>
      streamChanged(payload, (stream) => ({ ...stream, codecs: (stream.codecs as JsonObject[]).slice(1) })),
  ],
  ["the scope", (payload) => ({ ...payload, scope: ["communication:*"] })],
  ["the lifetime", (payload) => ({ ...payload, session: { model: "bounded", ttl: 60 } })],
];

let world: World;
let relay: HostileRelay;
let ada: Agent;
let bob: Agent;

/** Ada calls Bob through a relay that changes one answer to her. */
async function callThrough(
  change: (result: JsonObject) => JsonObject,
  callee: string = bob.id,
): Promise<string> {
  relay.answer = (request, result) => (isEstablished(request, result) ? change(result) : result);
  return await refusal(world, ada.call(callee));
}

function isEstablished({ method }: PassingRequest, result: JsonObject): boolean {
  return method === "ESTABLISH" && result.answer !== undefined;
}

describe("a relay that deceives the caller", () => {
  beforeEach(async () => {
    world = new World();
    relay = new HostileRelay(world);
    ada = await world.agent("Ada", {}, relay);
    bob = await world.agent("Bob");
    bob.onCall(async (call) => void (await call.accept()));
  });

  it("is let through while it changes nothing", async () => {
    expect(await callThrough((result) => ({ ...result }))).toBe("accepted");
  });

  it.each(ANSWER_CHANGES)("about %s in the answer: signature-invalid", async (_name, change) => {
    const forged = await callThrough((result) => ({
      ...result,
      answer: rewritten(String(result.answer), change),
    }));
    expect(forged).toBe("signature-invalid at answer.signature");
    const signed = await callThrough((result) => ({
      ...result,
      answer: signedBy(String(result.answer), OWN, change),
    }));
    expect(signed).toMatch(/^signature-invalid at answer/);
    expect(ada.calls).toEqual([]);
  });

  it("by presenting another agent, even with an answer that agent signed: peer-untrusted", async () => {
    const eve = world.identity({ name: "Eve" });
    const replaced = (result: JsonObject): JsonObject => ({
      ...result,
      answer: signedBy(String(result.answer), eve.signer, (payload) => ({ ...payload, callee: eve.agentId })),
      peer: {
        ...(result.peer as JsonObject),
        genesis: new TextDecoder().decode(eve.genesis),
        identity_document: new TextDecoder().decode(eve.identityDocument),
      },
    });
    expect(await callThrough(replaced)).toMatch(/^peer-untrusted/);
    // The same where the Agent-ID came in a URI, with a host or under a name.
    for (const callee of [`agtp://${bob.id}@localhost`, "agtp://localhost/agents/Bob"])
      expect(await callThrough(replaced, callee)).toMatch(/^peer-untrusted/);
  });

  it("by presenting another identity document: peer-untrusted", async () => {
    const eve = world.identity({ name: "Eve" });
    const code = await callThrough((result) => ({
      ...result,
      peer: {
        ...(result.peer as JsonObject),
        identity_document: new TextDecoder().decode(eve.identityDocument),
      },
    }));
    expect(code).toMatch(/^peer-untrusted/);
  });

  it("with the answer to an earlier call, or another session's id or core: session-core-mismatch", async () => {
    let first: JsonObject = {};
    await callThrough((result) => {
      first = result;
      return { ...result };
    });
    const replay = (...fields: readonly string[]) =>
      callThrough((result) => ({
        ...result,
        ...Object.fromEntries(fields.map((name) => [name, first[name] as string])),
      }));
    expect(await replay("answer")).toBe("session-core-mismatch at answer.offer_digest");
    expect(await replay("answer", "core", "session_id")).toBe("session-core-mismatch at answer.offer_digest");
    expect(await replay("session_id")).toBe("session-core-mismatch at answer.session_id");
    expect(await replay("core")).toBe("session-core-mismatch at core_witness.core_digest");
  });

  it("with a witness by another key, or none: signature-invalid, body-malformed", async () => {
    const code = await callThrough((result) => ({ ...result, core: signedBy(String(result.core), OWN) }));
    expect(code).toMatch(/^signature-invalid at core_witness/);
    expect(await callThrough(({ core: _, ...rest }) => rest)).toBe("body-malformed at core");
  });

  it.each([
    ["codec", "pcmu"],
    ["clock_rate", 8000],
    ["channels", 2],
    ["frame_ms", 60],
    ["payload_type", 0],
    ["ssrc", 1],
    ["stream", 2],
    ["leg", 1],
  ])("about %s when it lays the streams out: session-core-mismatch", async (name, value) => {
    const code = await callThrough((result) => {
      const [sends, ...rest] = result.streams as JsonObject[];
      return { ...result, streams: [{ ...sends, [name]: value }, ...rest] };
    });
    expect(code).toMatch(/^session-core-mismatch at stream/);
  });

  it("by leaving a stream out, or laying one out twice: session-core-mismatch", async () => {
    const streams = (change: (streams: JsonObject[]) => JsonObject[]) =>
      callThrough((result) => ({ ...result, streams: change(result.streams as JsonObject[]) }));
    expect(await streams(() => [])).toMatch(/^session-core-mismatch/);
    expect(await streams((both) => both.slice(1))).toMatch(/^session-core-mismatch/);
    expect(await streams((both) => both.slice(0, 1))).toMatch(/^session-core-mismatch/);
    expect(await streams((both) => [...both, both[0] as JsonObject])).toMatch(/^session-core-mismatch/);
  });

  it("with records of other answers than it gave: signature-invalid", async () => {
    relay.keepsRecords = true;
    expect(await callThrough((result) => ({ ...result, expires_at: 1 }))).toBe(
      "signature-invalid at Attribution-Record",
    );
  });
});

describe("a relay that deceives the callee", () => {
  beforeEach(async () => {
    world = new World();
    relay = new HostileRelay(world);
    ada = await world.agent("Ada");
    bob = await world.agent("Bob", {}, relay);
  });

  /** Ada calls Bob through a relay that changes the offer on its way; what Bob reports. */
  async function offered(change: (offer: JsonObject) => JsonObject): Promise<unknown[]> {
    let rang = 0;
    bob.onCall(async (call) => {
      rang += 1;
      await call.accept();
    });
    relay.answer = (_, result) => (result.event === "offer" ? change(result) : result);
    expect(await refusal(world, ada.call(bob.id))).toBe("declined");
    expect(rang).toBe(0);
    expect(bob.calls).toEqual([]);
    return world.reported.splice(0).map((error) => (error instanceof ParleyError ? error.code : error));
  }

  it.each(OFFER_CHANGES)(
    "about %s in the offer: it never rings, and the caller is told declined",
    async (_name, change) => {
      const forged = (offer: JsonObject) => ({ ...offer, offer: rewritten(String(offer.offer), change) });
      expect(await offered(forged)).toEqual(["signature-invalid"]);
      const signed = (offer: JsonObject) => ({ ...offer, offer: signedBy(String(offer.offer), OWN, change) });
      expect(await offered(signed)).toEqual(["signature-invalid"]);
    },
  );

  it("by presenting another caller's documents: peer-untrusted", async () => {
    const eve = world.identity({ name: "Eve" });
    const swapped = (offer: JsonObject) => ({
      ...offer,
      caller: {
        ...(offer.caller as JsonObject),
        genesis: new TextDecoder().decode(eve.genesis),
        identity_document: new TextDecoder().decode(eve.identityDocument),
      },
    });
    expect(await offered(swapped)).toEqual(["peer-untrusted"]);
  });

  it("with an offer to somebody else: field-invalid", async () => {
    const carol = await world.agent("Carol");
    let other = "";
    carol.onCall(async (call) => {
      other = call.offer.jws;
      await call.accept();
    });
    await world.during(ada.call(carol.id));
    expect(await offered((offer) => ({ ...offer, offer: other }))).toEqual(["field-invalid"]);
  });

  it.each([
    ["another session's core", "session-core-mismatch"],
    ["another layout", "session-core-mismatch"],
  ])("after it answered, with %s: %s", async (what, code) => {
    let before: JsonObject = {};
    relay.answer = ({ method }, result) => {
      if (method !== "CONFIRM") return result;
      if (before.core === undefined) {
        before = result;
        return result;
      }
      if (what === "another session's core") return { ...result, core: before.core as string };
      const [first, ...rest] = result.streams as JsonObject[];
      return { ...result, streams: [{ ...first, frame_ms: 60 }, ...rest] };
    };
    const outcomes: string[] = [];
    bob.onCall(async (call) => {
      await call.accept().then(
        () => outcomes.push("accepted"),
        (error: ParleyError) => outcomes.push(error.code),
      );
    });
    await world.during(ada.call(bob.id));
    await world.during(ada.call(bob.id));
    await world.clock.advance(100);
    expect(outcomes).toEqual(["accepted", code]);
    expect(bob.calls).toHaveLength(1);
  });
});

it("a server whose Genesis is not the one expected is not connected to: peer-untrusted", async () => {
  const world = new World();
  const other = world.identity({ name: "Other" });
  expect(await refusal(world, world.agent("Ada", { serverId: other.agentId }))).toMatch(/^peer-untrusted/);
});

it("a server that presents another's Genesis is not connected to: genesis-invalid", async () => {
  const world = new World();
  const relay = new HostileRelay(world);
  const genesis = new TextDecoder().decode(world.identity({ name: "Other" }).genesis);
  relay.answer = ({ path }, result) => (path === "/genesis" ? { ...result, genesis } : result);
  expect(await refusal(world, world.agent("Ada", {}, relay))).toMatch(/^genesis-invalid/);
});
