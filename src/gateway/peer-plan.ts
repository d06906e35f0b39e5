/** What a peer connection is to carry: from what the peer offered or asked for, and from what its call agreed on. */
import type { Call } from "../../agent/call.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import type {
  MediaKind,
  MediaSection,
  RemoteDescription,
  RtpCodec,
  Direction as SdpDirection,
} from "../../transports/webrtc/description.ts";
import { FEEDBACK } from "../../transports/webrtc/sdp-codecs.ts";
import type { PeerOpening } from "./desk.ts";
import type { LegMedia } from "./leg.ts";

/** What is settled between the call and the peer, as the peer sees it. */
export interface SettledMedia {
  readonly audio: LegMedia["audio"];
  readonly video: { readonly direction: Direction; readonly format: VideoFormatName } | undefined;
  readonly data: boolean;
}

type Direction = NonNullable<LegMedia["audio"]>;

const FORMATS: readonly VideoFormatName[] = ["vp8", "vp9", "av1"];

/**
 * What the peer wants of a call. WHIP: it sends; WHEP: it receives; whatever else stands in its offer is left out. Faults: `sdp-malformed`
 * for an offer in which nothing flows that way.
 */
export function wantedMedia(opening: PeerOpening): Result<LegMedia> {
  if (opening.way === "exchange") {
    const { audio, video, data } = opening;
    return ok({
      audio: flowing(audio),
      video: isFlowing(video) ? { direction: video, codecs: FORMATS } : undefined,
      data,
    });
  }
  const { offer, way } = opening;
  const direction = way === "whip" ? "sendonly" : "recvonly";
  const flows = (section: MediaSection | undefined) =>
    section !== undefined && (section.direction === "sendrecv" || section.direction === direction);
  const video = sectionOf(offer, "video");
  const media: LegMedia = {
    audio: flows(sectionOf(offer, "audio")) ? direction : undefined,
    video: video !== undefined && flows(video) ? { direction, codecs: formatsOf(video.codecs) } : undefined,
    data: offer.sections.some(({ kind }) => kind === "data"),
  };
  if (media.audio !== undefined || media.video !== undefined || media.data) return ok(media);
  const lacking = way === "whip" ? "The offer sends nothing." : "The offer receives nothing.";
  return refuse("sdp-malformed", lacking, "sections");
}

/** Where there is no call yet: the first format that the peer likes, of each kind. */
export function settledAlone({ audio, video, data }: LegMedia): SettledMedia {
  const [format] = video?.codecs ?? [];
  return {
    ...{ audio, data },
    video: video === undefined || format === undefined ? undefined : { direction: video.direction, format },
  };
}

/** What the call agreed on of it. `reserves`: where it has no pictures yet, there is a place for those of the other end that come later. */
export function settledWith(
  { audio, video, data }: LegMedia,
  call: Pick<Call, "voice" | "video">,
  { reserves }: { readonly reserves: boolean },
): SettledMedia {
  const { voice } = call;
  return {
    audio: voice && audio && both(audio, voice.sends !== undefined, voice.hears !== undefined),
    video: video && settledPictures(video, call.video?.codec, reserves),
    data,
  };
}

function settledPictures(
  { direction, codecs: [likes] }: NonNullable<LegMedia["video"]>,
  agreed: VideoFormatName | undefined,
  reserves: boolean,
): SettledMedia["video"] {
  if (agreed !== undefined) return { direction, format: agreed };
  const isReserved = reserves && likes !== undefined && peerReceives(direction);
  return isReserved ? { direction: "recvonly", format: likes } : undefined;
}

/** Of what the peer offered, the formats that are settled, each with what repeats it. */
export function settledCodecs(offer: RemoteDescription, settled: SettledMedia): readonly RtpCodec[] {
  const pick = (kind: MediaKind, mimeType: string | undefined) => {
    const codecs = sectionOf(offer, kind)?.codecs ?? [];
    const codec = codecs.find((one) => one.mimeType === mimeType);
    return codecs.filter((one) => one === codec || (codec && one.parameters.apt === codec.payloadType));
  };
  return [
    ...pick("audio", settled.audio && "audio/opus"),
    ...pick("video", settled.video && mimeTypeOf(settled.video.format)),
  ];
}

/** Under which payload types this end offers what is settled. */
export function ownCodecs({ audio, video }: SettledMedia): readonly RtpCodec[] {
  const payloadType = video && OWN_TYPES[video.format];
  return [
    ...(audio === undefined ? [] : [OPUS]),
    ...(video === undefined || payloadType === undefined
      ? []
      : [
          {
            ...{ mimeType: mimeTypeOf(video.format), payloadType, clockRate: 90_000 },
            ...{ parameters: {}, rtcpFeedback: FEEDBACK.video },
          },
          {
            ...{ mimeType: "video/rtx", payloadType: payloadType + 1, clockRate: 90_000 },
            ...{ parameters: { apt: payloadType }, rtcpFeedback: [] },
          },
        ]),
  ];
}

/** The section of that kind that is taken. */
export function sectionOf(offer: RemoteDescription, kind: MediaKind): MediaSection | undefined {
  return offer.sections.find((section): section is MediaSection => section.kind === kind);
}

export function peerSends(direction: SdpDirection | undefined): boolean {
  return direction === "sendrecv" || direction === "sendonly";
}

export function peerReceives(direction: SdpDirection | undefined): boolean {
  return direction === "sendrecv" || direction === "recvonly";
}

function formatsOf(codecs: readonly RtpCodec[]): readonly VideoFormatName[] {
  const named = codecs.flatMap(({ mimeType }) => FORMATS.find((one) => mimeTypeOf(one) === mimeType) ?? []);
  return [...new Set(named)];
}

function mimeTypeOf(format: VideoFormatName): string {
  return `video/${format.toUpperCase()}`;
}

function isFlowing(direction: SdpDirection | "none"): direction is Direction {
  return direction !== "none" && direction !== "inactive";
}

function flowing(direction: SdpDirection | "none"): Direction | undefined {
  return isFlowing(direction) ? direction : undefined;
}

/** What is left of a direction where the call may take one way alone. */
function both(wanted: Direction, sends: boolean, receives: boolean): Direction | undefined {
  const isSent = peerSends(wanted) && sends;
  const isReceived = peerReceives(wanted) && receives;
  if (isSent) return isReceived ? "sendrecv" : "sendonly";
  return isReceived ? "recvonly" : undefined;
}

const OPUS: RtpCodec = {
  ...{ mimeType: "audio/opus", payloadType: 111, clockRate: 48_000, channels: 2 },
  ...{ parameters: { minptime: 10, useinbandfec: 1 }, rtcpFeedback: FEEDBACK.audio },
};
/** What repeats each has the next one. */
const OWN_TYPES: Readonly<Record<VideoFormatName, number>> = { vp8: 96, vp9: 98, av1: 100 };
