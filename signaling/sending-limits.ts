import { findAudioFormat } from "../codecs/audio-formats.ts";
import type { OfferStream } from "./offer.ts";
import { type LimitName, permitsSending, type ScopeLimits, type ScopeSet } from "./scope.ts";
import { sends } from "./stream-fields.ts";
import { streamsSentBy, type Terms, type TermsStream } from "./terms.ts";

/** What is more than a scope's cap lets its holder do. */
export interface LimitExcess {
  readonly limit: LimitName;
  readonly cap: number;
  readonly asked: number;
}

/**
 * The first cap that even the least of an offer exceeds, by what its caller would send: the number of streams, and their payload with the
 * cheapest codec of each. Data takes as much as there is to say, so it counts for nothing here and is held to the cap while it flows.
 */
export function excessOfOffer(streams: readonly OfferStream[], limits: ScopeLimits): LimitExcess | undefined {
  const sent = streams.filter((stream) => sends(stream.direction));
  const bits = sent.map((stream) =>
    stream.modality === "audio" ? Math.min(...stream.codecs.map(({ name }) => leastBitrate(name))) : 0,
  );
  return excess(bits, limits);
}

/** The same for what a leg would send under terms. */
export function excessOfTerms(terms: Terms, leg: 0 | 1, limits: ScopeLimits): LimitExcess | undefined {
  const bits = streamsSentBy(terms, leg).map((stream) =>
    stream.modality === "audio" ? leastBitrate(stream.codec.name) : 0,
  );
  return excess(bits, limits);
}

/** The streams a leg may send under its scope: those whose modality it covers, as many as its cap allows, the lowest numbers first. */
export function permittedStreams(terms: Terms, leg: 0 | 1, scope: ScopeSet): readonly TermsStream[] {
  const covered = streamsSentBy(terms, leg).filter(({ modality }) => permitsSending(scope, modality));
  const most = scope.limits.streams ?? covered.length;
  return covered.toSorted((a, b) => a.stream - b.stream).slice(0, most);
}

/** Whether any codec known here may be sent under the cap. */
export function fitsBitrate(codec: string, limits: ScopeLimits): boolean {
  return leastBitrate(codec) <= (limits["bitrate-bps"] ?? Number.POSITIVE_INFINITY);
}

function excess(bits: readonly number[], limits: ScopeLimits): LimitExcess | undefined {
  const { streams, "bitrate-bps": bitrate } = limits;
  if (streams !== undefined && bits.length > streams) {
    return { limit: "streams", cap: streams, asked: bits.length };
  }
  const asked = bits.reduce((sum, each) => sum + each, 0);
  if (bitrate !== undefined && asked > bitrate) return { limit: "bitrate-bps", cap: bitrate, asked };
  return undefined;
}

/** Bits of payload a second that a codec takes at least; 0 for one that is not known here. */
function leastBitrate(codec: string): number {
  return findAudioFormat(codec)?.leastBitsPerSecond ?? 0;
}
