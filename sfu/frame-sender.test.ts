import { describe, expect, it } from "vitest";
import { FrameSigningContext, FrameView, frameDigest, parseFrame, verifyFrame } from "../codecs/frame.ts";
import { readVarint, varintLength } from "../codecs/varint.ts";
import { seedSigner, strictVerifier } from "../test/keys.ts";
import { relayWith, row, SPEAKER_CONNECTION, WALL } from "../test/relay-scene.ts";
import { FrameSender, type FrameSenderOptions, type SentFrame } from "./frame-sender.ts";

const signer = seedSigner(21);
const sessionDigest = new Uint8Array(32).fill(0xcc);

function options(more: Partial<FrameSenderOptions> = {}): FrameSenderOptions {
  return {
    sessionDigest,
    leg: 1,
    stream: 7,
    flow: 70,
    ssrc: 0xdead_beef,
    payloadType: 111,
    clockRate: 48_000,
    frameSamples: 960,
    keyGeneration: 2,
    seal: { profile: "frame", signer },
    startSequence: 0xffff_ffff,
    startTimestamp: 0xffff_ff00,
    ...more,
  };
}

function parse(sent: SentFrame): FrameView {
  const view = new FrameView();
  expect(parseFrame(sent.packet, 0, view)).toBeUndefined();
  return view;
}

const payload = new Uint8Array([1, 2, 3]);

describe("a sent frame", () => {
  it("carries what it was told, signed, under its flow identifier", () => {
    const sent = new FrameSender(options()).send(payload, WALL, {
      startOfTurn: true,
      audioLevel: { level: 42, voice: true },
    });
    expect(readVarint(sent.datagram, 0)).toBe(70);
    expect(sent.datagram.subarray(varintLength(sent.datagram[0] ?? 0))).toEqual(sent.packet);
    const view = parse(sent);
    expect(view).toMatchObject({
      sequence: 0xffff_ffff,
      timestamp: 0xffff_ff00,
      ssrc: 0xdead_beef,
      payloadType: 111,
      profile: "frame",
      keyGeneration: 2,
      epoch: 0,
      marker: true,
      startOfTurn: true,
      endOfTurn: false,
      audioLevel: 42,
      voice: true,
    });
    expect(view.captureMs).toBeCloseTo(WALL, 3);
    expect(view.payload(sent.packet)).toEqual(payload);
    const context = new FrameSigningContext(sessionDigest, 1, 7);
    expect(verifyFrame(context, sent.packet, view, signer.publicKey, strictVerifier)).toBe(true);
    expect(sent.digest).toEqual(frameDigest(context.signedBytes(sent.packet, view)));
    expect(sent.fitsDatagram).toBe(true);
  });

  it("is let through by a relay, one after the other, across the wraps of sequence and timestamp", () => {
    const installed = row({
      sessionDigest,
      leg: 1,
      stream: 7,
      flow: 70,
      ssrc: 0xdead_beef,
      payloadType: 111,
      keys: new Map([[2, signer.publicKey]]),
    });
    const relay = relayWith(installed);
    const sender = new FrameSender(options({ startTimestamp: 2 ** 32 - 960 }));
    const timestamps: number[] = [];
    for (let index = 0; index < 4; index++) {
      const sent = sender.send(payload, WALL + index * 20);
      expect(sent.sequence).toBe(0xffff_ffff + index);
      timestamps.push(sent.timestamp);
      expect(relay.admit(SPEAKER_CONNECTION, sent.datagram, 0, WALL).outcome).toBe("admitted");
    }
    expect(timestamps).toEqual([2 ** 32 - 960, 0, 960, 1920]);
    expect(sender.nextSequence).toBe(0xffff_ffff + 4);
  });

  it("stays contiguous under capture jitter and jumps with a pause, marked", () => {
    const sender = new FrameSender(options({ startTimestamp: 0 }));
    const captured = [0, 20.4, 39.1, 60, 500, 520];
    const sent = captured.map((at) => sender.send(payload, WALL + at));
    expect(sent.map((frame) => frame.timestamp)).toEqual([0, 960, 1920, 2880, 24_000, 24_960]);
    expect(sent.map((frame) => parse(frame).marker)).toEqual([false, false, false, false, true, false]);
  });

  it("never goes back in time", () => {
    const sender = new FrameSender(options());
    const first = sender.send(payload, WALL);
    const second = sender.send(payload, WALL - 5000);
    expect(second.captured).toBe(first.captured);
    expect(second.timestamp).toBe((first.timestamp + 960) % 2 ** 32);
  });

  it("says when it needs a stream, to the byte", () => {
    const sender = new FrameSender(options());
    const overhead = sender.send(new Uint8Array(0), WALL).datagram.length;
    expect(sender.send(new Uint8Array(1150 - overhead), WALL).fitsDatagram).toBe(true);
    expect(sender.send(new Uint8Array(1151 - overhead), WALL).fitsDatagram).toBe(false);
  });

  it("goes out on a new flow after a reattachment, sequence going on", () => {
    const sender = new FrameSender(options());
    sender.send(payload, WALL);
    sender.useFlow(90_000);
    const sent = sender.send(payload, WALL + 20);
    expect(readVarint(sent.datagram, 0)).toBe(90_000);
    expect(sent.sequence).toBe(0x1_0000_0000);
  });

  it("names its media epoch once that is above 0", () => {
    const sender = new FrameSender(options());
    sender.beginEpoch(3);
    expect(parse(sender.send(payload, WALL)).epoch).toBe(3);
  });
});
