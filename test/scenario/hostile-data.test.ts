/** A relay that tampers with structured data: nothing it changes, moves, repeats or turns round reaches the reader. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { JsonValue } from "../../codecs/canonical-json.ts";
import { buildFrame, FrameView, parseFrame } from "../../codecs/frame.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import { encodeStreamItems, encodeStreamStart } from "../../codecs/stream-items.ts";
import { varintSize, writeVarint } from "../../codecs/varint.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { HostileRelay, isFrame } from "./hostile-relay.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

const DATA_ONLY = { audio: false, data: true } as const;

let world: World;
let relay: HostileRelay;
let call: Call;
let heard: JsonValue[];
let answered: Call;

beforeEach(async () => {
  world = new World();
  relay = new HostileRelay(world);
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob", {}, relay);
  ({ call, answered } = await connected(world, ada, bob, DATA_ONLY));
  heard = [];
  void (async () => {
    for await (const { value } of answered.data ?? []) heard.push(value);
  })();
});

/** What goes on in place of each data frame on its way to Bob, in order. */
function tamper(change: (frame: Uint8Array, index: number, flow: number) => readonly Uint8Array[]): void {
  let index = 0;
  relay.item = (way, flow, bytes) =>
    way === "to-agent" && isFrame(bytes) ? change(bytes.slice(), index++, flow) : true;
}

async function send(...values: readonly JsonValue[]): Promise<void> {
  for (const value of values) {
    await world.during(call.data?.send(value) ?? Promise.resolve());
    await world.clock.advance(20);
  }
}

/** A frame in the place and time of `frame` that says `payload`, with zeros for a signature. */
function reworded(frame: Uint8Array, payload: string, epoch: number): Uint8Array {
  const view = new FrameView();
  if (parseFrame(frame, 0, view) !== undefined) throw new Error("no frame");
  const { keyGeneration, sequence, payloadType, marker, timestamp, ssrc } = view;
  const { seconds, fraction } = unixMsToNtp(view.captureMs);
  return buildFrame({
    profile: "frame",
    keyGeneration,
    sequence,
    captureSeconds: seconds,
    captureFraction: fraction,
    payloadType,
    marker,
    timestamp,
    ssrc,
    epoch,
    payload: new TextEncoder().encode(payload),
  });
}

const refused = () => answered.stats().data?.heard?.refused;

it("a speaker that opens more streams for one flow is stopped on all but the first, and heard on that one", async () => {
  const sending = new HostileRelay(world);
  const carol = await world.agent("Carol", {}, sending);
  const dave = await world.agent("Dave");
  const pair = await connected(world, carol, dave, DATA_ONLY);
  const read: JsonValue[] = [];
  void (async () => {
    for await (const { value } of pair.answered.data ?? []) read.push(value);
  })();
  const own: { flow?: number; frame?: Uint8Array } = {};
  sending.item = (way, flow, bytes) => {
    if (way === "to-server" && isFrame(bytes)) Object.assign(own, { flow, frame: bytes.slice() });
    return true;
  };
  await world.during(pair.call.data?.send("first") ?? Promise.resolve());
  const connection = await sending.connection();
  for (let further = 0; further < 3; further++) {
    const stream = await world.during(connection.openStream());
    const item = encodeStreamItems([own.frame as Uint8Array]);
    await world.during(stream.write(encodeStreamStart(own.flow as number)));
    await world.during(stream.write(item));
    await world.clock.advance(20);
    await expect(world.during(stream.write(item))).rejects.toMatchObject({
      details: { stream_code: CLOSE_CODES.overloaded },
    });
  }
  await world.during(pair.call.data?.send("second") ?? Promise.resolve());
  await world.clock.advance(20);
  expect(read).toEqual(["first", "second"]);
  expect(pair.answered.stats().data?.heard?.refused).toEqual({});
});

describe("a relay that", () => {
  it.each([
    ["its payload", "signature", (frame: Uint8Array) => frame.length - 2],
    ["its signature", "signature", () => 40],
    ["its timestamp", "signature", () => 7],
    ["its SSRC", "terms", () => 11],
  ] as const)("alters %s of a message: %s, and the others arrive", async (_what, reason, place) => {
    tamper((frame, index) => {
      const at = place(frame);
      if (index === 1) frame[at] = (frame[at] as number) ^ 1;
      return [frame];
    });
    await send("one", "two", "three");
    expect(heard).toEqual(["one", "three"]);
    expect(refused()).toEqual({ [reason]: 1 });
    expect(answered.stats().data?.heard).toMatchObject({ verified: 2, missing: 1 });
  });

  it("repeats a message, at once or later: replayed", async () => {
    const kept: Uint8Array[] = [];
    tamper((frame, index) => {
      kept.push(frame);
      if (index === 0) return [frame, frame];
      return index === 2 ? [frame, kept[0] as Uint8Array] : [frame];
    });
    await send("one", "two", "three");
    expect(heard).toEqual(["one", "two", "three"]);
    expect(refused()).toEqual({ replayed: 2 });
  });

  it("turns two messages round: window, so that no reader meets the older one second", async () => {
    let held: Uint8Array = new Uint8Array(0);
    tamper((frame, index) => {
      if (index === 1) held = frame;
      return [[frame], [], [frame, held]][index] ?? [frame];
    });
    await send("one", "two", "three");
    expect(heard).toEqual(["one", "three"]);
    expect(refused()).toEqual({ window: 1 });
    expect(answered.stats().data?.heard?.missing).toBe(1);
  });

  it("withholds a message: missing, and its checkpoint and receipt tell the same", async () => {
    tamper((frame, index) => (index === 1 ? [] : [frame]));
    await send("one", "two", "three");
    expect(heard).toEqual(["one", "three"]);
    expect(answered.stats().data?.heard).toMatchObject({ missing: 1, refused: {} });
  });

  it("moves a message to another call of the same two: signature", async () => {
    let stolen: Uint8Array | undefined;
    tamper((frame) => {
      stolen = frame;
      return [];
    });
    await send("for the first call");
    const second = await connected(
      world,
      await world.agent("Carol"),
      await world.agent("Dave", {}, relay),
      DATA_ONLY,
    );
    tamper((frame, index) => {
      const moved = (stolen as Uint8Array).slice();
      // Under the second call's SSRC, so that only the signature can tell.
      moved.set(frame.subarray(8, 12), 8);
      return index === 0 ? [moved] : [frame];
    });
    const read: JsonValue[] = [];
    void (async () => {
      for await (const { value } of second.answered.data ?? []) read.push(value);
    })();
    await world.during(second.call.data?.send("replaced") ?? Promise.resolve());
    await world.clock.advance(20);
    await world.during(second.call.data?.send("own") ?? Promise.resolve());
    await world.clock.advance(20);
    expect(read).toEqual(["own"]);
    expect(second.answered.stats().data?.heard?.refused).toEqual({ signature: 1 });
  });

  it("holds messages back for longer than half a minute: stale", async () => {
    let held: Uint8Array | undefined;
    tamper((frame, index) => {
      if (index > 0) return [held as Uint8Array, frame];
      held = frame;
      return [];
    });
    await send("one");
    await world.clock.advance(31_000);
    await send("two");
    expect(heard).toEqual(["two"]);
    expect(refused()).toEqual({ stale: 1 });
  });

  it("words a message itself, in a media epoch yet to come: epoch, and nobody reads it", async () => {
    tamper((frame, index) => (index === 1 ? [reworded(frame, '{"pay":"mallory"}', 7)] : [frame]));
    await send("one", { pay: "bob" }, "three");
    await world.clock.advance(1_000);
    expect(heard).toEqual(["one", "three"]);
    expect(refused()).toEqual({ epoch: 1 });
    expect(answered.stats().data?.heard).toMatchObject({ verified: 2, missing: 1 });
  });

  it("puts a message into a datagram: terms", async () => {
    tamper((frame, _index, flow) => {
      const datagram = new Uint8Array(varintSize(flow) + frame.length);
      writeVarint(datagram, 0, flow);
      datagram.set(frame, varintSize(flow));
      relay.deliver(datagram);
      return [];
    });
    await send("one");
    expect(refused()).toEqual({ terms: 1 });
    expect(heard).toEqual([]);
  });
});
