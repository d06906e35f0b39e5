/** A WebRTC peer on werift: what it sends and takes are RTP packets and messages. */
import { MediaStreamTrack, type RTCDataChannel, RTCPeerConnection, RTCRtpCodecParameters } from "werift";

export class WeriftPeer {
  readonly packets = { audio: [] as Buffer[], video: [] as Buffer[] };
  readonly messages: { readonly stream: number; readonly message: string | Buffer }[] = [];
  readonly #connection: RTCPeerConnection;
  readonly #tracks = new Map<"audio" | "video", MediaStreamTrack>();
  readonly #channels: RTCDataChannel[];

  /** `channels`: labels of channels both ends agreed on, each on the stream of its place. */
  constructor(kinds: readonly ("audio" | "video")[], channels: readonly string[] = []) {
    this.#connection = new RTCPeerConnection({
      iceServers: [],
      iceInterfaceAddresses: { udp4: "127.0.0.1" },
      iceAdditionalHostAddresses: ["127.0.0.1"],
      iceUseIpv6: false,
      codecs: {
        audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48_000, channels: 2 })],
        video: [
          new RTCRtpCodecParameters({
            mimeType: "video/VP8",
            clockRate: 90_000,
            rtcpFeedback: [{ type: "nack" }, { type: "nack", parameter: "pli" }, { type: "goog-remb" }],
          }),
        ],
      },
    });
    for (const kind of kinds) {
      const track = new MediaStreamTrack({ kind });
      const transceiver = this.#connection.addTransceiver(track, { direction: "sendrecv" });
      transceiver.onTrack.subscribe((heard) => {
        heard.onReceiveRtp.subscribe((packet) => this.packets[kind].push(packet.serialize()));
      });
      this.#tracks.set(kind, track);
    }
    this.#channels = channels.map((label, stream) => {
      const channel = this.#connection.createDataChannel(label, { negotiated: true, id: stream });
      channel.onMessage.subscribe((message) => this.messages.push({ stream, message }));
      return channel;
    });
  }

  async offer(): Promise<string> {
    await this.#connection.setLocalDescription(await this.#connection.createOffer());
    return this.#connection.localDescription?.sdp ?? "";
  }

  async accept(answer: string): Promise<void> {
    await this.#connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  get state(): string {
    return this.#connection.connectionState;
  }

  send(kind: "audio" | "video", packet: Buffer): void {
    this.#tracks.get(kind)?.writeRtp(packet);
  }

  /** Whether its channels are open. */
  get isOpen(): boolean {
    return this.#channels.every(({ readyState }) => readyState === "open");
  }

  sendMessage(stream: number, message: string | Buffer): void {
    this.#channels[stream]?.send(message);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}
