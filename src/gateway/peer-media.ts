import type { MediaKind } from "../../transports/webrtc/description.ts";

/** SCTP streams of the data channels that a gateway and its peer agree on beforehand. */
export const CHANNELS = { control: 0, data: 1 } as const;

/** What a bridge needs of the peer connection on its other side. */
export interface PeerMedia {
  /** Sends an RTP packet of the stream of that kind. */
  write(kind: MediaKind, packet: Uint8Array): void;
  /** A sender report (RTCP) of it. */
  report(kind: MediaKind, rtcp: Uint8Array): void;
  /** Asks the peer for a key frame. */
  requestKeyFrame(): void;
  /** Tells the peer what it may send at most in all, bits a second. */
  limitIncoming(bitsPerSecond: number): void;
  /** Sends a message on a data channel. `false`: it was dropped, since too much waits there. */
  sendMessage(stream: number, message: string | Uint8Array): boolean;
  /** Bytes of messages that wait for a data channel. */
  waiting(stream: number): number;
}

/** When what a peer's timestamps name was captured: a `CaptureClock`. */
export interface CaptureTimes {
  /** Unix milliseconds by this machine's clock; `arrival`, in the same: when the first packet of it came. */
  at(timestamp: number, arrival: number): number;
}
