/** Streams that were closed: how long they wait, what they leave behind, and that no restart takes it from them. */
import { describe, expect, it } from "vitest";
import { canonicalBytes, type JsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { checkpointDigest, encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { restarted } from "../../test/scenario/restarted.ts";
import type { SceneOptions } from "../../test/scenario/signaling-call.ts";
import { type Answers, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import type { Stage } from "../../test/scenario/signaling-stage.ts";
import { Streaming, voice } from "../../test/scenario/streaming-call.ts";
import { ALICE, BOB, must } from "../../test/signed-call.ts";
import type { FlowCounters } from "../admission.ts";
import { readRecord } from "../attribution.ts";
import type { LogEntry } from "../record-log.ts";
import { CLOSING_WINDOW, COUNTERS_WAIT } from "./endings.ts";
import { LAST_WORDS_ROOM, STATEMENT_BURST } from "./statement-room.ts";
import { STREAM_CLOSING_WINDOW } from "./stream-ends.ts";

const persistent: SceneOptions = { offer: { session: { model: "persistent", ttl: 3_600 } } };
const WINDOW = STREAM_CLOSING_WINDOW;

/** What a relay has counted that let frames through up to `lastSequence`. */
function counted(leg: 0 | 1, stream: number, lastSequence?: number): FlowCounters {
  const nothing = { forwarded: 0, bytes: 0, refused: {}, dropped: {} };
  const frames = lastSequence === undefined ? {} : { lastSequence };
  return { ...nothing, leg, stream, admitted: lastSequence ?? 0, ...frames } as FlowCounters;
}

class Closing extends Streaming {
  count(...counters: readonly FlowCounters[]): void {
    this.stage.counters.set(this.sessionId, counters);
  }

  /** Streams that the relay was told to forget. */
  get lifted(): number[] {
    return this.stage.admissions.flatMap((each) => (each.kind === "lift" ? each.stream : []));
  }

  /** What Bob may do. */
  get agreedScope(): readonly string[] {
    return this.confirmed.last.result.authority_scope as string[];
  }

  /** What the records of streams that are over say. */
  get over(): JsonObject[] {
    return this.recorded("stream-closed").flatMap(({ extra }) => extra?.streams as JsonObject[]);
  }

  /** A checkpoint of Alice's on stream 1. */
  checkpoint(changes: { index?: number; previous?: Uint8Array; first?: number; final?: boolean } = {}) {
    const { index = 0, previous = new Uint8Array(32), first = 500, final: isFinal = false } = changes;
    return encodeCheckpoint(
      {
        ...{ sessionDigest: this.core.digest, leg: 0, stream: 1, keyGeneration: 0, final: isFinal },
        ...{ index, previous, firstSequence: first, digests: [new Uint8Array(16)], epoch: 0 },
        ...{ firstCapture: { seconds: 1, fraction: 0 }, lastCapture: { seconds: 2, fraction: 0 } },
        totalFrames: index + 1,
      },
      ALICE.media,
    );
  }

  /** Where an end is told a direction of stream 1 flows on its connection. */
  flow(layout: readonly JsonObject[], direction: "send" | "receive"): JsonObject {
    return layout.find((each) => each.stream === 1 && each.direction === direction) ?? {};
  }
}

/** A call in which Alice opened stream 1, and Bob closed it. */
function closed(options: SceneOptions = {}) {
  const scene = new Closing(options);
  const { asked } = scene.open(2, voice(1));
  const layout = asked.last.result.laid_out as JsonObject[];
  return { scene, layout, close: () => scene.closeStreams(1, 3, [1]) };
}

describe("a stream that was closed", () => {
  it("has on record how far the relay had got: with what its closer hears at once, with the rest when it is gone", () => {
    const { scene, close } = closed();
    scene.count(counted(0, 0, 9), counted(1, 0), counted(0, 1, 41), counted(1, 1, 77));
    expect(close().last.result.streams).toEqual([
      { leg: 1, stream: 0, last_sequence: null },
      { leg: 0, stream: 1, last_sequence: 41 },
    ]);
    expect(scene.over).toEqual([]);
    scene.count(counted(0, 0, 9), counted(1, 0), counted(0, 1, 44), counted(1, 1, 80));
    scene.stage.advance(WINDOW);
    expect(scene.over).toEqual([
      { leg: 0, stream: 1, last_sequence: 44 },
      { leg: 1, stream: 1, last_sequence: 80 },
    ]);
  });

  it("is counted before the relay forgets it, and once", () => {
    const { scene, close } = closed();
    scene.count(counted(0, 0, 9), counted(0, 1, 44), counted(1, 1, 80));
    close();
    scene.stage.advance(WINDOW);
    const told = () => scene.alice.query(scene.sessionId).last.result.counters as JsonObject[];
    const places = (counters: readonly JsonObject[]) =>
      counters.map(({ leg, stream, lastSequence }) => [leg, stream, lastSequence]);
    const all = [
      [0, 1, 44],
      [1, 1, 80],
      [0, 0, 9],
    ];
    expect(places(told()), "by a relay that has not forgotten it yet").toEqual(all);
    scene.count(counted(0, 0, 9));
    expect(places(told())).toEqual(all);
    scene.close();
    scene.stage.advance(CLOSING_WINDOW);
    expect(places(scene.finalRecord()?.extra?.counters as JsonObject[])).toEqual(all);
  });

  it("stays until the session is closed where that ended meanwhile", () => {
    const { scene, close } = closed();
    scene.count(counted(0, 1, 44));
    close();
    scene.alice.hangUp(scene.sessionId, scene.closing(0));
    scene.stage.advance(CLOSING_WINDOW - 1);
    expect([scene.lifted, scene.over]).toEqual([[], []]);
    scene.stage.advance(1);
    expect(scene.finalRecord()?.extra?.counters).toMatchObject([{ leg: 0, stream: 1, lastSequence: 44 }]);
    expect([scene.lifted, scene.over]).toEqual([[], []]);
  });

  it("is named on record where the relay does not say how far it had got", () => {
    const { scene, close } = closed();
    close();
    scene.stage.counters.set(scene.sessionId, undefined);
    scene.stage.advance(WINDOW + COUNTERS_WAIT);
    expect(scene.over).toEqual([
      { leg: 0, stream: 1 },
      { leg: 1, stream: 1 },
    ]);
  });

  it("waits anew for an end that comes back", () => {
    const { scene, close } = closed();
    expect(close().outcome).toBe("ok 200");
    scene.alice.drop();
    scene.stage.advance(WINDOW - 2_000);
    new SignalingPeer(scene.stage, ALICE).openMedia(scene.sessionId);
    scene.stage.advance(WINDOW - 1);
    expect(scene.lifted).toEqual([]);
    scene.stage.advance(1);
    expect(scene.lifted).toEqual([1, 1]);
  });

  it("goes before its time where too many wait, the longest closed first", () => {
    const scene = new Closing();
    scene.count(
      ...Array.from({ length: 46 }, (_, stream) => [counted(0, stream, 7), counted(1, stream, 7)]).flat(),
    );
    const [first, second, third] = [0, 1, 2].map((round) =>
      Array.from({ length: 15 }, (_, at) => 1 + 15 * round + at),
    ) as [number[], number[], number[]];
    const close = (number: number, closing: readonly number[]) => {
      const narrowing = scene.narrowing(0, number, closing);
      scene.alice.ask("ADJUST", `/sessions/${scene.sessionId}`, { narrowing });
    };
    for (const [round, streams] of [first, second, third].entries()) {
      const { asked } = scene.open(2 + 2 * round, ...streams.map((stream) => voice(stream)));
      expect(asked.outcome).toBe("ok 200");
      close(3 + 2 * round, streams);
    }
    // Ninety directions; sixty-four may wait.
    expect(scene.lifted).toEqual(first.slice(0, 13).flatMap((stream) => [stream, stream]));
    expect(scene.stage.sizes.sessions.flows).toBe(2 + 64);
    scene.stage.advance(WINDOW);
    expect(scene.stage.sizes.sessions.flows).toBe(2);
    expect(new Set(scene.over.map(({ stream }) => stream))).toEqual(new Set([...first, ...second, ...third]));
    const { counters } = scene.alice.query(scene.sessionId).last.result;
    expect((counters as JsonObject[]).length, "of as many the counters are kept").toBe(64 + 2);
  });
});

describe("a closing", () => {
  it("is charged to the end that signs it: where that takes its last room it is in force, and ends the session", async () => {
    const scene = new Closing(persistent);
    const { sessionId, agreedScope } = scene;
    const narrowing = scene.narrowing(1, 2, [0], { scope: agreedScope });
    for (const [left, reason] of [
      [narrowing.length, undefined],
      [narrowing.length - 1, "statements-exceeded"],
    ] as const) {
      const [stage, alice, bob] = await withRoom(scene, LAST_WORDS_ROOM + left);
      const answers = bob.ask("CLOSE", `/sessions/${sessionId}/streams/0`, { narrowing });
      expect(answers.last.result).toMatchObject({ closes: [0], number: 2 });
      const ended = alice.all.map(({ result }) => result).find(({ event }) => event === "session-ended");
      expect(ended?.reason).toBe(reason);
      const events = stage.sessionRecords(sessionId).map((jws) => must(readRecord(jws)).event);
      expect(events.filter((event) => event === "terms-narrowed")).toHaveLength(1);
      expect(stage.artifacts(sessionId).filter(({ artifact }) => artifact === "narrowing")).toHaveLength(1);
    }
  });
});

/** The session goes on at a server whose log says that Bob has so many bytes left for what it signs; with Alice's inbox. */
async function withRoom(scene: Closing, left: number): Promise<[Stage, Answers, SignalingPeer]> {
  const log = scene.stage.log.map((entry): LogEntry => {
    if (entry.kind !== "session-state") return entry;
    const state = must(parseJson(entry.bytes)) as { legs: [JsonObject, JsonObject] };
    const legs = [state.legs[0], { ...state.legs[1], statement_bytes: STATEMENT_BURST - left }];
    return { ...entry, bytes: canonicalBytes({ ...state, legs }) };
  });
  const stage = await restarted({ log, now: scene.stage.now });
  const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
  const inbox = alice.subscribe();
  alice.openMedia(scene.sessionId);
  bob.openMedia(scene.sessionId);
  return [stage, inbox, bob];
}

describe("after a restart of the server", () => {
  it("a stream that was closed a moment ago takes its last words, and is gone then", async () => {
    const { scene, layout, close } = closed(persistent);
    const first = scene.checkpoint();
    const at = { kind: "item", connection: scene.alice.connection } as const;
    const { checkpoint_flow: flow } = scene.flow(layout, "send");
    scene.stage.handle({ ...at, flow: Number(flow), bytes: first });
    close();
    const stage = await restarted(scene.stage, { downtime: 60_000 });
    const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
    stage.advance(2 * WINDOW);
    const { streams, statements } = alice.openMedia(scene.sessionId).last.result;
    const sent = scene.flow(streams as JsonObject[], "send");
    expect(sent).toMatchObject({ closed: true, next_sequence: 501 });
    expect(statements).toContainEqual({
      ...{ kind: "checkpoint", stream: 1, leg: 0, next_index: 1, state: "open" },
      previous: encodeHex(checkpointDigest(first)),
    });
    const last = scene.checkpoint({ index: 1, previous: checkpointDigest(first), first: 501, final: true });
    stage.handle({
      ...{ kind: "item", connection: alice.connection },
      ...{ flow: Number(sent.checkpoint_flow), bytes: last },
    });
    bob.openMedia(scene.sessionId);
    const kept = stage.artifacts(scene.sessionId).filter(({ artifact }) => artifact === "checkpoint");
    expect(kept.map(({ bytes }) => encodeHex(bytes))).toEqual([encodeHex(first), encodeHex(last)]);
    const lifts = () => stage.admissions.filter(({ kind }) => kind === "lift").length;
    stage.advance(WINDOW - 1);
    expect(lifts()).toBe(0);
    stage.advance(1);
    expect(lifts()).toBe(2);
    const record = stage.sessionRecords(scene.sessionId).map((jws) => must(readRecord(jws)));
    // What an earlier process let through this one does not know.
    expect(record.find(({ event }) => event === "stream-closed")?.extra).toEqual({
      streams: [
        { leg: 0, stream: 1 },
        { leg: 1, stream: 1 },
      ],
    });
    const next = await restarted(stage);
    expect(next.sizes.sessions).toMatchObject({ live: 1, flows: 2 });
  });

  it("what a listener held is held on, until it wants it again", async () => {
    const scene = new Closing(persistent);
    const told = (peer: SignalingPeer, held: boolean) =>
      peer.ask("NOTIFY", `/sessions/${scene.sessionId}`, {
        content: { event: "stream-held", stream: 0, held },
      }).outcome;
    expect(told(scene.bob, true)).toBe("ok 200");
    const stage = await restarted(scene.stage);
    const held = () =>
      stage.admissions.flatMap((each) => (each.kind === "install" ? [[each.row.leg, each.row.held]] : []));
    expect(held()).toEqual([
      [0, true],
      [1, undefined],
    ]);
    const [alice, bob] = [new SignalingPeer(stage, ALICE), new SignalingPeer(stage, BOB)];
    alice.openMedia(scene.sessionId);
    bob.openMedia(scene.sessionId);
    expect(told(bob, false)).toBe("ok 200");
    const after = await restarted(stage);
    const rows = after.admissions.flatMap((each) => (each.kind === "install" ? [each.row.held] : []));
    expect(rows).toEqual([undefined, undefined]);
  });
});
