import { DATA_CLOCK_RATE } from "../codecs/data-formats.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { sends } from "../signaling/stream-fields.ts";
import { payloadTypeOf, type Terms, type TermsFormat, type TermsStream } from "../signaling/terms.ts";
import type { StreamParameters } from "./stream-parameters.ts";

/**
 * Whether the server lays out what both ends signed for the end `leg`: every stream of the terms once in each direction it flows, as agreed, and no
 * other. Throws `session-core-mismatch`.
 */
export function checkLayout(terms: Terms, leg: 0 | 1, streams: readonly StreamParameters[]): void {
  checkDirections(terms.streams, streams);
  for (const entry of streams) checkEntry(terms, leg, entry);
}

/** The same for one stream of the terms. Throws `session-core-mismatch`. */
export function checkStream(
  terms: Terms,
  leg: 0 | 1,
  stream: number,
  entries: readonly StreamParameters[],
): void {
  checkDirections(
    terms.streams.filter((agreed) => agreed.stream === stream),
    entries,
  );
  for (const entry of entries) checkEntry(terms, leg, entry);
}

/** Throws unless each of these streams is laid out once in each direction that it flows, and no other. */
function checkDirections(agreed: readonly TermsStream[], entries: readonly StreamParameters[]): void {
  const flowing = agreed.flatMap(({ stream, directions }) =>
    directions.flatMap((direction, leg) => (sends(direction) ? `${stream} of leg ${leg}` : [])),
  );
  const laidOut = entries.map((entry) => `${entry.stream} of leg ${entry.leg}`);
  const wrong = [...new Set([...flowing, ...laidOut])].find(
    (name) => !flowing.includes(name) || laidOut.filter((other) => other === name).length !== 1,
  );
  if (wrong === undefined) return;
  throw new ParleyError({
    code: "session-core-mismatch",
    message: "The server does not lay out the streams that both ends signed.",
    at: `stream ${wrong}`,
  });
}

/** Whether one direction of a stream is laid out as both ends signed it. Throws `session-core-mismatch`. */
export function checkEntry(terms: Terms, leg: 0 | 1, entry: StreamParameters): void {
  const agreed = terms.streams.find(({ stream }) => stream === entry.stream);
  const speaker = entry.direction === "send" ? leg : 1 - leg;
  const agrees =
    agreed !== undefined &&
    entry.leg === speaker &&
    entry.ssrc === agreed.ssrcs[speaker] &&
    entry.payloadType === payloadTypeOf(agreed) &&
    isLaidOutAs(entry, agreed);
  if (agrees) return;
  throw new ParleyError({
    code: "session-core-mismatch",
    message: "The server lays a stream out differently from what both ends signed.",
    at: `stream ${entry.stream}`,
  });
}

function isLaidOutAs(entry: StreamParameters, signed: TermsFormat): boolean {
  if (entry.modality === "data") {
    return (
      signed.modality === "data" &&
      entry.format === signed.format.name &&
      entry.clockRate === DATA_CLOCK_RATE &&
      entry.label === signed.label &&
      entry.delivery === signed.delivery &&
      entry.deadlineMs === signed.deadline_ms
    );
  }
  if (entry.modality === "video") {
    return (
      signed.modality === "video" &&
      entry.codec === signed.codec.name &&
      entry.clockRate === signed.codec.clock_rate &&
      entry.maxWidth === signed.codec.max_width &&
      entry.maxHeight === signed.codec.max_height &&
      entry.maxFrameRate === signed.codec.max_frame_rate &&
      entry.source === signed.source &&
      entry.rendition === (signed.rendition ?? 0)
    );
  }
  return (
    signed.modality === "audio" &&
    entry.codec === signed.codec.name &&
    entry.clockRate === signed.codec.clock_rate &&
    entry.channels === signed.codec.channels &&
    entry.frameMs === signed.codec.frame_ms &&
    entry.redPayloadType === signed.codec.red_payload_type
  );
}
