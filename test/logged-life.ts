/**
 * A long call as the log keeps it: it is suspended and goes on, the caller's process dies and another one takes the call up with a
 * media key of its own, the server is started anew, and the callee's media moves to another connection.
 */
import type { JsonObject } from "../codecs/canonical-json.ts";
import { checkpointDigest, encodeCheckpoint } from "../codecs/checkpoint.ts";
import {
  buildFrame,
  FrameSigningContext,
  FrameView,
  frameDigest,
  parseFrame,
  signFrame,
} from "../codecs/frame.ts";
import { encodeHex } from "../codecs/hex.ts";
import { encodeInterrupt, type Interrupt, interruptDigest } from "../codecs/interrupt.ts";
import type { KeptFrame } from "../codecs/kept-frames.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { encodeReceipt } from "../codecs/receipt.ts";
import type { Signer } from "../codecs/signer.ts";
import { makeClosing } from "../signaling/closing.ts";
import { jwsDigest } from "../signaling/jws.ts";
import { seedSigner } from "./keys.ts";
import { CallLog, ENDS, type LoggedCall } from "./logged-call.ts";
import { AUDIO_STREAM, DATA_STREAM } from "./logged-speech.ts";
import { ALICE, BOB, CALL_TIME, mediaKey } from "./signed-call.ts";

/** What the caller's second process signs media with. */
export const LATER_MEDIA: Signer = seedSigner(0x51);
/** First frame of the caller's voice, and the first that its second process sent. */
export const FIRST_FRAME = 70_000;
export const LATER_FRAME = FIRST_FRAME + 65_600;
/** Frames in each of the caller's two parts, and those that its first process sent and never stated. */
export const FRAMES = 4;
export const UNSTATED = 2;
/** Place, among the records, of the one that brings the caller's new key. */
export const KEY_RECORD = 5;

/** The certificate of {@link LATER_MEDIA}, as the caller's second process brings it. */
export function laterKey(changes: Parameters<typeof mediaKey>[1] = {}, signer = ALICE.identity): string {
  return mediaKey(ALICE, { ...laterFields(1), ...changes }, signer);
}

function laterFields(number: number) {
  return { offerId: offerIdOf(number), ed25519: LATER_MEDIA.publicKey, generation: 1 };
}

function offerIdOf(number: number): string {
  return `019b76da-a800-7000-8000-00000000000${number}`;
}

/** The interrupt of the callee's voice that the caller's second process signs. */
export function laterInterrupt(
  log: Pick<CallLog, "core">,
  changes: Partial<Interrupt> = {},
  signer = LATER_MEDIA,
): Uint8Array {
  return encodeInterrupt(
    {
      sessionDigest: log.core.digest,
      ...{ leg: 0, speakerLeg: 1, stream: AUDIO_STREAM, keyGeneration: 1, epoch: 1 },
      time: unixMsToNtp(CALL_TIME + 40_000),
      ...changes,
    },
    signer,
  );
}

export function loggedLife({ number = 1 } = {}): LoggedCall {
  const log = new CallLog(number);
  const { path } = log;
  const event = (name: string, extra: JsonObject) => log.record({ status: 0, path, event: name, extra });
  const by = BOB.genesis.agentId;
  event("session-suspended", { suspension_id: "s1", by, resume_by: "2026-01-01T01:00:00.000Z" });
  event("session-resumed", { suspension_id: "s1", by });
  event("session-detached", { leg: 0, attach_seq: 0, state: "detached", reason: "connection-lost" });
  const jws = mediaKey(ALICE, laterFields(number));
  log.keep("media-key", 0, jws);
  const attached = { state: "active", carrier: "webtransport" };
  const key = { generation: 1, media_key: jwsDigest(jws) };
  event("session-rebound", { leg: 0, attach_seq: 1, ...attached, ...key });
  event("session-restored", { reason: "server-restarted", state: "detached" });
  event("session-rebound", { leg: 0, attach_seq: 2, generation: 1, ...attached });
  event("session-rebound", { leg: 1, attach_seq: 1, generation: 0, ...attached });
  event("session-rebound", { leg: 1, attach_seq: 2, generation: 0, ...attached, carrier: "websocket" });
  const interrupt = laterInterrupt(log);
  log.keep("interrupt", 0, interrupt);
  event("media-interrupted", {
    ...{ leg: 1, stream: AUDIO_STREAM, epoch: 1 },
    streams: [{ leg: 1, stream: AUDIO_STREAM, last_sequence: null }],
    interrupt: encodeHex(interruptDigest(interrupt)),
  });
  const kept = voices(log);
  for (const leg of [0, 1] as const) log.keep("closing", leg, closing(log, leg));
  return { ...log.finish([]), core: log.core, kept };
}

/** What the caller said, in both its lives, and all that is signed of it; of the other streams that nothing was said. */
function voices(log: CallLog): KeptFrame[] {
  const shared = { sessionDigest: log.core.digest, leg: 0, stream: AUDIO_STREAM, epoch: 0 };
  const early = frames(log, FIRST_FRAME, FRAMES + UNSTATED, 0, ALICE.media);
  const late = frames(log, LATER_FRAME, FRAMES, 1, LATER_MEDIA);
  const first = encodeCheckpoint(
    {
      ...shared,
      ...{ keyGeneration: 0, final: false, index: 0, previous: new Uint8Array(32) },
      ...{ firstSequence: FIRST_FRAME, digests: early.digests.slice(0, FRAMES), totalFrames: FRAMES },
      firstCapture: unixMsToNtp(CALL_TIME),
      lastCapture: unixMsToNtp(CALL_TIME + 80),
    },
    ALICE.media,
  );
  const second = encodeCheckpoint(
    {
      ...shared,
      ...{ keyGeneration: 1, final: true, index: 1, previous: checkpointDigest(first) },
      ...{ firstSequence: LATER_FRAME, digests: late.digests, totalFrames: FRAMES },
      firstCapture: unixMsToNtp(CALL_TIME),
      lastCapture: unixMsToNtp(CALL_TIME + 80),
    },
    LATER_MEDIA,
  );
  log.keep("checkpoint", 0, first);
  log.keep("checkpoint", 0, second);
  const all = FRAMES + UNSTATED + FRAMES;
  const ranges = [
    { first: FIRST_FRAME, last: FIRST_FRAME + FRAMES + UNSTATED - 1 },
    { first: LATER_FRAME, last: LATER_FRAME + FRAMES - 1 },
  ];
  log.keep(
    "receipt",
    1,
    encodeReceipt(
      {
        sessionDigest: log.core.digest,
        ...{ listenerLeg: 1, speakerLeg: 0, stream: AUDIO_STREAM, keyGeneration: 0 },
        ...{ final: true, index: 0, previous: new Uint8Array(32), time: unixMsToNtp(CALL_TIME + 60_000) },
        totals: { received: all, heard: all, concealed: 0, late: 0, refused: 0 },
        ...{ received: ranges, heard: ranges },
      },
      BOB.media,
    ),
  );
  silence(log);
  return [...early.kept, ...late.kept];
}

function frames(log: CallLog, from: number, count: number, keyGeneration: number, signer: Signer) {
  const context = new FrameSigningContext(log.core.digest, 0, AUDIO_STREAM);
  const capture = unixMsToNtp(CALL_TIME);
  const view = new FrameView();
  const packets = Array.from({ length: count }, (_, index) => {
    const packet = buildFrame({
      ...{
        profile: "frame",
        keyGeneration,
        sequence: from + index,
        payloadType: 111,
        timestamp: 960 * index,
      },
      ...{ captureSeconds: capture.seconds, captureFraction: capture.fraction, ssrc: 1 },
      payload: Uint8Array.of(keyGeneration, index),
    });
    signFrame(context, packet, signer);
    return packet;
  });
  const digests = packets.map((packet) => {
    if (parseFrame(packet, 0, view) !== undefined) throw new Error("this is no frame");
    return frameDigest(context.signedBytes(packet, view));
  });
  return { digests, kept: packets.map((packet) => ({ leg: 0, stream: AUDIO_STREAM, packet })) };
}

/** Last statements about the streams on which nothing was said: the caller's are its second process's. */
function silence(log: CallLog): void {
  const signers = [LATER_MEDIA, BOB.media];
  const zero = { seconds: 0, fraction: 0 };
  const said = new Uint8Array(32);
  for (const [leg, stream] of [
    [1, AUDIO_STREAM],
    [0, DATA_STREAM],
    [1, DATA_STREAM],
  ] as const) {
    const shared = { sessionDigest: log.core.digest, stream, final: true, index: 0, previous: said };
    const keyGeneration = leg === 0 ? 1 : 0;
    log.keep(
      "checkpoint",
      leg,
      encodeCheckpoint(
        {
          ...shared,
          ...{ leg, keyGeneration, firstSequence: 1, digests: [], epoch: 0, totalFrames: 0 },
          ...{ firstCapture: zero, lastCapture: zero },
        },
        signers[leg] as Signer,
      ),
    );
    log.keep(
      "receipt",
      1 - leg,
      encodeReceipt(
        {
          ...shared,
          ...{ listenerLeg: 1 - leg, speakerLeg: leg, keyGeneration: 1 - keyGeneration },
          time: unixMsToNtp(CALL_TIME + 60_000),
          totals: { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 },
          ...{ received: [], heard: [] },
        },
        signers[1 - leg] as Signer,
      ),
    );
  }
}

/** Each counts what it signed with the key that it has at the end. */
function closing(log: CallLog, leg: 0 | 1): string {
  const all = FRAMES + UNSTATED + FRAMES;
  return makeClosing(
    {
      ...{ v: 1, session_id: log.sessionId, session_digest: encodeHex(log.core.digest), leg },
      last_audit_id: log.auditIds.at(-1) as string,
      reason: "done",
      ...(leg === 0 ? { generation: 1 } : {}),
      totals: {
        sent: { frames: leg === 0 ? FRAMES : 0, checkpoints: 2 },
        received: {
          ...{ frames: leg === 0 ? 0 : all, heard: leg === 0 ? 0 : all, receipts: 2 },
          ...{ concealed: 0, late: 0, refused: 0 },
        },
      },
      iat: CALL_TIME / 1000,
    },
    ENDS[leg].identity,
  );
}
