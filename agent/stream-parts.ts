import type { Signer } from "../codecs/signer.ts";
import { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { Relay } from "../sfu/relay.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { AgentPlatform } from "./platform.ts";
import type { StreamParameters } from "./stream-parameters.ts";

/** The call whose streams are made. */
export interface StreamContext {
  readonly platform: AgentPlatform;
  readonly leg: 0 | 1;
  readonly session: CheckedSession;
  readonly sessionId: string;
  readonly mediaSigner: Signer;
  /** Milliseconds to add to the peer's capture times to get this machine's time, and how sure that is. */
  readonly peerClock: { readonly offset: number; readonly uncertainty: number };
}

/** What signs one stream: its frames, and checkpoints over them. */
export interface SpeakingParts {
  readonly frames: FrameSender;
  readonly checkpointer: Checkpointer;
}

/** What judges one stream of the other end, and signs for it. */
export interface ListeningParts {
  readonly row: AdmissionRow;
  /** A table of its own, holding `row`. */
  readonly admission: Relay;
  readonly receipts: ReceiptTracker;
  readonly checkpoints: CheckpointCheck;
}

/** Parts of a stream this end sends. `frameSamples`: per channel in one frame; 0 where frames have no length. */
export function speakingParts(
  context: StreamContext,
  entry: StreamParameters,
  frameSamples: number,
): SpeakingParts {
  const { platform, session, leg, mediaSigner } = context;
  const keyGeneration = session.mediaKey.generation;
  const start = new DataView(platform.random(8).buffer);
  const startSequence = start.getUint32(0);
  const { sessionDigest } = session;
  const { stream } = entry;
  return {
    frames: new FrameSender({
      sessionDigest,
      leg,
      stream,
      ssrc: entry.ssrc,
      payloadType: entry.payloadType,
      clockRate: entry.clockRate,
      frameSamples,
      keyGeneration,
      signer: mediaSigner,
      startSequence,
      startTimestamp: start.getUint32(4),
      flow: entry.flow,
    }),
    checkpointer: new Checkpointer({
      sessionDigest,
      leg,
      stream,
      keyGeneration,
      startSequence,
      signer: mediaSigner,
    }),
  };
}

/** Parts of a stream this end receives, under the ceilings of its modality. */
export function listeningParts(
  context: StreamContext,
  entry: StreamParameters,
  limits: Pick<AdmissionRow, "rate" | "reliable">,
): ListeningParts {
  const { platform, session, leg, mediaSigner, peerClock } = context;
  const peer = session.peer.mediaKey;
  const keys = new Map([[peer.generation, peer.ed25519]]);
  const { sessionDigest } = session;
  const { stream } = entry;
  const row: AdmissionRow = {
    connection: 0,
    flow: entry.flow,
    sessionId: context.sessionId,
    sessionDigest,
    leg: entry.leg,
    stream,
    keys,
    profile: session.answer.payload.profile,
    notBefore: peer.notBefore,
    notAfter: Math.min(peer.notAfter, session.terms.expires_at * 1000),
    termsNumber: 1,
    payloadType: entry.payloadType,
    ssrc: entry.ssrc,
    clockRate: entry.clockRate,
    transmitAllowed: true,
    clockOffset: peerClock.offset,
    clockUncertainty: peerClock.uncertainty,
    egress: [],
    ...limits,
  };
  const admission = new Relay({ verifier: platform.verifier });
  const start = platform.clock.now();
  admission.apply({ kind: "install", row }, start);
  return {
    row,
    admission,
    receipts: new ReceiptTracker({
      sessionDigest,
      listenerLeg: leg,
      speakerLeg: entry.leg,
      stream,
      keyGeneration: session.mediaKey.generation,
      signer: mediaSigner,
      start,
    }),
    checkpoints: new CheckpointCheck({
      sessionDigest,
      leg: entry.leg,
      stream,
      keys,
      verifier: platform.verifier,
    }),
  };
}
