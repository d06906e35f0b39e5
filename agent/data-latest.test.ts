import { beforeEach, describe, expect, it } from "vitest";
import type { JsonValue } from "../codecs/canonical-json.ts";
import { encodeDataMessage } from "../codecs/data-message.ts";
import { Attribution } from "../sfu/attribution.ts";
import { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender, type SentFrame } from "../sfu/frame-sender.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { FIRST_SEQUENCE, relayWith, row, speaker } from "../test/relay-scene.ts";
import type { DataMessage } from "./call-data.ts";
import { LatestReceiver } from "./data-latest-receiver.ts";
import { type LatestFate, LatestSender } from "./data-latest-sender.ts";
import { MediaTime } from "./media-time.ts";

const DEADLINE_MS = 200;
const live = row({ stream: 3, clockRate: 1_000, payloadType: 98 });
const { sessionDigest, leg, stream, ssrc, payloadType, clockRate } = live;

let clock: VirtualClock;
let time: MediaTime;
let sender: LatestSender;
/** What the way does with a frame: it takes it, or holds it until `later` is told. */
let way: "takes" | "holds";
let taken: SentFrame[];
let held: {
  readonly frame: SentFrame;
  readonly deadline: number;
  readonly later: (isSent: boolean) => void;
}[];

beforeEach(() => {
  clock = new VirtualClock();
  time = new MediaTime(clock);
  way = "takes";
  taken = [];
  held = [];
  sender = new LatestSender({
    clock,
    time,
    frames: new FrameSender({
      ...{ sessionDigest, leg, stream, ssrc, payloadType, clockRate, keyGeneration: 0, frameSamples: 0 },
      ...{ seal: { profile: "frame", signer: speaker }, startSequence: FIRST_SEQUENCE, startTimestamp: 0 },
      flow: live.flow,
    }),
    checkpointer: new Checkpointer({
      ...{ sessionDigest, leg, stream, signer: speaker, keyGeneration: 0 },
      startSequence: FIRST_SEQUENCE,
    }),
    outlet: {
      frame: (frame, deadline, later) => {
        if (way === "takes") {
          taken.push(frame);
          return "sent";
        }
        held.push({ frame, deadline, later });
        return "held";
      },
      takeBack: () => {
        for (const { later } of held.splice(0)) later(false);
      },
      checkpoint: () => {},
      hasRoom: true,
    },
    stream,
    deadlineMs: DEADLINE_MS,
  });
});

/** Sends a value; what becomes of it is told later. */
function send(value: JsonValue): { fate: LatestFate | undefined } {
  const outcome: { fate: LatestFate | undefined } = { fate: undefined };
  void sender.send(encodeDataMessage(value)).then((fate) => {
    outcome.fate = fate;
  });
  return outcome;
}

/** Lets what waits at the way leave. */
function letGo(): void {
  for (const { frame, later } of held.splice(0)) {
    taken.push(frame);
    later(true);
  }
}

describe("the sender of latest values", () => {
  it("signs one value after the other as they come, numbers without gaps", async () => {
    const fates = [send(1), send(2), send(3)];
    await clock.settle();
    expect(fates.map(({ fate }) => fate)).toEqual(["sent", "sent", "sent"]);
    expect(taken.map(({ sequence }) => sequence - FIRST_SEQUENCE)).toEqual([0, 1, 2]);
  });

  it("keeps to the agreed rate: what waits is the newest, and nothing else", async () => {
    const fates = Array.from({ length: 200 }, (_, value) => send(value));
    await clock.advance(20);
    const count = (fate: LatestFate) => fates.filter((one) => one.fate === fate).length;
    expect([count("sent"), count("replaced"), fates.at(-1)?.fate]).toEqual([26, 174, "sent"]);
    // Nothing that was replaced was signed.
    expect(sender.counters).toMatchObject({ sent: 26, replaced: 174, waiting: 0 });
  });

  it("puts a newer value in the place of one that waits at the hop", async () => {
    way = "holds";
    const fates = [send("old"), send("newer"), send("newest")];
    await clock.settle();
    expect(fates.map(({ fate }) => fate)).toEqual(["replaced", "replaced", undefined]);
    expect(held).toHaveLength(1);
    letGo();
    await clock.settle();
    expect(fates.at(-1)?.fate).toBe("sent");
    expect(taken.map(({ sequence }) => sequence - FIRST_SEQUENCE)).toEqual([2]);
  });

  it("lets nothing leave that is past its deadline, wherever it waited", async () => {
    sender.pause("detached");
    const away = send("away");
    await clock.advance(DEADLINE_MS - 1);
    expect(away.fate).toBeUndefined();
    await clock.advance(1);
    expect(away.fate).toBe("dropped");
    const inTime = send("in time");
    await clock.advance(DEADLINE_MS / 2);
    sender.moveTo(live.flow);
    sender.goOn("detached");
    await clock.settle();
    expect(inTime.fate).toBe("sent");
    way = "holds";
    const stuck = send("stuck");
    expect(held[0]?.deadline).toBe(clock.now() + DEADLINE_MS);
    held[0]?.later(false);
    await clock.settle();
    expect(stuck.fate).toBe("dropped");
    expect(sender.counters).toMatchObject({ sent: 2, undelivered: { stale: 2 } });
    // The age of a value counts from when it was given.
    expect(taken[0]?.captured).toBe(clock.wall() - DEADLINE_MS / 2);
  });

  it("waits while the call is suspended or the other end away, and sends nothing it may not", async () => {
    sender.pause("suspended");
    sender.pause("peer-detached");
    const waiting = send("waiting");
    sender.goOn("suspended");
    await clock.advance(10);
    expect(waiting.fate).toBeUndefined();
    sender.goOn("peer-detached");
    await clock.settle();
    expect(waiting.fate).toBe("sent");
    sender.pause("suspended");
    const refused = send("refused");
    sender.permitted = false;
    await clock.settle();
    expect(refused.fate).toBe("dropped");
    await expect(sender.send(new Uint8Array())).rejects.toMatchObject({ code: "scope-violation" });
    sender.finish();
    sender.finish();
    await expect(sender.send(new Uint8Array())).rejects.toMatchObject({ code: "closed" });
    expect(sender.counters.checkpoints).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe("the listener of latest values", () => {
  let receiver: LatestReceiver;
  let heard: DataMessage["value"][];
  let ages: number[];

  beforeEach(() => {
    heard = [];
    ages = [];
    receiver = new LatestReceiver({
      ...{ clock, time, admission: relayWith(live), row: live, format: "json", deadlineMs: DEADLINE_MS },
      receipts: new ReceiptTracker({
        ...{ sessionDigest, stream, listenerLeg: 1, speakerLeg: leg, keyGeneration: 0 },
        signer: seedSigner(12),
        start: clock.now(),
      }),
      checkpoints: new CheckpointCheck({
        sessionDigest,
        leg,
        stream,
        keys: live.keys,
        verifier: strictVerifier,
      }),
      attribution: new Attribution(),
      stopsUnattributed: true,
      unattributed: () => {},
      speaker: "agtp://speaker",
      receipt: () => {},
    });
  });

  function read(): void {
    const reader = receiver.messages();
    void (async () => {
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
        heard.push(next.value.value as JsonValue);
        ages.push(next.value.age);
      }
      heard.push("(end)");
    })();
  }

  /** Frames of these values, each given 10 ms after the one before. */
  async function said(...values: JsonValue[]): Promise<SentFrame[]> {
    const before = taken.length;
    for (const value of values) {
      send(value);
      await clock.advance(10);
    }
    return taken.slice(before);
  }

  function arrive(frames: readonly SentFrame[]): void {
    for (const { datagram } of frames) receiver.datagram(datagram);
  }

  it("hands out each value that comes in time, and says how old it is", async () => {
    read();
    arrive(await said(1, 2));
    await clock.settle();
    arrive(await said(3));
    await clock.settle();
    expect(heard).toEqual([2, 3]);
    expect(ages).toEqual([10, 10]);
    receiver.finish();
    await clock.settle();
    expect(heard.at(-1)).toBe("(end)");
  });

  it("keeps one value for a slow reader, the newest, and counts the others", async () => {
    arrive(await said(1, 2, 3, 4));
    read();
    await clock.settle();
    expect(heard).toEqual([4]);
    expect(receiver.counters).toMatchObject({ verified: 4, replaced: 3, unread: 0 });
    expect(receiver.receipts).toMatchObject({ received: 4, heard: 1 });
  });

  it("hands out nothing that is past its deadline, when it comes or when it is read", async () => {
    const [late] = await said("late");
    await clock.advance(DEADLINE_MS);
    arrive(late === undefined ? [] : [late]);
    arrive(await said("unread"));
    await clock.advance(DEADLINE_MS);
    read();
    await clock.settle();
    arrive(await said("fresh"));
    await clock.settle();
    expect(heard).toEqual(["fresh"]);
    expect(receiver.counters).toMatchObject({ verified: 3, stale: 2, replaced: 0 });
  });

  it("goes on from the newest: what it overtook, and what is played again, is not handed out", async () => {
    read();
    const [first, second] = await said("first", "second");
    if (first === undefined || second === undefined) throw new Error("not sent");
    arrive([second, first, second]);
    await clock.settle();
    expect(heard).toEqual(["second"]);
    expect(receiver.counters).toMatchObject({ verified: 2, overtaken: 1, refused: { replayed: 1 } });
  });

  it("hands nothing out while the call is suspended", async () => {
    read();
    receiver.hold();
    arrive(await said("held"));
    await clock.settle();
    expect(heard).toEqual([]);
    receiver.release();
    await clock.settle();
    expect(heard).toEqual(["held"]);
  });
});
