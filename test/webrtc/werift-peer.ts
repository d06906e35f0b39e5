/** A peer made of werift: its own ICE, DTLS, SRTP and SCTP, in TypeScript. */
import {
  type RTCDataChannel,
  RTCPeerConnection,
  type RTCRtpTransceiver,
  RtpHeader,
  useAV1,
  useOPUS,
  useSdesRTPStreamId,
  useVP8,
  useVP9,
  RtpPacket as WeriftPacket,
} from "werift";
import { parseRtcp } from "../../codecs/rtcp.ts";
import { parsePictureLoss } from "../../codecs/rtcp-pli.ts";
import { until } from "../waiting.ts";
import {
  ForeignPeer,
  type ForeignPeerOptions,
  type MediaKind,
  PAYLOAD_TYPES,
  type PacketToSend,
} from "./foreign-peer.ts";

const GONE = ["closed", "failed", "disconnected"];
const CONNECT_MS = 15_000;

export class WeriftPeer extends ForeignPeer {
  readonly #pc: RTCPeerConnection;
  readonly #transceivers = new Map<MediaKind, RTCRtpTransceiver>();
  readonly #channels: RTCDataChannel[] = [];

  constructor(options: ForeignPeerOptions) {
    super(options);
    const { format = "vp8" } = options;
    const video = { vp8: useVP8, vp9: useVP9, av1: useAV1 }[format];
    this.#pc = new RTCPeerConnection({
      iceServers: [],
      bundlePolicy: "max-bundle",
      iceAdditionalHostAddresses: ["127.0.0.1"],
      codecs: {
        audio: [useOPUS({ payloadType: PAYLOAD_TYPES.opus })],
        video: [video({ payloadType: PAYLOAD_TYPES[format] })],
      },
      // Identifiers are given in this order, from 1.
      ...(options.misreads === true ? { headerExtensions: { audio: [useSdesRTPStreamId()] } } : {}),
    });
    this.#pc.onTransceiverAdded.subscribe((transceiver) => this.#listen(transceiver));
    options.channels?.forEach((label, id) => {
      const channel = this.#pc.createDataChannel(label, { negotiated: true, id });
      channel.onMessage.subscribe((message) => this.messageCame(id, message));
      this.#channels.push(channel);
    });
  }

  async accept(answer: string): Promise<void> {
    await this.#pc.setRemoteDescription({ type: "answer", sdp: answer });
  }

  async connected(): Promise<void> {
    const isUp = () => {
      const { connectionState } = this.#pc;
      if (GONE.includes(connectionState)) throw new Error(`The connection is ${connectionState}.`);
      const areOpen = this.#channels.every(({ readyState }) => readyState === "open");
      return connectionState === "connected" && areOpen;
    };
    await until("a connection", isUp, CONNECT_MS);
  }

  get isConnected(): boolean {
    return this.#pc.connectionState === "connected";
  }

  async ended(): Promise<void> {
    await until("an end", () => GONE.includes(this.#pc.connectionState));
  }

  message(stream: number, message: string | Uint8Array): void {
    this.#channels[stream]?.send(typeof message === "string" ? message : Buffer.from(message));
  }

  async close(): Promise<void> {
    await this.#pc.close();
  }

  /** Its answer to an offer with new ICE credentials; it then looks for the way again, which the library leaves undone where DTLS is up. */
  async restart(offer: string): Promise<string> {
    const answer = await this.answer(offer);
    for (const transport of this.#pc.iceTransports) void transport.start();
    return answer;
  }

  protected async makeOffer(): Promise<string> {
    for (const kind of ["audio", "video"] as const) {
      const direction = this.options[kind];
      if (direction !== undefined) this.#pc.addTransceiver(kind, { direction });
    }
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return this.#pc.localDescription?.sdp ?? "";
  }

  protected async makeAnswer(offer: string): Promise<string> {
    await this.#pc.setRemoteDescription({ type: "offer", sdp: offer });
    for (const transceiver of this.#pc.getTransceivers()) {
      const direction = this.options[transceiver.kind as MediaKind];
      if (direction !== undefined) transceiver.setDirection(direction);
      this.#listen(transceiver);
    }
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    return this.#pc.localDescription?.sdp ?? "";
  }

  sendRtp(kind: MediaKind, packet: PacketToSend): void {
    const { marker, sequence, timestamp, payload } = packet;
    const header = new RtpHeader({ marker, sequenceNumber: sequence, timestamp });
    const sender = this.#transceivers.get(kind)?.sender;
    void sender?.sendRtp(new WeriftPacket(header, Buffer.from(payload)));
  }

  sendRtcp(kind: MediaKind, bytes: Uint8Array): void {
    const packets = parseRtcp(bytes);
    const loss = packets.ok && packets.value[0] ? parsePictureLoss(bytes, packets.value[0]) : undefined;
    if (loss?.ok === true) void this.#transceivers.get(kind)?.receiver.sendRtcpPLI(loss.value.ssrc);
  }

  #listen(transceiver: RTCRtpTransceiver): void {
    const kind = transceiver.kind as MediaKind;
    if (this.#transceivers.get(kind) === transceiver) return;
    this.#transceivers.set(kind, transceiver);
    transceiver.onTrack.subscribe((track) => {
      track.onReceiveRtp.subscribe((packet) => this.came(kind, packet.serialize()));
    });
    transceiver.receiver.onRtcp.subscribe((packet) => this.came(kind, packet.serialize()));
    transceiver.sender.onPictureLossIndication.subscribe(() => {
      this.keyFramesAsked += 1;
    });
  }
}
