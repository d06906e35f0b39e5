/** Units of a picture that were forged, said again, or moved: refused by their reason, and what was honest is shown all the same. */
import { describe, expect, it } from "vitest";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { UnitStreamReader } from "../../codecs/unit-stream.ts";
import type { Carrier, Connection, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { Camera, Watched } from "./showing.ts";
import { connected } from "./talking.ts";
import { World } from "./world.ts";

/** Says which streams go on in place of this one, which has one unit. */
type Habit = (unit: Uint8Array) => readonly Uint8Array[];
const HONEST: Habit = (unit) => [unit];

/** A way whose units pass through somebody's hands: of its agent's, or to it. */
class Meddler implements Carrier {
  readonly #world: World;
  sent: Habit = HONEST;
  came: Habit = HONEST;

  constructor(world: World) {
    this.#world = world;
  }

  connect: Carrier["connect"] = async (url, options, accept) => {
    const inner = await this.#world.network.connect(url, options, (connection) => {
      const handlers = accept(connection);
      return { ...handlers, stream: (stream) => void this.#pass(stream, (one) => handlers.stream(one)) };
    });
    const open = (): Promise<SendStream> => this.#open(inner);
    return new Proxy(inner, {
      get: (target, name) => {
        if (name === "openStream") return open;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };

  async #open(inner: Connection): Promise<SendStream> {
    const stream = await inner.openStream();
    const parts: Uint8Array[] = [];
    let isUnit: boolean | undefined;
    return {
      write: async (bytes) => {
        // A long-lived stream begins with its flow alone.
        isUnit ??= bytes.length > 16;
        if (isUnit) parts.push(bytes.slice());
        else await stream.write(bytes);
      },
      finish: async () => {
        const [first, ...others] = isUnit === true ? this.sent(joined(parts)) : [];
        if (first !== undefined) await stream.write(first);
        await stream.finish();
        for (const other of others) await send(inner, other);
      },
      reset: (code) => stream.reset(code),
    };
  }

  async #pass(stream: ReceiveStream, take: (stream: ReceiveStream) => void): Promise<void> {
    const first = await stream.read();
    if (first === undefined || first.length <= 16)
      return take(again(stream, first === undefined ? [] : [first.slice()]));
    const parts = [first.slice()];
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read())
      parts.push(chunk.slice());
    for (const unit of this.came(joined(parts))) take(again(undefined, [unit]));
  }
}

function again(stream: ReceiveStream | undefined, chunks: Uint8Array[]): ReceiveStream {
  return {
    read: async () => chunks.shift() ?? (await stream?.read()),
    stop: (code) => stream?.stop(code),
  };
}

async function send(connection: Connection, bytes: Uint8Array): Promise<void> {
  const stream = await connection.openStream();
  await stream.write(bytes);
  await stream.finish();
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Where the packet begins in a unit's stream. */
function packetAt(unit: Uint8Array): number {
  const reader = new UnitStreamReader();
  reader.push(unit);
  return unit.length - (reader.packet?.length ?? 0);
}

function isKey(unit: Uint8Array): boolean {
  const view = new FrameView();
  return parseFrame(unit, packetAt(unit), view) === undefined && view.keyFrame;
}

/** With one byte of the packet changed, counted from its begin, or from its end. */
function altered(unit: Uint8Array, offset: number): Uint8Array {
  const copy = unit.slice();
  const at = offset < 0 ? copy.length + offset : packetAt(unit) + offset;
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

const OPTIONS = {
  audio: { codecs: ["pcmu"] },
  video: { codecs: ["vp8"], maxWidth: 160, maxHeight: 90, direction: "sendonly" },
  adaptation: false,
} as const;
const TAKING = { ...OPTIONS, video: { codecs: ["vp8"] } } as const;

async function scene(profile: "frame" | "chain" = "frame", delay = 0, seed = 1) {
  const link = (seed: number) => new Link({ delay }, new SeededRandom(seed));
  const world = new World({ toServer: link(1), toClient: link(2), seed });
  const [speaker, listener] = [new Meddler(world), new Meddler(world)];
  const ada = await world.agent("Ada", {}, speaker);
  const bob = await world.agent("Bob", {}, listener);
  const { call, answered } = await connected(world, ada, bob, { ...OPTIONS, profile }, TAKING);
  const told: string[] = [];
  call.on("frames-refused", ({ reason }) => told.push(reason));
  const watched = new Watched(world, answered);
  new Camera(world, call);
  await world.clock.advance(1_000);
  /** Reasons at the relay, as it tells; and at the listener. */
  const refused = async () => {
    await world.clock.advance(2_000);
    return { relay: [...new Set(told)], listener: answered.video?.stats().heard[0]?.refused ?? {} };
  };
  return { world, speaker, listener, call, answered, watched, refused };
}

/** Does something to the next unit alone. */
function once(habit: Habit): Habit {
  let isDone = false;
  return (unit) => {
    if (isDone) return [unit];
    isDone = true;
    return habit(unit);
  };
}

describe("a unit on its way to the server", () => {
  it.each([
    ["altered in its picture", -1, "signature"],
    ["altered in its layer", 12 + 4 + 2 + 77 + 2, "signature"],
    ["moved in time", 12 + 4 + 2 + 5 + 4, "signature"],
    ["of another source", 11, "terms"],
  ] as const)("%s is refused: %s", async (_name, offset, reason) => {
    const { speaker, watched, refused } = await scene();
    speaker.sent = once((unit) => [altered(unit, offset)]);
    expect(await refused()).toEqual({ relay: [reason], listener: {} });
    expect(watched.units.length).toBeGreaterThan(30);
  });

  it("is let through once", async () => {
    const { speaker, watched, refused } = await scene();
    speaker.sent = once((unit) => [unit, unit]);
    expect(await refused()).toEqual({ relay: ["replayed"], listener: {} });
    expect(new Set(watched.units.map(({ sequence }) => sequence)).size).toBe(watched.units.length);
  });
});

describe.each(["frame", "chain"] as const)("a unit on its way to the listener in profile %s", (profile) => {
  it("that was altered is refused: signature, and the picture goes on with a key frame", async () => {
    const { listener, watched, refused } = await scene(profile);
    listener.came = once((unit) => [altered(unit, -1)]);
    expect(await refused()).toEqual({ relay: [], listener: { signature: 1 } });
    expect(watched.units.filter(({ key }) => key).length).toBeGreaterThan(1);
  });

  it("is taken once", async () => {
    const { listener, refused } = await scene(profile);
    listener.came = once((unit) => [unit, unit]);
    expect(await refused()).toEqual({ relay: [], listener: { replayed: 1 } });
  });

  it("of another call is refused", async () => {
    const { world, listener, refused } = await scene(profile);
    const kept: Uint8Array[] = [];
    listener.came = (unit) => {
      kept.push(unit);
      return [unit];
    };
    await world.clock.advance(200);
    const other = await scene(profile, 0, 2);
    other.listener.came = once((unit) => [
      ...kept.map((one) => joined([unit.slice(0, 1), one.slice(1)])),
      unit,
    ]);
    const { listener: reasons } = await other.refused();
    expect(Object.keys(reasons)).toEqual(["terms"]);
    expect((await refused()).listener).toEqual({});
  });
});

describe("a key frame", () => {
  const DELAY_MS = 40;
  /** Two hops and back, half a second, and a frame until the next one is made. */
  const REPLACED_MS = 4 * DELAY_MS + 500 + 67;
  const lost: Habit = () => [];
  const forged: Habit = (unit) => [altered(unit, -1)];

  it.each([
    ["lost", "to the server", lost],
    ["forged", "to the server", forged],
    ["lost", "to the listener", lost],
    ["forged", "to the listener", forged],
  ] as const)(
    "that is %s on its way %s is asked for and replaced within the round trip and half a second",
    async (_, where, fate) => {
      const { world, speaker, listener, call, watched } = await scene("frame", DELAY_MS);
      let wentAt: number | undefined;
      const spoil: Habit = (unit) => {
        if (wentAt !== undefined || !isKey(unit)) return [unit];
        wentAt = world.clock.now();
        return fate(unit);
      };
      if (where === "to the server") speaker.sent = spoil;
      else listener.came = spoil;
      call.video?.mute();
      call.video?.unmute();
      await world.clock.advance(3_000);
      const from = wentAt ?? Number.NaN;
      const next = watched.at.find((at, index) => at > from && watched.units[index]?.key) ?? Number.NaN;
      expect(next - from).toBeGreaterThan(0);
      expect(next - from).toBeLessThan(REPLACED_MS);
      expect(watched.at.filter((at) => at > next).length).toBeGreaterThan(10);
    },
  );

  it("that never comes right is asked for twice a second at most", async () => {
    const { world, listener, call, answered } = await scene("frame", DELAY_MS);
    listener.came = (unit) => (isKey(unit) ? forged(unit) : [unit]);
    const asked = () => world.server.overview().units.keyFramesAsked;
    const before = asked();
    const keysBefore = call.video?.stats().sent[0]?.keyFrames ?? 0;
    call.video?.mute();
    call.video?.unmute();
    await world.clock.advance(5_000);
    expect(asked() - before).toBeGreaterThan(1);
    expect(asked() - before).toBeLessThanOrEqual(10);
    expect(answered.video?.stats().heard[0]?.keyFramesAsked).toBeLessThanOrEqual(10);
    expect((call.video?.stats().sent[0]?.keyFrames ?? 0) - keysBefore).toBeLessThanOrEqual(11);
  });
});
