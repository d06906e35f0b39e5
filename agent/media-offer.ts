import { DATA_FORMATS } from "../codecs/data-formats.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Capabilities } from "../signaling/negotiation.ts";
import type { OfferStream } from "../signaling/offer.ts";
import { type Modality, type ScopeLimits, sendingScopes } from "../signaling/scope.ts";
import { sends } from "../signaling/stream-fields.ts";
import { audioCapabilities, offerAudio } from "./audio-offer.ts";
import type { CallOptions, VideoOptions } from "./call-options.ts";
import { offeredData } from "./data-offer.ts";
import type { AgentPlatform } from "./platform.ts";
import { offerVideo, videoCapabilities } from "./video-offer.ts";

/** Stream id of a call's video, and of its best rendition; those of the others follow. */
const VIDEO_STREAM = 3;

/** The streams a caller offers, video under the caps `limits` of its scope. Throws `field-invalid` when there are none, or for audio nothing here can run. */
export function offerStreams(
  platform: AgentPlatform,
  options: CallOptions,
  freshSsrc: () => number,
  limits: ScopeLimits = {},
): OfferStream[] {
  const streams: OfferStream[] = [];
  if (options.audio !== false) streams.push(offerAudio(platform, options.audio ?? {}, freshSsrc()));
  const picture = videoOf(options);
  if (picture !== undefined) streams.push(...offerVideo(picture, { first: VIDEO_STREAM }, freshSsrc, limits));
  streams.push(...offeredData(options, freshSsrc));
  if (streams.length > 0) return streams;
  throw new ParleyError({ code: "field-invalid", message: "A call has audio, video or data.", at: "audio" });
}

/** What a callee can take; `maySend`: its documents let it, under the caps `limits`. */
export function capabilitiesOf(
  platform: AgentPlatform,
  options: CallOptions,
  maySend: (modality: Modality) => boolean,
  limits: ScopeLimits,
): Capabilities {
  const picture = videoOf(options);
  return {
    limits,
    profiles: profilesOf(options, ["frame", "chain"]),
    ...(options.audio === false ? {} : { audio: audioCapabilities(platform, options.audio ?? {}) }),
    ...(picture === undefined ? {} : { video: videoCapabilities(picture, maySend("video")) }),
    ...(options.data === false
      ? {}
      : { data: { formats: DATA_FORMATS.map(({ name }) => name), send: maySend("data"), receive: true } }),
  };
}

/** What a call's video may be; undefined: it has none. */
function videoOf({ video = false }: CallOptions): VideoOptions | undefined {
  return video === false ? undefined : video === true ? {} : video;
}

/** The profiles that a call may have here, best first. Throws `field-invalid` when there are none. */
export function profilesOf(
  { profile }: CallOptions,
  otherwise: readonly FrameProfile[],
): readonly FrameProfile[] {
  if (profile === undefined) return otherwise;
  const profiles = typeof profile === "string" ? [profile] : [...new Set(profile)];
  if (profiles.length > 0) return profiles;
  throw new ParleyError({ code: "field-invalid", message: "A call has a profile.", at: "profile" });
}

/** Scope tokens that sending these streams takes. */
export function sendingScope(streams: readonly Pick<OfferStream, "modality" | "direction">[]): string[] {
  const sent = streams.filter(({ direction }) => sends(direction));
  return [...new Set(sent.flatMap(({ modality }) => sendingScopes(modality)))];
}
