/** What calls over WebRTC need of the browser; its entry hands it in. */
import type { PeerStats } from "../../sfu/peer-stats.ts";

/** `interrupted`: nothing comes through now, and it may come back. `closed`: for good. */
export type PeerState = "connecting" | "connected" | "interrupted" | "closed";

export type MediaKind = "audio" | "video";

/** A DTLS certificate for one peer connection; its key cannot be read. */
export interface PeerCertificate {
  readonly certificate: RTCCertificate;
  /** SHA-256 of it, 64 lowercase hex digits. */
  readonly fingerprint: string;
}

/** What a peer connection tells. */
export interface PeerEvents {
  readonly state: (state: PeerState) => void;
  /** A track of the other end is there. */
  readonly track: (track: MediaStreamTrack) => void;
  /** The control channel is open. */
  readonly ready: () => void;
  readonly control: (text: string) => void;
  readonly data: (message: string | Uint8Array<ArrayBuffer>) => void;
}

/** A peer connection to a server that offers: one stream a kind each way, and two data channels. */
export interface PeerConnection {
  /** What comes, as one stream, so that sound and pictures keep time. */
  readonly incoming: MediaStream;
  /** Answers an offer, the first or a later one. Throws `sdp-malformed` for one that the browser does not take. */
  answer(offer: string): Promise<string>;
  /** Sends a track, in place of the one before; `null`: nothing more. */
  send(kind: MediaKind, track: MediaStreamTrack | null): Promise<void>;
  /** Whether what is sent of a kind is taken at the other end. */
  sends(kind: MediaKind): boolean;
  /** Says something on the control channel; false where it is not open. */
  sendControl(text: string): boolean;
  /** Throws `closed` where the channel is not open, `buffer-full` while too much waits, `field-invalid` for a message too large. */
  sendData(message: string | Uint8Array<ArrayBuffer>): void;
  stats(): Promise<PeerStats>;
  /** Idempotent. */
  close(): void;
}

/** The browser's WebRTC. */
export interface WebRtc {
  /** Throws `native-unavailable`. */
  createCertificate(): Promise<PeerCertificate>;
  connect(certificate: PeerCertificate, events: PeerEvents): PeerConnection;
  /** Calls `changed` when the machine is on another network. The function it gives stops that. */
  watchNetwork(changed: () => void): () => void;
}
