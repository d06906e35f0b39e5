import { beforeEach, describe, expect, it } from "vitest";
import { G711Codec } from "../codecs/g711.ts";
import { parseReceipt, type Receipt } from "../codecs/receipt.ts";
import { Attribution } from "../sfu/attribution.ts";
import { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { datagram, FIRST_SEQUENCE, packet, relayWith, row, WALL } from "../test/relay-scene.ts";
import { AudioReceiver } from "./audio-receiver.ts";
import { EncodedReceiver } from "./encoded-receiver.ts";
import type { FrameFate } from "./frame-fate.ts";
import type { HeardVoice, HeardVoiceOptions } from "./heard-voice.ts";
import { MediaTime } from "./media-time.ts";

const FRAME = 160;
const FRAME_MS = 20;
const live = row({ clockRate: 8_000 });
const { sessionDigest, leg, stream } = live;

type Make = (options: HeardVoiceOptions, heard: (sequence: number) => void) => HeardVoice;

const played: Make = (options, heard) =>
  new AudioReceiver({
    ...options,
    codec: new G711Codec("pcmu", FRAME),
    heard: (piece) => piece.kind === "speech" && heard(piece.sequence),
    silenceIsHeard: () => false,
  });

const handedOn: Make = (options, heard) => {
  const { format } = new G711Codec("pcmu", FRAME);
  return new EncodedReceiver({ ...options, format, heard: ({ sequence }) => heard(sequence) });
};

describe.each([
  { what: "that is played", make: played },
  { what: "that is handed on in frames", make: handedOn },
])("a heard voice $what", ({ make }) => {
  let clock: VirtualClock;
  let voice: HeardVoice;
  /** Which frames were heard, from 0. */
  let heard: number[];
  let receipts: Receipt[];
  let fates: FrameFate["fate"][];
  let hasRoom: boolean;

  beforeEach(() => {
    clock = new VirtualClock({ wall: WALL });
    heard = [];
    receipts = [];
    fates = [];
    hasRoom = true;
    const options: HeardVoiceOptions = {
      ...{ clock, time: new MediaTime(clock), admission: relayWith(live), row: live },
      receipts: new ReceiptTracker({
        ...{ sessionDigest, stream, listenerLeg: 1, speakerLeg: leg, keyGeneration: 0 },
        ...{ signer: seedSigner(12), start: clock.now() },
      }),
      checkpoints: new CheckpointCheck({
        ...{ sessionDigest, leg, stream, keys: live.keys, verifier: strictVerifier },
      }),
      attribution: new Attribution(),
      stopsUnattributed: true,
      unattributed: () => {},
      speaker: "agtp://speaker",
      receipt: (bytes) => {
        const parsed = parseReceipt(bytes);
        if (!parsed.ok) throw new Error(parsed.fault.message);
        receipts.push(parsed.value);
      },
      hasRoom: () => hasRoom,
      watch: ({ fate }) => fates.push(fate),
    };
    voice = make(options, (sequence) => heard.push(sequence - FIRST_SEQUENCE));
  });

  /** Frames of that media epoch come, one each 20 ms. */
  async function come(indices: readonly number[], epoch = 0): Promise<void> {
    for (const index of indices) {
      const said = { sequence: FIRST_SEQUENCE + index, timestamp: index * FRAME, captured: clock.wall() };
      voice.datagram(datagram(packet({ ...said, epoch, payload: new Uint8Array(FRAME).fill(index) })));
      await clock.advance(FRAME_MS);
    }
  }

  it("knows whether a frame of its media epoch has come", async () => {
    expect([voice.epoch, voice.heardInEpoch]).toEqual([0, false]);
    await come([0]);
    expect([voice.epoch, voice.heardInEpoch]).toEqual([0, true]);
    voice.beginEpoch(1);
    expect([voice.epoch, voice.heardInEpoch]).toEqual([1, false]);
    await come([1]);
    expect(voice.heardInEpoch).toBe(false);
    expect(fates).toContain("refused");
    await come([2], 1);
    expect(voice.heardInEpoch).toBe(true);
  });

  it("takes frames of the epoch before again where the new one was refused", async () => {
    voice.beginEpoch(1);
    voice.returnToEpoch(0);
    expect(voice.epoch).toBe(0);
    await come([0]);
    expect(fates).not.toContain("refused");
    await clock.advance(500);
    expect(heard).toEqual([0]);
  });

  it("states how far it was heard once an epoch is over, without waiting for a receipt to be due", async () => {
    await come([0, 1, 2, 3, 4, 5]);
    const stated = receipts.length;
    voice.beginEpoch(1);
    await clock.advance(100);
    expect(receipts).toHaveLength(stated + 1);
    const last = heard.at(-1) as number;
    expect(receipts.at(-1)?.played).toMatchObject({ sequence: FIRST_SEQUENCE + last, epoch: 0 });
  });

  it("shows at once that the first frame came, and no more than that until a receipt is due", async () => {
    await come([0, 1, 2]);
    expect(receipts).toMatchObject([{ totals: { received: 1 } }]);
  });

  it("states nothing at once while there is no room for it", async () => {
    await come([0, 1, 2, 3, 4, 5]);
    const stated = receipts.length;
    hasRoom = false;
    voice.stateHeard();
    expect(receipts).toHaveLength(stated);
    hasRoom = true;
    voice.stateHeard();
    expect(receipts).toHaveLength(stated + 1);
  });

  it("states nothing at once where nothing was heard, or when it is over", async () => {
    voice.stateHeard();
    expect(receipts).toEqual([]);
    await come([0, 1, 2, 3, 4, 5]);
    voice.finish();
    expect(receipts.at(-1)).toMatchObject({ final: true, played: { epoch: 0 } });
    const stated = receipts.length;
    voice.stateHeard();
    expect(receipts).toHaveLength(stated);
  });

  it("lets go of what waits when an epoch begins", async () => {
    await come([0]);
    await clock.advance(200);
    voice.pause();
    await come([1, 2]);
    expect(heard).toEqual([0]);
    voice.beginEpoch(1);
    voice.resume();
    await come([3, 4], 1);
    await clock.advance(500);
    expect(heard).toEqual([0, 3, 4]);
  });

  it("hears nothing of what comes while it is held, however often, and what comes after that again", async () => {
    voice.hold();
    voice.hold();
    await come([0, 1]);
    expect(fates.filter((fate) => fate === "late")).toHaveLength(2);
    expect(voice.receipts.late).toBe(2);
    voice.release();
    await come([2, 3]);
    await clock.advance(500);
    expect(heard).toEqual([2, 3]);
    expect(voice.receipts).toMatchObject({ received: 4, late: 2, heard: 2 });
  });
});
