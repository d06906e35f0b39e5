/** An end that comes back to its session: from where, with which key, and what it and the other end are told. */
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeReceipt, receiptDigest } from "../../codecs/receipt.ts";
import { seedSigner } from "../../test/keys.ts";
import { CallScene, type SceneOptions } from "../../test/scenario/signaling-call.ts";
import { overTls, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { ALICE, BOB, mediaKey, must, testAgent } from "../../test/signed-call.ts";
import type { AdmissionMessage } from "../admission.ts";
import { readRecord } from "../attribution.ts";
import { jwsDigest } from "../jws.ts";
import type { MediaKeyFields } from "../media-key.ts";
import { readOffer } from "../offer.ts";
import { GENERATION_GAP } from "./attaching.ts";
import { DEFAULT_LIMITS } from "./config.ts";
import { ATTACH_GRACE } from "./detaching.ts";
import { CLOSING_WINDOW, COUNTERS_WAIT, IDLE_LIMIT } from "./endings.ts";
import { layAnew } from "./flows.ts";

const CAROL = testAgent("carol", 21);
const LIMIT = DEFAULT_LIMITS.detachedSeconds * 1000;
const persistent = { offer: { session: { model: "persistent", ttl: 3_600 } } } as const;
/** The media key of Bob's next process. */
const NEXT = seedSigner(77);

const scene = (options: SceneOptions = persistent) => new CallScene(options);
const again = (call: CallScene, agent = BOB) => new SignalingPeer(call.stage, agent);
const open = (peer: SignalingPeer, call: CallScene, parameters: JsonObject) =>
  peer.ask("OPEN", `/sessions/${call.sessionId}/media`, parameters);
const offerIdOf = (call: CallScene) => {
  const artifact = call.stage.artifacts(call.sessionId).find(({ artifact: kind }) => kind === "offer");
  return must(readOffer(new TextDecoder().decode(artifact?.bytes))).offer_id;
};
const nextKey = (call: CallScene, changes: Partial<MediaKeyFields> = {}, signer = BOB.identity) => {
  const { now } = call.stage;
  const validity = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const fields = { offerId: offerIdOf(call), ed25519: NEXT.publicKey, generation: 1, ...validity };
  return mediaKey(BOB, { ...fields, ...changes }, signer);
};
const records = (call: CallScene) =>
  call.stage.sessionRecords(call.sessionId).map((jws) => must(readRecord(jws)));
const states = (call: CallScene) =>
  call.stage.admissions.flatMap((message) => (message.kind === "state" ? [message.state] : []));
const rowOf = (call: CallScene, leg: number) =>
  call.stage.admissions
    .filter((message): message is Extract<AdmissionMessage, { kind: "move" }> => message.kind === "move")
    .findLast(({ row }) => row.leg === leg)?.row;
const counters = (call: CallScene, leg: number, lastSequence: number) =>
  call.stage.counters.set(call.sessionId, [
    {
      ...{ leg, stream: 0, received: 9, admitted: 9, bytes: 9, forwarded: 9, refused: {}, dropped: {} },
      ...{ firstSequence: 1, lastSequence },
    },
  ]);

describe("a bounded session whose end is lost", () => {
  test("goes on when that end comes back in time, on any connection and from any address", () => {
    const call = scene({ shows: { bob: { network: "192.0.2.1" } } });
    call.bob.drop();
    const until = call.stage.now + ATTACH_GRACE;
    expect(call.aliceInbox.event("peer-detached")).toMatchObject({
      ...{ leg: 1, state: "active", until, reason: "connection-lost", session_id: call.sessionId },
    });
    expect(rowOf(call, 0)?.egress).toEqual([]);
    call.stage.advance(ATTACH_GRACE - 1);
    const facts = {
      carrier: "tls",
      channelBinding: call.stage.newBinding(),
      network: "198.51.100.7",
    } as const;
    const back = new SignalingPeer(call.stage, BOB, facts);
    expect(back.openMedia(call.sessionId, 1).last.result).toMatchObject({ state: "active", attach_seq: 1 });
    expect(call.aliceInbox.event("peer-attached")).toMatchObject({
      ...{ leg: 1, attach_seq: 1, generation: 0, state: "active" },
    });
    call.stage.advance(ATTACH_GRACE);
    expect(call.aliceInbox.events).not.toContain("session-ended");
    expect(states(call), "the relay never stopped").toEqual([]);
    call.stage.checkChain();
  });

  test("ends when it does not", () => {
    const call = scene({});
    call.bob.drop();
    call.stage.advance(ATTACH_GRACE - 1);
    expect(call.aliceInbox.events).not.toContain("session-ended");
    call.stage.advance(1);
    expect(call.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
    expect(again(call).openMedia(call.sessionId).outcome).toBe("session-terminated");
  });

  test.each([
    ["its client closed the connection", { orderly: true }],
    ["the server closed it", { orderly: false, expelled: true }],
  ])("ends at once where %s", (_why, how) => {
    const call = scene({});
    call.stage.handle({ kind: "closed", connection: call.bob.connection, ...how });
    expect(call.aliceInbox.event("session-ended")).toMatchObject({ reason: "transport-closed" });
  });
});

describe("a persistent session whose end is lost", () => {
  test("is detached at once (T8), and active when both ends are there (T9)", () => {
    const call = scene();
    call.bob.drop(true);
    expect(call.alice.query(call.sessionId).last.result).toMatchObject({ state: "detached" });
    expect(call.aliceInbox.event("peer-detached")).toMatchObject({
      ...{ leg: 1, state: "detached", until: call.stage.now + LIMIT, reason: "connection-closed" },
    });
    expect(states(call)).toEqual(["held"]);
    call.stage.advance(LIMIT - 1);
    expect(again(call).openMedia(call.sessionId).last.result).toMatchObject({ state: "active" });
    expect(states(call)).toEqual(["held", "active"]);
    call.stage.advance(IDLE_LIMIT - 1);
    expect(call.aliceInbox.events, "inactivity counts from then on").not.toContain("session-ended");
    call.stage.advance(1_000);
    expect(call.aliceInbox.event("session-ended")).toMatchObject({ reason: "inactivity" });
  });

  test("has records of both, with carrier and channel binding", () => {
    const call = scene();
    call.bob.drop();
    const back = overTls(call.stage, BOB);
    back.openMedia(call.sessionId, 4);
    const said = records(call).filter(({ event }) => /^session-(?:detached|rebound)$/.test(event ?? ""));
    expect(said).toMatchObject([
      { event: "session-detached", extra: { leg: 1, state: "detached", attach_seq: 0 } },
      {
        event: "session-rebound",
        extra: { leg: 1, state: "active", attach_seq: 4, generation: 0, carrier: "tls" },
      },
    ]);
    expect(said[1]?.extra?.channel_binding).toMatch(/^[0-9a-f]{64}$/);
    call.stage.checkChain();
  });

  test("ends by the limit of whichever end does not come (T15)", () => {
    const call = scene();
    call.bob.drop();
    call.stage.advance(LIMIT - 10_000);
    call.alice.drop();
    const bob = again(call);
    expect(bob.openMedia(call.sessionId).last.result).toMatchObject({ state: "detached" });
    expect(states(call)).toEqual(["held"]);
    call.stage.advance(LIMIT - 1);
    expect(bob.query(call.sessionId).last.result).toMatchObject({ state: "detached" });
    call.stage.advance(1);
    expect(bob.query(call.sessionId).last.result).toMatchObject({
      ...{ state: "terminated", reason: "detach-expired", by: "server" },
    });
  });

  test("lives no longer than any other (T14)", () => {
    const call = scene({ offer: { session: { model: "persistent", ttl: 60 } } });
    call.bob.drop();
    expect(call.aliceInbox.event("peer-detached").until).toBe(call.stage.now + 60_000);
    call.stage.advance(60_000);
    expect(call.aliceInbox.event("session-ended")).toMatchObject({ reason: "ttl-expired" });
  });
});

describe("a process that comes back without its media key", () => {
  test("brings one of the next generation, which alone holds from then on", () => {
    const call = scene();
    const first = call.receipt(1);
    const { connection } = call.bob;
    const old = Number(call.stream(1, "receive").receipt_flow);
    call.stage.handle({ kind: "item", connection, flow: old, bytes: first });
    call.bob.drop();
    counters(call, 1, 4_711);
    const jws = nextKey(call);
    const bob = again(call);
    const { result } = open(bob, call, { attach_seq: 1, media_key: jws }).last;
    expect(result).toMatchObject({ generation: 1, state: "active" });
    const streams = result.streams as JsonObject[];
    const sending = streams.find(({ direction }) => direction === "send");
    expect(sending).toMatchObject({ next_sequence: 4_711 + GENERATION_GAP, epoch: 0 });
    expect(rowOf(call, 1)).toMatchObject({
      keys: new Map([
        [0, BOB.media.publicKey],
        [1, NEXT.publicKey],
      ]),
      leastSequence: 4_711 + GENERATION_GAP,
    });
    expect(call.aliceInbox.event("media-key-changed")).toMatchObject({
      ...{ leg: 1, generation: 1, media_key: jws, attach_seq: 1 },
    });
    const kept = call.stage.artifacts(call.sessionId).filter(({ artifact }) => artifact === "media-key");
    expect(kept.map(({ leg, bytes }) => [leg, new TextDecoder().decode(bytes)])).toEqual([[1, jws]]);
    expect(records(call).findLast(({ event }) => event === "session-rebound")?.extra).toMatchObject({
      generation: 1,
      media_key: jwsDigest(jws),
    });

    const receiving = streams.find(({ direction }) => direction === "receive");
    const flow = Number(receiving?.receipt_flow);
    const statement = (keyGeneration: number, signer = NEXT) =>
      encodeReceipt(
        {
          ...{ sessionDigest: call.core.digest, listenerLeg: 1, speakerLeg: 0, stream: 0 },
          ...{ keyGeneration, final: false, index: 1, previous: receiptDigest(first) },
          time: { seconds: 0, fraction: 0 },
          totals: { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 },
          ...{ received: [], heard: [] },
        },
        signer,
      );
    // Late, by the key before, on the connection before: it breaks nothing.
    call.stage.handle({ kind: "item", connection, flow: old, bytes: statement(0, BOB.media) });
    expect(call.stage.items).toHaveLength(1);
    call.stage.handle({ kind: "item", connection: bob.connection, flow, bytes: statement(1) });
    expect(call.stage.items).toHaveLength(2);
    call.stage.checkChain();
  });

  test("begins beyond whatever the key before may have signed, though none of that came", () => {
    const call = scene();
    counters(call, 1, 100);
    open(again(call), call, { attach_seq: 1, media_key: nextKey(call) });
    const third = nextKey(call, { generation: 2, ed25519: seedSigner(78).publicKey });
    const { result } = open(again(call), call, { attach_seq: 2, media_key: third }).last;
    expect((result.streams as JsonObject[]).find(({ direction }) => direction === "send")).toMatchObject({
      next_sequence: 100 + 2 * GENERATION_GAP,
    });
    expect(rowOf(call, 1)?.keys.size).toBe(3);
  });

  test("may ask again with the same key, whose place stays", () => {
    const call = scene();
    counters(call, 1, 100);
    const key = nextKey(call);
    open(again(call), call, { attach_seq: 1, media_key: key });
    const { result } = open(again(call), call, { attach_seq: 2, media_key: key }).last;
    expect(result).toMatchObject({ generation: 1, attach_seq: 2 });
    const streams = result.streams as JsonObject[];
    expect(streams.find(({ direction }) => direction === "send")).toMatchObject({
      next_sequence: 100 + GENERATION_GAP,
    });
    expect(call.aliceInbox.events.filter((event) => event === "media-key-changed")).toHaveLength(1);
  });

  test.each<readonly [string, Partial<MediaKeyFields>, string, string]>([
    [
      "of the present generation",
      { generation: 0 },
      "generation-outdated",
      "parameters.media_key.generation",
    ],
    ["of one beyond the next", { generation: 2 }, "generation-outdated", "parameters.media_key.generation"],
    [
      "for another call",
      { offerId: "019b76da-a800-7000-8000-000000000000" },
      "certificate-invalid",
      "offer_id",
    ],
    ["that is over", { notAfter: 1_767_225_600_000 - 59_000 }, "certificate-invalid", "not_after"],
    ["of another agent", { agentId: ALICE.genesis.agentId }, "certificate-invalid", "agent_id"],
    ["that signed before", { ed25519: BOB.media.publicKey }, "certificate-invalid", "ed25519"],
    ["of the other end", { ed25519: ALICE.media.publicKey }, "certificate-invalid", "ed25519"],
    ["that is the identity key", { ed25519: BOB.identity.publicKey }, "certificate-invalid", "ed25519"],
  ])("a key %s is refused, and changes nothing", (_which, changes, code, at) => {
    const call = scene();
    call.bob.drop();
    const asked = open(again(call), call, { attach_seq: 1, media_key: nextKey(call, changes) });
    expect(asked.last.error).toMatchObject({ code });
    expect(String(asked.last.error?.details?.at)).toContain(at);
    if (code === "generation-outdated") {
      expect(asked.last).toMatchObject({ status: 409, error: { details: { generation: 0 } } });
    }
    expect(call.alice.query(call.sessionId).last.result).toMatchObject({ state: "detached" });
    expect(call.stage.artifacts(call.sessionId).some(({ artifact }) => artifact === "media-key")).toBe(false);
  });

  test("the last of sixteen keys stays where it is: nobody without it moves the media, whoever has it may", () => {
    const call = scene();
    let holder = again(call);
    let key = "";
    for (let generation = 1; generation <= 15; generation += 1) {
      const before = holder;
      holder = again(call);
      key = nextKey(call, { generation, ed25519: seedSigner(100 + generation).publicKey });
      const opened = open(holder, call, { attach_seq: generation, take_up: true, media_key: key });
      expect(opened.last.result).toMatchObject({ generation });
      before.drop();
    }
    const inbox = holder.subscribe();
    const late = again(call);
    const refused = { status: 409, error: { code: "generations-exhausted", details: { generation: 15 } } };
    expect(open(late, call, { attach_seq: 16, take_up: true }).last).toMatchObject(refused);
    expect(
      inbox.events.filter((event) => event === "media-moved"),
      "as it was before",
    ).toHaveLength(1);
    expect(
      open(again(call), call, { attach_seq: 16, take_up: true, media_key: key }).last.result,
    ).toMatchObject({
      ...{ attach_seq: 16, generation: 15 },
    });
  });

  test("a key that its identity key did not certify is refused", () => {
    const call = scene();
    const asked = open(again(call), call, { attach_seq: 1, media_key: nextKey(call, {}, ALICE.identity) });
    expect(asked.outcome).toBe("certificate-invalid");
  });
});

test("whoever takes part in no session, or comes too late, is refused by name", () => {
  const call = scene();
  call.bob.drop();
  const carol = new SignalingPeer(call.stage, CAROL);
  expect(carol.openMedia(call.sessionId, 9).last).toMatchObject({
    status: 401,
    error: { code: "session-identity-mismatch" },
  });
  const [first, second] = [again(call), again(call)];
  expect(first.openMedia(call.sessionId, 5).outcome).toBe("ok 200");
  expect(second.openMedia(call.sessionId, 5).last.error).toMatchObject({
    code: "attach-outdated",
    details: { attach_seq: 5 },
  });
  expect(second.openMedia(call.sessionId, 6).outcome).toBe("ok 200");
  const bobInbox = again(call).subscribe();
  expect(bobInbox.event("media-moved")).toMatchObject({ attach_seq: 6, session_id: call.sessionId });
});

test("the greeting of an agent's inbox lists the sessions it may come back to", () => {
  const call = scene();
  const listed = { session_id: call.sessionId, leg: 1, model: "persistent", peer: ALICE.genesis.agentId };
  expect(call.bobInbox.event("subscribed")).toMatchObject({ sessions: [] });
  call.bob.drop();
  const bob = again(call);
  expect(bob.subscribe().event("subscribed").sessions).toEqual([
    {
      ...{ ...listed, state: "detached", attach_seq: 0, attached: false, generation: 0 },
      expires_at: Math.floor((call.stage.now + 3_600_000) / 1000),
    },
  ]);
  open(bob, call, { attach_seq: 3, media_key: nextKey(call) });
  expect(bob.subscribe().event("subscribed").sessions).toMatchObject([
    { ...listed, state: "active", attach_seq: 3, attached: true, generation: 1 },
  ]);
  bob.hangUp(call.sessionId);
  expect(bob.subscribe().event("subscribed")).toMatchObject({ sessions: [] });
});

describe("ends that are away", () => {
  test("both of a bounded session may come back, each within its own 10 s", () => {
    const call = scene({});
    call.bob.drop();
    call.stage.advance(6_000);
    call.alice.drop();
    call.stage.advance(ATTACH_GRACE - 6_001);
    expect(again(call).openMedia(call.sessionId).outcome).toBe("ok 200");
    call.stage.advance(6_000);
    expect(again(call, ALICE).openMedia(call.sessionId).last.result).toMatchObject({ state: "active" });
    call.stage.advance(ATTACH_GRACE);
    expect(call.aliceInbox.events).not.toContain("session-ended");
  });

  test.each([7_200_000, -7_200_000])(
    "have the time they were given though the clock is set by %i ms",
    (by) => {
      const config = { limits: { ...DEFAULT_LIMITS, sessionTtl: 86_400 } };
      const call = scene({ config, offer: { session: { model: "persistent", ttl: 86_400 } } });
      call.bob.drop();
      call.stage.now += by;
      call.stage.handle({ kind: "stepped", by });
      call.stage.advance(LIMIT - 1);
      expect(call.aliceInbox.events).not.toContain("session-ended");
      call.stage.advance(1);
      expect(call.aliceInbox.event("session-ended")).toMatchObject({ reason: "detach-expired" });
    },
  );

  test("are ended with the agent (T12): its issuer revokes it, and the session is not to be come back to", () => {
    const call = scene();
    call.bob.drop();
    const shown = call.stage.open({ carrier: "tls", peerKey: BOB.genesis.issuerKey });
    call.stage.ask("REVOKE", `/agents/${BOB.genesis.agentId}`, [], shown);
    expect(call.aliceInbox.event("session-ended")).toMatchObject({
      reason: "identity-revoked",
      by: "server",
    });
    expect(again(call).openMedia(call.sessionId).outcome).toBe("agent-retired");
  });

  test("count among the sessions of their agents and of the server", () => {
    const limits = { ...DEFAULT_LIMITS, sessionsPerAgent: 1 };
    const call = scene({ ...persistent, config: { limits } });
    call.bob.drop();
    const bob = again(call);
    bob.subscribe();
    expect(new SignalingPeer(call.stage, CAROL).call(BOB).outcome).toBe("callee-busy");
    const full = scene({ ...persistent, config: { limits: { ...DEFAULT_LIMITS, sessions: 1 } } });
    full.bob.drop();
    full.alice.drop();
    again(full).subscribe();
    expect(new SignalingPeer(full.stage, CAROL).call(BOB).outcome).toBe("capacity");
  });

  test("leave nothing behind when they do not come: not a timer, not a route", () => {
    const call = scene();
    const { sizes } = new CallScene({ offer: { session: { model: "persistent", ttl: 3_600 } } }).stage;
    expect(call.stage.sizes.timers).toBe(sizes.timers);
    call.bob.drop();
    call.alice.drop();
    call.stage.advance(LIMIT + 10_000);
    expect(call.stage.sizes).toMatchObject({
      sessions: { live: 0, agents: 0, connections: 0, routes: 0, flows: 0 },
    });
    call.stage.advance(86_400_000);
    expect(call.stage.sizes.timers).toBe(0);
  });

  test("may both hang up at once, with their last word, and are answered alike", () => {
    const call = scene();
    call.alice.drop();
    call.bob.drop();
    const [alice, bob] = [again(call, ALICE), again(call)];
    const left = [
      alice.ask(
        "TERMINATE",
        `/sessions/${call.sessionId}`,
        {
          reason: "mine",
          closing: call.closing(0),
        },
        { proof: true },
      ),
      bob.ask(
        "TERMINATE",
        `/sessions/${call.sessionId}`,
        {
          reason: "yours",
          closing: call.closing(1),
        },
        { proof: true },
      ),
    ];
    call.stage.advance(CLOSING_WINDOW);
    for (const { last } of left) {
      expect(last.result).toMatchObject({ state: "terminated", reason: "mine", by: ALICE.genesis.agentId });
    }
    expect(call.finalRecord()).toMatchObject({ extra: { reason: "mine" } });
    call.stage.checkChain();
  });

  test("come and go as often as others change something, and not more", () => {
    const call = scene();
    const bob = again(call);
    const outcomes = Array.from({ length: 60 }, (_, seq) => bob.openMedia(call.sessionId, seq + 1).outcome);
    expect(outcomes.slice(0, 40)).toEqual(Array.from({ length: 40 }, () => "ok 200"));
    expect(outcomes.at(-1)).toBe("rate-limited");
    const alice = again(call, ALICE).subscribe();
    expect(alice.events.filter((event) => event === "peer-attached")).toHaveLength(1);
  });
});

test("a connection without flow identifiers takes no call over, and the call stays where it is", () => {
  const call = scene();
  const spent = { id: 1, nextFlow: 2 ** 30 - 10 };
  expect(layAnew(2, spent)).toMatchObject({ ok: false, fault: { code: "capacity" } });
  expect(call.alice.query(call.sessionId).last.result).toMatchObject({ state: "active" });
});

test("an OPEN waits for the relay's counters, and for a session that ends meanwhile it comes too late", () => {
  const call = scene();
  call.stage.counters.set(call.sessionId, undefined);
  const bob = again(call);
  const waiting = bob.openMedia(call.sessionId, 1);
  expect(waiting.raw).toEqual([]);
  expect(rowOf(call, 1), "nothing moved yet").toBeUndefined();
  call.stage.advance(COUNTERS_WAIT);
  expect(waiting.last.result, "they do not come").toMatchObject({ attach_seq: 1 });
  const late = bob.openMedia(call.sessionId, 2);
  call.alice.hangUp(call.sessionId);
  call.stage.advance(COUNTERS_WAIT);
  expect(late.outcome).toBe("session-terminated");
  const gone = scene();
  gone.stage.counters.set(gone.sessionId, undefined);
  const dropped = again(gone);
  dropped.openMedia(gone.sessionId, 1);
  dropped.drop();
  gone.stage.advance(COUNTERS_WAIT);
  expect(rowOf(gone, 1), "its connection is gone").toBeUndefined();
});
