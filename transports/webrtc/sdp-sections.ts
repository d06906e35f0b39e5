import type { MediaDescription } from "sdp-transform";
import { ok, type Result } from "../../codecs/result.ts";
import type {
  Direction,
  EmptySection,
  MediaKind,
  MediaSection,
  RtpEncoding,
  RtpHeaderExtension,
  Section,
  SentMedia,
} from "./description.ts";
import { MID_EXTENSION, readExtensions } from "./header-extensions.ts";
import { readCodecs } from "./sdp-codecs.ts";
import { malformed, type SdpPart } from "./sdp-text.ts";

/** One section, `bundled` by the identifiers of those that share the transport. Fault: `sdp-malformed`. */
export function readSection(
  media: MediaDescription,
  part: SdpPart,
  bundled: ReadonlySet<string>,
): Result<Section> {
  const { type, port, protocol, payloads } = media;
  const mid = part.one("mid");
  if (mid !== undefined && !MID.test(mid))
    return malformed("a=mid is not 1 to 16 characters of a token.", `${part.at}: a=mid`);
  const none = (offered: readonly string[] = []): Result<EmptySection> =>
    ok({
      kind: "none",
      ...(mid === undefined ? {} : { mid }),
      ...{ media: String(type), protocol: String(protocol), formats: String(payloads ?? "0"), offered },
    });
  if (port === 0 && !part.has("bundle-only")) return none();
  const isData = type === "application" && /^(?:UDP|TCP)\/DTLS\/SCTP$/.test(protocol);
  const isMedia = (type === "audio" || type === "video") && /^(?:UDP|TCP)\/TLS\/RTP\/SAVPF$/.test(protocol);
  if (!isData && !isMedia) return none();
  if (mid === undefined) return malformed("There is no a=mid.", part.at);
  if (!bundled.has(mid)) return malformed("The section is not in a=group:BUNDLE.", part.at);
  if (isData) return readData(media, part, mid);
  const codecs = readCodecs(type as MediaKind, media, part.at);
  if (!codecs.ok) return codecs;
  if (codecs.value.taken.length === 0) return none(codecs.value.offered);
  if (!part.has("rtcp-mux")) return malformed("There is no a=rtcp-mux.", part.at);
  return readMedia(media, part, { kind: type as MediaKind, mid, codecs: codecs.value.taken });
}

/** Every identifier that a section maps. Those in encrypted packets' parts are none of ours. */
export function readMappings(media: MediaDescription): readonly RtpHeaderExtension[] {
  return (media.ext ?? [])
    .filter((ext) => ext["encrypt-uri"] === undefined)
    .map(({ value, uri }) => ({ id: Number(value), uri: String(uri) }));
}

function readMedia(
  media: MediaDescription,
  part: SdpPart,
  known: Pick<MediaSection, "kind" | "mid" | "codecs">,
): Result<MediaSection> {
  const at = `${part.at}: a=extmap`;
  const mapped = readMappings(media);
  if (part.all("extmap").length !== (media.ext ?? []).length)
    return malformed("a=extmap is not of RFC 8285.", at);
  if (mapped.length > MAX_EXTENSIONS) return malformed(`More than ${MAX_EXTENSIONS} header extensions.`, at);
  if (mapped.some(({ id }) => id < 1 || id > 255 || id === 15))
    return malformed("An identifier that none has.", at);
  if (new Set(mapped.map(({ id }) => id)).size !== mapped.length)
    return malformed("One identifier stands for two header extensions.", at);
  const [direction = "sendrecv"] = part.directions as readonly Direction[];
  if (known.mid.length > MAX_SENT_MID && (direction === "sendrecv" || direction === "recvonly"))
    return malformed(
      `a=mid of a section that is sent to is longer than ${MAX_SENT_MID}.`,
      `${part.at}: a=mid`,
    );
  const sends = direction === "sendrecv" || direction === "sendonly" ? readSent(media, part) : ok(undefined);
  if (!sends.ok) return sends;
  if (sends.value?.encodings.length === 0 && !mapped.some(({ uri }) => uri === MID_EXTENSION))
    return malformed(
      "Nothing tells which packets are of this section: no a=ssrc, and no header extension for a=mid.",
      part.at,
    );
  const packetTime = Number(part.one("ptime") ?? 0);
  return ok({
    ...known,
    direction,
    headerExtensions: readExtensions(known.kind, mapped),
    ...(sends.value === undefined ? {} : { sends: sends.value }),
    ...(packetTime >= 1 && packetTime <= 120 ? { packetTime } : {}),
  });
}

function readData(media: MediaDescription, part: SdpPart, mid: string): Result<Section> {
  if (media.payloads !== "webrtc-datachannel") return malformed("Not webrtc-datachannel.", part.at);
  const port = part.one("sctp-port") ?? "";
  const size = part.one("max-message-size") ?? String(DEFAULT_MESSAGE_SIZE);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 0xffff || Number(port) === 0)
    return malformed("a=sctp-port is none.", `${part.at}: a=sctp-port`);
  if (!/^\d{1,10}$/.test(size))
    return malformed("a=max-message-size is none.", `${part.at}: a=max-message-size`);
  return ok({ kind: "data", mid, sctpPort: Number(port), maxMessageSize: Number(size) });
}

/** What the writer of a section sends: of several streams the first, of a simulcast none by name. */
function readSent(media: MediaDescription, part: SdpPart): Result<SentMedia> {
  const lines = media.ssrcs ?? [];
  if (lines.length > MAX_SOURCE_LINES) return malformed(`More than ${MAX_SOURCE_LINES} a=ssrc.`, part.at);
  if (
    lines.length !== part.all("ssrc").length ||
    lines.some(({ id }) => typeof id !== "number" || id > 0xffffffff)
  )
    return malformed("a=ssrc is not of RFC 5576.", `${part.at}: a=ssrc`);
  const pairs = (media.ssrcGroups ?? [])
    .filter(({ semantics }) => semantics === "FID")
    .map(({ ssrcs }) => String(ssrcs).split(" ").map(Number));
  const ssrc = part.has("simulcast") ? undefined : lines[0]?.id;
  const [primary, repeated] = pairs.find((pair) => pair.includes(Number(ssrc))) ?? [ssrc];
  const encodings: RtpEncoding[] = [];
  if (ssrc !== undefined) {
    const known = new Set(lines.map(({ id }) => Number(id)));
    if (
      primary === undefined ||
      !known.has(Number(primary)) ||
      (repeated !== undefined && !known.has(repeated))
    )
      return malformed("a=ssrc-group names a source that there is not.", `${part.at}: a=ssrc-group`);
    encodings.push({
      ssrc: Number(primary),
      ...(repeated === undefined ? {} : { rtx: { ssrc: repeated } }),
    });
  }
  const cname = lines.find(({ attribute }) => attribute === "cname")?.value;
  const msid = part.one("msid")?.split(" ");
  return ok({
    encodings,
    ...(cname === undefined ? {} : { cname: String(cname).slice(0, MAX_NAME) }),
    ...(msid?.[0] === undefined
      ? {}
      : {
          stream: {
            stream: msid[0].slice(0, MAX_NAME),
            ...(msid[1] === undefined ? {} : { track: msid[1].slice(0, MAX_NAME) }),
          },
        }),
  });
}

const MID = /^[\w!#$%&'*+.^`{|}~-]{1,16}$/;
/** What the media worker has room for in a packet. */
const MAX_SENT_MID = 8;
const MAX_EXTENSIONS = 32;
const MAX_SOURCE_LINES = 64;
const MAX_NAME = 256;
/** RFC 8841 section 6. */
const DEFAULT_MESSAGE_SIZE = 65_536;
