/** Descriptions' codecs and header extensions as mediasoup has them. */
import type { types } from "mediasoup";
import type { MediaKind, MediaSection, RtpCodec, RtpHeaderExtension } from "./description.ts";

/** The identifiers under which header extensions stand in packets that a worker hands out, whatever the peer calls them. */
export const EXTENSION_IDS = { audioLevel: 6, absCaptureTime: 10 } as const;

export function isRepetition({ mimeType }: { readonly mimeType: string }): boolean {
  return mimeType.toLowerCase().endsWith("/rtx");
}

function kindOf({ mimeType }: { readonly mimeType: string }): MediaKind {
  return mimeType.toLowerCase().startsWith("audio/") ? "audio" : "video";
}

/** Payload types in the order in which a router gives them to repetitions (`rtx`), whatever those are called in descriptions. */
const REPETITION_TYPES = [...range(100, 127), ...range(96, 99)];

/**
 * What a router is made for: codecs under their own payload types. Those before the one that the descriptions name for repetitions are taken up by voices that nobody speaks, so that the
 * router picks that one.
 */
export function routerCodecs(codecs: readonly RtpCodec[]): types.RouterRtpCodecCapability[] {
  const own = codecs.filter((codec) => !isRepetition(codec));
  const place = REPETITION_TYPES.indexOf(codecs.find(isRepetition)?.payloadType ?? -1);
  const free = REPETITION_TYPES.filter((type) => own.every(({ payloadType }) => payloadType !== type));
  const spare = free.slice(0, Math.max(0, free.indexOf(REPETITION_TYPES[place] ?? -1)));
  return [
    ...own.filter((codec) => kindOf(codec) === "audio").map(capabilityOf),
    ...spare.map((payloadType) => ({ ...SPARE, preferredPayloadType: payloadType })),
    ...own.filter((codec) => kindOf(codec) === "video").map(capabilityOf),
  ];
}

const SPARE = { kind: "audio", mimeType: "audio/opus", clockRate: 48_000, channels: 2 } as const;

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Header extensions that are written anew into a packet each time it goes. */
const REWRITTEN = [
  "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
];

/**
 * How packets go again that the other end asks for: as `rtx` (RFC 4588) where the worker can name it as the descriptions do; else as they were, unless something in them is another then: one
 * number of SRTP's must not protect two packets (RFC 3711, 9.1). `none`: a key frame mends what is lost.
 */
export function repetitionOf(
  codecs: readonly RtpCodec[],
  headerExtensions: readonly RtpHeaderExtension[],
): "rtx" | "same" | "none" {
  if (codecs.some((codec) => isRepetition(codec) && REPETITION_TYPES.includes(codec.payloadType)))
    return "rtx";
  return headerExtensions.some(({ uri }) => REWRITTEN.includes(uri)) ? "none" : "same";
}

/** What the writer of a section sends there, in one of its codecs. */
export function sentParameters(section: MediaSection, codecs: readonly RtpCodec[]): types.RtpParameters {
  const { mid, sends, headerExtensions } = section;
  return {
    mid,
    codecs: codecs.map((codec) => ({ ...formatOf(codec), payloadType: codec.payloadType })),
    headerExtensions: headerExtensions.map(({ uri, id }) => ({
      uri: uri as types.RtpHeaderExtensionUri,
      id,
    })),
    encodings: (sends?.encodings ?? []).map(({ ssrc, rtx }) => ({
      ssrc,
      ...(rtx === undefined ? {} : { rtx: { ...rtx } }),
    })),
    rtcp: sends?.cname === undefined ? {} : { cname: sends.cname },
  };
}

/** What the other end takes of what this one sends. */
export function takenCapabilities(
  codecs: readonly RtpCodec[],
  headerExtensions: readonly RtpHeaderExtension[],
): types.RtpCapabilities {
  const repeated = repetitionOf(codecs, headerExtensions);
  return {
    codecs: codecs.filter((codec) => repeated === "rtx" || !isRepetition(codec)).map(capabilityOf),
    headerExtensions: headerExtensions.map(({ uri, id }) => ({
      kind: kindOf(codecs[0] as RtpCodec),
      uri: uri as types.RtpHeaderExtensionUri,
      preferredId: id,
    })),
  };
}

function capabilityOf(codec: RtpCodec) {
  return { ...formatOf(codec), kind: kindOf(codec), preferredPayloadType: codec.payloadType };
}

function formatOf({ mimeType, clockRate, channels, parameters, rtcpFeedback }: RtpCodec) {
  return {
    mimeType,
    clockRate,
    ...(channels === undefined ? {} : { channels }),
    parameters: { ...parameters },
    rtcpFeedback: rtcpFeedback.map((feedback) => ({ ...feedback })),
  };
}
