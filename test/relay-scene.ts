/** One speaker at a relay, with everything about the frame and its row open to change: for tests of admission. */

import {
  buildFrame,
  type FrameFields,
  FrameSigningContext,
  frameDigest,
  sealFrame,
} from "../codecs/frame.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import type { Signer } from "../codecs/signer.ts";
import { encodeVarint } from "../codecs/varint.ts";
import { readPayloadFacts } from "../codecs/video-payload.ts";
import { frameMac } from "../platform/node/sodium.ts";
import { Relay } from "../sfu/relay.ts";
import type { RelayEvent, Verdict } from "../sfu/relay-io.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import { seedSigner, strictVerifier } from "./keys.ts";

export const WALL = 1_767_225_600_000;
export const SPEAKER_CONNECTION = 1;
export const LISTENER_CONNECTION = 2;
export const SPEAKER_FLOW = 4;
const LISTENER_FLOW = 70_000;
export const FIRST_SEQUENCE = 0x1_fff0;

export const speaker: Signer = seedSigner(11);
/** Of `speaker` to the listener, in profile `chain`. */
export const TAG_KEY = new Uint8Array(32).fill(0x77);

/** The row of leg 0, stream 1, spoken by `speaker`; generous in rate. */
export function row(more: Partial<AdmissionRow> = {}): AdmissionRow {
  return {
    connection: SPEAKER_CONNECTION,
    flow: SPEAKER_FLOW,
    sessionId: "session-a",
    sessionDigest: new Uint8Array(32).fill(0xaa),
    leg: 0,
    stream: 1,
    keys: new Map([[0, speaker.publicKey]]),
    notBefore: WALL - 60_000,
    notAfter: WALL + 86_400_000,
    profile: "frame",
    termsNumber: 1,
    payloadType: 96,
    ssrc: 0x1234_5678,
    clockRate: 48_000,
    transmitAllowed: true,
    rate: { framesPerSecond: 100_000, bytesPerSecond: 100_000_000, burst: 1 },
    clockOffset: 0,
    clockUncertainty: 0,
    egress: [{ connection: LISTENER_CONNECTION, flow: LISTENER_FLOW }],
    ...more,
  };
}

/** What a frame says and how it is signed; anything left out is as `row()` expects it. */
export interface FrameOptions extends Partial<FrameFields> {
  readonly signer?: Signer;
  /** In profile `chain`, in its place. */
  readonly tagKey?: Uint8Array;
  /** Unix milliseconds. Default `WALL`. */
  readonly captured?: number;
  /** What the signature is bound to. */
  readonly boundTo?: Pick<AdmissionRow, "sessionDigest" | "leg" | "stream">;
}

/** A sealed packet without flow identifier. */
export function packet(options: FrameOptions = {}): Uint8Array {
  return sealed(options).bytes;
}

/** The same with the digest that a checkpoint names it by. */
export function sealed(options: FrameOptions = {}): { bytes: Uint8Array; digest: Uint8Array } {
  const { signer = speaker, tagKey = TAG_KEY, captured = WALL, boundTo = row(), ...fields } = options;
  const capture = unixMsToNtp(captured);
  const bytes = buildFrame({
    profile: "frame",
    keyGeneration: 0,
    sequence: FIRST_SEQUENCE,
    captureSeconds: capture.seconds,
    captureFraction: capture.fraction,
    payloadType: 96,
    timestamp: 960,
    ssrc: 0x1234_5678,
    payload: new Uint8Array(40).fill(7),
    ...fields,
  });
  const context = new FrameSigningContext(boundTo.sessionDigest, boundTo.leg, boundTo.stream);
  const seal =
    fields.profile === "chain"
      ? ({ profile: "chain", mac: frameMac, key: tagKey } as const)
      : ({ profile: "frame", signer } as const);
  return { digest: frameDigest(sealFrame(context, bytes, seal)), bytes };
}

/** `packet` under a flow identifier. */
export function datagram(bytes: Uint8Array, flow: number = SPEAKER_FLOW): Uint8Array {
  return Uint8Array.from([...encodeVarint(flow), ...bytes]);
}

/** A relay with `rows` installed at time 0. */
export function relayWith(...rows: readonly AdmissionRow[]): Relay {
  const relay = new Relay({ verifier: strictVerifier, readPicture: readPayloadFacts });
  for (const installed of rows) relay.apply({ kind: "install", row: installed }, 0);
  return relay;
}

/** What a listener judges frames of profile `chain` by: it knows the tags. */
export function listenerWith(...rows: readonly AdmissionRow[]): Relay {
  const listener = new Relay({ verifier: strictVerifier, mac: frameMac });
  for (const installed of rows) listener.apply({ kind: "install", row: installed }, 0);
  return listener;
}

/** Sends one frame of the speaker's; the reason it was refused for, or `admitted`. */
export function send(
  relay: Relay,
  options: FrameOptions = {},
  now = 0,
  wall = WALL,
  date = wall,
): Verdict["outcome"] {
  return relay.admit(SPEAKER_CONNECTION, datagram(packet(options)), now, wall, date).outcome;
}

/** All events there are at `now`. */
export function events(relay: Relay, now: number): RelayEvent[] {
  const found: RelayEvent[] = [];
  for (let event = relay.poll(now); event !== undefined; event = relay.poll(now)) found.push(event);
  return found;
}
