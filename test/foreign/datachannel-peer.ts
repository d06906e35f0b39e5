/** A WebRTC peer on libdatachannel: what it sends and takes are RTP packets and messages. */
import nodeDataChannel, { type DataChannel, type Track } from "node-datachannel";

export interface DatachannelPeerOptions {
  readonly audio?: { readonly payloadType: number; readonly ssrc: number };
  readonly video?: { readonly payloadType: number; readonly ssrc: number };
  /** Labels of channels both ends agreed on, each on the stream of its place. */
  readonly channels?: readonly string[];
}

export class DatachannelPeer {
  readonly packets = { audio: [] as Buffer[], video: [] as Buffer[] };
  readonly rtcp: Buffer[] = [];
  readonly messages: { readonly stream: number; readonly message: string | Buffer }[] = [];
  readonly #connection: InstanceType<typeof nodeDataChannel.PeerConnection>;
  readonly #channels: DataChannel[] = [];
  readonly #tracks = new Map<"audio" | "video", Track>();
  readonly #opened: Promise<unknown>[] = [];

  constructor({ audio, video, channels = [] }: DatachannelPeerOptions) {
    this.#connection = new nodeDataChannel.PeerConnection("foreign", {
      iceServers: [],
      bindAddress: "127.0.0.1",
      disableAutoNegotiation: true,
    });
    if (audio !== undefined) {
      const media = new nodeDataChannel.Audio("audio", "SendRecv");
      media.addOpusCodec(audio.payloadType);
      media.addSSRC(audio.ssrc, "foreign");
      this.#add("audio", this.#connection.addTrack(media));
    }
    if (video !== undefined) {
      const media = new nodeDataChannel.Video("video", "SendRecv");
      media.addVP8Codec(video.payloadType);
      media.addSSRC(video.ssrc, "foreign");
      this.#add("video", this.#connection.addTrack(media));
    }
    for (const [stream, label] of channels.entries()) {
      const channel = this.#connection.createDataChannel(label, { negotiated: true, id: stream });
      channel.onMessage((message) =>
        this.messages.push({
          stream,
          message: typeof message === "string" ? message : Buffer.from(message as Buffer),
        }),
      );
      this.#opened.push(new Promise<void>((resolve) => channel.onOpen(resolve)));
      this.#channels.push(channel);
    }
  }

  /** Ends the library's threads, which would keep the process. When all peers are closed. */
  static cleanUp(): void {
    nodeDataChannel.cleanup();
  }

  /** Its offer with all of its candidates; with others than before after an answer: an ICE restart. */
  async offer(): Promise<string> {
    const gathered = new Promise<void>((resolve) => {
      this.#connection.onGatheringStateChange((state) => {
        if (state === "complete") resolve();
      });
    });
    this.#connection.setLocalDescription("offer");
    await gathered;
    return this.#connection.localDescription()?.sdp ?? "";
  }

  accept(answer: string): void {
    this.#connection.setRemoteDescription(answer, "answer");
  }

  get state(): string {
    return this.#connection.state();
  }

  /** Resolves when its channels are open. */
  async open(): Promise<void> {
    await Promise.all(this.#opened);
  }

  send(kind: "audio" | "video", packet: Buffer): boolean {
    return this.#tracks.get(kind)?.sendMessageBinary(packet) ?? false;
  }

  sendMessage(stream: number, message: string | Buffer): void {
    if (typeof message === "string") this.#channels[stream]?.sendMessage(message);
    else this.#channels[stream]?.sendMessageBinary(message);
  }

  close(): void {
    this.#connection.close();
  }

  #add(kind: "audio" | "video", track: Track): void {
    this.#tracks.set(kind, track);
    this.#opened.push(new Promise<void>((resolve) => track.onOpen(resolve)));
    // Reports come the same way.
    track.onMessage((bytes) => {
      const type = (bytes[1] as number) & 0x7f;
      if (type >= 72 && type <= 79) this.rtcp.push(Buffer.from(bytes));
      else this.packets[kind].push(Buffer.from(bytes));
    });
  }
}
