/** What one end sends on one stream of a logged call, and what both ends sign about it. */
import { encodeDataMessage } from "../codecs/data-message.ts";
import type { KeptFrame } from "../codecs/kept-frames.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { ALICE, BOB, CALL_TIME } from "./signed-call.ts";

export const AUDIO_STREAM = 0;
export const DATA_STREAM = 1;

const TEN_SECONDS = 10_000;

/** Everything that one end sent on one stream. */
export interface Speech {
  readonly leg: 0 | 1;
  readonly stream: number;
  readonly kept: readonly KeptFrame[];
  readonly sent: { readonly frames: number; readonly checkpoints: number };
  readonly receipts: number;
  /** Sequence number of the last frame of each media epoch, from epoch 0 on; undefined before the first frame. */
  readonly lastOfEpoch: readonly (number | undefined)[];
  readonly statements: readonly {
    readonly kind: "checkpoint" | "receipt";
    readonly of: "speaker" | "listener";
    readonly bytes: Uint8Array;
  }[];
}

/** What is said: `rounds` of `frames` each, a checkpoint and a receipt after every one, the final ones after the last. */
export interface SpeechPlan {
  readonly leg: 0 | 1;
  readonly stream: number;
  readonly sessionDigest: Uint8Array;
  readonly rounds: number;
  readonly frames: number;
  /** Milliseconds after the call was agreed at which the first frame is captured. */
  readonly spokenAfter: number;
  /** The media epoch that begins after the first round, if one does. */
  readonly interrupted?: 1 | undefined;
}

export function speak({
  leg,
  stream,
  sessionDigest,
  rounds,
  frames,
  spokenAfter,
  interrupted,
}: SpeechPlan): Speech {
  const shared = { sessionDigest, stream, keyGeneration: 0 };
  const startSequence = 70_000 + leg;
  const [speaker, listener] = leg === 0 ? [ALICE, BOB] : [BOB, ALICE];
  const sender = new FrameSender({
    ...shared,
    leg,
    flow: 2,
    ssrc: 10 * stream + leg + 1,
    payloadType: stream === AUDIO_STREAM ? 111 : 100,
    clockRate: 48_000,
    frameSamples: 960,
    seal: { profile: "frame", signer: speaker.media },
    startSequence,
    startTimestamp: 0,
  });
  const checkpointer = new Checkpointer({ ...shared, leg, startSequence, signer: speaker.media });
  const tracker = new ReceiptTracker({
    ...shared,
    listenerLeg: 1 - leg,
    speakerLeg: leg,
    signer: listener.media,
    start: 0,
  });
  const kept: KeptFrame[] = [];
  const statements: Speech["statements"][number][] = [];
  const lastOfEpoch: (number | undefined)[] = [];
  const note = (kind: "checkpoint" | "receipt", bytes: Uint8Array | undefined) => {
    const of = kind === "checkpoint" ? "speaker" : "listener";
    if (bytes !== undefined) statements.push({ kind, of, bytes });
  };
  const last = () => (kept.length === 0 ? undefined : sender.nextSequence - 1);
  for (let round = 0; round < rounds; round += 1) {
    const now = round * TEN_SECONDS;
    for (let index = 0; index < frames; index += 1) {
      const captured = CALL_TIME + spokenAfter + now + index * 20;
      const payload =
        stream === AUDIO_STREAM ? Uint8Array.of(leg, round, index) : encodeDataMessage({ leg, round, index });
      const sent = sender.send(payload, captured);
      checkpointer.add(sent.sequence, captured, sent.digest, now);
      tracker.received(sent.sequence);
      tracker.heard(sent.sequence);
      kept.push({ leg, stream, packet: sent.packet });
    }
    if (round + 1 < rounds) {
      note("checkpoint", checkpointer.poll(now + TEN_SECONDS));
      note("receipt", tracker.poll(now + TEN_SECONDS, CALL_TIME + now));
    }
    if (round > 0 || interrupted === undefined) continue;
    lastOfEpoch.push(last());
    sender.beginEpoch(interrupted);
    note("checkpoint", checkpointer.beginEpoch(interrupted));
  }
  lastOfEpoch.push(last());
  note("checkpoint", checkpointer.finish());
  for (const receipt of tracker.finish(CALL_TIME)) note("receipt", receipt);
  const receipts = statements.filter(({ kind }) => kind === "receipt").length;
  const sent = { frames: kept.length, checkpoints: statements.length - receipts };
  return { leg, stream, kept, statements, receipts, lastOfEpoch, sent };
}
