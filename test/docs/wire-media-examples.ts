import { deriveTagKey, type ExchangeKey } from "../../codecs/chain-key.ts";
import { type Checkpoint, checkpointDigest, encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { encodeDataMessage } from "../../codecs/data-message.ts";
import {
  buildFrame,
  type FrameFields,
  FrameSigningContext,
  frameDigest,
  sealFrame,
  signFrame,
} from "../../codecs/frame.ts";
import { encodeInterrupt } from "../../codecs/interrupt.ts";
import { encodeReceipt } from "../../codecs/receipt.ts";
import { encodeStreamItems, encodeStreamStart } from "../../codecs/stream-items.ts";
import { encodeVarint } from "../../codecs/varint.ts";
import { VideoPayloadWriter } from "../../codecs/video-payload.ts";
import { createExchangeKey, createSigner, frameMac } from "../../platform/node/sodium.ts";

/** A run of bytes and what it means. */
type Field = readonly [length: number, meaning: string];

/** Bytes of hex on one line of an example. */
const LINE_BYTES = 16;

const signer = createSigner(new Uint8Array(32).fill(1));
const sessionDigest = Uint8Array.from({ length: 32 }, (_, at) => at);
const earlierSession = Uint8Array.from({ length: 32 }, (_, at) => 0xe0 + at);
const LEG = 0;
const STREAM = 1;

const fields: FrameFields = {
  profile: "frame",
  keyGeneration: 0,
  sequence: 0x0000_0001_0002,
  captureSeconds: 0xee8ad000,
  captureFraction: 0x80000000,
  payloadType: 111,
  marker: true,
  timestamp: 960,
  ssrc: 0x5ca1ab1e,
  info: { keyFrame: true, startOfTurn: true },
  epoch: 3,
  audioLevel: { level: 18, voice: true },
  recorded: {
    sessionDigest: earlierSession,
    stream: 1,
    sequence: 0x2a,
    capture: { seconds: 0xee8a0000, fraction: 0 },
  },
  payload: Uint8Array.of(0x78, 0xde, 0xad, 0xbe, 0xef),
};

const context = new FrameSigningContext(sessionDigest, LEG, STREAM);
const frame = buildFrame(fields);
const signedBytes = signFrame(context, frame, signer).slice();
const digest = frameDigest(signedBytes);
const { recorded: _, ...live } = fields;
const chainFrame = buildFrame({ ...live, profile: "chain" });
/** The speaker's and the listener's exchange keys. */
const [speakerExchange, listenerExchange] = [0x21, 0x22].map((byte) =>
  createExchangeKey(new Uint8Array(32).fill(byte)),
) as [ExchangeKey, ExchangeKey];
const shared = speakerExchange.agree(listenerExchange.publicKey);
const tagKey = deriveTagKey(shared, {
  ...{ sessionDigest, leg: LEG, stream: STREAM },
  ...{ speakerGeneration: 0, listenerGeneration: 0 },
});
sealFrame(context, chainFrame, { profile: "chain", mac: frameMac, key: tagKey });

const DATA_STREAM = 2;
const dataFrame = buildFrame({
  profile: "frame",
  keyGeneration: 0,
  sequence: fields.sequence,
  captureSeconds: fields.captureSeconds,
  captureFraction: fields.captureFraction,
  payloadType: 98,
  marker: true,
  timestamp: 1_500,
  ssrc: 0xda7ada7a,
  payload: encodeDataMessage({ read: "é" }),
});
signFrame(new FrameSigningContext(sessionDigest, LEG, DATA_STREAM), dataFrame, signer);

const first: Checkpoint = {
  sessionDigest,
  leg: LEG,
  stream: STREAM,
  keyGeneration: 0,
  final: false,
  index: 0,
  previous: new Uint8Array(32),
  firstSequence: fields.sequence - 1,
  digests: [new Uint8Array(16).fill(0xd0), digest],
  firstCapture: { seconds: 0xee8ad000, fraction: 0x7ae147ae },
  lastCapture: { seconds: fields.captureSeconds, fraction: fields.captureFraction },
  epoch: 3,
  totalFrames: 2,
};
const checkpoint = encodeCheckpoint(first, signer);
const finalCheckpoint = encodeCheckpoint(
  {
    ...first,
    final: true,
    index: 1,
    previous: checkpointDigest(checkpoint),
    firstSequence: fields.sequence + 1,
    digests: [],
    firstCapture: first.lastCapture,
  },
  signer,
);
const interrupt = encodeInterrupt(
  {
    sessionDigest,
    leg: 1,
    speakerLeg: LEG,
    stream: STREAM,
    keyGeneration: 0,
    epoch: 4,
    time: { seconds: 0xee8ad001, fraction: 0 },
  },
  signer,
);

const receipt = encodeReceipt(
  {
    sessionDigest,
    listenerLeg: 1,
    speakerLeg: LEG,
    stream: STREAM,
    keyGeneration: 0,
    final: true,
    index: 0,
    previous: new Uint8Array(32),
    time: { seconds: 0xee8ad001, fraction: 0 },
    totals: { received: 3, heard: 2, concealed: 1, late: 1, refused: 0 },
    played: { sequence: 0x10002, samples: 480, epoch: 3, time: { seconds: 0xee8ad001, fraction: 0 } },
    received: [
      { first: 0x10001, last: 0x10002 },
      { first: 0x10004, last: 0x10004 },
    ],
    heard: [{ first: 0x10001, last: 0x10002 }],
  },
  signer,
);

/** The first bytes of a key frame of 320 by 180 in each format, cut short where the picture's own data begins. */
const KEY_FRAMES = {
  vp8: "100000" + "9d012a" + "4001b400",
  vp9: "82498342" + "00" + "13f00b30",
  av1: "1200" + "0a0b" + "000000043cfeccfbf90040" + "320110",
} as const;
const videoPayload = (format: keyof typeof KEY_FRAMES): Uint8Array => {
  const writer = new VideoPayloadWriter(format, { picture: 0x1234, base: 9 });
  const made = writer.write(Uint8Array.fromHex(KEY_FRAMES[format]), format === "av1" ? undefined : 0);
  if (!made.ok) throw new Error(made.fault.message);
  if (made.value.facts.width !== 320 || made.value.facts.height !== 180) throw new Error("another size");
  return made.value.payload;
};

const RTP: readonly Field[] = [
  [1, "V=2, P=0, X=1, CC=0"],
  [1, "marker, payload type 111"],
  [2, "sequence number, low 16 bits: 2"],
  [4, "timestamp 960"],
  [4, "SSRC"],
  [2, "extension: two-byte headers, appbits 0"],
];
const AFTER_ATTRIBUTION: readonly Field[] = [
  [2, "element 2, frame info, 1 byte"],
  [1, "key frame, start of turn, layer 0"],
  [2, "element 3, media epoch, 4 bytes"],
  [4, "epoch 3"],
  [2, "element 4, audio level, 1 byte"],
  [1, "voice, -18 dBov"],
];
const RECORDED: readonly Field[] = [
  [2, "element 5, recorded, 50 bytes"],
  [32, "digest of the session it was first spoken in"],
  [4, "stream there: 1"],
  [6, "sequence number there: 42"],
  [8, "original capture time"],
];
const ATTRIBUTION_HEAD: readonly Field[] = [
  [4, "sequence number, high 32 bits: 1"],
  [8, "capture time: second 0xee8ad000 since 1900, and a half"],
];
const FRAME: readonly Field[] = [
  ...RTP,
  [2, "36 words"],
  [2, "element 1, attribution, 77 bytes"],
  [1, "profile 1 (frame), key generation 0"],
  ...ATTRIBUTION_HEAD,
  [64, "Ed25519 signature by the speaker's media key"],
  ...AFTER_ATTRIBUTION,
  ...RECORDED,
  [1, "padding to a whole word"],
  [5, "payload: one Opus packet, cut short"],
];
const CHECKPOINT: readonly Field[] = [
  [32, "session digest"],
  [2, "leg 0: the caller speaks"],
  [4, "stream 1"],
  [1, "key generation 0"],
  [1, "flags"],
  [4, "index"],
  [32, "digest of the checkpoint before; zeros in the first"],
  [6, "first sequence number"],
  [2, "number of frames"],
  [8, "capture time of the first"],
  [8, "capture time of the last"],
  [4, "media epoch 3"],
  [6, "frames so far: 2"],
];
const SIGNATURE: Field = [64, "Ed25519 signature by the speaker's media key"];

/** Every worked example of `docs/wire-media.md`, by the name in its marker, as the text of its code block. */
export const EXAMPLES: ReadonlyMap<string, string> = new Map([
  [
    "keys",
    [
      `seed            ${new Uint8Array(32).fill(1).toHex()}`,
      `public key      ${signer.publicKey.toHex()}`,
      `session digest  ${sessionDigest.toHex()}`,
    ].join("\n"),
  ],
  ["flow-short", breakdown(encodeVarint(2), [[1, "flow 2"]])],
  [
    "vp8-payload",
    breakdown(videoPayload("vp8"), [
      [1, "extension, beginning of partition 0"],
      [1, "picture number, base layer index, layer"],
      [2, "picture 0x1234, 15 bits"],
      [1, "base layer index 9"],
      [1, "layer 0"],
      [3, "frame tag: key frame"],
      [3, "start code"],
      [4, "320 by 180"],
    ]),
  ],
  [
    "vp9-payload",
    breakdown(videoPayload("vp9"), [
      [1, "picture number, layer, whole picture, structure, no upper spatial layer"],
      [2, "picture 0x1234, 15 bits"],
      [1, "layer 0"],
      [1, "base layer index 9"],
      [1, "structure: one spatial layer and its size"],
      [4, "320 by 180"],
      [4, "key frame, sync code"],
      [5, "colours, 320 by 180"],
    ]),
  ],
  [
    "av1-payload",
    breakdown(videoPayload("av1"), [
      [1, "whole unit, two elements, a sequence begins"],
      [1, "length 12"],
      [12, "sequence header without its size: 320 by 180"],
      [1, "frame, without its size: it takes the rest"],
      [1, "key frame, shown"],
    ]),
  ],
  ["flow-long", breakdown(encodeVarint(300), [[2, "flow 300"]])],
  ["frame", breakdown(frame, FRAME)],
  [
    "chain-frame",
    breakdown(chainFrame, [
      ...RTP,
      [2, "11 words"],
      [2, "element 1, attribution, 29 bytes"],
      [1, "profile 2 (chain), key generation 0"],
      ...ATTRIBUTION_HEAD,
      [16, "tag: keyed BLAKE2b by the tag key below"],
      ...AFTER_ATTRIBUTION,
      [1, "padding to a whole word"],
      [5, "payload"],
    ]),
  ],
  [
    "tag-key",
    [
      `speaker's X25519 secret     ${new Uint8Array(32).fill(0x21).toHex()}`,
      `listener's X25519 secret    ${new Uint8Array(32).fill(0x22).toHex()}`,
      `listener's X25519 public    ${listenerExchange.publicKey.toHex()}`,
      `shared                      ${shared.toHex()}`,
      `tag key                     ${tagKey.toHex()}`,
    ].join("\n"),
  ],
  [
    "data-frame",
    breakdown(dataFrame, [
      [1, "V=2, P=0, X=1, CC=0"],
      [1, "marker, payload type 98"],
      [2, "sequence number, low 16 bits: 2"],
      [4, "timestamp: 1,500 ms"],
      [4, "SSRC"],
      [2, "extension: two-byte headers, appbits 0"],
      [2, "20 words"],
      [2, "element 1, attribution, 77 bytes"],
      [1, "profile 1 (frame), key generation 0"],
      ...ATTRIBUTION_HEAD,
      [64, "Ed25519 signature by the speaker's media key"],
      [1, "padding to a whole word"],
      [13, 'payload: {"read":"é"}'],
    ]),
  ],
  [
    "signed-bytes",
    breakdown(signedBytes, [
      [17, '"\\0parley frame v1\\0"'],
      [32, "session digest"],
      [2, "leg 0"],
      [4, "stream 1"],
      [31, "the packet, up to the tag"],
      [64, "zeros in place of the tag"],
      [signedBytes.length - 150, "the rest of the packet"],
    ]),
  ],
  ["frame-digest", breakdown(digest, [[16, "first half of SHA-256 over the signed bytes"]])],
  [
    "checkpoint",
    breakdown(checkpoint, [
      ...CHECKPOINT,
      [16, "digest of frame 65,537"],
      [16, "digest of frame 65,538: the one above"],
      SIGNATURE,
    ]),
  ],
  ["final-checkpoint", breakdown(finalCheckpoint, [...CHECKPOINT, SIGNATURE])],
  [
    "interrupt",
    breakdown(interrupt, [
      [32, "session digest"],
      [2, "signed by leg 1, the listener"],
      [2, "speaker's leg 0"],
      [4, "stream 1"],
      [1, "key generation 0"],
      [4, "epoch 4 begins"],
      [8, "time"],
      [64, "Ed25519 signature by the listener's media key"],
    ]),
  ],
  [
    "receipt",
    breakdown(receipt, [
      [32, "session digest"],
      [2, "listener's leg 1"],
      [2, "speaker's leg 0"],
      [4, "stream 1"],
      [1, "key generation 0"],
      [1, "flags: final, played"],
      [4, "index 0"],
      [32, "digest of the receipt before; zeros in the first"],
      [8, "time"],
      [6, "received 3"],
      [6, "heard 2"],
      [6, "concealed 1"],
      [6, "late 1"],
      [6, "refused 0"],
      [6, "played to frame 65,538"],
      [4, "480 samples of it"],
      [4, "media epoch 3"],
      [8, "when the last of them was played"],
      [2, "2 received ranges"],
      [12, "65,537 to 65,538"],
      [12, "65,540 to 65,540"],
      [2, "1 heard range"],
      [12, "65,537 to 65,538"],
      [64, "Ed25519 signature by the listener's media key"],
    ]),
  ],
  [
    "stream",
    breakdown(
      Uint8Array.from([
        ...encodeStreamStart(6),
        ...encodeStreamItems([Uint8Array.of(1, 2, 3), new Uint8Array(64).fill(0x55)]),
      ]),
      [
        [1, "flow 6"],
        [1, "length 3"],
        [3, "item"],
        [2, "length 64"],
        [64, "item"],
      ],
    ),
  ],
]);

/** Lines of hex with what they mean; bytes and fields must come out even. */
function breakdown(bytes: Uint8Array, layout: readonly Field[]): string {
  const total = layout.reduce((sum, [length]) => sum + length, 0);
  if (total !== bytes.length) throw new Error(`the fields take ${total} bytes of ${bytes.length}`);
  const lines: string[] = [];
  let at = 0;
  for (const [length, meaning] of layout) {
    for (let from = at; from < at + length; from += LINE_BYTES) {
      const hex = bytes.subarray(from, Math.min(from + LINE_BYTES, at + length)).toHex();
      lines.push(`${hex.padEnd(2 * LINE_BYTES)}  ${from === at ? meaning : ""}`.trimEnd());
    }
    at += length;
  }
  return lines.join("\n");
}
