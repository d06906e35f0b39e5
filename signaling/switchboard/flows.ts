import type { JsonObject } from "../../codecs/canonical-json.ts";
import { DATA_CLOCK_RATE } from "../../codecs/data-formats.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { findVideoFormat } from "../../codecs/video-formats.ts";
import type { AdmissionMessage, AdmissionRow, ConnectionId, FlowCounters } from "../admission.ts";
import { DATA_CATCH_UP_SECONDS, DATA_RATE, deliveryOf, LATEST_DEADLINE_MS } from "../data-stream.ts";
import { permitsSending } from "../scope.ts";
import { permittedStreams, pictureCaps } from "../sending-limits.ts";
import { audioRate, RATE_BURST, RATE_MARGIN, videoRate } from "../sending-rates.ts";
import { sends } from "../stream-fields.ts";
import { payloadTypeOf, redPayloadTypeOf, type Terms, type TermsStream } from "../terms.ts";
import { settingOf } from "../terms-change.ts";
import { type ConnectionState, takeFlow } from "./connections.ts";
import { keyInForce, type LegNumber, type Session } from "./session.ts";
import { type StatementRoute, statementRoute } from "./statements.ts";

/**
 * The most uncertainty about a sender's clock that is believed, milliseconds. Freshness is judged within it, so a larger
 * claim would only let older frames in.
 */
const MAX_CLOCK_UNCERTAINTY = 500;

/** The most that a data stream may send. */
export const DATA_CEILING = {
  framesPerSecond: DATA_RATE.messagesPerSecond * RATE_MARGIN,
  bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_MARGIN,
  burst: DATA_CATCH_UP_SECONDS,
} as const;

/** The three flows of one media stream on one connection. */
export interface FlowSet {
  readonly connection: ConnectionId;
  readonly frames: number;
  readonly checkpoints: number;
  readonly receipts: number;
}

/** One media stream in one direction: from the speaker's connection to the listener's. */
export interface MediaFlow {
  readonly speaker: LegNumber;
  readonly listener: LegNumber;
  readonly stream: number;
  /** What the terms say of it. */
  readonly agreed: TermsStream;
  /** Of the speaker's packets. */
  readonly ssrc: number;
  /** At the speaker: frames and checkpoints come in, receipts go out. */
  ingress: FlowSet;
  /** At the listener: frames and checkpoints go out, receipts come in. */
  egress: FlowSet;
  /** Its listener wants nothing of it for now. */
  isHeld: boolean;
  /** When its stream was closed; `undefined` while it is open. */
  closedAt: number | undefined;
}

/** What hands out flow identifiers. */
export type FlowHolder = Pick<ConnectionState, "id" | "nextFlow">;

/** Gives every direction of these streams its flows. Fault: `capacity` when a connection has no more. */
export function layFlows(
  { streams }: Pick<Terms, "streams">,
  connections: readonly [FlowHolder, FlowHolder],
): Result<readonly MediaFlow[]> {
  const flows: MediaFlow[] = [];
  for (const agreed of streams) {
    const { stream, directions, ssrcs } = agreed;
    for (const speaker of [0, 1] as const) {
      if (!sends(directions[speaker])) continue;
      const listener: LegNumber = speaker === 0 ? 1 : 0;
      const ingress = takeFlows(connections[speaker]);
      const egress = takeFlows(connections[listener]);
      if (ingress === undefined || egress === undefined) {
        return refuse("capacity", "A connection has used up its flow identifiers: open a new one.");
      }
      const place = { speaker, listener, stream, agreed, ssrc: ssrcs[speaker], ingress, egress };
      flows.push({ ...place, isHeld: false, closedAt: undefined });
    }
  }
  return ok(flows);
}

/** New flows for one leg of a session on another connection, as many as the session has. Fault: `capacity`. */
export function layAnew(count: number, connection: FlowHolder): Result<readonly FlowSet[]> {
  const sets: FlowSet[] = [];
  while (sets.length < count) {
    const set = takeFlows(connection);
    if (set === undefined) {
      return refuse("capacity", "The connection has used up its flow identifiers: open a new one.");
    }
    sets.push(set);
  }
  return ok(sets);
}

/** `result.streams` for one end. */
export function streamParameters(flows: readonly MediaFlow[], leg: LegNumber): JsonObject[] {
  return flows.map((flow) => {
    const isMine = flow.speaker === leg;
    const set = isMine ? flow.ingress : flow.egress;
    return {
      stream: flow.stream,
      modality: flow.agreed.modality,
      leg: flow.speaker,
      direction: isMine ? "send" : "receive",
      flow: set.frames,
      checkpoint_flow: set.checkpoints,
      receipt_flow: set.receipts,
      ssrc: flow.ssrc,
      payload_type: payloadTypeOf(flow.agreed),
      ...formatParameters(flow.agreed),
      ...(flow.closedAt === undefined ? {} : { closed: true }),
    };
  });
}

/** The last sequence number of a flow that the relay let through, if it did any. */
export function lastSequence(
  { speaker, stream }: Pick<MediaFlow, "speaker" | "stream">,
  counters: readonly FlowCounters[],
): number | undefined {
  return counters.find((each) => each.leg === speaker && each.stream === stream)?.lastSequence;
}

/**
 * How far the relay had got on some flows, for a record: null where it had let nothing through. What it had let through in an earlier
 * process it does not know: such a stream is left out.
 */
export function lastLetThrough(
  { resumedAt }: Pick<Session, "resumedAt">,
  flows: readonly Pick<MediaFlow, "speaker" | "stream">[],
  counters: readonly FlowCounters[],
): JsonObject[] {
  return flows.flatMap(({ speaker, stream }) => {
    const last = lastSequence({ speaker, stream }, counters);
    return last === undefined && resumedAt !== undefined
      ? []
      : { leg: speaker, stream, last_sequence: last ?? null };
  });
}

/** Where each of a session's streams goes on, in the order of its flows: the least number for the next frame, and the epoch in force. */
export function nextSequences(session: Session, counters: readonly FlowCounters[]): JsonObject[] {
  return session.flows.map((flow) => {
    const last = lastSequence(flow, counters);
    const next = Math.max(last === undefined ? 0 : last + 1, session.leastSequences.get(flow) ?? 0);
    const unsettled = session.unsettled.has(flow) ? { unsettled: true } : {};
    return { next_sequence: next, epoch: session.epochs.get(flow) ?? 0, ...unsettled };
  });
}

/** Stream parameters in one header line: streams separated by commas, members by semicolons; labels as in a URI. */
export function streamParametersHeader(parameters: readonly JsonObject[]): string {
  return parameters
    .map((stream) =>
      Object.entries(stream)
        .map(
          ([name, value]) =>
            `${name}=${name === "label" ? encodeURIComponent(String(value)) : String(value)}`,
        )
        .join(";"),
    )
    .join(", ");
}

/** What the relay needs to judge and route the frames of one flow. */
export function admissionRow(session: Session, flow: MediaFlow): AdmissionRow {
  const speaker = session.legs[flow.speaker];
  const listener = session.legs[flow.listener];
  const key = keyInForce(speaker);
  const leastSequence = session.leastSequences.get(flow);
  return {
    connection: flow.ingress.connection,
    flow: flow.ingress.frames,
    sessionId: session.id,
    sessionDigest: session.core.digest,
    leg: flow.speaker,
    stream: flow.stream,
    keys: new Map(speaker.mediaKeys.map(({ generation, ed25519 }) => [generation, ed25519])),
    notBefore: key.notBefore,
    notAfter: Math.min(key.notAfter, session.terms.expires_at * 1000),
    ...(leastSequence === undefined ? {} : { leastSequence }),
    ...(session.resumedAt === undefined ? {} : { resumedAt: session.resumedAt }),
    profile: session.terms.profile,
    termsNumber: session.terms.number,
    payloadType: payloadTypeOf(flow.agreed),
    redPayloadType: redPayloadTypeOf(flow.agreed),
    ssrc: flow.ssrc,
    ...permissionOf(session, flow),
    ...formatLimits(session, flow),
    clockOffset: speaker.clock.offset_ms,
    clockUncertainty: Math.min(speaker.clock.uncertainty_ms, MAX_CLOCK_UNCERTAINTY),
    ...(flow.isHeld ? { held: true } : {}),
    egress: listener.attached ? [{ connection: flow.egress.connection, flow: flow.egress.frames }] : [],
  };
}

/** What the terms in force and the speaker's scope let through on one flow. */
export function termsMessage(session: Session, flow: MediaFlow): AdmissionMessage {
  return {
    kind: "terms",
    connection: flow.ingress.connection,
    flow: flow.ingress.frames,
    termsNumber: session.terms.number,
    profile: session.terms.profile,
    ...boundsOf(session, flow),
    ...permissionOf(session, flow),
  };
}

/** What of its ceilings other terms may change. */
function boundsOf(session: Session, flow: MediaFlow): Pick<AdmissionRow, "rate" | "picture"> {
  const { rate, picture } = formatLimits(session, flow);
  return { rate, picture };
}

/** Whether the speaker's scope covers the flow, and how much of it. */
function permissionOf(session: Session, flow: MediaFlow) {
  const { scope } = session.legs[flow.speaker];
  return {
    transmitAllowed: isPermitted(session, flow),
    bitsPerSecond: scope.limits["bitrate-bps"],
  };
}

/** True while the speaker may send the flow: its scope covers the modality, and the stream is not one too many. */
export function isPermitted({ terms, legs }: Session, flow: MediaFlow): boolean {
  const { speaker, stream, agreed, closedAt } = flow;
  // What was said before it was closed is on its way.
  if (closedAt !== undefined) return permitsSending(legs[speaker].scope, agreed.modality);
  return permittedStreams(terms, speaker, legs[speaker].scope).some((each) => each.stream === stream);
}

/** What an end is told of a stream's codec or format. */
function formatParameters(agreed: TermsStream): JsonObject {
  if (agreed.modality === "data")
    return { format: agreed.format.name, clock_rate: DATA_CLOCK_RATE, ...deliveryOf(agreed) };
  if (agreed.modality === "video") {
    const { codec, source, rendition } = agreed;
    const { name, clock_rate, max_width, max_height, max_frame_rate } = codec;
    const picture = source === undefined ? {} : { source, rendition: rendition ?? 0 };
    return { codec: name, clock_rate, max_width, max_height, max_frame_rate, ...picture };
  }
  const { name, clock_rate, channels, frame_ms, red_payload_type } = agreed.codec;
  const red = red_payload_type === undefined ? {} : { red_payload_type };
  return { codec: name, clock_rate, channels, frame_ms, ...red };
}

/** Clock and ceilings of a stream by its modality. */
function formatLimits(
  { terms, legs }: Session,
  { agreed, speaker, stream }: MediaFlow,
): Pick<AdmissionRow, "clockRate" | "rate" | "reliable" | "deadlineMs" | "video" | "picture"> {
  if (agreed.modality === "data") {
    if (agreed.delivery !== "latest") {
      return { clockRate: DATA_CLOCK_RATE, reliable: true, rate: DATA_CEILING };
    }
    const { deadline_ms: deadlineMs = LATEST_DEADLINE_MS } = agreed;
    const rate = { ...DATA_CEILING, burst: RATE_BURST };
    return { clockRate: DATA_CLOCK_RATE, reliable: false, rate, deadlineMs };
  }
  const bitrate = settingOf(terms, speaker, stream)?.bitrate_bps;
  if (agreed.modality === "video") {
    const { codec, source, rendition = 0 } = agreed;
    const { limits } = legs[speaker].scope;
    const format = findVideoFormat(codec.name);
    const { maxWidth, maxHeight } = pictureCaps(agreed, terms, speaker, {});
    const { maxFrameRate } = pictureCaps(agreed, terms, speaker, limits);
    return {
      clockRate: codec.clock_rate,
      reliable: false,
      rate: videoRate({ max_frame_rate: maxFrameRate }, bitrate),
      video: { source, rendition },
      picture: format && { format: format.name, maxWidth, maxHeight, heightLimit: limits.height },
    };
  }
  const { clock_rate: clockRate, frame_ms: frameMs } = agreed.codec;
  return {
    clockRate,
    reliable: false,
    rate: audioRate(frameMs, bitrate),
  };
}

/** Where checkpoints and receipts about the flow come in and go on. */
export function statementRoutes(session: Session, flow: MediaFlow, now: number): StatementRoute[] {
  const shared = {
    sessionId: session.id,
    sessionDigest: session.core.digest,
    speaker: flow.speaker,
    stream: flow.stream,
    profile: session.terms.profile,
    profileChanged: session.terms.profile !== session.answer.payload.profile,
  };
  const keysOf = (leg: LegNumber) => {
    const { generation, ed25519 } = keyInForce(session.legs[leg]);
    return new Map([[generation, ed25519]]);
  };
  const { ingress, egress } = flow;
  return [
    statementRoute(
      {
        ...shared,
        kind: "checkpoint",
        signer: flow.speaker,
        keys: keysOf(flow.speaker),
        from: { connection: ingress.connection, flow: ingress.checkpoints },
        to: { connection: egress.connection, flow: egress.checkpoints },
      },
      now,
    ),
    statementRoute(
      {
        ...shared,
        kind: "receipt",
        signer: flow.listener,
        keys: keysOf(flow.listener),
        from: { connection: egress.connection, flow: egress.receipts },
        to: { connection: ingress.connection, flow: ingress.receipts },
      },
      now,
    ),
  ];
}

function takeFlows(connection: FlowHolder): FlowSet | undefined {
  const frames = takeFlow(connection);
  const checkpoints = takeFlow(connection);
  const receipts = takeFlow(connection);
  if (frames === undefined || checkpoints === undefined || receipts === undefined) return undefined;
  return { connection: connection.id, frames, checkpoints, receipts };
}
