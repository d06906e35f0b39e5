import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectionHandlers,
  type DuplexStream,
  type ReceiveStream,
  type SendStream,
  type Unreached,
} from "../sfu/carrier.ts";
import { CARRIER_FLOW, Liveness, type LivenessOptions } from "./liveness.ts";
import { PathWatch } from "./path-watch.ts";
import { Probe } from "./probe.ts";

/** Tells an owner of its new connection and takes what the connection should call. */
export type Accept = (connection: Connection) => ConnectionHandlers;

/** What every carrier's connection is made with. */
export interface EndOptions {
  readonly clock: Clock;
  /** `false`: no pings, no liveness timeout, no round trip. */
  readonly liveness?: LivenessOptions | false;
  /** Takes what a handler throws; the connection goes on. Default: thrown again outside the carrier's turn. */
  readonly fault?: (error: unknown) => void;
}

/** What a carrier does for its end. */
export interface EndPort {
  /** Sends one of the carrier's own datagrams. Must not throw. */
  send(bytes: Uint8Array): void;
  /** Opens a unidirectional stream. Servers give it: they answer the probes of clients. */
  readonly openStream?: (() => Promise<SendStream>) | undefined;
  /** Closes the connection under the end. Called once, when the end closes locally. */
  close(code: number, reason: string): void;
}

/**
 * The part of a connection that does not depend on its carrier: handlers, liveness, and being over exactly once.
 * @internal
 */
export class ConnectionEnd {
  readonly liveness: Liveness | undefined;
  /** At clients with pings. */
  readonly path: PathWatch | undefined;
  readonly #port: EndPort;
  readonly #clock: Clock;
  readonly #fault: (error: unknown) => void;
  #probe: Probe | undefined;
  #handlers: ConnectionHandlers | undefined;
  #over: { readonly info: CloseInfo; readonly locally: boolean } | undefined;

  constructor(port: EndPort, options: EndOptions) {
    this.#port = port;
    this.#clock = options.clock;
    this.#fault = options.fault ?? rethrowLater;
    this.liveness =
      options.liveness === false
        ? undefined
        : new Liveness(
            options.clock,
            {
              send: (bytes) => port.send(bytes),
              sendOnStream: (pong) => void sendOnce(port, pong),
              dead: () => this.close(CLOSE_CODES.livenessTimeout, "no sign of life from the peer"),
              pinged: () => this.path?.pinged(),
              answered: (since) => this.path?.answered(since),
              stopped: () => this.path?.stop(),
            },
            options.liveness,
          );
    // Servers wait for their clients, whose matter it is to find another way.
    this.path =
      this.liveness === undefined || port.openStream !== undefined
        ? undefined
        : new PathWatch(options.clock, this.liveness);
  }

  get closed(): boolean {
    return this.#over !== undefined;
  }

  /** Asks the owner for its handlers and starts the pings. Nothing may be delivered before. */
  start(connection: Connection, accept: Accept): void {
    this.startWithoutPings(connection, accept);
    this.startPings();
  }

  /** The same for a connection that cannot carry datagrams yet, or never will. */
  startWithoutPings(connection: Connection, accept: Accept): void {
    this.#handlers = accept(connection);
  }

  startPings(): void {
    if (!this.closed) this.liveness?.start();
  }

  /** One datagram from the peer, the carrier's own among them. */
  datagram(bytes: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.liveness?.heard();
    if (bytes[0] === CARRIER_FLOW) {
      this.liveness?.datagram(bytes);
      this.#probe?.look();
      return;
    }
    try {
      this.#handlers?.datagram(bytes);
    } catch (error) {
      this.#fault(error);
    }
  }

  /** A unidirectional stream from the peer. */
  stream(stream: ReceiveStream): void {
    if (this.#over !== undefined) return;
    this.liveness?.heard();
    const pass = (passed: ReceiveStream): void => {
      if (this.#over === undefined) this.#call((handlers) => handlers.stream(passed));
    };
    if (this.#probe === undefined) pass(stream);
    else void this.#probe.stream(stream, pass);
  }

  /** For clients: see `Connection.probe`. */
  async probe(ms: number): Promise<Unreached | undefined> {
    if (this.liveness === undefined || this.#port.openStream !== undefined || this.#probe !== undefined)
      throw new ParleyError({ code: "usage", message: "Clients with pings may probe their server, once." });
    if (this.closed) return "datagrams";
    const probe = new Probe(this.#clock, this.liveness);
    this.#probe = probe;
    const unreached = await probe.run(ms);
    this.#probe = undefined;
    return unreached;
  }

  /** An exchange from the peer. */
  exchange(stream: DuplexStream): void {
    if (this.#over !== undefined) return;
    this.liveness?.heard();
    this.#call((handlers) => handlers.exchange(stream));
  }

  /** This side closes. Idempotent; loses against a close by the peer that came first. */
  close(code: number, reason: string): void {
    if (this.#over !== undefined) return;
    const info = { code, reason: cutReason(reason) };
    this.#end(info, true);
    this.#port.close(info.code, info.reason);
  }

  /** The carrier says that the connection is over. */
  lost(info: CloseInfo): void {
    this.#end(info, false);
  }

  /** Why nothing can be opened, written or read any more. */
  refusal(): ParleyError {
    const over = this.#over;
    if (over?.locally)
      return new ParleyError({ code: "closed", message: "The connection was closed by this side." });
    return new ParleyError({
      code: "connection-lost",
      message: over
        ? `The connection ended: ${over.info.reason || "no reason given"}.`
        : "The connection ended.",
      details: over ? { close_code: over.info.code, reason: over.info.reason } : {},
    });
  }

  #end(info: CloseInfo, locally: boolean): void {
    if (this.#over !== undefined) return;
    this.#over = { info, locally };
    this.liveness?.stop();
    this.#probe?.end();
    // Not within close(): an owner must not be called back from its own call.
    queueMicrotask(() => this.#call((handlers) => handlers.closed(info)));
  }

  #call(deliver: (handlers: ConnectionHandlers) => void): void {
    if (this.#handlers === undefined) return;
    try {
      deliver(this.#handlers);
    } catch (error) {
      this.#fault(error);
    }
  }
}

async function sendOnce(port: EndPort, bytes: Uint8Array): Promise<void> {
  try {
    const stream = await port.openStream?.();
    await stream?.write(bytes);
    await stream?.finish();
  } catch {
    // The connection is over, or the client does not read: its probe says so.
  }
}

/** Longest close reason in UTF-16 units: 1,024 bytes at most (draft-ietf-webtrans-http3, section 6). */
const MAX_REASON = 256;

function cutReason(reason: string): string {
  return reason.length <= MAX_REASON ? reason : reason.slice(0, MAX_REASON).toWellFormed();
}

/** The default for `EndOptions.fault`: a fault of the program shows as an uncaught exception. @internal */
export function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
