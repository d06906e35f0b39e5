import { beforeEach, describe, expect, it } from "vitest";
import { encodeDataMessage } from "../codecs/data-message.ts";
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

beforeEach(() => {
  clock = new VirtualClock();
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
  let reader: AsyncIterator<DataMessage, undefined>;

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
