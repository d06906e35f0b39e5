/** The streams of a call while it is up: opened, changed, muted, held and closed by either end, without touching the others. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

const WITH_DATA = { audio: { codecs: ["pcmu"] }, data: true } as const;
const DATA = { modality: "data" } as const;

/** What comes on a stream of data, as far as it was read. */
function valuesOf(stream: CallStream | undefined): unknown[] {
  const values: unknown[] = [];
  void (async () => {
    for await (const { value } of stream as unknown as AsyncIterable<{ value: unknown }>) values.push(value);
  })();
  return values;
}

/** Streams as they come up at an end. */
function openedAt(call: Call): CallStream[] {
  const streams: CallStream[] = [];
  call.on("stream-opened", ({ stream }) => void streams.push(stream));
  return streams;
}

const idsOf = (call: Call) => call.streams.map(({ id }) => id);

describe("the streams of a call", () => {
  let world: World;
  let ada: Agent;
  let bob: Agent;

  beforeEach(async () => {
    world = new World();
    ada = await world.agent("Ada");
    bob = await world.agent("Bob");
  });

  it("are listed at both ends", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    for (const end of [call, answered])
      expect(end.streams.map(({ id, modality, direction }) => [id, modality, direction])).toEqual([
        [1, "audio", "sendrecv"],
        [2, "data", "sendrecv"],
      ]);
  });

  it("are muted one by one: a voice is thrown away meanwhile, data waits", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const [voice, data] = call.streams;
    const told: unknown[] = [];
    answered.on("stream-muted", (event) => told.push(event));
    const heard = valuesOf(answered.data);
    voice?.mute();
    await world.during(Promise.all([say(world, call, 0.2), call.data?.send("beside a muted voice")]));
    expect([heard, answered.stats().heard?.verified ?? 0]).toEqual([["beside a muted voice"], 0]);
    voice?.unmute();
    data?.mute();
    const sent = call.data?.send("later");
    await say(world, call, 0.2);
    expect([heard.length, answered.stats().heard?.verified]).toEqual([1, 11]);
    data?.unmute();
    await world.during(sent ?? Promise.resolve());
    await world.clock.advance(50);
    expect(heard).toEqual(["beside a muted voice", "later"]);
    expect(told).toContainEqual({ stream: 1, muted: true, by: ada.id });
    expect(world.reported).toEqual([]);
  });

  it("are held one by one by who hears them: nothing of a voice comes meanwhile, and data comes once it is wanted again", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const told: unknown[] = [];
    call.on("stream-held", (event) => told.push(event));
    const heard = valuesOf(answered.data);
    const [voice, data] = answered.streams;
    voice?.hold();
    data?.hold();
    await world.clock.advance(100);
    await world.during(Promise.all([say(world, call, 0.2), call.data?.send("held")]));
    await world.clock.advance(500);
    expect([answered.stats().heard?.verified ?? 0, heard]).toEqual([0, []]);
    expect(told).toEqual([
      { stream: 1, held: true, by: bob.id },
      { stream: 2, held: true, by: bob.id },
    ]);
    voice?.unhold();
    data?.unhold();
    await world.clock.advance(500);
    await say(world, call, 0.2);
    expect(heard).toEqual(["held"]);
    expect(answered.stats().heard?.verified).toBeGreaterThan(5);
    expect(world.reported).toEqual([]);
  });

  it.each(["caller", "callee"] as const)(
    "are opened by the %s, flow at once, and are closed by either end",
    async (who) => {
      const pair = await connected(world, ada, bob, WITH_DATA);
      const [opener, other] = who === "caller" ? [pair.call, pair.answered] : [pair.answered, pair.call];
      const atOther = openedAt(other);
      const stream = await world.during(opener.open({ ...DATA, label: "cursor" }));
      expect([stream.id, stream.state, stream.sends]).toEqual([3, "open", true]);
      await world.clock.advance(100);
      const heard = valuesOf(atOther[0]);
      await world.during(stream.send({ x: 1 }));
      await world.clock.advance(100);
      expect(heard).toEqual([{ x: 1 }]);
      expect([idsOf(opener), idsOf(other)]).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
      const closed: number[] = [];
      opener.on("stream-closed", ({ stream: { id } }) => closed.push(id));
      await world.during(atOther[0]?.close() ?? Promise.resolve());
      await world.clock.advance(100);
      expect([stream.state, closed, idsOf(opener), idsOf(other)]).toEqual(["closed", [3], [1, 2], [1, 2]]);
      await world.during(expect(stream.send("too late")).rejects.toThrow());
      expect(stream.sends).toBe(false);
      // Numbers are not used again.
      expect((await world.during(opener.open(DATA))).id).toBe(4);
      await world.during(say(world, pair.call, 0.2));
      expect(world.reported).toEqual([]);
    },
  );

  it("are the call's data as soon as one is there, and the one that was when all are closed", async () => {
    const { call, answered } = await connected(world, ada, bob, { audio: { codecs: ["pcmu"] }, rpc: true });
    expect([call.data, answered.data]).toEqual([undefined, undefined]);
    const [first, second] = [await world.during(call.open(DATA)), await world.during(call.open(DATA))];
    await world.clock.advance(100);
    expect([call.data?.id, answered.data?.id]).toEqual([first.id, first.id]);
    await world.during(first.close());
    await world.clock.advance(100);
    expect([call.data?.id, answered.data?.id]).toEqual([second.id, second.id]);
    const heard = valuesOf(answered.data);
    await world.during(call.data?.send("over the second") ?? Promise.resolve());
    await world.during(second.close());
    await world.clock.advance(100);
    expect([call.data?.state, answered.data?.state, heard]).toEqual([
      "closed",
      "closed",
      ["over the second"],
    ]);
    expect(call.stats().data?.sent?.sent).toBe(1);
    expect(world.reported).toEqual([]);
  });

  it("say that they are closed from the moment on that the other end closed them, and requests get another one", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    for (const end of [call, answered]) end.onRpc("name", () => "here");
    const stream = await world.during(call.open(DATA));
    expect(await world.during(call.rpc("name", null))).toBe("here");
    for (const id of [3, 4])
      await world.during(answered.streams.find((each) => each.id === id)?.close() ?? Promise.resolve());
    await world.during(expect(stream.send("too late")).rejects.toMatchObject({ code: "closed" }));
    expect(await world.during(call.rpc("name", null))).toBe("here");
    expect(idsOf(call)).toEqual([1, 2, 5]);
  });

  it("carry a further voice", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const atBob = openedAt(answered);
    const voice = await world.during(
      call.open({ modality: "audio", codecs: ["pcmu"], direction: "sendonly" }),
    );
    await world.clock.advance(200);
    expect([voice.direction, atBob[0]?.direction]).toEqual(["sendonly", "recvonly"]);
    await world.during(voice.audio.write(new Int16Array(8_000)).then(() => voice.audio.endTurn()));
    await world.clock.advance(500);
    expect(world.reported).toEqual([]);
    await world.during(voice.close());
    expect(idsOf(call)).toEqual([1, 2]);
  });

  it("are not opened where the other end does not want them", async () => {
    const asked: unknown[] = [];
    const { call, answered } = await connected(world, ada, bob, WITH_DATA, {
      streams: (stream) => {
        asked.push(stream);
        return stream.label === "wanted";
      },
    });
    expect(await refusal(world, call.open({ ...DATA, label: "other" }))).toBe("change-rejected");
    expect(asked).toEqual([
      {
        ...{ id: 3, modality: "data", direction: "sendrecv", format: "json" },
        ...{ label: "other", delivery: "reliable" },
      },
    ]);
    const wanted = { ...DATA, label: "wanted", delivery: "latest", format: "text" } as const;
    expect((await world.during(call.open(wanted))).id).toBe(3);
    expect(asked[1]).toMatchObject({ format: "text", delivery: "latest", deadlineMs: 1_000 });
    expect(idsOf(answered)).toEqual([1, 2, 3]);
  });

  it("are opened by both ends at once, one after the other", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const [mine, theirs] = await world.during(Promise.all([call.open(DATA), answered.open(DATA)]));
    await world.clock.advance(200);
    expect([mine.id, theirs.id].toSorted()).toEqual([3, 4]);
    expect([idsOf(call).toSorted(), idsOf(answered).toSorted()]).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect(world.reported).toEqual([]);
  });

  it("are opened once, though the answer is lost and other terms come into force before the question is put again", async () => {
    const relay = new HostileRelay(world);
    const eve = await world.agent("Eve", {}, relay);
    const { call, answered } = await connected(world, eve, bob, WITH_DATA);
    const atBob = openedAt(answered);
    let asked = 0;
    relay.answerTakes = ({ method }) => (method === "OPEN" && asked++ === 0 ? 20_000 : 0);
    const opening = call.open({ ...DATA, label: "once" });
    await world.clock.advance(1_000);
    await world.during(answered.propose({ streams: [{ bitrate: 64_000, stream: 1 }] }));
    const stream = await world.during(opening);
    await world.clock.advance(3_000);
    expect([asked, stream.id, idsOf(call), idsOf(answered)]).toEqual([2, 3, [1, 2, 3], [1, 2, 3]]);
    const heard = valuesOf(atBob[0]);
    await world.during(stream.send("here"));
    await world.clock.advance(100);
    expect(heard).toEqual(["here"]);
    expect(world.reported).toEqual([]);
  });

  it("are 16 at once at most", async () => {
    const { call } = await connected(world, ada, bob, WITH_DATA);
    for (let count = 2; count < 16; count += 1) {
      await world.during(call.open(DATA));
      await world.clock.advance(1_000);
    }
    expect(await refusal(world, call.open(DATA))).toMatch("limit-exceeded");
    await world.during(call.streams[5]?.close() ?? Promise.resolve());
    expect((await world.during(call.open(DATA))).id).toBe(17);
  });

  it("are not opened while the call is suspended, and go on after it", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    await world.during(call.suspend());
    expect(await refusal(world, call.open(DATA))).toBe("session-state-conflict");
    await world.during(call.resume());
    const atBob = openedAt(answered);
    const stream = await world.during(call.open(DATA));
    await world.clock.advance(100);
    const heard = valuesOf(atBob[0]);
    await world.during(stream.send("after"));
    await world.clock.advance(100);
    expect(heard).toEqual(["after"]);
  });

  it("are proved with the call: evidence of one with streams opened and closed verifies", async () => {
    const { call, answered } = await connected(world, ada, bob, WITH_DATA);
    const atBob = openedAt(answered);
    const stream = await world.during(call.open(DATA));
    await world.clock.advance(100);
    valuesOf(atBob[0]);
    await world.during(Promise.all([stream.send("proved"), say(world, call, 0.5)]));
    await world.clock.advance(100);
    await world.during(stream.close());
    await world.clock.advance(6_000);
    await world.during(call.open(DATA));
    await world.during(call.end());
    await world.clock.advance(6_000);
    const { report } = verifyEvidence(await world.during(call.evidence()), undefined, verifier);
    expect(report.faults).toEqual([]);
    expect(world.reported).toEqual([]);
  });
});
