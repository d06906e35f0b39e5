import {
  checkpointDigest,
  digestOf,
  MAX_CHECKPOINT_BYTES,
  parseCheckpoint,
} from "../../codecs/checkpoint.ts";
import { decodeData, decodeDataMessage, encodeData, encodeDataMessage } from "../../codecs/data-message.ts";
import { FrameSigningContext, FrameView, parseFrame } from "../../codecs/frame.ts";
import { encodeInterrupt, parseInterrupt } from "../../codecs/interrupt.ts";
import { encodeKeptFrames, keptFramesTitle, parseKeptFrames } from "../../codecs/kept-frames.ts";
import { parseOpusPacket } from "../../codecs/opus.ts";
import { MAX_RECEIPT_BYTES, parseReceipt, receiptDigest } from "../../codecs/receipt.ts";
import { encodeStreamItems, encodeStreamStart, StreamItemReader } from "../../codecs/stream-items.ts";
import { encodeWav, parseWav } from "../../codecs/wav.ts";
import { loggedCall } from "../logged-call.ts";
import { datagram, packet, relayWith, row, SPEAKER_CONNECTION, WALL } from "../relay-scene.ts";
import { BOB } from "../signed-call.ts";
import type { FuzzTarget } from "./target.ts";

const call = loggedCall();
const artifacts = (kind: string) =>
  call.session.artifacts.filter(({ artifact }) => artifact === kind).map(({ bytes }) => bytes);
const frames = [
  ...call.kept.slice(0, 3).map(({ packet: bytes }) => bytes),
  packet({ info: { startOfTurn: true }, audioLevel: { level: 30, voice: true } }),
  packet({
    profile: "chain",
    epoch: 3,
    recorded: {
      sessionDigest: new Uint8Array(32),
      stream: 1,
      sequence: 2,
      capture: { seconds: 3, fraction: 4 },
    },
  }),
];
const signed = datagram(packet());
const view = new FrameView();
const context = new FrameSigningContext(new Uint8Array(32), 0, 0);

export const MEDIA_TARGETS: readonly FuzzTarget[] = [
  {
    name: "frame",
    examples: frames,
    tokens: ["\u0010\u0000", "\u0001\u004d", "\u0002\u0001", "\u0004\u0001\u0000", "\u0005\u0032"],
    run(input) {
      if (parseFrame(input, 0, view) !== undefined) return false;
      const { payloadOffset, end, tagOffset, tagLength } = view;
      const inside = payloadOffset <= end && end === input.length && tagOffset + tagLength <= payloadOffset;
      if (!inside) throw new Error("a frame that reaches beyond its bytes");
      if (context.signedBytes(input, view).length < input.length)
        throw new Error("part of the frame is not signed");
      view.recorded(input);
      return true;
    },
  },
  {
    name: "relay",
    examples: [signed],
    tokens: ["\u0000", "\u0040\u0002", "\u0002"],
    run(input) {
      const relay = relayWith(row());
      const verdict = relay.admit(SPEAKER_CONNECTION, input, 0, WALL);
      if (verdict.outcome !== "admitted") return false;
      // The flow identifier may be written in more than one way; what follows it may not.
      const admitted = input.subarray(verdict.packetOffset);
      if (Buffer.compare(admitted, signed.subarray(1)) !== 0)
        throw new Error("an altered frame was let through");
      return true;
    },
  },
  {
    name: "checkpoint",
    examples: artifacts("checkpoint"),
    tokens: ["\u0000\u0001", "\u0000parley checkpoint v1\u0000"],
    run(input) {
      const parsed = parseCheckpoint(input);
      if (!parsed.ok) return false;
      if (input.length > MAX_CHECKPOINT_BYTES) throw new Error("a checkpoint longer than the longest");
      digestOf(parsed.value, parsed.value.firstSequence);
      checkpointDigest(input);
      return true;
    },
  },
  {
    name: "receipt",
    examples: artifacts("receipt"),
    tokens: ["\u0000\u0001", "\u0000\u0000\u0000\u0000\u0000\u0001"],
    run(input) {
      const parsed = parseReceipt(input);
      if (!parsed.ok) return false;
      if (input.length > MAX_RECEIPT_BYTES) throw new Error("a receipt longer than the longest");
      for (const { first, last } of [...parsed.value.received, ...parsed.value.heard])
        if (first > last) throw new Error("a range that ends before it begins");
      receiptDigest(input);
      return true;
    },
  },
  {
    name: "interrupt",
    examples: [
      encodeInterrupt(
        {
          sessionDigest: new Uint8Array(32).fill(1),
          leg: 1,
          speakerLeg: 0,
          stream: 1,
          keyGeneration: 0,
          epoch: 1,
          time: { seconds: 1, fraction: 0 },
        },
        BOB.media,
      ),
    ],
    tokens: ["\u0000\u0001", "\u0000parley interrupt v1\u0000"],
    run(input) {
      const parsed = parseInterrupt(input);
      if (!parsed.ok) return false;
      if (parsed.value.epoch < 1) throw new Error("an interrupt that begins nothing");
      return true;
    },
  },
  {
    name: "stream-items",
    examples: [
      new Uint8Array([...encodeStreamStart(70_000), ...encodeStreamItems(frames)]),
      new Uint8Array([...encodeStreamStart(2), ...encodeStreamItems(artifacts("checkpoint"))]),
    ],
    tokens: ["\u0040\u0001", "\u007f"],
    run(input) {
      const whole = readItems(input, input.length || 1);
      const cut = readItems(input, input.length < 2_000 ? 1 + (input.length % 7) : 997);
      if (whole !== cut) throw new Error(`cut otherwise it reads otherwise: ${whole} ${cut}`);
      return whole.endsWith(" undefined undefined");
    },
  },
  {
    name: "kept-frames",
    examples: [Buffer.concat([keptFramesTitle(), encodeKeptFrames(call.kept)])],
    tokens: ["parley kept frames v1\n", "\u0040\u0001"],
    run(input) {
      const parsed = parseKeptFrames(input);
      if (!parsed.ok) return false;
      if (parsed.value.length === 0) return true;
      const total = encodeKeptFrames(parsed.value).length;
      if (total > input.length) throw new Error("more came out than went in");
      return true;
    },
  },
  {
    name: "wav",
    examples: [
      encodeWav({
        sampleRate: 48_000,
        channels: 2,
        samples: Int16Array.from({ length: 40 }, (_, at) => at * 99),
      }),
    ],
    tokens: ["RIFF", "WAVE", "fmt ", "data", "LIST", "\u0001\u0000\u0002\u0000", "\u0010\u0000\u0000\u0000"],
    run(input) {
      const parsed = parseWav(input);
      if (parsed.ok && parsed.value.samples.length * 2 > input.length)
        throw new Error("samples out of nothing");
      return parsed.ok;
    },
  },
  {
    name: "data-message",
    examples: [{ read: "é" }, [1, -0.5, null, true], "", { a: { b: [{}] } }].map(encodeDataMessage),
    tokens: ['{"', "[", ",", ":", "1e400", "\\u0000", '"__proto__":1,', " "],
    run(input) {
      const read = decodeDataMessage(input);
      if (!read.ok) return false;
      if (Buffer.compare(encodeDataMessage(read.value), input) !== 0)
        throw new Error("other bytes say the same");
      return true;
    },
  },
  {
    name: "data-text",
    examples: ["é", "", "\u{1f600}", "\ufeffx"].map((text) => encodeData("text", text)),
    tokens: ["\u0000", "\ufeff", "\u{1f600}"],
    run(input) {
      const read = decodeData("text", input);
      if (!read.ok) return false;
      if (Buffer.compare(encodeData("text", read.value), input) !== 0)
        throw new Error("other bytes say the same");
      return true;
    },
  },
  {
    name: "opus-packet",
    examples: [
      new Uint8Array(60).fill(0x78),
      Uint8Array.of(0xfb, 0x03, 1, 2, 3, 4, 5, 6),
      Uint8Array.of(0xfc, 0xff, 0xfe),
    ],
    tokens: ["\u007b", "\u007f\u0003"],
    run: (input) => parseOpusPacket(input).ok,
  },
];

/** What a reader makes of a stream in pieces of that size, as a text. */
function readItems(bytes: Uint8Array, size: number): string {
  const reader = new StreamItemReader();
  const items: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const { items: found, fault } = reader.push(bytes.subarray(at, at + size));
    items.push(...found.map(({ length }) => length));
    if (fault !== undefined) break;
  }
  const end = reader.end();
  return `${reader.flow} ${items.join(",")} ${end?.message} ${end?.at}`;
}
