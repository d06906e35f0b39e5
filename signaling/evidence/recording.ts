import type { Recorded } from "../../codecs/frame.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import type { NtpTime } from "../../codecs/ntp.ts";
import { parseRed } from "../../codecs/red.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { AnswerCodec } from "../audio-stream.ts";
import { type ProvenFrame, verifyMedia } from "./media.ts";
import type { JudgedEvidence } from "./verify.ts";

/** What one end said in a call, as its kept frames and the call's evidence prove it: to be played into another, marked as that. */
export interface Recording {
  /** Of the call it was said in, 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** Who said it: 0 the caller, 1 the callee. */
  readonly leg: number;
  readonly stream: number;
  /** As that call agreed it. */
  readonly codec: AnswerCodec;
  /** In order of their sequence numbers. */
  readonly frames: readonly RecordedFrame[];
}

export interface RecordedFrame {
  readonly sequence: number;
  /** RTP timestamp. */
  readonly timestamp: number;
  readonly capture: NtpTime;
  readonly payload: Uint8Array;
  /** As its speaker signed it, where it did. */
  readonly audioLevel: { readonly level: number; readonly voice: boolean } | undefined;
  readonly startOfTurn: boolean;
  readonly endOfTurn: boolean;
  /** Where it was said first, if that was no present speech there either. */
  readonly recorded: Recorded | undefined;
}

/**
 * The recording that kept frames and the evidence of their call make: of the frames that are proven, those of `leg`, or of the only end that
 * there are any of. Of a frame that carried earlier ones it has the frame's own payload. Faults: `evidence-invalid` where the evidence or the frames
 * are not what they say, `field-invalid` where it takes a choice or there is nothing.
 */
export function makeRecording(
  kept: readonly KeptFrame[],
  evidence: JudgedEvidence,
  leg: number | undefined,
  verifier: Verifier,
): Result<Recording> {
  const { agreement, report } = evidence;
  if (agreement === undefined || report.verdict === "invalid")
    return refuse("evidence-invalid", "The evidence of the recorded call does not hold.", "evidence");
  const { faults, frames: proven } = verifyMedia(kept, evidence, verifier);
  const [fault] = faults;
  if (fault !== undefined) return refuse("evidence-invalid", fault.message, fault.at);
  const audible = evidence.streams.flatMap(({ agreed: one }) => (one.modality === "audio" ? [one] : []));
  const heard = proven.filter(({ stream }) => audible.some((one) => one.stream === stream));
  const legs = new Set(heard.map((frame) => frame.leg));
  if (leg === undefined && legs.size > 1)
    return refuse("field-invalid", "The frames are of both ends: say whose.", "leg");
  const [first] = heard.filter((frame) => leg === undefined || frame.leg === leg);
  const agreed = audible.find(({ stream }) => stream === first?.stream);
  if (first === undefined || agreed === undefined)
    return refuse("field-invalid", "No kept audio frame of that end is proven.", "frames");
  const mine = heard.filter((frame) => frame.leg === first.leg && frame.stream === first.stream);
  return ok({
    sessionDigest: agreement.core.digest,
    leg: first.leg,
    stream: first.stream,
    codec: agreed.codec,
    frames: mine.flatMap((frame) => {
      const payload = ownPayload(frame, agreed.codec);
      return payload === undefined ? [] : [recorded(frame, payload)];
    }),
  });
}

/** What a frame says itself, apart from earlier frames that it carries; `undefined` where it is not laid out as that. */
export function ownPayload(frame: ProvenFrame, codec: AnswerCodec): Uint8Array | undefined {
  if (frame.payloadType === codec.payload_type) return frame.payload;
  const red = parseRed(frame.payload);
  return red.ok ? red.value.payload : undefined;
}

function recorded(frame: ProvenFrame, payload: Uint8Array): RecordedFrame {
  const { sequence, timestamp, capture, audioLevel, startOfTurn, endOfTurn, recorded: origin } = frame;
  return { sequence, timestamp, capture, payload, audioLevel, startOfTurn, endOfTurn, recorded: origin };
}
