import type { ExchangeKey } from "../codecs/chain-key.ts";
import { decodeHex } from "../codecs/hex.ts";
import type { Signer } from "../codecs/signer.ts";
import { Attribution } from "../sfu/attribution.ts";
import { CheckpointCheck } from "../sfu/checkpoint-check.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { Relay } from "../sfu/relay.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import { DATA_RECEIPT } from "../signaling/data-stream.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { AgentPlatform } from "./platform.ts";
import type { StatementPlace, StreamParameters } from "./stream-parameters.ts";
import { TagKeys } from "./tag-keys.ts";
import { unwrap } from "./unwrap.ts";

/** The call whose streams are made. */
export interface StreamContext {
  readonly platform: AgentPlatform;
  readonly leg: 0 | 1;
  readonly session: CheckedSession;
  readonly sessionId: string;
  readonly mediaSigner: Signer;
  /** Of the media key. */
  readonly exchange: ExchangeKey;
  /** Milliseconds to add to the peer's capture times to get this machine's time, and how sure that is. */
  readonly peerClock: { readonly offset: number; readonly uncertainty: number };
  /** Of a call that another process had before: how far the server has this end's statements. */
  readonly statements?: readonly StatementPlace[] | undefined;
}

/** Where the server has what this end states about a stream; the beginning, for a call that nobody had before. */
export function placeOf(
  statements: readonly StatementPlace[] | undefined,
  entry: Pick<StreamParameters, "stream" | "leg" | "direction">,
): StatementPlace {
  const kind = entry.direction === "send" ? "checkpoint" : "receipt";
  const { stream, leg } = entry;
  const known = statements?.find((one) => one.kind === kind && one.stream === stream && one.leg === leg);
  return known ?? { kind, stream, leg, nextIndex: 0, previous: "0".repeat(64), state: "open" };
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
  readonly attribution: Attribution;
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
  const isTakenUp = context.statements !== undefined;
  const startSequence = (isTakenUp ? entry.nextSequence : undefined) ?? start.getUint32(0);
  const epoch = entry.epoch ?? 0;
  const { sessionDigest } = session;
  const { profile } = session.terms;
  const { stream } = entry;
  const frames = new FrameSender({
    sessionDigest,
    leg,
    stream,
    ssrc: entry.ssrc,
    payloadType: entry.payloadType,
    redPayloadType: redOf(entry),
    clockRate: entry.clockRate,
    frameSamples,
    keyGeneration,
    sha256: platform.sha256,
    seal: tagKeysOf(context).seal(profile, stream, session.peer.mediaKey),
    startSequence,
    startTimestamp: start.getUint32(4),
    flow: entry.flow,
  });
  frames.beginEpoch(epoch);
  return {
    frames,
    checkpointer: new Checkpointer({
      sessionDigest,
      leg,
      stream,
      keyGeneration,
      profile,
      startSequence,
      signer: mediaSigner,
      ...after(context, entry, (place) => ({ ...place, epoch })),
    }),
  };
}

/** Parts of a stream this end receives, under the ceilings of its modality. */
export function listeningParts(
  context: StreamContext,
  entry: StreamParameters,
  limits: Pick<AdmissionRow, "rate" | "reliable" | "deadlineMs">,
): ListeningParts {
  const { platform, session, leg, mediaSigner, peerClock } = context;
  const peer = tagKeysOf(context).heard(entry.stream, session.peer.mediaKey);
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
    tagKeys: new Map([[peer.generation, peer.tagKey]]),
    profile: session.terms.profile,
    notBefore: peer.notBefore,
    notAfter: Math.min(peer.notAfter, session.terms.expires_at * 1000),
    termsNumber: 1,
    payloadType: entry.payloadType,
    redPayloadType: redOf(entry),
    ssrc: entry.ssrc,
    clockRate: entry.clockRate,
    transmitAllowed: true,
    clockOffset: peerClock.offset,
    clockUncertainty: peerClock.uncertainty,
    egress: [],
    ...limits,
  };
  const admission = new Relay({
    verifier: platform.verifier,
    mac: platform.frameMac,
    sha256: platform.sha256,
  });
  const start = platform.clock.now();
  admission.apply({ kind: "install", row }, start);
  const { epoch = 0 } = entry;
  if (epoch > 0) admission.apply({ kind: "epoch", connection: row.connection, flow: row.flow, epoch }, start);
  const checkpoints = new CheckpointCheck({
    sessionDigest,
    leg: entry.leg,
    stream,
    keys,
    verifier: platform.verifier,
  });
  if (context.statements !== undefined) checkpoints.resume();
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
      ...(limits.reliable === true ? { atLatest: DATA_RECEIPT } : {}),
      ...after(context, entry, (place) => place),
    }),
    checkpoints,
    attribution: new Attribution(),
  };
}

function redOf(entry: StreamParameters): number | undefined {
  return entry.modality === "audio" ? entry.redPayloadType : undefined;
}

/** What this end shares with the other one. */
export function tagKeysOf({ session, exchange, mediaSigner, platform }: StreamContext): TagKeys {
  return new TagKeys({ session, exchange, mac: platform.frameMac, signer: mediaSigner });
}

/** Where a chain of statements goes on that another process began. */
function after<Place>(
  { statements }: StreamContext,
  entry: StreamParameters,
  make: (place: { readonly index: number; readonly previous: Uint8Array }) => Place,
): { readonly after?: Place } {
  if (statements === undefined) return {};
  const { nextIndex, previous } = placeOf(statements, entry);
  return { after: make({ index: nextIndex, previous: unwrap(decodeHex(previous)) }) };
}
