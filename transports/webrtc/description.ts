/**
 * What the two ends of a peer connection tell each other, as values: SDP text is read into and written from these, and peer connections
 * take and give nothing else. Shapes follow `RTCRtpParameters` (ORTC), so that they can be handed on member by member.
 */

export type MediaKind = "audio" | "video";

/** Of a section, as seen by whoever wrote the description. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** RFC 8445. */
export interface IceCredentials {
  readonly usernameFragment: string;
  readonly password: string;
}

/** RFC 8839. Of this end all candidates are of type `host`; those of the other end are not needed where it comes to ours. */
export interface IceCandidate {
  readonly foundation: string;
  readonly priority: number;
  /** IP address, or for other ends also a name under `.local`. */
  readonly address: string;
  readonly protocol: "udp" | "tcp";
  readonly port: number;
  readonly type: "host" | "srflx" | "prflx" | "relay";
  readonly tcpType?: "active" | "passive" | "so";
}

/** RFC 8122. */
export interface DtlsFingerprint {
  readonly algorithm: "sha-1" | "sha-224" | "sha-256" | "sha-384" | "sha-512";
  /** Upper-case pairs of hex digits with colons between them. */
  readonly value: string;
}

/** RFC 8842: who begins the DTLS handshake. An offer leaves it open, an answer does not. */
export type DtlsSetup = "actpass" | "active" | "passive";

/** RFC 4585. */
export interface RtcpFeedback {
  readonly type: string;
  readonly parameter?: string;
}

/** A format under its payload type. */
export interface RtpCodec {
  /** `audio/opus`, `video/VP8`, `video/VP9`, `video/AV1`, or `video/rtx`, whose `apt` names the payload type that it repeats. */
  readonly mimeType: string;
  readonly payloadType: number;
  readonly clockRate: number;
  /** Audio alone. */
  readonly channels?: number;
  /** `a=fmtp`, values that are numbers as numbers. */
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly rtcpFeedback: readonly RtcpFeedback[];
}

/** RFC 8285. */
export interface RtpHeaderExtension {
  readonly uri: string;
  readonly id: number;
}

/** One RTP stream. */
export interface RtpEncoding {
  readonly ssrc: number;
  readonly rtx?: { readonly ssrc: number };
}

/** RFC 8830. */
export interface MediaStreamId {
  readonly stream: string;
  readonly track?: string;
}

/** What one end sends in a section. */
export interface SentMedia {
  /** One; none where no SSRC was named, and packets say by their header extension to which section they belong. */
  readonly encodings: readonly RtpEncoding[];
  /** RFC 3550; the same in every section whose streams keep time together. */
  readonly cname?: string;
  readonly stream?: MediaStreamId;
}

/** A section of sound or pictures. */
export interface MediaSection {
  readonly kind: MediaKind;
  readonly mid: string;
  readonly direction: Direction;
  /** What is taken here of what was named, in the writer's order of preference, each with its `video/rtx` right behind it. */
  readonly codecs: readonly RtpCodec[];
  /** What is read here in the packets of its writer. */
  readonly headerExtensions: readonly RtpHeaderExtension[];
  /** Where `direction` says that its writer sends. */
  readonly sends?: SentMedia;
  /** In milliseconds; Opus. */
  readonly packetTime?: number;
}

/** RFC 8841: data channels. */
export interface DataSection {
  readonly kind: "data";
  readonly mid: string;
  readonly sctpPort: number;
  /** In bytes; 0: any. */
  readonly maxMessageSize: number;
}

/** A section that carries nothing: refused, or not for us. It keeps its place in the answer. */
export interface EmptySection {
  readonly kind: "none";
  readonly mid?: string;
  /** Of its `m=` line. */
  readonly media: string;
  readonly protocol: string;
  readonly formats: string;
  /** What it named, for who is told that nothing of it is taken, e.g. `H264/90000`. */
  readonly offered: readonly string[];
}

export type Section = MediaSection | DataSection | EmptySection;

/** What the other end said: an offer, or an answer to ours. */
export interface RemoteDescription {
  readonly ice: IceCredentials;
  /** It answers checks and sends none of its own. */
  readonly iceLite: boolean;
  /** It will send further candidates one by one. */
  readonly trickles: boolean;
  /** Those of the text; more may come. */
  readonly candidates: readonly IceCandidate[];
  /** Of its certificate, `sha-256` among them; no two of one algorithm. */
  readonly fingerprints: readonly DtlsFingerprint[];
  readonly setup: DtlsSetup;
  /** In the order of the text; all but empty ones share one transport. */
  readonly sections: readonly Section[];
  /** Every identifier that any section maps, also to what means nothing here: what must not be sent to it in another meaning. */
  readonly mappedExtensions: readonly RtpHeaderExtension[];
}

/** What this end says: an offer, or an answer, whose sections stand in the offer's order. */
export interface LocalDescription {
  /** RFC 8866 `o=`: the same for every description of a peer connection, and one more for each new one. */
  readonly origin: { readonly id: string; readonly version: number };
  readonly ice: IceCredentials;
  readonly candidates: readonly IceCandidate[];
  readonly fingerprints: readonly DtlsFingerprint[];
  readonly setup: DtlsSetup;
  readonly sections: readonly Section[];
}

/** RFC 8840: what comes after a description. Other credentials than before are an ICE restart. */
export interface IceFragment {
  readonly ice: IceCredentials;
  readonly candidates: readonly IceCandidate[];
  /** No candidate follows. */
  readonly isComplete: boolean;
}
