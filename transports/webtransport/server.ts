import { randomUUID } from "node:crypto";
import { isIP } from "node:net";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CLOSE_CODES, type Listener } from "../../sfu/carrier.ts";
import { TokenBucket } from "../../sfu/token-bucket.ts";
import { type Accept, type EndOptions, rethrowLater } from "../connection-end.ts";
import { isServed, WRONG_PATH, withoutQuery } from "../url.ts";
import { canDial, loadBinding } from "./binding.ts";
import type { ServerCertificate } from "./certificate.ts";
import { WebTransportConnection } from "./connection.ts";
import { atEndOfTurn } from "./end-of-turn.ts";
import { bindFault, freePort } from "./free-port.ts";
import type { NativeBinding, NativeRequest, NativeServer, NativeSession } from "./native.ts";
import { mostReads } from "./reads-at-once.ts";

/** What a WebTransport listener is made with. */
export interface WebTransportListenOptions extends EndOptions {
  readonly certificate: ServerCertificate;
  /** The IP address to bind, or `localhost`. Default 127.0.0.1. */
  readonly host?: string;
  /** UDP port; 0 picks a free one. Default 4480. */
  readonly port?: number;
  /** New connections a second, from everybody together; further ones wait. Default 500. */
  readonly handshakesPerSecond?: number;
  /** New connections at once after a quiet time. Default 1,000. */
  readonly handshakeBurst?: number;
  /** Open connections; one more is closed with `CLOSE_CODES.overloaded`. Default 10,000. */
  readonly maxConnections?: number;
  /** Judges the token in the URL dialled: the reason to close the connection with `tokenRefused`, or `undefined` to take it. */
  readonly tokenFault?: (url: string) => string | undefined;
  /** Where a copy of the binding may be written on older systems. Default: inside node_modules. */
  readonly bindingFolder?: string;
}

/** What became of those who came. */
export interface ListenerCounters {
  /** Handed to `accept`. */
  accepted: number;
  /** Closed with `forbidden`: another path. */
  refusedPath: number;
  /** Closed with `tokenRefused`: `tokenFault` said so. */
  refusedToken: number;
  /** Closed with `overloaded`: `maxConnections` are open. */
  refusedFull: number;
  /** Came while the listener was stopping. */
  refusedStopping: number;
  /** Gone before the connection stood. */
  failed: number;
  /** Times the handshake rate made newcomers wait. */
  paced: number;
}

export interface WebTransportListener extends Listener {
  /** SHA-256 of the certificate shown, 32 bytes. */
  readonly certificateHash: Uint8Array;
  readonly counters: Readonly<ListenerCounters>;
}

/**
 * Listens for WebTransport on path `/agtp`. After `close()` other processes can have the port once this one has ended; in this process
 * it becomes free when the last closed connection has been garbage-collected. Throws `port-taken`, `certificate-broken`, `native-unavailable`, or `usage` for an
 * address that cannot be bound.
 */
export async function listenWebTransport(
  options: WebTransportListenOptions,
  accept: Accept,
): Promise<WebTransportListener> {
  const host = options.host === undefined || options.host === "localhost" ? "127.0.0.1" : options.host;
  if (isIP(host) === 0)
    throw new ParleyError({ code: "usage", message: `"${host}" is not an IP address to listen on.` });
  const port = options.port ?? DEFAULT_PORT;
  for (let attempt = 1; ; attempt++) {
    const chosen = port === 0 ? await freePort(host) : port;
    try {
      return new QuicListener(
        isIP(host) === 6 ? `[${host}]:${chosen}` : `${host}:${chosen}`,
        options,
        accept,
      );
    } catch (error) {
      // Somebody else may have taken a free port in between.
      const again = port === 0 && error instanceof ParleyError && error.code === "port-taken";
      if (!again || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

class QuicListener implements WebTransportListener {
  readonly address: string;
  readonly certificateHash: Uint8Array;
  readonly counters: ListenerCounters = {
    accepted: 0,
    refusedPath: 0,
    refusedToken: 0,
    refusedFull: 0,
    refusedStopping: 0,
    failed: 0,
    paced: 0,
  };
  readonly #options: WebTransportListenOptions;
  readonly #accept: Accept;
  readonly #native: NativeBinding;
  readonly #server: NativeServer;
  readonly #rate: TokenBucket;
  readonly #connections = new Set<WebTransportConnection>();
  readonly #loop: Promise<void>;
  #acceptPending = false;
  #stopping = false;
  /** Path of the dial that ends the last pending `accept`; set only while stopping. */
  #lastPath: string | undefined;
  #wakePace: (() => void) | undefined;
  /** Requests between CONNECT and session; at `MAX_PENDING` no more are accepted. */
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(address: string, options: WebTransportListenOptions, accept: Accept) {
    this.address = address;
    this.#options = options;
    this.#accept = accept;
    this.certificateHash = options.certificate.hash;
    this.#native = loadBinding(options.bindingFolder);
    const { certificatePem, privateKeyPem } = options.certificate;
    try {
      this.#server = this.#native.NapiServer.bind(
        address,
        Buffer.from(certificatePem),
        Buffer.from(privateKeyPem),
      );
    } catch (error) {
      throw bindFault(error, address);
    }
    this.#rate = new TokenBucket(
      options.handshakesPerSecond ?? HANDSHAKES_PER_SECOND,
      options.handshakeBurst ?? HANDSHAKE_BURST,
      options.clock.now(),
    );
    this.#loop = this.#run();
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#pace();
      if (this.#stopping && this.#lastPath === undefined) return;
      this.#acceptPending = true;
      const request = await this.#server.accept();
      this.#acceptPending = false;
      if (request === null) {
        this.#fault(
          new ParleyError({ code: "server-error", message: `The endpoint on ${this.address} ended.` }),
        );
        return;
      }
      if (this.#lastPath !== undefined && (await request.url).endsWith(this.#lastPath)) {
        await request.reject(HTTP_UNAVAILABLE).catch(() => {});
        return;
      }
      void this.#admit(request);
    }
  }

  /** Waits until one more may come: handshakes make no progress while `accept` is not called, and wait in the stack's bounded queue. */
  async #pace(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopping) {
      const full = this.#pending >= MAX_PENDING;
      if (!full && this.#rate.has(1, clock.now())) {
        this.#rate.take(1);
        return;
      }
      this.counters.paced++;
      await new Promise<void>((resolve) => {
        const cancel = full ? undefined : clock.at(this.#rate.availableAt(1), resolve);
        this.#wakePace = () => {
          cancel?.();
          resolve();
        };
      });
      this.#wakePace = undefined;
    }
  }

  async #admit(request: NativeRequest): Promise<void> {
    this.#pending++;
    try {
      const url = await request.url;
      // A refused CONNECT loses its status on the way to the client: accept, then close with code and reason.
      const session = await request.ok();
      const tokenFault = this.#options.tokenFault?.(url);
      if (this.#stopping) refuse(session, this.counters, "refusedStopping");
      else if (!isServed(url)) refuse(session, this.counters, "refusedPath");
      else if (tokenFault !== undefined) {
        this.counters.refusedToken++;
        session.close(CLOSE_CODES.tokenRefused, tokenFault);
      } else if (this.#connections.size >= (this.#options.maxConnections ?? MAX_CONNECTIONS))
        refuse(session, this.counters, "refusedFull");
      else this.#own(session, withoutQuery(url));
    } catch {
      this.counters.failed++;
    } finally {
      this.#pending--;
      this.#wakePace?.();
    }
  }

  #own(session: NativeSession, url: string): void {
    this.counters.accepted++;
    const connection = new WebTransportConnection(
      session,
      { role: "server", url, beforeNext: atEndOfTurn, mostReads },
      this.#options,
    );
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
    try {
      connection.start(this.#accept);
    } catch (error) {
      connection.close(CLOSE_CODES.overloaded, "the server could not take the connection");
      this.#fault(error);
    }
  }

  /**
   * The binding's `close` blocks the thread for ever while an `accept` is pending, so one last client, this process itself, ends
   * that first.
   */
  async #stop(): Promise<void> {
    this.#stopping = true;
    if (this.#acceptPending && canDial()) {
      this.#lastPath = `/stop-${randomUUID()}`;
      const client = this.#native.NapiClient.withCertificateHashes([Buffer.from(this.certificateHash)]);
      client.connect(`https://${reachable(this.address)}${this.#lastPath}`).then(
        (session) => session.close(CLOSE_CODES.normal, ""),
        () => {},
      );
    }
    this.#wakePace?.();
    const idle = await this.#within(STOP_TIMEOUT, this.#loop);
    for (const connection of this.#connections) connection.close(CLOSE_CODES.shutdown, "the server stops");
    await this.#within(
      STOP_TIMEOUT,
      Promise.all([...this.#connections].map((connection) => connection.ended)),
    );
    // With an accept still pending the port stays bound until the process ends; newcomers are turned away.
    if (!idle) return;
    this.#server.close();
  }

  /** Whether `work` ended within `ms`. */
  #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.at(clock.now() + ms, () => resolve(false));
      void work.finally(() => {
        cancel();
        resolve(true);
      });
    });
  }

  #fault(error: unknown): void {
    (this.#options.fault ?? rethrowLater)(error);
  }
}

function refuse(
  session: NativeSession,
  counters: ListenerCounters,
  why: "refusedPath" | "refusedFull" | "refusedStopping",
): void {
  counters[why]++;
  const [code, reason] = REFUSALS[why];
  session.close(code, reason);
}

/** Where a listener on any address is reached from this machine. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
}

const REFUSALS = {
  refusedPath: [CLOSE_CODES.forbidden, WRONG_PATH],
  refusedFull: [CLOSE_CODES.overloaded, "the server has all the connections it takes"],
  refusedStopping: [CLOSE_CODES.shutdown, "the server stops"],
} as const;
const HTTP_UNAVAILABLE = 503;
const DEFAULT_PORT = 4480;
const HANDSHAKES_PER_SECOND = 500;
const HANDSHAKE_BURST = 1_000;
const MAX_CONNECTIONS = 10_000;
/** Requests between CONNECT and session; further ones wait in the stack. */
const MAX_PENDING = 256;
/** Milliseconds that each step of an orderly stop may take before the next one begins anyway. */
const STOP_TIMEOUT = 2_000;
/** Free ports tried when another process is faster. */
const PORT_ATTEMPTS = 5;
