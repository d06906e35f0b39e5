import type { MediaDescription } from "sdp-transform";
import { ok, type Result } from "../../codecs/result.ts";
import type { MediaKind, RtcpFeedback, RtpCodec } from "./description.ts";
import { malformed } from "./sdp-text.ts";

/** The codecs of a section that are taken, and the names of all it has. */
export interface ReadCodecs {
  readonly taken: readonly RtpCodec[];
  readonly offered: readonly string[];
}

/** Most formats of one section. */
const MAX_FORMATS = 128;

/**
 * The codecs of a section, in its order: Opus 48000/2, VP8, VP9 of profile 0, AV1 of profile 0, and behind each the `rtx` that repeats it.
 * Faults: `sdp-malformed`, `at` as given.
 */
export function readCodecs(kind: MediaKind, section: MediaDescription, at: string): Result<ReadCodecs> {
  const formats = String(section.payloads ?? "").split(" ");
  if (formats.length > MAX_FORMATS) return malformed(`More than ${MAX_FORMATS} formats.`, at);
  const named: RtpCodec[] = [];
  const offered: string[] = [];
  const seen = new Set<string>();
  // Once, and not for each format anew.
  const feedback = Map.groupBy(section.rtcpFb ?? [], ({ payload }) => String(payload));
  for (const format of formats) {
    const payloadType = Number(format);
    if (!/^\d{1,3}$/.test(format) || payloadType > 127 || seen.has(format))
      return malformed("The m= line names a payload type twice, or one that is none.", at);
    seen.add(format);
    const lines = section.rtp.filter(({ payload }) => payload === payloadType);
    if (lines.length > 1) return malformed(`Payload type ${payloadType} is mapped twice.`, at);
    const [line] = lines;
    // One of RFC 3551, which nothing here takes.
    if (line === undefined) continue;
    const { rate = 0, encoding } = line;
    const channels = encoding === undefined ? undefined : Number(encoding);
    const name = String(line.codec);
    offered.push(`${name}/${rate}${channels === undefined ? "" : `/${channels}`}`);
    const parameters = parametersOf(section, payloadType);
    if (!parameters.ok) return malformed(parameters.fault.message, at);
    named.push({
      mimeType: `${kind}/${name}`,
      payloadType,
      clockRate: Number(rate),
      ...(channels === undefined ? {} : { channels }),
      parameters: parameters.value,
      rtcpFeedback: feedbackOf(kind, [
        ...(feedback.get("*") ?? []),
        ...(feedback.get(String(payloadType)) ?? []),
      ]),
    });
  }
  const taken = named.flatMap((codec) => {
    const mimeType = takenType(codec);
    if (mimeType === undefined) return [];
    const again = named.find(
      ({ mimeType: type, parameters }) =>
        type.toLowerCase() === "video/rtx" && parameters.apt === codec.payloadType,
    );
    return [
      { ...codec, mimeType },
      ...(again === undefined ? [] : [{ ...again, mimeType: "video/rtx", rtcpFeedback: [] }]),
    ];
  });
  return ok({ taken, offered });
}

/** How this server writes the type of a codec that it takes. */
function takenType({ mimeType, clockRate, channels, parameters }: RtpCodec): string | undefined {
  const type = TAKEN.find((name) => name.toLowerCase() === mimeType.toLowerCase());
  if (type === "audio/opus") return clockRate === 48_000 && channels === 2 ? type : undefined;
  if (type === undefined || clockRate !== 90_000) return undefined;
  // Both default to 0 (RFC 9628, and AV1's RTP format): the profile of browsers' own encoders.
  const profile = type === "video/VP9" ? parameters["profile-id"] : parameters.profile;
  return type === "video/VP8" || profile === undefined || profile === 0 ? type : undefined;
}

function parametersOf(section: MediaDescription, payloadType: number): Result<RtpCodec["parameters"]> {
  const lines = section.fmtp.filter(({ payload }) => payload === payloadType);
  if (lines.length > 1) return malformed(`Payload type ${payloadType} has two a=fmtp.`);
  const parameters: Record<string, string | number> = Object.create(null);
  for (const part of String(lines[0]?.config ?? "").split(";")) {
    const [, name = "", value = ""] = PARAMETER.exec(part.trim()) ?? [];
    // Formats without names, as of `red`, are not taken anyway.
    if (name !== "") parameters[name] = /^(?:0|[1-9]\d{0,8})$/.test(value) ? Number(value) : value;
  }
  if (Object.keys(parameters).length > MAX_PARAMETERS)
    return malformed(`More than ${MAX_PARAMETERS} parameters.`);
  return ok({ ...parameters });
}

function feedbackOf(kind: MediaKind, named: NonNullable<MediaDescription["rtcpFb"]>): RtcpFeedback[] {
  return FEEDBACK[kind].filter(({ type, parameter }) =>
    named.some((line) => String(line.type) === type && line.subtype === parameter),
  );
}

/** What the media worker does of RFC 4585 and its kin. */
export const FEEDBACK: Readonly<Record<MediaKind, readonly RtcpFeedback[]>> = {
  audio: [{ type: "nack" }, { type: "transport-cc" }],
  video: [
    { type: "nack" },
    { type: "nack", parameter: "pli" },
    { type: "ccm", parameter: "fir" },
    { type: "goog-remb" },
    { type: "transport-cc" },
  ],
};
const TAKEN = ["audio/opus", "video/VP8", "video/VP9", "video/AV1"];
const MAX_PARAMETERS = 32;
const PARAMETER = /^([\w-]{1,64})=(.{0,256})$/;
