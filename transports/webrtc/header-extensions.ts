import type { MediaKind, RtpHeaderExtension } from "./description.ts";

/** RFC 8843: to which section a packet belongs. */
export const MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid";
const ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
const DEPENDENCY_DESCRIPTOR =
  "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/**
 * What may stand in the packets that the media worker sends, under identifiers that it does not let anybody choose: a peer that gave one
 * of them another meaning reads something else in it.
 */
const SENT: Readonly<Record<MediaKind, readonly RtpHeaderExtension[]>> = {
  audio: [
    { uri: MID_EXTENSION, id: 1 },
    { uri: AUDIO_LEVEL, id: 6 },
    { uri: ABS_CAPTURE_TIME, id: 10 },
  ],
  video: [
    { uri: MID_EXTENSION, id: 1 },
    { uri: ABS_SEND_TIME, id: 4 },
    { uri: TRANSPORT_CC, id: 5 },
    { uri: ABS_CAPTURE_TIME, id: 10 },
  ],
};

/**
 * What is read in packets that come, under whatever identifiers their sender chose. Orientation is not taken: nothing carries it on, and a
 * sender that is not answered it turns its pictures itself.
 */
const READ: Readonly<Record<MediaKind, ReadonlySet<string>>> = {
  audio: new Set([MID_EXTENSION, ABS_SEND_TIME, TRANSPORT_CC, AUDIO_LEVEL, ABS_CAPTURE_TIME]),
  video: new Set([MID_EXTENSION, ABS_SEND_TIME, TRANSPORT_CC, DEPENDENCY_DESCRIPTOR, ABS_CAPTURE_TIME]),
};

/** What an offer of ours maps: one meaning for an identifier in all sections, and in both directions. */
export function offeredExtensions(kind: MediaKind): readonly RtpHeaderExtension[] {
  return OFFERED.filter(({ uri }) => READ[kind].has(uri));
}

/** Of what a section maps, what is read in the packets that come. */
export function readExtensions(
  kind: MediaKind,
  mapped: readonly RtpHeaderExtension[],
): readonly RtpHeaderExtension[] {
  return mapped.filter(({ uri }) => READ[kind].has(uri));
}

const OFFERED: readonly RtpHeaderExtension[] = [
  { uri: MID_EXTENSION, id: 1 },
  { uri: ABS_SEND_TIME, id: 4 },
  { uri: TRANSPORT_CC, id: 5 },
  { uri: AUDIO_LEVEL, id: 6 },
  { uri: DEPENDENCY_DESCRIPTOR, id: 7 },
  { uri: ABS_CAPTURE_TIME, id: 10 },
];

/**
 * Whether packets that are sent in sections of `kinds` would be misread by who mapped identifiers so, in whatever section, as all share one
 * transport. Such a peer is not answered but offered to.
 */
export function extensionsClash(mapped: readonly RtpHeaderExtension[], kinds: readonly MediaKind[]): boolean {
  return kinds.some((kind) =>
    SENT[kind].some(({ uri, id }) => mapped.some((other) => other.id === id && other.uri !== uri)),
  );
}
