import type { Clock } from "../../codecs/clock.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import type { ServerCertificate } from "../../transports/webtransport/certificate.ts";
import type { ServerConfig } from "../config.ts";
import type { Ending } from "./ending.ts";
import type { EventLog } from "./event-log.ts";
import type { Listeners } from "./listeners.ts";
import type { MediaServer } from "./media-server.ts";
import type { WebRtcFacts } from "./webrtc.ts";

/** A server that is up. */
export interface RunningServer {
  /** Agent-ID of the server. */
  readonly agentId: string;
  /** Where agents connect, e.g. `https://127.0.0.1:4480/agtp`; without WebTransport and TLS the same as `webSocketUrl`. */
  readonly url: string;
  /** Where the page, health and metrics are, e.g. `http://127.0.0.1:8480`; `undefined` with `httpPort: "off"`. */
  readonly httpUrl: string | undefined;
  /**
   * Where WebSockets are taken: `wss://127.0.0.1:4480/agtp`, with `tcpPort: "off"` `ws://127.0.0.1:8480/agtp`, `undefined` without
   * either.
   */
  readonly webSocketUrl: string | undefined;
  /** Where AGTP over TLS is, `agtp://127.0.0.1:4480`; `undefined` with `tcpPort: "off"`. */
  readonly agtpUrl: string | undefined;
  /** Where WebRTC peers are taken: the UDP and TCP port of each media worker that may run, 0 for a free one. Else why not, and how to turn it on. */
  readonly webRtc: WebRtcFacts;
  /** Every origin that agents may dial. */
  readonly origins: readonly string[];
  /** SHA-256 of the certificate, 64 hex digits: what agents are given to trust. */
  readonly certificateHash: string;
  /** End of the certificate's validity, Unix milliseconds. */
  readonly certificateNotAfter: number;
  readonly config: ServerConfig;
  /** Connections that are up. */
  readonly connections: number;
  /** Calls that are up, being set up, ringing or ending. */
  readonly calls: number;
  /** Requests taken since the start. */
  readonly requests: number;
  /** Connections to the TLS port whose handshake or first line is not there yet. */
  readonly handshakes: number;
  /** Resolves when the server is down: with the error that brought it down, if one did. Never rejects. */
  readonly ended: Promise<ParleyError | undefined>;
  /**
   * Stops in order: no new calls, `grace` seconds (default: the configured ones) for those that are up, then closes
   * everything. Idempotent; resolves when the server is down.
   */
  stop(grace?: number): Promise<void>;
}

export class UpServer implements RunningServer {
  readonly agentId: string;
  readonly url: string;
  readonly httpUrl: string | undefined;
  readonly webSocketUrl: string | undefined;
  readonly agtpUrl: string | undefined;
  readonly webRtc: WebRtcFacts;
  readonly origins: readonly string[];
  readonly certificateHash: string;
  readonly certificateNotAfter: number;
  readonly config: ServerConfig;
  readonly #media: MediaServer;
  readonly #handshakes: () => number;
  readonly #over: Ending;
  readonly #events: EventLog;
  readonly #clock: Clock;
  readonly #cancelReminder: () => void;
  #opened = new AsyncDisposableStack();
  #stopping: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: {
    readonly config: ServerConfig;
    readonly agentId: string;
    readonly certificate: ServerCertificate;
    readonly listeners: Listeners;
    readonly webRtc: WebRtcFacts;
    readonly media: MediaServer;
    readonly over: Ending;
    readonly events: EventLog;
    readonly clock: Clock;
  }) {
    const { listeners } = parts;
    this.agentId = parts.agentId;
    this.origins = listeners.origins;
    this.url = listeners.url;
    this.httpUrl = listeners.httpUrl;
    this.webSocketUrl = listeners.webSocketUrl;
    this.agtpUrl = listeners.agtpUrl;
    this.webRtc = parts.webRtc;
    this.certificateHash = encodeHex(parts.certificate.hash);
    this.certificateNotAfter = parts.certificate.notAfter;
    this.config = parts.config;
    this.#media = parts.media;
    this.#handshakes = () => listeners.tlsPort()?.handshakes ?? 0;
    this.#over = parts.over;
    this.#events = parts.events;
    this.#clock = parts.clock;
    const expiresIn = this.certificateNotAfter - this.#clock.wall();
    this.#cancelReminder = this.#clock.at(this.#clock.now() + expiresIn - REMIND_BEFORE_MS, () =>
      this.#events.log("warn", "certificate-expires", { notAfter: this.certificateNotAfter }),
    );
    this.#events.log("info", "server-started", {
      address: listeners.address,
      http: listeners.http?.address,
      tcp: listeners.tls?.address,
      webTransport: listeners.webTransport?.address,
      agentId: this.agentId,
      certificateHash: this.certificateHash,
      registration: this.config.registration,
    });
    this.#over.whenFailing(() => this.#close());
  }

  get connections(): number {
    return this.#media.connections;
  }

  get calls(): number {
    return this.#media.calls;
  }

  get requests(): number {
    return this.#media.requests;
  }

  get handshakes(): number {
    return this.#handshakes();
  }

  get ended(): Promise<ParleyError | undefined> {
    return this.#over.promise;
  }

  /** Takes what must be closed in the end, last opened first. */
  own(opened: AsyncDisposableStack): void {
    this.#opened = opened;
  }

  stop(grace = this.config.grace): Promise<void> {
    this.#stopping ??= this.#drain(grace * 1000).then(() => this.#close());
    return this.#stopping;
  }

  async #drain(grace: number): Promise<void> {
    this.#events.log("info", "server-stopping", { graceMs: grace, connections: this.connections });
    const late = Promise.withResolvers<void>();
    const cancel = this.#clock.at(this.#clock.now() + grace + LAST_STATEMENTS_MS, late.resolve);
    await Promise.race([this.#media.drain(grace), late.promise, this.#over.failed]);
    cancel();
  }

  #close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#cancelReminder();
    try {
      await this.#media.close();
      await this.#opened.disposeAsync();
    } catch (error) {
      this.#events.log("error", "stop-failed", { error: String(error) });
    }
    this.#events.log("info", "server-stopped", {});
    this.#over.end();
  }
}

/** After the grace, calls have this long for their last statements, ms; then the server closes whatever is left. */
const LAST_STATEMENTS_MS = 10_000;
/** How long before its end a certificate in use is warned about, ms. */
const REMIND_BEFORE_MS = 24 * 3_600_000;
