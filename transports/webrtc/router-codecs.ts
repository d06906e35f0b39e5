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

/** What a router is made for: codecs under their own payload types. */
export function routerCodecs(codecs: readonly RtpCodec[]): types.RouterRtpCodecCapability[] {
  return codecs.filter((codec) => !isRepetition(codec)).map(capabilityOf);
}

/**
 * Gives repetitions the payload types that the descriptions name. mediasoup takes those of codecs and picks these itself; all transports of
 * a router read this one object.
 */
export function nameRepetitions(router: types.Router, codecs: readonly RtpCodec[]): void {
  for (const capability of router.rtpCapabilities.codecs ?? []) {
    if (!isRepetition(capability)) continue;
    const named = codecs.find(
      (codec) => isRepetition(codec) && codec.parameters.apt === capability.parameters?.apt,
    );
    if (named !== undefined) capability.preferredPayloadType = named.payloadType;
  }
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
  return {
    codecs: codecs.map(capabilityOf),
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
