import { type MediaDescription, type SessionDescription, write } from "sdp-transform";
import type {
  DataSection,
  DtlsFingerprint,
  LocalDescription,
  MediaSection,
  RemoteDescription,
  RtpCodec,
  Section,
  SentMedia,
} from "./description.ts";

/**
 * The text of an offer of ours, or of an answer, whose sections are those of the offer in its order, each of the same kind and identifier
 * or `none`: `answeredSections` makes such.
 */
export function writeDescription(local: LocalDescription): string {
  const bundled = local.sections.flatMap((section) => (section.kind === "none" ? [] : [section.mid]));
  const description: SessionDescription = {
    version: 0,
    origin: {
      ...{ username: "-", sessionId: local.origin.id, sessionVersion: local.origin.version },
      ...{ netType: "IN", ipVer: 4, address: "127.0.0.1" },
    },
    name: "-",
    timing: { start: 0, stop: 0 },
    groups: [{ type: "BUNDLE", mids: bundled.join(" ") }],
    msidSemantic: { semantic: "WMS", token: "*" },
    icelite: "ice-lite",
    media: local.sections.map((section) => writeSection(section, local)),
  };
  return write(description);
}

/** What an answer takes of what was offered: at most one section of a kind, with one codec. */
export interface Taken {
  readonly kind: MediaSection["kind"];
  /** Of the offer. */
  readonly payloadType: number;
  /** Whether this end receives what the other sends. */
  readonly receives: boolean;
  /** What this end sends; `undefined`: nothing. */
  readonly sends?: SentMedia;
}

/**
 * The sections of an answer: of each kind the first one offered that has the codec, under the offer's own payload types and identifiers of
 * header extensions; `none` for everything else. Formats are answered with what this end wants to receive: Opus with in-band correction and
 * without gaps in silence, in stereo where that was offered.
 */
export function answeredSections(
  offered: RemoteDescription,
  taken: readonly Taken[],
  data: Pick<DataSection, "sctpPort" | "maxMessageSize"> | undefined,
): readonly Section[] {
  const left = [...taken];
  let dataLeft = data;
  return offered.sections.map((section): Section => {
    if (section.kind === "none") return section;
    if (section.kind === "data") {
      if (dataLeft === undefined)
        return none(section.mid, "application", "UDP/DTLS/SCTP", "webrtc-datachannel");
      const answered = { ...section, ...dataLeft };
      dataLeft = undefined;
      return answered;
    }
    const index = left.findIndex(
      ({ kind, payloadType }) =>
        kind === section.kind && section.codecs.some((codec) => codec.payloadType === payloadType),
    );
    const [plan] = index < 0 ? [] : left.splice(index, 1);
    const payloadTypes = section.codecs.map((codec) => codec.payloadType).join(" ");
    if (plan === undefined) return none(section.mid, section.kind, "UDP/TLS/RTP/SAVPF", payloadTypes);
    const mayReceive = section.direction === "sendrecv" || section.direction === "sendonly";
    const maySend = section.direction === "sendrecv" || section.direction === "recvonly";
    const receives = mayReceive && plan.receives;
    const sends = maySend ? plan.sends : undefined;
    return {
      ...{ kind: section.kind, mid: section.mid },
      direction: receives ? (sends ? "sendrecv" : "recvonly") : sends ? "sendonly" : "inactive",
      codecs: section.codecs
        .filter(({ payloadType, parameters }) => [payloadType, parameters.apt].includes(plan.payloadType))
        .map(answeredCodec),
      headerExtensions: section.headerExtensions,
      ...(sends === undefined ? {} : { sends }),
    };
  });
}

/** Where `codec` is Opus, what this end says of its receiver. What it does not name is as RFC 7587 has it: no gaps in silence. */
function answeredCodec(codec: RtpCodec): RtpCodec {
  if (codec.mimeType !== "audio/opus") return codec;
  const { stereo, "sprop-stereo": sent } = codec.parameters;
  const isStereo = stereo === 1 || sent === 1;
  return {
    ...codec,
    parameters: { minptime: 10, useinbandfec: 1, ...(isStereo ? { stereo: 1, "sprop-stereo": 1 } : {}) },
  };
}

function none(mid: string, media: string, protocol: string, formats: string): Section {
  return { kind: "none", mid, media, protocol, formats, offered: [] };
}

function writeSection(section: Section, local: LocalDescription): MediaDescription {
  const lines = { rtp: [], fmtp: [], connection: { version: 4, ip: "0.0.0.0" } };
  if (section.kind === "none") {
    const { media: type, protocol, formats: payloads, mid } = section;
    return { ...lines, type, port: 0, protocol, payloads, ...(mid === undefined ? {} : { mid }) };
  }
  const transport = {
    mid: section.mid,
    iceUfrag: local.ice.usernameFragment,
    icePwd: local.ice.password,
    iceOptions: "trickle",
    candidates: local.candidates.map((candidate) => ({
      ...{ foundation: candidate.foundation, component: 1, transport: candidate.protocol },
      ...{ priority: candidate.priority, ip: candidate.address, port: candidate.port, type: candidate.type },
      ...(candidate.tcpType === undefined ? {} : { tcptype: candidate.tcpType }),
    })),
    endOfCandidates: "end-of-candidates" as const,
    fingerprint: fingerprintOf(local.fingerprints),
    setup: local.setup,
  };
  if (section.kind === "data")
    return {
      ...{ ...lines, type: "application", port: PORT, protocol: "UDP/DTLS/SCTP" },
      ...{ payloads: "webrtc-datachannel", ...transport },
      ...{ sctpPort: section.sctpPort, maxMessageSize: section.maxMessageSize },
    };
  const { kind: type, codecs, direction, headerExtensions, sends } = section;
  return {
    ...{ ...lines, type, port: PORT, protocol: "UDP/TLS/RTP/SAVPF", ...transport, direction },
    payloads: codecs.map(({ payloadType }) => payloadType).join(" "),
    rtp: codecs.map(({ payloadType: payload, mimeType, clockRate: rate, channels }) => ({
      ...{ payload, codec: mimeType.slice(mimeType.indexOf("/") + 1), rate },
      ...(channels === undefined ? {} : { encoding: channels }),
    })),
    fmtp: codecs.flatMap(({ payloadType: payload, parameters }) => {
      const config = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
      return config.length === 0 ? [] : [{ payload, config: config.join(";") }];
    }),
    rtcpFb: codecs.flatMap(({ payloadType: payload, rtcpFeedback }) =>
      rtcpFeedback.map(({ type: name, parameter }) => ({
        ...{ payload, type: name },
        ...(parameter === undefined ? {} : { subtype: parameter }),
      })),
    ),
    ext: headerExtensions.map(({ id: value, uri }) => ({ value, uri })),
    rtcpMux: "rtcp-mux",
    rtcpRsize: "rtcp-rsize",
    ...(sends === undefined ? {} : writeSent(sends, section.mid)),
  };
}

function writeSent({ encodings, cname, stream }: SentMedia, mid: string): Partial<MediaDescription> {
  const [encoding] = encodings;
  const sources = encoding === undefined ? [] : [encoding.ssrc, ...(encoding.rtx ? [encoding.rtx.ssrc] : [])];
  return {
    // The library writes no identifier of a stream alone; no two sections may have the same.
    ...(stream === undefined ? {} : { msid: [{ id: stream.stream, appdata: stream.track ?? mid }] }),
    ...(cname === undefined
      ? {}
      : { ssrcs: sources.map((id) => ({ id, attribute: "cname", value: cname })) }),
    ...(sources.length > 1 ? { ssrcGroups: [{ semantics: "FID", ssrcs: sources.join(" ") }] } : {}),
  };
}

/** The strongest that everybody knows: one is enough, and all that the library writes. */
function fingerprintOf(fingerprints: readonly DtlsFingerprint[]): { type: string; hash: string } {
  const found = fingerprints.find(({ algorithm }) => algorithm === "sha-256");
  if (found === undefined) throw new TypeError("A description needs a fingerprint of sha-256.");
  return { type: found.algorithm, hash: found.value };
}

/** RFC 8840: the place of what the candidates say. */
const PORT = 9;
