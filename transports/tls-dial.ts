import { createHash } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ClientCertificate } from "./tls/client-certificate.ts";

/** Milliseconds until `connect-timeout` unless told otherwise. */
export const CONNECT_TIMEOUT = 5_000;

/** A TLS connection whose server is the one that was wanted. */
export interface Dialled {
  readonly socket: TLSSocket;
  /** SHA-256 of the certificate that was pinned; `undefined` with system roots. */
  readonly pinned: Uint8Array | undefined;
  /** Ends it so that the server knows at once that nobody waits any more. */
  readonly reset: () => void;
}

/** One attempt at TLS 1.3 with the server that a URL names. */
export class TlsDial {
  readonly #url: URL;
  readonly #hashes: readonly Uint8Array[] | undefined;
  readonly #protocol: string;
  readonly #certificate: ClientCertificate | undefined;
  #tcp: Socket | undefined;
  #socket: TLSSocket | undefined;
  #fail: (error: ParleyError) => void = () => {};

  /**
   * With `hashes` they alone decide about the server's certificate, without them the system roots. `protocol`: what ALPN says. `certificate`:
   * what is shown to a server that asks.
   */
  constructor(
    url: URL,
    hashes: readonly Uint8Array[] | undefined,
    protocol: string,
    certificate?: ClientCertificate,
  ) {
    this.#url = url;
    this.#hashes = hashes;
    this.#protocol = protocol;
    this.#certificate = certificate;
  }

  /** Dials, once. Throws `connect-refused`, or what it was aborted with. Until it resolves not a byte of ours is said. */
  run(): Promise<Dialled> {
    const host = this.#url.hostname.replace(/^\[|\]$/g, "");
    const tcp = connectTcp({ host, port: Number(this.#url.port || "443"), noDelay: true });
    this.#tcp = tcp;
    return new Promise((resolve, reject) => {
      const socket = connectTls({
        socket: tcp,
        ...(isIP(host) === 0 ? { servername: host } : { host }),
        minVersion: "TLSv1.3",
        ALPNProtocols: [this.#protocol],
        // With pinned hashes the hash alone decides, before a byte of ours goes out.
        rejectUnauthorized: this.#hashes === undefined,
        ...(this.#certificate && {
          cert: this.#certificate.certificatePem,
          key: this.#certificate.privateKeyPem,
        }),
      });
      this.#socket = socket;
      const refused = (why: string, cause?: unknown): void => {
        reject(connectRefused(this.#url, why, cause));
        this.abort();
      };
      this.#fail = reject;
      // They stay: nobody else may be listening yet when something breaks.
      tcp.on("error", (error) => refused(error.message, error));
      socket.on("error", (error) => refused(error.message, error));
      const closed = (): void => refused("the server closed the connection");
      socket.once("close", closed);
      socket.once("secureConnect", () => {
        const pinned = this.#hashes === undefined ? undefined : shown(socket, this.#hashes);
        if (this.#hashes !== undefined && pinned === undefined) {
          refused("its certificate is not the one that was pinned");
          return;
        }
        socket.off("close", closed);
        keepAlive(socket);
        resolve({ socket, pinned, reset: () => void tcp.resetAndDestroy() });
      });
    });
  }

  /** Gives up, with an error while it is not through. Idempotent. */
  abort(error?: ParleyError): void {
    if (error !== undefined) this.#fail(error);
    this.#socket?.destroy();
    this.#tcp?.destroy();
  }
}

/**
 * Lets the machine find out that the peer's is gone while nothing is said: as soon as pings would. What was said and never taken is
 * found out by the network's own rules.
 */
export function keepAlive(socket: Socket): void {
  socket.setKeepAlive(true, KEEP_ALIVE.idle, KEEP_ALIVE.interval, KEEP_ALIVE.probes);
}

/** Milliseconds of silence before the first probe and between probes, and probes unanswered after which the peer is gone. */
const KEEP_ALIVE = { idle: 5_000, interval: 3_000, probes: 3 } as const;

/** Nobody is there, or not who was wanted. */
export function connectRefused(url: URL, why: string, cause?: unknown): ParleyError {
  return new ParleyError(
    {
      code: "connect-refused",
      message: `No connection to ${url.host}: ${why}.`,
      details: { url: url.href },
    },
    cause === undefined ? {} : { cause },
  );
}

/** Nothing was heard for so many milliseconds. */
export function connectTimedOut(url: URL, timeout: number): ParleyError {
  return new ParleyError({
    code: "connect-timeout",
    message: `No answer from ${url.host} within ${timeout} ms.`,
    details: { url: url.href },
  });
}

/** Which of the hashes the server's certificate has. */
function shown(socket: TLSSocket, hashes: readonly Uint8Array[]): Uint8Array | undefined {
  const certificate = socket.getPeerX509Certificate();
  const hash = certificate && createHash("sha256").update(certificate.raw).digest();
  return hash && hashes.find((one) => hash.equals(one));
}
