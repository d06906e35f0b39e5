/** A peer made of libdatachannel: its own ICE, DTLS, SRTP and SCTP, in C++. */
import {
  Audio,
  cleanup,
  type DataChannel,
  type Direction,
  PeerConnection,
  type Track,
  Video,
} from "node-datachannel";
import { encodeSenderReport } from "../../codecs/rtcp-report.ts";
import { writeRtpPacket } from "../../codecs/rtp-packet.ts";
import { until } from "../waiting.ts";
import {
  ForeignPeer,
  type ForeignPeerOptions,
  type MediaDirection,
  type MediaKind,
  PAYLOAD_TYPES,
  type PacketToSend,
  sectionsOf,
} from "./foreign-peer.ts";

const DIRECTIONS: Readonly<Record<MediaDirection, Direction>> = {
  sendrecv: "SendRecv",
  sendonly: "SendOnly",
  recvonly: "RecvOnly",
};
const SOURCES: Readonly<Record<MediaKind, number>> = { audio: 0x0a0a0a0a, video: 0x0b0b0b0b };
const GONE = ["closed", "failed", "disconnected"];
const CONNECT_MS = 15_000;
/** Between two of its reports, ms. */
const REPORT_MS = 500;

export class DataChannelPeer extends ForeignPeer {
  readonly #pc: PeerConnection;
  readonly #tracks = new Map<MediaKind, { readonly track: Track; readonly payloadType: number }>();
  readonly #channels: DataChannel[] = [];
  readonly #counts = { audio: { packets: 0, octets: 0 }, video: { packets: 0, octets: 0 } };
  readonly #reporting: NodeJS.Timeout;
  #state = "new";

  constructor(options: ForeignPeerOptions) {
    super(options);
    const { certificate } = options;
    this.#pc = new PeerConnection("foreign", {
      ...(certificate && {
        certificatePemFile: certificate.certificatePem,
        keyPemFile: certificate.privateKeyPem,
      }),
      iceServers: [],
      bindAddress: "127.0.0.1",
      disableAutoNegotiation: true,
    });
    this.#pc.onStateChange((state) => {
      this.#state = state;
    });
    this.#reporting = setInterval(() => this.#report(), REPORT_MS);
    options.channels?.forEach((label, id) => {
      const channel = this.#pc.createDataChannel(label, { negotiated: true, id });
      channel.onMessage((message) => this.messageCame(id, message));
      this.#channels.push(channel);
    });
  }

  async accept(answer: string): Promise<void> {
    this.#pc.setRemoteDescription(answer, "answer");
  }

  async connected(): Promise<void> {
    await until(
      "a connection",
      () => {
        if (GONE.includes(this.#state)) throw new Error(`The connection is ${this.#state}.`);
        return this.isConnected;
      },
      CONNECT_MS,
    );
    await until("its data channels", () => this.#channels.every((one) => one.isOpen()), CONNECT_MS);
  }

  get isConnected(): boolean {
    return this.#state === "connected";
  }

  /** What it sends of a kind has this source. */
  sourceOf(kind: MediaKind): number {
    return SOURCES[kind];
  }

  async ended(): Promise<void> {
    await until("an end", () => GONE.includes(this.#state));
  }

  message(stream: number, message: string | Uint8Array): void {
    const channel = this.#channels[stream];
    if (typeof message === "string") channel?.sendMessage(message);
    else channel?.sendMessageBinary(message);
  }

  /** Ends the library's threads, which would keep the process, once all of its peers are closed. */
  static cleanUp(): void {
    cleanup();
  }

  async close(): Promise<void> {
    clearInterval(this.#reporting);
    this.#pc.close();
  }

  protected async makeOffer(): Promise<string> {
    const { audio, video, format = "vp8" } = this.options;
    if (audio !== undefined) this.#addTrack("audio", "0", PAYLOAD_TYPES.opus);
    if (video !== undefined) this.#addTrack("video", "1", PAYLOAD_TYPES[format]);
    return await this.#described("offer");
  }

  protected async makeAnswer(offer: string): Promise<string> {
    const { format = "vp8" } = this.options;
    for (const { kind, mid, payloadType } of sectionsOf(offer)) {
      const type = payloadType(kind === "audio" ? "opus" : format);
      if (this.options[kind] !== undefined && type !== undefined) this.#addTrack(kind, mid, type);
    }
    this.#pc.setRemoteDescription(offer, "offer");
    return await this.#described("answer");
  }

  sendRtp(kind: MediaKind, packet: PacketToSend): void {
    const known = this.#tracks.get(kind);
    if (known?.track.isOpen() !== true) return;
    const bytes = writeRtpPacket({ ...packet, ssrc: SOURCES[kind], payloadType: known.payloadType });
    const counts = this.#counts[kind];
    counts.packets += 1;
    counts.octets += packet.payload.length;
    known.track.sendMessageBinary(Buffer.from(bytes));
  }

  sendRtcp(kind: MediaKind, bytes: Uint8Array): void {
    const known = this.#tracks.get(kind);
    if (known?.track.isOpen() === true) known.track.sendMessageBinary(Buffer.from(bytes));
  }

  #addTrack(kind: MediaKind, mid: string, payloadType: number): void {
    // A second offer restarts ICE, and has what the first one had.
    if (this.#tracks.has(kind)) return;
    const { format = "vp8" } = this.options;
    const direction = DIRECTIONS[this.options[kind] ?? "recvonly"];
    let media: Audio | Video;
    if (kind === "audio") {
      media = new Audio(mid, direction);
      media.addOpusCodec(payloadType);
    } else {
      media = new Video(mid, direction);
      if (format === "vp8") media.addVP8Codec(payloadType);
      else if (format === "vp9") media.addVP9Codec(payloadType);
      else media.addAV1Codec(payloadType);
    }
    if (direction !== "RecvOnly") media.addSSRC(SOURCES[kind], "foreign", "foreign", kind);
    const track = this.#pc.addTrack(media);
    track.onMessage((bytes) => this.came(kind, bytes));
    this.#tracks.set(kind, { track, payloadType });
  }

  async #described(type: "offer" | "answer"): Promise<string> {
    const gathered = new Promise<void>((resolve) => {
      this.#pc.onGatheringStateChange((state) => {
        if (state === "complete") resolve();
      });
    });
    this.#pc.setLocalDescription(type);
    await gathered;
    return this.#pc.localDescription()?.sdp ?? "";
  }

  #report(): void {
    for (const kind of ["audio", "video"] as const) {
      if (this.#counts[kind].packets === 0) continue;
      const report = { ...this.present(kind), ...this.#counts[kind], sender: SOURCES[kind], blocks: [] };
      this.sendRtcp(kind, encodeSenderReport(report));
    }
  }
}
