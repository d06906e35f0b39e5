import { beforeEach, describe, expect, it } from "vitest";
import { type DataValue, encodeDataMessage } from "../codecs/data-message.ts";
import { Attribution } from "../sfu/attribution.ts";
import { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { FIRST_SEQUENCE, packet, relayWith, row, speaker } from "../test/relay-scene.ts";
import type { DataMessage } from "./call-data.ts";
import { DataReceiver } from "./data-receiver.ts";
import { MediaTime } from "./media-time.ts";

const reliable = row({ reliable: true });
const { sessionDigest, leg, stream } = reliable;

let clock: VirtualClock;
let receiver: DataReceiver;
let checkpointer: Checkpointer;
let slow: boolean[];

beforeEach(() => {
  clock = new VirtualClock();
  slow = [];
  checkpointer = new Checkpointer({
    ...{ sessionDigest, leg, stream, signer: speaker, keyGeneration: 0 },
    startSequence: FIRST_SEQUENCE,
  });
  receiver = new DataReceiver({
    clock,
    time: new MediaTime(clock),
    admission: relayWith(reliable),
    row: reliable,
    receipts: new ReceiptTracker({
      ...{ sessionDigest, stream, listenerLeg: 1, speakerLeg: leg, keyGeneration: 0 },
      signer: seedSigner(12),
      start: clock.now(),
    }),
    checkpoints: new CheckpointCheck({
      ...{ sessionDigest, leg, stream, keys: reliable.keys, verifier: strictVerifier },
    }),
    attribution: new Attribution(),
    stopsUnattributed: true,
    unattributed: () => {},
    speaker: "agtp://speaker",
    format: "json",
    slow: (isSlow) => slow.push(isSlow),
    receipt: () => {},
  });
});

/** The speaker says `value` in the place of `index`. */
function say(index: number, value: string): Promise<void> | undefined {
  const payload = encodeDataMessage(value);
  const options = { sequence: FIRST_SEQUENCE + index, captured: clock.wall(), payload, marker: true };
  return receiver.item(packet(options));
}

/** The speaker signs a checkpoint over one message that it did not send. */
function contradict(): void {
  checkpointer.add(FIRST_SEQUENCE, clock.wall(), new Uint8Array(16).fill(1), clock.now());
  receiver.checkpoint(checkpointer.finish() ?? new Uint8Array());
}

const contradiction = { code: "data-contradicted", details: { sequence: FIRST_SEQUENCE } };

describe("a speaker that contradicts itself", () => {
  let reader: AsyncIterator<DataMessage<DataValue>, undefined>;

  beforeEach(() => {
    reader = receiver.messages();
  });

  it("in a checkpoint after the message: the reader is told, and nothing more is taken", async () => {
    await say(0, "said");
    expect(await reader.next()).toMatchObject({ value: { value: "said", verified: true } });
    contradict();
    await expect(reader.next()).rejects.toMatchObject(contradiction);
    await expect(say(1, "more")).rejects.toMatchObject(contradiction);
    expect(receiver.counters).toMatchObject({
      verified: 1,
      givenUp: true,
      checkpoints: { good: 1, bad: 0, contradicted: 1 },
    });
  });

  it("in a checkpoint before the message: it is not handed out", async () => {
    contradict();
    await expect(say(0, "said")).rejects.toMatchObject(contradiction);
    await expect(reader.next()).rejects.toMatchObject(contradiction);
    expect(receiver.counters).toMatchObject({ unread: 0, givenUp: true });
  });
});

describe("a reader that takes less than comes", () => {
  /** Messages 0 to 63, all unread, and then one more each time there is room. */
  async function flood(): Promise<void> {
    for (let index = 0; index < 200; index += 1) await say(index, `${index}`);
  }

  it("is told of after a second, and of having caught up once a quarter is left", async () => {
    const flooding = flood();
    const reader = receiver.messages();
    await clock.advance(999);
    expect(slow).toEqual([]);
    await clock.advance(1);
    expect([slow, receiver.counters.unread]).toEqual([[true], 64]);
    expect(receiver.counters).toMatchObject({ isSlow: true, givenUp: false });
    for (let read = 0; read < 20; read += 1) await reader.next();
    await clock.advance(2_000);
    // The queue filled again: that is the same trouble.
    expect(slow).toEqual([true]);
    for (let read = 20; read < 200; read += 1) await reader.next();
    await flooding;
    expect(slow).toEqual([true, false]);
  });

  it("is told how old each message is when it gets it", async () => {
    await say(0, "waits");
    await clock.advance(250);
    const read = await receiver.messages().next();
    expect(read.value).toMatchObject({ value: "waits", age: 250 });
  });
});
