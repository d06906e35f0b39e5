/** One WebRTC peer connection: what comes of the peer is handed out as RTP packets and messages, what goes to it is taken as such. */
import type { types } from "mediasoup";
import { ParleyError } from "../../codecs/parley-error.ts";
import { DataChannelOutlet, type OutletCounts } from "./data-outlet.ts";
import type {
  DtlsFingerprint,
  DtlsSetup,
  IceCandidate,
  IceCredentials,
  MediaKind,
  MediaSection,
  RtpCodec,
  RtpHeaderExtension,
} from "./description.ts";
import { sha256Of } from "./fingerprints.ts";
import type { MediaWorker } from "./media-worker.ts";
import { type CaptureReport, IncomingMedia, type IncomingStats } from "./peer-incoming.ts";
import { OutgoingMedia, type OutgoingStats } from "./peer-outgoing.ts";
import { type PeerEnd, PeerPath } from "./peer-path.ts";
import { keyFramesWanted } from "./peer-rtcp.ts";
import { routerCodecs } from "./router-codecs.ts";
import type { MediaWorkers } from "./workers.ts";

export type { PeerEnd } from "./peer-path.ts";

/** A data channel that both ends agreed on beforehand (RFC 8832 is not spoken): its SCTP stream is its place in the list. */
export interface ChannelSettings {
  readonly label: string;
  readonly ordered: boolean;
  /** Of a channel that loses rather than waits: how often a message is sent again. Default: until it is there. */
  readonly maxRetransmits?: number;
}

export interface PeerSettings {
  /** What both ends may send, under the payload types of the descriptions: one codec of sound, one of pictures, repetitions (`video/rtx`) beside them. */
  readonly codecs: readonly RtpCodec[];
  /** Default: no data channels. */
  readonly channels?: readonly ChannelSettings[];
  /** Bits a second that pictures to the peer begin with. Default 1,000,000. */
  readonly firstBitrate?: number;
}

/** What a peer tells its owner. Called from mediasoup's turns; nothing is called after `closed`. */
export interface PeerHandlers {
  /** ICE and DTLS are up, at first and again after an interruption. */
  connected?(): void;
  /** The peer has not been heard of for 10 s; unless it comes back or ICE is restarted, the connection ends. */
  disconnected?(): void;
  /**
   * An RTP packet of the peer, in the order of arrival, to keep or change. Repetitions and repaired losses come as what they repeat.
   * Payload type: that of the codec; sequence numbers follow the peer's; header extensions: `EXTENSION_IDS`.
   */
  packet?(kind: MediaKind, packet: Uint8Array): void;
  /** A sender report of the peer: what time by its own clock an RTP timestamp of the packets handed out is of. */
  senderReport?(kind: MediaKind, report: CaptureReport): void;
  /** The peer cannot go on without a key frame of ours. */
  keyFrameWanted?(): void;
  /** A message on a data channel. */
  message?(stream: number, message: string | Uint8Array): void;
  /** How much the way to the peer takes, in bits a second, where pictures go there. */
  bitrate?(bitsPerSecond: number): void;
  /** The last word. */
  closed?(reason: PeerEnd): void;
}

/** How the connection does. Round trip in milliseconds, `undefined` until it was measured. */
export interface PeerStats {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly incoming: readonly IncomingStats[];
  readonly outgoing: readonly OutgoingStats[];
  readonly channels: readonly OutletCounts[];
}

/** This end of a peer connection, ICE-lite, on one media worker. Descriptions of it are written by its owner. */
export class PeerConnection {
  readonly #worker: MediaWorker;
  readonly #router: types.Router;
  readonly #transport: types.WebRtcTransport;
  readonly #direct: types.DirectTransport;
  readonly #handlers: PeerHandlers;
  readonly #codecs: readonly RtpCodec[];
  readonly #path: PeerPath;
  readonly #incoming = new Map<MediaKind, IncomingMedia>();
  readonly #outgoing = new Map<MediaKind, OutgoingMedia>();
  #channels: readonly DataChannelOutlet[] = [];
  #end: PeerEnd | undefined;

  private constructor(parts: {
    readonly worker: MediaWorker;
    readonly router: types.Router;
    readonly transport: types.WebRtcTransport;
    readonly direct: types.DirectTransport;
    readonly settings: PeerSettings;
    readonly handlers: PeerHandlers;
  }) {
    const { worker, router, transport, direct, settings, handlers } = parts;
    this.#worker = worker;
    this.#router = router;
    this.#transport = transport;
    this.#direct = direct;
    this.#handlers = handlers;
    this.#codecs = settings.codecs;
    this.#worker.peers += 1;
    this.#path = new PeerPath(transport, {
      connected: () => handlers.connected?.(),
      disconnected: () => handlers.disconnected?.(),
      ended: (reason) => this.close(reason),
    });
    router.on("workerclose", () => {
      if (this.#end === undefined) worker.lost += 1;
      this.close("media-worker-lost");
    });
    direct.on("rtcp", (compound) => {
      const video = this.#outgoing.get("video")?.ssrc;
      if (video !== undefined && keyFramesWanted(compound).includes(video)) handlers.keyFrameWanted?.();
    });
    transport.on("trace", ({ type, info }) => {
      if (type !== "bwe") return;
      const { availableBitrate } = info as { readonly availableBitrate?: number };
      if (availableBitrate !== undefined) handlers.bitrate?.(availableBitrate);
    });
  }

  /** Opens this end on the least loaded worker. Throws `webrtc-unavailable`, `port-taken`. */
  static async open(
    workers: MediaWorkers,
    settings: PeerSettings,
    handlers: PeerHandlers,
  ): Promise<PeerConnection> {
    const worker = await workers.take();
    const { router, server } = await worker.openRouter(routerCodecs(settings.codecs));
    let peer: PeerConnection | undefined;
    try {
      const channels = settings.channels ?? [];
      const transport = await router.createWebRtcTransport({
        webRtcServer: server,
        enableUdp: true,
        enableTcp: true,
        preferUdp: true,
        iceConsentTimeout: CONSENT_SECONDS,
        initialAvailableOutgoingBitrate: settings.firstBitrate ?? FIRST_BITRATE,
        enableSctp: channels.length > 0,
        maxReceiveMessageSize: MAX_MESSAGE_BYTES,
        maxSendMessageSize: MAX_MESSAGE_BYTES,
      });
      const direct = await router.createDirectTransport({
        maxReceiveMessageSize: MAX_MESSAGE_BYTES,
        maxSendMessageSize: MAX_MESSAGE_BYTES,
      });
      peer = new PeerConnection({ worker, router, transport, direct, settings, handlers });
      await peer.#openChannels(channels);
      return peer;
    } catch (cause) {
      if (peer === undefined) router.close();
      else peer.close("media-worker-lost");
      const message = `The media worker did not open a peer: ${(cause as Error).message}`;
      throw new ParleyError({ code: "webrtc-unavailable", message }, { cause });
    }
  }

  /** Of this end, for its descriptions. */
  get ice(): IceCredentials {
    const { usernameFragment, password } = this.#transport.iceParameters;
    return { usernameFragment, password };
  }

  /** Where this end listens. None follow. */
  get candidates(): readonly IceCandidate[] {
    return this.#transport.iceCandidates.map((candidate) => ({
      foundation: candidate.foundation,
      priority: candidate.priority,
      address: candidate.address,
      protocol: candidate.protocol,
      port: candidate.port,
      type: candidate.type,
      ...(candidate.tcpType === undefined ? {} : { tcpType: candidate.tcpType }),
    }));
  }

  /** Of this end's certificate. */
  get fingerprints(): readonly DtlsFingerprint[] {
    return this.#transport.dtlsParameters.fingerprints.filter(({ algorithm }) => algorithm === "sha-256");
  }

  /** SCTP port of this end, for its descriptions; `undefined` without data channels. */
  get sctpPort(): number | undefined {
    return this.#transport.sctpParameters?.port;
  }

  /** SHA-256 of the certificate the peer showed, 64 lowercase hex digits; `undefined` before the handshake. */
  get peerCertificate(): string | undefined {
    return this.#path.peerCertificate;
  }

  /** Why it ended, if it did. */
  get end(): PeerEnd | undefined {
    return this.#end;
  }

  /** Process that holds it. */
  get workerPid(): number {
    return this.#worker.pid;
  }

  /**
   * Lets the peer in whose certificate has this fingerprint, once. `setup`: what its description says. Candidates of the peer are not
   * needed: this end is ICE-lite and learns from its checks where it is.
   */
  async connect(fingerprints: readonly DtlsFingerprint[], setup: DtlsSetup): Promise<void> {
    const wanted = fingerprints.filter(({ algorithm }) => algorithm === "sha-256");
    this.#path.expect(sha256Of(wanted));
    await this.#transport.connect({
      dtlsParameters: {
        role: setup === "passive" ? "server" : "client",
        fingerprints: wanted.map(({ algorithm, value }) => ({ algorithm, value })),
      },
    });
  }

  /** New credentials for new descriptions: the peer may come from elsewhere, everything else goes on. */
  async restartIce(): Promise<IceCredentials> {
    const { usernameFragment, password } = await this.#transport.restartIce();
    this.#path.restarted();
    return { usernameFragment, password };
  }

  /** Takes what the peer sends in this section of its description, in the codec of its kind. One a kind. */
  async receive(section: MediaSection): Promise<void> {
    const codecs = this.#codecsOf(section.kind, section.codecs);
    const incoming = await IncomingMedia.open(this.#transport, this.#direct, {
      section,
      codecs,
      capabilities: this.#router.rtpCapabilities,
      packet: (packet) => this.#handlers.packet?.(section.kind, packet),
      report: (report) => this.#handlers.senderReport?.(section.kind, report),
    });
    this.#incoming.set(section.kind, incoming);
  }

  /**
   * Opens a stream to the peer in the codec of this kind. `taken`: what the peer's section says, or what ours offers. What descriptions
   * have to say of it is in the result. One a kind.
   */
  async send(taken: {
    readonly kind: MediaKind;
    /** What its packets are marked with: `sentMid`. */
    readonly mid: string;
    readonly codecs: readonly RtpCodec[];
    readonly headerExtensions: readonly RtpHeaderExtension[];
    /** RFC 3550: the same for everything that keeps time together. */
    readonly cname: string;
  }): Promise<OutgoingMedia> {
    const codecs = this.#codecsOf(taken.kind, taken.codecs);
    const outgoing = await OutgoingMedia.open(this.#transport, this.#direct, { ...taken, codecs });
    this.#outgoing.set(taken.kind, outgoing);
    if (taken.kind === "video") await this.#transport.enableTraceEvent(["bwe"]);
    return outgoing;
  }

  /** Asks the peer for a key frame. */
  requestKeyFrame(): void {
    this.#incoming.get("video")?.requestKeyFrame();
  }

  /** Tells the peer, in REMB, what it may send at most in all, in bits a second. */
  async limitIncoming(bitsPerSecond: number): Promise<void> {
    await this.#transport.setMaxIncomingBitrate(Math.round(bitsPerSecond));
  }

  /** Sends a message on a data channel. `false`: it was dropped, since too much waits there already; that is counted. */
  sendMessage(stream: number, message: string | Uint8Array): boolean {
    return this.#channels[stream]?.send(message) ?? false;
  }

  /** Bytes of messages that wait for a data channel. */
  waiting(stream: number): number {
    return this.#channels[stream]?.waiting ?? 0;
  }

  async stats(): Promise<PeerStats> {
    const [transport] = await this.#transport.getStats();
    return {
      bytesReceived: transport?.bytesReceived ?? 0,
      bytesSent: transport?.bytesSent ?? 0,
      incoming: await Promise.all([...this.#incoming.values()].map((media) => media.stats())),
      outgoing: await Promise.all([...this.#outgoing.values()].map((media) => media.stats())),
      channels: this.#channels.map(({ counts }) => counts),
    };
  }

  /** Ends it, once. */
  close(reason: PeerEnd): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#worker.peers -= 1;
    this.#path.close();
    for (const channel of this.#channels) channel.close();
    this.#router.close();
    this.#handlers.closed?.(reason);
  }

  /** Of what a section names, what this connection was opened for, under the section's own payload types. */
  #codecsOf(kind: MediaKind, named: readonly RtpCodec[]): readonly RtpCodec[] {
    const wanted = this.#codecs.filter((codec) => codec.mimeType.startsWith(`${kind}/`));
    return named.filter((codec) =>
      wanted.some(
        ({ mimeType, payloadType }) =>
          mimeType.toLowerCase() === codec.mimeType.toLowerCase() && payloadType === codec.payloadType,
      ),
    );
  }

  async #openChannels(channels: readonly ChannelSettings[]): Promise<void> {
    const opened: DataChannelOutlet[] = [];
    for (const [stream, settings] of channels.entries()) {
      opened.push(
        await DataChannelOutlet.open(this.#transport, this.#direct, { ...settings, stream }, (message) =>
          this.#handlers.message?.(stream, message),
        ),
      );
    }
    this.#channels = opened;
  }
}

/** A peer that was not heard of for so long has gone: ICE consent (RFC 7675) comes every few seconds. */
const CONSENT_SECONDS = 10;
/** Of one message, either way. */
export const MAX_MESSAGE_BYTES = 65_536;
const FIRST_BITRATE = 1_000_000;
