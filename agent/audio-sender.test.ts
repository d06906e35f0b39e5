import { beforeEach, describe, expect, it } from "vitest";
import { parseCheckpoint } from "../codecs/checkpoint.ts";
import { FrameView, parseFrame } from "../codecs/frame.ts";
import { G711Codec } from "../codecs/g711.ts";
import { createSigner } from "../platform/node/sodium.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { AudioSender } from "./audio-sender.ts";
import { MediaTime } from "./media-time.ts";

const FRAME = 160;

interface Sent {
  readonly at: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly captured: number;
  readonly startOfTurn: boolean;
  readonly endOfTurn: boolean;
}

describe("the sender of a voice", () => {
  let clock: VirtualClock;
  let time: MediaTime;
  let sender: AudioSender;
  let sent: Sent[];
  let checkpoints: Uint8Array[];

  beforeEach(() => {
    clock = new VirtualClock();
    time = new MediaTime(clock);
    sent = [];
    checkpoints = [];
    const signed = {
      sessionDigest: new Uint8Array(32),
      leg: 0,
      stream: 1,
      keyGeneration: 0,
      signer: createSigner(new Uint8Array(32)),
      seal: { profile: "frame", signer: createSigner(new Uint8Array(32)) } as const,
    };
    sender = new AudioSender({
      clock,
      time,
      codec: new G711Codec("pcmu", FRAME),
      frames: new FrameSender({
        ...signed,
        flow: 2,
        ssrc: 1,
        payloadType: 0,
        clockRate: 8000,
        frameSamples: FRAME,
        startSequence: 10,
        startTimestamp: 0,
      }),
      checkpointer: new Checkpointer({ ...signed, startSequence: 10 }),
      stream: 1,
      outlet: {
        hasRoom: () => true,
        frame: ({ packet, sequence, timestamp, captured }) => {
          const view = new FrameView();
          expect(parseFrame(packet, 0, view)).toBeUndefined();
          const { startOfTurn, endOfTurn } = view;
          sent.push({ at: clock.now(), sequence, timestamp, captured, startOfTurn, endOfTurn });
          return true;
        },
        checkpoint: (bytes) => checkpoints.push(bytes),
      },
    });
  });

  it("paces a file to real time: a frame every 20 ms, captured a frame earlier", async () => {
    void sender.write(new Int16Array(FRAME * 50));
    await clock.advance(2000);
    expect(sent).toHaveLength(50);
    const start = (sent[0] as Sent).at;
    for (const [index, frame] of sent.entries()) {
      expect(frame.at).toBe(start + index * 20);
      expect(frame.captured).toBe(time.wallAt(frame.at - 20));
      expect(frame.timestamp).toBe(index * FRAME);
      expect(frame.startOfTurn).toBe(index === 0);
    }
  });

  it("knows how far what it said can have been heard", async () => {
    void sender.write(new Int16Array(FRAME * 5));
    await clock.advance(200);
    const last = sent.at(-1)?.sequence ?? 0;
    const possible = { sequence: last, samples: FRAME, epoch: 0 };
    expect(sender.mayBeHeard(possible)).toBe(true);
    for (const other of [{ sequence: last + 1 }, { samples: FRAME + 1 }, { epoch: 1 }])
      expect(sender.mayBeHeard({ ...possible, ...other })).toBe(false);
  });

  it("lets the writer go on when little waits", async () => {
    let done = false;
    void sender.write(new Int16Array(FRAME * 50)).then(() => {
      done = true;
    });
    await clock.advance(500);
    expect(done).toBe(false);
    await clock.advance(420);
    expect(done).toBe(true);
    expect(sent.length).toBeLessThan(50);
  });

  it("takes pieces of any length and sends whole frames", async () => {
    for (const length of [1, 159, 100, 60, 333, 307]) void sender.write(new Int16Array(length));
    await clock.advance(1000);
    expect(sent).toHaveLength(6);
  });

  it("ends a turn with one more frame that says so, and starts the next with a mark and a jump in time", async () => {
    void sender.write(new Int16Array(FRAME * 3 + 10));
    const ended = sender.endTurn();
    await clock.advance(1000);
    await ended;
    expect(sent.map(({ endOfTurn }) => endOfTurn)).toEqual([false, false, false, false, true]);
    void sender.write(new Int16Array(FRAME));
    await clock.advance(100);
    const next = sent[5] as Sent;
    expect(next.startOfTurn).toBe(true);
    expect(next.timestamp).toBeGreaterThan(8000 * 0.9);
  });

  it("goes on with the same talkspurt when the writer is a little late", async () => {
    for (let frame = 0; frame < 10; frame += 1) {
      void sender.write(new Int16Array(FRAME));
      await clock.advance(frame === 4 ? 45 : 20);
    }
    await clock.advance(200);
    expect(sent).toHaveLength(10);
    expect(sent.filter(({ startOfTurn }) => startOfTurn)).toHaveLength(1);
    expect(sent.map(({ timestamp }) => timestamp)).toEqual(sent.map((_, index) => index * FRAME));
  });

  it("says nothing while muted, and does not say it later", async () => {
    sender.muted = true;
    void sender.write(new Int16Array(FRAME * 10));
    await clock.advance(1000);
    expect(sent).toHaveLength(0);
    sender.muted = false;
    void sender.write(new Int16Array(FRAME * 2));
    await clock.advance(1000);
    expect(sent).toHaveLength(2);
  });

  it("refuses more than two minutes of audio, and anything after the end", async () => {
    expect(() => sender.write(new Int16Array(8000 * 121))).toThrow(
      expect.objectContaining({ code: "buffer-full" }),
    );
    sender.finish();
    sender.finish();
    expect(() => sender.write(new Int16Array(1))).toThrow(expect.objectContaining({ code: "closed" }));
    expect(checkpoints).toHaveLength(1);
  });

  it("covers every frame by its checkpoints, the last one final", async () => {
    void sender.write(new Int16Array(FRAME * 700));
    await clock.advance(14_500);
    sender.finish();
    const parsed = checkpoints.map((bytes) => {
      const checkpoint = parseCheckpoint(bytes);
      if (!checkpoint.ok) throw new Error(checkpoint.fault.message);
      return checkpoint.value;
    });
    expect(parsed.map(({ digests }) => digests.length)).toEqual([500, 200]);
    expect(parsed.map(({ final }) => final)).toEqual([false, true]);
    expect(parsed.at(-1)?.totalFrames).toBe(sent.length);
  });

  it("sends nothing while the call is suspended and keeps nothing for then; it goes on with a new talkspurt", async () => {
    void sender.write(new Int16Array(FRAME * 100));
    await clock.advance(200);
    const before = sent.length;
    sender.pause("suspended");
    sender.pause("suspended");
    await clock.advance(1_000);
    const meanwhile = sender.write(new Int16Array(FRAME * 10));
    await clock.advance(1_000);
    await meanwhile;
    expect(sent).toHaveLength(before);
    sender.goOn("suspended");
    await clock.advance(100);
    expect(sent, "nothing of before is left").toHaveLength(before);
    void sender.write(new Int16Array(FRAME * 3));
    await clock.advance(200);
    expect(sent.slice(before).map(({ startOfTurn }) => startOfTurn)).toEqual([true, false, false]);
    expect(sent[before]?.sequence).toBe((sent[before - 1]?.sequence ?? 0) + 1);
  });

  it("begins a new talkspurt where it goes on in the middle of one", async () => {
    void sender.write(new Int16Array(FRAME));
    sender.pause("suspended");
    void sender.write(new Int16Array(FRAME * 20));
    await clock.advance(200);
    sender.goOn("suspended");
    await clock.advance(400);
    expect(sent.length).toBeGreaterThan(5);
    expect(sent.map(({ startOfTurn }) => startOfTurn).filter(Boolean)).toHaveLength(1);
    expect(sent[0]?.startOfTurn).toBe(true);
  });
});
