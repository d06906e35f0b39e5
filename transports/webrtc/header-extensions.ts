import type { MediaKind, RtpHeaderExtension } from "./description.ts";

/** RFC 8843: to which section a packet belongs. */
export const MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid";
const ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const ABS_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
const DEPENDENCY_DESCRIPTOR =
  "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/** What stands in the packets that the media worker sends, under identifiers that it does not let anybody choose, with its length in bytes. */
const SENT: Readonly<Record<MediaKind, readonly (RtpHeaderExtension & { readonly length: number })[]>> = {
  audio: [
    { uri: MID_EXTENSION, id: 1, length: 7 },
    { uri: AUDIO_LEVEL, id: 6, length: 1 },
  ],
  video: [
    { uri: MID_EXTENSION, id: 1, length: 7 },
    { uri: ABS_SEND_TIME, id: 4, length: 3 },
    { uri: TRANSPORT_CC, id: 5, length: 2 },
  ],
};

/** The text that is sent in the place of a section's name to who has another meaning for that identifier: of a length that none of {@link LENGTHS} has. */
const NO_MID = "nothing";

/**
 * Header extensions whose length is given: receivers pass them over where they have another one (libwebrtc, `Parse` in
 * modules/rtp_rtcp/source/rtp_header_extensions.cc).
 */
const LENGTHS: ReadonlyMap<string, readonly number[]> = new Map([
  [AUDIO_LEVEL, [1]],
  [ABS_SEND_TIME, [3]],
  [TRANSPORT_CC, [2]],
  ["http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02", [2, 4]],
  [ABS_CAPTURE_TIME, [8, 16]],
  ["urn:ietf:params:rtp-hdrext:toffset", [3]],
  ["urn:3gpp:video-orientation", [1]],
  ["http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", [3]],
  ["http://www.webrtc.org/experiments/rtp-hdrext/video-content-type", [1]],
  ["http://www.webrtc.org/experiments/rtp-hdrext/video-timing", [12, 13]],
  ["http://www.webrtc.org/experiments/rtp-hdrext/color-space", [4, 28]],
]);

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
 * transport. Such a peer is not answered but offered to. What is none of the lengths that the mapped meaning may have is passed over there and does no harm.
 */
export function extensionsClash(mapped: readonly RtpHeaderExtension[], kinds: readonly MediaKind[]): boolean {
  return kinds.some((kind) =>
    SENT[kind].some(({ uri, id, length }) =>
      mapped.some(
        (other) => other.id === id && other.uri !== uri && LENGTHS.get(other.uri)?.includes(length) !== false,
      ),
    ),
  );
}

/** What packets of a section are to be marked with toward who mapped identifiers so: its name, or where it would be read as something else, nothing. */
export function sentMid(mid: string, mapped: readonly RtpHeaderExtension[]): string {
  const meanings = mapped.filter(({ id }) => id === 1).map(({ uri }) => uri);
  return meanings.every((uri) => uri === MID_EXTENSION) ? mid : NO_MID;
}
