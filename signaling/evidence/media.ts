import { digestOf } from "../../codecs/checkpoint.ts";
import {
  type FrameProfile,
  FrameSigningContext,
  FrameView,
  frameDigest,
  parseFrame,
  type Recorded,
  verifyFrame,
} from "../../codecs/frame.ts";
import type { KeptFrame } from "../../codecs/kept-frames.ts";
import type { NtpTime } from "../../codecs/ntp.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { sameBytes } from "./parties.ts";
import type { EvidenceFault } from "./report.ts";
import type { CheckedStream } from "./streams.ts";
import type { JudgedEvidence } from "./verify.ts";

/** One kept frame that belongs to the call. */
export interface ProvenFrame {
  readonly leg: number;
  readonly stream: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payloadType: number;
  readonly payload: Uint8Array;
  /** `frame`: by its own signature. `chain`: by the checkpoint that lists it; its tag says nothing to anybody but the two ends. */
  readonly profile: FrameProfile;
  readonly capture: NtpTime;
  readonly audioLevel: { readonly level: number; readonly voice: boolean } | undefined;
  readonly startOfTurn: boolean;
  readonly endOfTurn: boolean;
  /** Where it says that it was said before. */
  readonly recorded: Recorded | undefined;
  /** A checkpoint of the speaker lists it too. */
  readonly checkpointed: boolean;
  readonly epoch: number;
  /** Of the media key that signed it. */
  readonly keyGeneration: number;
  /**
   * By the relay's own record it was never let through: its epoch had ended before it came. The speaker sent it all the same;
   * who kept it had it from somewhere else, or the record is wrong.
   */
  readonly interrupted: boolean;
}

/** What kept frames are worth. */
export interface MediaReport {
  /** Frames that belong, in order of leg, stream and sequence. */
  readonly frames: readonly ProvenFrame[];
  readonly faults: readonly EvidenceFault[];
}

/**
 * Judges kept frames against a judged file: each must carry its speaker's signature for this call and place, or in profile `chain` be
 * listed by a checkpoint of its speaker, in a media epoch that was begun there and not over yet. `progress` hears how many were judged.
 */
export function verifyMedia(
  kept: readonly KeptFrame[],
  evidence: JudgedEvidence,
  verifier: Verifier,
  progress: (judged: number) => void = () => {},
): MediaReport {
  const faults: EvidenceFault[] = [];
  const frames: (ProvenFrame & { readonly at: string })[] = [];
  const contexts = new Map<CheckedStream, FrameSigningContext>();
  const places = new Set<string>();
  const view = new FrameView();
  const { agreement } = evidence;
  for (const [index, { leg, stream, packet }] of kept.entries()) {
    const at = `kept frame ${index}`;
    progress(index);
    const known = evidence.streams.find((candidate) => candidate.leg === leg && candidate.stream === stream);
    if (agreement === undefined || known === undefined) {
      faults.push({ code: "evidence-invalid", message: "It names a stream that was not agreed.", at });
      continue;
    }
    const context = contexts.get(known) ?? new FrameSigningContext(agreement.core.digest, leg, stream);
    contexts.set(known, context);
    const isFrame = parseFrame(packet, 0, view) === undefined;
    const key = known.speakerKeys.find(({ generation }) => isFrame && generation === view.keyGeneration);
    const isTagged = isFrame && view.profile === "chain";
    if (key === undefined || (!isTagged && !verifyFrame(context, packet, view, key.ed25519, verifier))) {
      faults.push({ code: "signature-invalid", message: "It was not signed for this call and place.", at });
      continue;
    }
    const { sequence, timestamp, epoch, keyGeneration, payloadType } = view;
    const lists = known.checkpoints.find((checkpoint) => digestOf(checkpoint, sequence) !== undefined);
    const listed = lists && digestOf(lists, sequence);
    if (isTagged && listed === undefined) {
      faults.push({
        code: "evidence-invalid",
        message:
          "Its tag could be either end's, and no checkpoint of the speaker lists it: it proves nothing.",
        at,
      });
      continue;
    }
    const digest = frameDigest(context.signedBytes(packet, view));
    if (listed !== undefined && !sameBytes(listed, digest)) {
      faults.push({
        code: "evidence-invalid",
        message: "The speaker's checkpoint lists another frame in its place.",
        at,
      });
      continue;
    }
    const wrong =
      lists !== undefined && lists.keyGeneration !== keyGeneration
        ? `Of key generation ${keyGeneration}, and listed by a checkpoint of generation ${lists.keyGeneration}.`
        : wrongEpoch(evidence, known, epoch, lists?.epoch);
    if (wrong !== undefined) {
      faults.push({ code: "evidence-invalid", message: wrong, at });
      continue;
    }
    const place = `${leg}/${stream}/${sequence}`;
    if (places.has(place)) {
      faults.push({
        code: "evidence-invalid",
        message: "A frame of its place stands in the file already.",
        at,
      });
      continue;
    }
    places.add(place);
    frames.push({
      leg,
      stream,
      sequence,
      timestamp,
      payloadType,
      payload: view.payload(packet),
      profile: view.profile,
      capture: { seconds: view.captureSeconds, fraction: view.captureFraction },
      audioLevel: view.audioLevel === undefined ? undefined : { level: view.audioLevel, voice: view.voice },
      startOfTurn: view.startOfTurn,
      endOfTurn: view.endOfTurn,
      recorded: view.recorded(packet),
      checkpointed: listed !== undefined,
      epoch,
      keyGeneration,
      interrupted: epochsOf(evidence, known).some(
        (start) => start.epoch > epoch && start.lastBefore !== undefined && sequence > start.lastBefore,
      ),
      at,
    });
  }
  frames.sort((a, b) => a.leg - b.leg || a.stream - b.stream || a.sequence - b.sequence);
  return { frames: inOrder(frames, faults), faults };
}

/** A speaker that began an epoch, or changed its key, sends nothing of an older one after it: such a frame is a fault. */
function inOrder(
  frames: readonly (ProvenFrame & { readonly at: string })[],
  faults: EvidenceFault[],
): ProvenFrame[] {
  let [stream, epoch, generation] = ["", 0, 0];
  return frames.flatMap(({ at, ...frame }) => {
    const own = `${frame.leg}/${frame.stream}`;
    if (own !== stream) [epoch, generation] = [0, 0];
    epoch = Math.max(epoch, frame.epoch);
    generation = Math.max(generation, frame.keyGeneration);
    stream = own;
    if (frame.epoch === epoch && frame.keyGeneration === generation) return [frame];
    const message =
      frame.epoch === epoch
        ? `Of key generation ${frame.keyGeneration}, and sent after a frame of generation ${generation}.`
        : `Of epoch ${frame.epoch}, and sent after a frame of epoch ${epoch}.`;
    faults.push({ code: "evidence-invalid", message, at });
    return [];
  });
}

function epochsOf({ epochs }: JudgedEvidence, { leg, stream }: CheckedStream) {
  return epochs.filter((start) => start.leg === leg && start.stream === stream);
}

/** Why a frame cannot be of this epoch, if so. `listed`: what the checkpoint that lists it says. */
function wrongEpoch(
  evidence: JudgedEvidence,
  stream: CheckedStream,
  epoch: number,
  listed: number | undefined,
): string | undefined {
  if (listed !== undefined && listed !== epoch)
    return `Of epoch ${epoch}, and the speaker's checkpoint lists it in epoch ${listed}.`;
  const isBegun = epoch === 0 || epochsOf(evidence, stream).some((start) => start.epoch === epoch);
  return isBegun ? undefined : `Of epoch ${epoch}, which no interrupt began.`;
}
