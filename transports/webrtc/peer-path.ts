/** Whether the way to a peer is there: ICE, DTLS, and how long each may take. */
import { X509Certificate } from "node:crypto";
import type { types } from "mediasoup";

/**
 * Why a peer connection ended. `ice-failed`: it never came, or was gone for too long. `dtls-failed`: the handshake failed; its certificate
 * was another than the one that was named, or it did not come to an end. `peer-closed`: the peer said so. `media-worker-lost`: the process
 * that held it is gone. Others: those of who closed it here.
 */
export type PeerEnd = "ice-failed" | "dtls-failed" | "peer-closed" | "media-worker-lost" | (string & {});

export interface PathHandlers {
  readonly connected: () => void;
  readonly disconnected: () => void;
  readonly ended: (reason: PeerEnd) => void;
}

/** Watches one transport, and gives up on it. */
export class PeerPath {
  readonly #transport: types.WebRtcTransport;
  readonly #handlers: PathHandlers;
  #timer: NodeJS.Timeout | undefined;
  #expected: string | undefined;
  #isUp = false;

  constructor(transport: types.WebRtcTransport, handlers: PathHandlers) {
    this.#transport = transport;
    this.#handlers = handlers;
    this.#wait(CONNECT_MS);
    transport.on("icestatechange", () => this.#look());
    // Of a peer that leaves, either may be what came through.
    transport.on("sctpstatechange", (state) => {
      if (state === "closed") handlers.ended("peer-closed");
    });
    transport.on("dtlsstatechange", (state) => {
      if (state === "failed") handlers.ended("dtls-failed");
      else if (state === "closed") handlers.ended("peer-closed");
      else this.#look();
    });
  }

  /** SHA-256 of the peer's certificate, 64 lowercase hex digits, once it has shown it. */
  get peerCertificate(): string | undefined {
    return certificateDigest(this.#transport.dtlsRemoteCert);
  }

  /** The certificate that the peer's description names: 64 lowercase hex digits. */
  expect(fingerprint: string | undefined): void {
    this.#expected = fingerprint;
  }

  /** The peer has as long as at first to come. */
  restarted(): void {
    if (!this.#isUp) this.#wait(CONNECT_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const { iceState, dtlsState } = this.#transport;
    const isUp = (iceState === "connected" || iceState === "completed") && dtlsState === "connected";
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.close();
    if (!isUp) {
      this.#wait(AWAY_MS);
      this.#handlers.disconnected();
    } else if (this.#expected !== this.peerCertificate) this.#handlers.ended("dtls-failed");
    else this.#handlers.connected();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isHeardOf = this.#transport.iceState === "connected" || this.#transport.iceState === "completed";
      this.#handlers.ended(isHeardOf ? "dtls-failed" : "ice-failed");
    }, ms);
    this.#timer.unref();
  }
}

function certificateDigest(pem: string | undefined): string | undefined {
  if (pem === undefined) return undefined;
  return new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
}

/** From the beginning to ICE and DTLS. */
const CONNECT_MS = 15_000;
/** What a peer that is gone has left to come back, or its owner to restart ICE. */
const AWAY_MS = 5_000;
