import { describe, expect, it } from "vitest";
import { PIECE_BYTES, UnitStreamReader } from "../codecs/unit-stream.ts";
import type { SendStream } from "./carrier.ts";
import {
  DELTA_STALL_MS,
  KEY_STALL_MS,
  MAX_UNIT_AGE_MS,
  OPEN_UNITS_PER_CONNECTION,
  OPEN_UNITS_PER_FLOW,
  UnitCaps,
} from "./unit-caps.ts";
import { UnitWriter } from "./unit-writer.ts";

type Fate = string;

/** A writer over a carrier that takes everything at once, until `blocks`. */
function scene({ rate = 1_000_000, caps = new UnitCaps(), call = "a" } = {}) {
  const streams: { bytes: number[]; end: "finished" | "reset" | undefined }[] = [];
  const fates = new Map<number, Fate>();
  const abandoned: [number, number][] = [];
  const carrier = { isBlocked: false };
  const open = async (): Promise<SendStream> => {
    const stream: (typeof streams)[number] = { bytes: [], end: undefined };
    streams.push(stream);
    return {
      write: async (bytes) => {
        if (carrier.isBlocked) await new Promise(() => {});
        stream.bytes.push(...bytes);
      },
      finish: async () => {
        stream.end = "finished";
      },
      reset: () => {
        stream.end = "reset";
      },
    };
  };
  const writer = new UnitWriter({
    ...{ flow: 2, ssrc: 9, call, open, caps, wake: () => {}, rate: () => rate },
    abandon: (first, count) => abandoned.push([first, count]),
  });
  const add = (
    sequence: number,
    now: number,
    {
      bytes = 500,
      key = false,
      layer = 0,
      needs = 1,
    }: Partial<Record<"bytes" | "layer" | "needs", number>> & { key?: boolean } = {},
  ) =>
    writer.add(
      {
        ...{ sequence, key, layer, needs, packet: new Uint8Array(bytes).fill(sequence) },
        settled: (fate) => fates.set(sequence, fate),
      },
      now,
    );
  /** Its turn comes so many times. */
  const turns = async (count: number, now: number) => {
    const numbers: number[] = [];
    for (let turn = 0; turn < count; turn += 1) {
      const piece = writer.next(now);
      if (piece === undefined) break;
      numbers.push(piece.packet.sequence);
      writer.send(now);
    }
    for (let tick = 0; tick < 200; tick += 1) await Promise.resolve();
    return numbers;
  };
  return { writer, caps, streams, fates, abandoned, add, turns, carrier };
}

describe("a unit writer", () => {
  it("sends each unit on a stream of its own, in numbered pieces", async () => {
    const { add, turns, streams, fates } = scene();
    add(1, 0, { key: true, bytes: 3_000 });
    add(2, 0);
    expect(await turns(9, 0)).toEqual([0, 1, 2, 3]);
    expect(streams.map(({ end }) => end)).toEqual(["finished", "finished"]);
    const units = streams.map(({ bytes }) => {
      const reader = new UnitStreamReader();
      reader.push(Uint8Array.from(bytes));
      return [reader.flow, reader.arrived()?.number, reader.packet?.length];
    });
    expect(units).toEqual([
      [2, 0, 3_000],
      [2, 3, 500],
    ]);
    expect([fates.get(1), fates.get(2)]).toEqual(["sent", "sent"]);
  });

  it("opens no stream before a unit's turn", async () => {
    const { add, turns, streams, writer } = scene();
    add(1, 0, { key: true });
    await turns(0, 0);
    expect([streams.length, writer.pending, writer.waitingBytes]).toEqual([0, 1, 502]);
  });
});

describe("a delta that is older than a key frame that went", () => {
  it("is lost without another key frame being wanted; a key frame, or a later delta, is not", async () => {
    const { add, turns, fates, writer } = scene();
    add(10, 0, { key: true });
    await turns(3, 0);
    writer.passOver({ sequence: 8, key: false, layer: 0, needs: 1 });
    add(9, 1);
    expect([fates.get(10), fates.get(9), writer.needsKeyFrame]).toEqual(["sent", "dependency", false]);
    writer.passOver({ sequence: 11, key: false, layer: 0, needs: 1 });
    expect(writer.needsKeyFrame).toBe(true);
    // Another process of the speaker's may count anew.
    add(3, 2, { key: true });
    await turns(3, 2);
    expect(writer.needsKeyFrame).toBe(false);
    writer.passOver({ sequence: 4, key: false, layer: 0, needs: 1 });
    expect(writer.needsKeyFrame).toBe(true);
  });
});

describe("at the cap of a flow", () => {
  it("the oldest delta and what needs it are reset, not queued, and a key frame is wanted", async () => {
    const { add, turns, fates, writer, streams } = scene();
    add(1, 0, { key: true });
    await turns(9, 0);
    for (let sequence = 2; sequence < 2 + OPEN_UNITS_PER_FLOW; sequence += 1)
      add(sequence, 0, { bytes: 2_000 });
    await turns(1, 0);
    expect([writer.pending, writer.needsKeyFrame]).toEqual([OPEN_UNITS_PER_FLOW, false]);
    add(18, 1);
    await turns(0, 1);
    expect(fates.get(2)).toBe("unit-cap");
    expect([3, 17, 18].map((sequence) => fates.get(sequence))).toEqual(new Array(3).fill("dependency"));
    expect(streams[1]?.end).toBe("reset");
    expect([writer.pending, writer.needsKeyFrame]).toEqual([0, true]);
    add(19, 2);
    expect(fates.get(19)).toBe("dependency");
    add(20, 3, { key: true });
    add(21, 3);
    await turns(9, 3);
    expect([fates.get(20), fates.get(21), writer.needsKeyFrame]).toEqual(["sent", "sent", false]);
  });

  it("a layer that can be spared goes first, and what does not need it goes on", () => {
    const { add, fates, writer } = scene({ rate: 100_000_000 });
    add(1, 0, { key: true });
    for (let sequence = 2; sequence <= OPEN_UNITS_PER_FLOW; sequence += 1)
      add(sequence, 0, sequence % 2 === 0 ? { layer: 1, needs: 1 } : { needs: 2 });
    add(17, 1, { needs: 2 });
    expect(fates).toEqual(new Map([[2, "unit-cap"]]));
    expect([writer.pending, writer.needsKeyFrame]).toEqual([OPEN_UNITS_PER_FLOW, false]);
  });

  it("a newer key frame takes the place of the oldest one", () => {
    const { add, fates } = scene();
    for (let sequence = 1; sequence <= 17; sequence += 1) add(sequence, 0, { key: true });
    expect(fates).toEqual(new Map([[1, "unit-cap"]]));
  });

  it("of a connection, too: the flow that has most gives way, deltas first, key frames to a key frame alone", () => {
    const caps = new UnitCaps();
    const flows = [0, 1, 2, 3].map(() => scene({ caps }));
    for (const { add } of flows)
      for (let sequence = 1; sequence <= OPEN_UNITS_PER_FLOW; sequence += 1)
        add(sequence, 0, { key: sequence < 16 });
    expect(caps.open).toBe(OPEN_UNITS_PER_CONNECTION);
    const late = scene({ caps });
    for (let sequence = 1; sequence <= 4; sequence += 1) late.add(sequence, 0);
    expect(flows.map(({ fates }) => [...fates])).toEqual(flows.map(() => [[16, "unit-cap"]]));
    late.add(5, 0);
    expect(late.fates, "its own oldest, and what needs that").toEqual(
      new Map([
        [1, "unit-cap"],
        [2, "dependency"],
        [3, "dependency"],
        [4, "dependency"],
        [5, "dependency"],
      ]),
    );
    for (let sequence = 6; sequence <= 10; sequence += 1) late.add(sequence, 0, { key: true });
    expect(late.writer.pending).toBe(5);
    expect(flows.map(({ writer }) => writer.pending)).toEqual([14, 15, 15, 15]);
    for (const { writer } of [late, ...flows]) writer.drop("closed");
    expect(caps.open).toBe(0);
  });

  it("of a connection that carries several calls: one that fills it makes room for another until both have as much", () => {
    const caps = new UnitCaps();
    const hogs = [0, 1, 2, 3].map(() => scene({ caps, call: "a" }));
    for (const { add } of hogs)
      for (let sequence = 1; sequence <= OPEN_UNITS_PER_FLOW; sequence += 1) add(sequence, 0, { key: true });
    const others = [0, 1, 2].map(() => scene({ caps, call: "b" }));
    for (const { add } of others)
      for (let sequence = 1; sequence <= OPEN_UNITS_PER_FLOW; sequence += 1)
        add(sequence, 0, { key: sequence === 1 });
    // A delta takes no key frame's place: those of the first flow go where nothing else does.
    const had = (scenes: typeof hogs) => scenes.reduce((sum, { writer }) => sum + writer.pending, 0);
    expect(had(hogs)).toBe(OPEN_UNITS_PER_CONNECTION - had(others));
    for (let sequence = 17; sequence <= 48; sequence += 1)
      for (const { add } of others) add(sequence, 0, { key: true });
    expect([had(hogs), had(others)]).toEqual([32, 32]);
    for (const { add } of hogs) add(17, 0, { key: true });
    expect([had(hogs), had(others)]).toEqual([32, 32]);
    for (const { writer } of [...hogs, ...others]) writer.drop("closed");
    expect(caps.open).toBe(0);
  });
});

describe("what stands still", () => {
  it("is reset, a delta sooner than a key frame, and its pieces are taken back", async () => {
    const { add, turns, fates, abandoned, writer, carrier } = scene();
    add(1, 0, { key: true, bytes: 3_000 });
    add(2, 0, { bytes: 3_000 });
    carrier.isBlocked = true;
    await turns(1, 10);
    expect(writer.nextTimeout()).toBe(10 + DELTA_STALL_MS);
    writer.tick(10 + DELTA_STALL_MS);
    expect([fates.get(1), fates.get(2)]).toEqual([undefined, "unit-stalled"]);
    writer.tick(10 + KEY_STALL_MS);
    expect(fates.get(1)).toBe("unit-stalled");
    expect(abandoned).toEqual([[0, 3]]);
    expect(writer.needsKeyFrame).toBe(true);
  });

  it("or is too old, goes, whatever moves", async () => {
    const { add, turns, fates, writer } = scene();
    add(1, 0, { key: true, bytes: 100 * PIECE_BYTES });
    for (let now = 0; now < MAX_UNIT_AGE_MS; now += 200) await turns(1, now);
    expect([fates.size, writer.nextTimeout()]).toEqual([0, MAX_UNIT_AGE_MS]);
    writer.tick(MAX_UNIT_AGE_MS - 1);
    expect(fates.size).toBe(0);
    writer.tick(MAX_UNIT_AGE_MS);
    expect(fates.get(1)).toBe("unit-stalled");
  });

  it("is not what waits behind a unit that moves", async () => {
    const { add, turns, fates, writer } = scene();
    add(1, 0, { key: true, bytes: 10 * PIECE_BYTES });
    add(2, 0);
    for (let now = 300; now <= 1_500; now += 300) await turns(1, now);
    expect([fates.size, writer.pending]).toEqual([0, 2]);
  });
});

describe("a layer that can be spared", () => {
  it("is left out while more waits than leaves in a moment", () => {
    const { add, fates } = scene({ rate: 90_000 });
    add(1, 0, { key: true, bytes: 5_000 });
    add(2, 0, { layer: 1 });
    add(3, 0, { needs: 2 });
    add(4, 0, { layer: 1, needs: 2 });
    expect(fates).toEqual(
      new Map([
        [2, "layer"],
        [4, "dependency"],
      ]),
    );
  });
});

describe("a carrier", () => {
  it("that takes nothing is given little ahead", async () => {
    const { add, turns, carrier } = scene();
    carrier.isBlocked = true;
    add(1, 0, { key: true, bytes: 100_000 });
    expect((await turns(99, 0)).length).toBe(15);
  });

  it("whose stream the peer stops loses the unit, and what needs it", async () => {
    const stopped: SendStream = {
      write: async () => Promise.reject(new Error("stopped")),
      finish: async () => {},
      reset: () => {},
    };
    const fates: Fate[] = [];
    const writer = new UnitWriter({
      ...{ flow: 1, ssrc: 1, call: "a", caps: new UnitCaps(), rate: () => undefined },
      ...{ abandon: () => {}, wake: () => {}, open: async () => stopped },
    });
    const settled = (fate: Fate) => fates.push(fate);
    const packet = new Uint8Array(10);
    writer.add({ sequence: 1, key: true, layer: 0, needs: 0, packet, settled }, 0);
    writer.add({ sequence: 2, key: false, layer: 0, needs: 1, packet, settled }, 0);
    writer.send(0);
    for (let tick = 0; tick < 20; tick += 1) await Promise.resolve();
    expect(fates).toEqual(["closed", "dependency"]);
  });
});
