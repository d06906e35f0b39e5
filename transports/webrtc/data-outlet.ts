/** One data channel: messages to the peer wait here for their turn, messages of the peer are handed out. */
import type { types } from "mediasoup";

export interface OutletCounts {
  readonly sent: number;
  readonly received: number;
  /** Not sent: more than {@link MAX_WAITING_BYTES} or {@link MAX_WAITING_MESSAGES} waited already, or the worker refused them. */
  readonly dropped: number;
}

export interface OutletSettings {
  readonly stream: number;
  readonly label: string;
  readonly ordered: boolean;
  readonly maxRetransmits?: number;
}

/** A message that does not fit any more is dropped, those that wait stay. */
export class DataChannelOutlet {
  readonly #transport: types.WebRtcTransport;
  readonly #outlet: types.DataConsumer;
  readonly #queue: (string | Uint8Array)[] = [];
  #waiting = 0;
  #sent = 0;
  #received = 0;
  #dropped = 0;
  /** How often the worker said that little is left. */
  #lows = 0;
  #isSending = false;
  #isClosed = false;

  private constructor(transport: types.WebRtcTransport, outlet: types.DataConsumer) {
    this.#transport = transport;
    this.#outlet = outlet;
    transport.on("sctpstatechange", (state) => {
      if (state === "connected") this.#flush();
    });
    outlet.on("bufferedamountlow", () => {
      this.#lows += 1;
      this.#flush();
    });
  }

  /** To be opened in the order of their streams: mediasoup counts them itself. */
  static async open(
    transport: types.WebRtcTransport,
    direct: types.DirectTransport,
    { stream, label, ordered, maxRetransmits }: OutletSettings,
    message: (message: string | Uint8Array) => void,
  ): Promise<DataChannelOutlet> {
    const reliability = { ordered, ...(maxRetransmits === undefined ? {} : { maxRetransmits }) };
    const ours = await direct.produceData({ label });
    const outlet = await transport.consumeData({ dataProducerId: ours.id, ...reliability });
    if (outlet.sctpStreamParameters?.streamId !== stream)
      throw new TypeError(`Data channel ${label} is on another stream than ${stream}.`);
    await outlet.setBufferedAmountLowThreshold(LOW_BYTES);
    const theirs = await transport.produceData({
      sctpStreamParameters: { streamId: stream, ...reliability },
      label,
    });
    const channel = new DataChannelOutlet(transport, outlet);
    const inlet = await direct.consumeData({ dataProducerId: theirs.id, paused: true });
    inlet.on("message", (bytes, ppid) => {
      channel.#received += 1;
      message(readMessage(bytes, ppid));
    });
    await inlet.resume();
    return channel;
  }

  get counts(): OutletCounts {
    return { sent: this.#sent, received: this.#received, dropped: this.#dropped };
  }

  /** Bytes that wait here. */
  get waiting(): number {
    return this.#waiting;
  }

  send(message: string | Uint8Array): boolean {
    const size = sizeOf(message);
    const isFull = this.#queue.length >= MAX_WAITING_MESSAGES || this.#waiting + size > MAX_WAITING_BYTES;
    if (this.#isClosed || isFull) {
      this.#dropped += 1;
      return false;
    }
    this.#queue.push(message);
    this.#waiting += size;
    this.#flush();
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#dropped += this.#queue.length;
    this.#queue.length = 0;
    this.#waiting = 0;
  }

  #flush(): void {
    if (this.#isSending || this.#isClosed || this.#transport.sctpState !== "connected") return;
    this.#isSending = true;
    void this.#drain().finally(() => {
      this.#isSending = false;
    });
  }

  async #drain(): Promise<void> {
    for (;;) {
      const message = this.#queue.shift();
      if (message === undefined) return;
      this.#waiting -= sizeOf(message);
      const lows = this.#lows;
      let held: number;
      try {
        held = await this.#outlet.send(typeof message === "string" ? message : Buffer.from(message));
        this.#sent += 1;
      } catch {
        this.#dropped += 1;
        continue;
      }
      if (held <= HIGH_BYTES) continue;
      const left = await this.#outlet.getBufferedAmount().catch(() => 0);
      if (left > LOW_BYTES && this.#lows === lows) return;
    }
  }
}

/** RFC 8831, section 8: the protocol identifier says what a message is, and that an empty one is empty. */
function readMessage(bytes: Buffer, ppid: number): string | Uint8Array {
  if (ppid === PPID.emptyText) return "";
  if (ppid === PPID.emptyBinary) return new Uint8Array();
  return ppid === PPID.text ? bytes.toString("utf8") : new Uint8Array(bytes);
}

function sizeOf(message: string | Uint8Array): number {
  return typeof message === "string" ? Buffer.byteLength(message) : message.length;
}

const PPID = { text: 51, emptyText: 56, emptyBinary: 57 } as const;
export const MAX_WAITING_BYTES = 1_048_576;
const MAX_WAITING_MESSAGES = 1_024;
/** The worker holds this much of a channel before more waits here, and is given more when so little is left. */
const HIGH_BYTES = 262_144;
const LOW_BYTES = 65_536;
