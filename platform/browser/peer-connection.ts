import { ParleyError } from "../../codecs/parley-error.ts";
import { PeerMeter, type PeerStats } from "../../sfu/peer-stats.ts";
import type { PeerCertificate } from "./peer-certificate.ts";

/** Bytes that wait to be sent as data, at most; one message more is refused. */
const MOST_WAITING = 1 << 20;
/** Both channels are negotiated in advance: what each is, and its SCTP stream. */
const CONTROL = { label: "parley-control", id: 0 } as const;
const DATA = { label: "parley-data", id: 1 } as const;

/** `interrupted`: nothing comes through now, and it may come back. `closed`: for good. */
type PeerState = "connecting" | "connected" | "interrupted" | "closed";

type MediaKind = "audio" | "video";

/** What a peer connection tells. */
interface PeerEvents {
  readonly state: (state: PeerState) => void;
  /** A track of the other end is there. */
  readonly track: (track: MediaStreamTrack) => void;
  /** The control channel is open. */
  readonly ready: () => void;
  readonly control: (text: string) => void;
  readonly data: (message: string | Uint8Array<ArrayBuffer>) => void;
}

/** A peer connection of this page to a server that offers: one stream a kind each way, and two data channels. */
export class BrowserPeer {
  /** What comes, as one stream, so that sound and pictures keep time. */
  readonly incoming = new MediaStream();
  readonly #connection: RTCPeerConnection;
  readonly #control: RTCDataChannel;
  readonly #data: RTCDataChannel;
  readonly #events: PeerEvents;
  readonly #meter = new PeerMeter();
  readonly #sent: Record<MediaKind, MediaStreamTrack | null> = { audio: null, video: null };
  #state: PeerState = "connecting";

  constructor({ certificate }: PeerCertificate, events: PeerEvents) {
    this.#events = events;
    const connection = new RTCPeerConnection({ certificates: [certificate], bundlePolicy: "max-bundle" });
    this.#connection = connection;
    this.#control = connection.createDataChannel(CONTROL.label, { negotiated: true, id: CONTROL.id });
    this.#data = connection.createDataChannel(DATA.label, { negotiated: true, id: DATA.id });
    this.#data.binaryType = "arraybuffer";
    this.#control.onopen = () => events.ready();
    this.#control.onmessage = ({ data }) => {
      if (typeof data === "string") events.control(data);
    };
    this.#data.onmessage = ({ data }) => events.data(typeof data === "string" ? data : new Uint8Array(data));
    connection.onconnectionstatechange = () => this.#changed();
    connection.ontrack = ({ track }) => {
      this.incoming.addTrack(track);
      events.track(track);
    };
  }

  /** Answers an offer, the first or a later one. Throws `sdp-malformed` for one that the browser does not take. */
  async answer(offer: string): Promise<string> {
    try {
      await this.#connection.setRemoteDescription({ type: "offer", sdp: offer });
      for (const transceiver of this.#connection.getTransceivers()) {
        if (transceiver.direction === "stopped") continue;
        // What the offer does not take is left out of the answer.
        transceiver.direction = "sendrecv";
        await transceiver.sender.replaceTrack(this.#sent[kindOf(transceiver)]);
      }
      const answer = await this.#connection.createAnswer();
      await this.#connection.setLocalDescription(answer);
      return answer.sdp ?? "";
    } catch (cause) {
      throw new ParleyError(
        { code: "sdp-malformed", message: "The browser does not take the server's description." },
        { cause },
      );
    }
  }

  /** Sends a track, in place of the one before; `null`: nothing more. */
  async send(kind: MediaKind, track: MediaStreamTrack | null): Promise<void> {
    this.#sent[kind] = track;
    const transceiver = this.#connection.getTransceivers().find((one) => kindOf(one) === kind);
    await transceiver?.sender.replaceTrack(track);
  }

  /** Whether what is sent of a kind is taken at the other end. */
  sends(kind: MediaKind): boolean {
    return this.#connection
      .getTransceivers()
      .some((one) => kindOf(one) === kind && one.currentDirection?.startsWith("send") === true);
  }

  /** Says something on the control channel; false where it is not open. */
  sendControl(text: string): boolean {
    return say(this.#control, text);
  }

  /** Sends a message. Throws `closed` where the channel is not open, `buffer-full` while too much waits, `field-invalid` for one too large. */
  sendData(message: string | Uint8Array<ArrayBuffer>): void {
    const largest = this.#connection.sctp?.maxMessageSize ?? 0;
    const size = typeof message === "string" ? new TextEncoder().encode(message).length : message.length;
    if (size > largest && this.#data.readyState === "open")
      throw refused("field-invalid", `A message has at most ${largest} bytes.`);
    if (this.#data.bufferedAmount + size > MOST_WAITING)
      throw refused("buffer-full", "More data waits to be sent than there is room for.");
    if (!say(this.#data, message)) throw refused("closed", "The data channel is not open.");
  }

  async stats(): Promise<PeerStats> {
    const report = await this.#connection.getStats();
    return this.#meter.read(report.values());
  }

  /** Idempotent. */
  close(): void {
    this.#connection.close();
    for (const track of this.incoming.getTracks()) track.stop();
    this.#set("closed");
  }

  #changed(): void {
    const { connectionState } = this.#connection;
    if (connectionState === "connected") this.#set("connected");
    else if (connectionState === "closed") this.#set("closed");
    // Before it was ever up, to fail is no interruption: the server says what became of it, or nobody does in time.
    else if (connectionState === "disconnected" || connectionState === "failed") this.#set("interrupted");
  }

  #set(state: PeerState): void {
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    this.#events.state(state);
  }
}

function kindOf({ receiver }: RTCRtpTransceiver): MediaKind {
  return receiver.track.kind === "video" ? "video" : "audio";
}

function say(channel: RTCDataChannel, message: string | Uint8Array<ArrayBuffer>): boolean {
  if (channel.readyState !== "open") return false;
  channel.send(message as string);
  return true;
}

function refused(code: "field-invalid" | "buffer-full" | "closed", message: string): ParleyError {
  return new ParleyError({ code, message });
}
