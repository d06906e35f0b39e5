/** Structured data beside the voice and without it: complete, in order, attributed, and never buffered without bound. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { DataMessage } from "../../agent/call-data.ts";
import type { JsonValue } from "../../codecs/canonical-json.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyMedia } from "../../signaling/evidence/media.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link, PRESETS } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

const DATA_ONLY = { audio: false, data: true } as const;
const WITH_DATA = { audio: { codecs: ["pcmu"] }, data: true } as const;

/** What `call` hears as data from now on. */
function messagesOf(call: Call): DataMessage[] {
  const heard: DataMessage[] = [];
  void (async () => {
    for await (const message of call.data ?? []) heard.push(message);
  })();
  return heard;
}

async function sendAll(call: Call, values: readonly JsonValue[]): Promise<void> {
  for (const value of values) await call.data?.send(value);
}

function numbered(count: number): JsonValue[] {
  return Array.from({ length: count }, (_, number) => ({ number }));
}

describe("structured data", () => {
  let world: World;
  let ada: Agent;
  let bob: Agent;

  beforeEach(async () => {
    world = new World();
    ada = await world.agent("Ada");
    bob = await world.agent("Bob");
  });

  it("goes both ways beside the voice, each message signed by its speaker", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const [atAda, atBob] = [messagesOf(call), messagesOf(answered)];
    await world.during(
      Promise.all([say(world, call, 0.2), sendAll(call, [{ ask: "time" }, [1, null, "é"]])]),
    );
    await world.during(sendAll(answered, ["noon"]));
    await world.clock.advance(50);
    expect(atBob.map(({ value }) => value)).toEqual([{ ask: "time" }, [1, null, "é"]]);
    expect(atAda.map(({ value }) => value)).toEqual(["noon"]);
    expect(atBob[0]).toMatchObject({ speaker: ada.id, verified: true });
    expect((atBob[1]?.sequence ?? 0) - (atBob[0]?.sequence ?? 0)).toBe(1);
    expect(Math.abs((atBob[0]?.sentAt ?? 0) - world.clock.wall())).toBeLessThan(2_000);
    expect(call.stats().data).toMatchObject({ sent: { sent: 2, undelivered: {} }, heard: { verified: 1 } });
    expect(answered.stats().heard).toMatchObject({ verified: 11, refused: {} });
    expect(world.reported).toEqual([]);
  });

  it("needs no voice", async () => {
    const { call, answered } = await connected(world, ada, bob, DATA_ONLY);
    const heard = messagesOf(answered);
    await world.during(sendAll(call, numbered(3)));
    await world.clock.advance(50);
    expect(heard.map(({ value }) => value)).toEqual(numbered(3));
    expect(call.audio.sends).toBeUndefined();
    expect(call.session.terms.streams.map(({ modality }) => modality)).toEqual(["data"]);
  });

  it("is there only where both ends want it", async () => {
    const plain = await connected(world, ada, bob, {});
    expect([plain.call.data, plain.answered.data]).toEqual([undefined, undefined]);
    const declined = await connected(world, ada, bob, WITH_DATA, { data: false });
    expect([declined.call.data, declined.answered.data]).toEqual([undefined, undefined]);
    expect(declined.call.audio.sends).toBeDefined();
    bob.onCall((incoming) => void incoming.accept({ data: false }).catch(() => undefined));
    expect(await refusal(world, ada.call(bob.id, DATA_ONLY))).toMatch(/^proposal-rejected/);
  });

  it("takes the scope for it: without, the offer is refused, and a callee without only reads", async () => {
    const scope = ["communication:audio:capture", "communication:audio:transmit"];
    expect(await refusal(world, ada.call(bob.id, { ...WITH_DATA, scope }))).toMatch(/^scope-violation/);
    const carol = await world.agent("Carol", { identity: world.identity({ name: "Carol", scope }) });
    expect(await refusal(world, carol.call(bob.id, WITH_DATA))).toMatch(
      /^scope-claim-invalid|^scope-violation/,
    );
    const { call, answered } = await connected(world, ada, carol, WITH_DATA);
    const heard = messagesOf(answered);
    await world.during(sendAll(call, ["read this"]));
    await world.clock.advance(50);
    expect(heard.map(({ value }) => value)).toEqual(["read this"]);
    expect(answered.data?.sends).toBe(false);
    expect(await refusal(world, answered.data?.send("no") ?? Promise.resolve())).toBe("field-invalid");
  });

  it("has messages of 16 KiB at most, and only what JSON can say", async () => {
    const { call, answered } = await connected(world, ada, bob, DATA_ONLY);
    const heard = messagesOf(answered);
    const longest = "x".repeat(16 * 1024 - 2);
    expect(await refusal(world, call.data?.send(`${longest}x`) ?? Promise.resolve())).toBe("too-large");
    expect(await refusal(world, call.data?.send({ no: undefined }) ?? Promise.resolve())).toMatch(
      /^json-unrepresentable/,
    );
    await world.during(sendAll(call, [longest]));
    await world.clock.advance(50);
    expect(heard.map(({ value }) => value)).toEqual([longest]);
    expect(call.stats().data?.sent?.sent).toBe(1);
  });

  it("keeps to the agreed rate, and a writer that does not wait meets its limit", async () => {
    const { call, answered } = await connected(world, ada, bob, DATA_ONLY);
    const heard = messagesOf(answered);
    const began = world.clock.now();
    const sends = numbered(256).map((value) => call.data?.send(value));
    expect(await refusal(world, call.data?.send("one too many") ?? Promise.resolve())).toBe("buffer-full");
    await world.during(Promise.all(sends));
    // 200 at once, then 100 a second.
    expect(world.clock.now() - began).toBeGreaterThan(500);
    await world.clock.advance(50);
    expect(heard.map(({ value }) => value)).toEqual(numbered(256));
  });

  it("makes a writer wait for a slow reader, without a message lost", async () => {
    const { call, answered } = await connected(world, ada, bob, DATA_ONLY);
    const big = Array.from({ length: 200 }, (_, at) => `${at} ${"x".repeat(15_000)}`);
    let sent = 0;
    const writing = (async () => {
      for (const message of big) {
        await call.data?.send(message);
        sent += 1;
      }
    })();
    await world.clock.advance(11_000);
    // 64 with the reader's library, the rest in the streams' own buffers: 256 KiB on each of two hops and 32 in the relay.
    expect(sent).toBeLessThan(big.length);
    expect(answered.stats().data?.heard).toMatchObject({ unread: 64, givenUp: false });
    const heard = messagesOf(answered);
    await world.during(writing);
    await world.clock.advance(100);
    expect(heard.map(({ value }) => value)).toEqual(big);
    expect(answered.stats().data?.heard).toMatchObject({ refused: {}, missing: 0 });
  });

  it("gives the stream up when nobody reads, tells both ends, and leaves the call up", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const flooding = (async () => {
      for (let number = 0; ; number += 1) await call.data?.send(`${number} ${"x".repeat(15_000)}`);
    })();
    expect(await refusal(world, flooding)).toBe("data-stalled");
    expect(call.stats().data?.sent?.undelivered).toEqual({ "data-stalled": 1 });
    expect(answered.stats().data?.heard).toMatchObject({ unread: 64, givenUp: true });
    const read: DataMessage[] = [];
    const reading = (async () => {
      for await (const message of answered.data ?? []) read.push(message);
    })();
    expect(await refusal(world, reading)).toBe("data-unread");
    expect(read).toHaveLength(64);
    expect(await refusal(world, call.data?.send("more") ?? Promise.resolve())).toBe("data-stalled");
    await say(world, call, 0.2);
    await world.clock.advance(100);
    expect(answered.stats().heard).toMatchObject({ verified: 11, refused: {} });
    expect(world.reported).toEqual([]);
  });

  it("stands in the evidence: counted, kept messages proved, and told apart from the voice", async () => {
    const kept: KeptFrame[] = [];
    const tap = ({ leg, stream, bytes }: { leg: number; stream: number; bytes: Uint8Array }) =>
      void kept.push({ leg, stream, packet: bytes });
    const { call, answered } = await connected(world, ada, bob, WITH_DATA, { tap });
    const heard = messagesOf(answered);
    await world.during(sendAll(call, numbered(5)));
    await say(world, call, 0.2);
    await world.clock.advance(100);
    await world.during(call.end());
    await world.during(answered.settled);
    const evidence = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
    expect(evidence.report.faults).toEqual([]);
    expect(heard).toHaveLength(5);
    expect(evidence.report.streams.filter(({ leg }) => leg === 0)).toMatchObject([
      { stream: 1, modality: "audio", frames: 11 },
      {
        stream: 2,
        modality: "data",
        frames: 5,
        received: 5,
        heard: 5,
        closedBySpeaker: true,
        closedByListener: true,
      },
    ]);
    const said = evidence.report.statements.map(({ text }) => text);
    expect(said).toContain("stream 2: data, json messages, profile frame");
    expect(said).toContain("caller, stream 2 (data): 5 of 5 frames sent and received");
    const media = verifyMedia(kept, evidence, verifier);
    expect(media.faults).toEqual([]);
    expect(media.frames.filter(({ stream }) => stream === 2)).toHaveLength(5);
    expect(media.frames.every(({ checkpointed }) => checkpointed)).toBe(true);
    const moved = kept.filter(({ stream }) => stream === 2).map((frame) => ({ ...frame, stream: 1 }));
    expect(verifyMedia(moved, evidence, verifier).faults).toHaveLength(5);
  });
});

it.each(["lossy-wifi", "congested"] as const)("1,000 messages arrive in order through %s", async (preset) => {
  const link = (seed: number) => new Link(PRESETS[preset], new SeededRandom(seed));
  const world = new World({ toServer: link(1), toClient: link(2) });
  const { call, answered } = await connected(
    world,
    await world.agent("Ada"),
    await world.agent("Bob"),
    DATA_ONLY,
  );
  const heard = messagesOf(answered);
  await world.during(sendAll(call, numbered(1_000)));
  await world.clock.advance(2_000);
  expect(heard.map(({ value }) => value)).toEqual(numbered(1_000));
  expect(answered.stats().data?.heard).toMatchObject({ verified: 1_000, refused: {}, missing: 0 });
});
