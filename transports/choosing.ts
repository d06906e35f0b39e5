import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  type Carrier,
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectOptions,
} from "../sfu/carrier.ts";
import type { Accept } from "./connection-end.ts";

/** Which carrier is wanted: `auto` takes WebTransport where it works, and WebSocket elsewhere. */
export type CarrierChoice = "auto" | "webtransport" | "websocket";

/** What a choosing carrier chooses from. */
export interface ChoosingOptions {
  readonly clock: Clock;
  /** Without it, WebTransport is missing here. */
  readonly webTransport: Carrier | undefined;
  readonly webSocket: Carrier;
  /** Default `auto`. */
  readonly choice?: CarrierChoice | undefined;
  /** Where WebSocket goes unless a connection says otherwise. Default: the same host and port as WebTransport. */
  readonly webSocketUrl?: string | undefined;
}

/** Milliseconds that WebTransport has to connect, and then for its first datagram to come back, before WebSocket is taken. */
export const PROBE_TIMEOUT = 1_500;
/** Milliseconds for which a failure of WebTransport is remembered, so that reconnecting does not wait for it again. */
export const FAILURE_KEPT = 60_000;

/**
 * Chooses between WebTransport and WebSocket; the connection's `choice` says why. WebSocket is taken where WebTransport is missing, does
 * not connect in time, or does not bring a datagram back. Throws what the carrier taken throws; `native-unavailable` where
 * WebTransport alone is wanted and missing.
 */
export function choosingCarrier(options: ChoosingOptions): Carrier {
  const { clock, webTransport, webSocket, choice = "auto" } = options;
  const failures = new Map<string, { readonly why: string; readonly until: number }>();
  return {
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const overWebSocket = (why: string): Promise<Connection> =>
        webSocket.connect(
          connect.webSocketUrl ?? options.webSocketUrl ?? url,
          { ...connect, choice: why },
          handlers,
        );
      if (choice === "websocket") return await overWebSocket("WebSocket was asked for");
      if (/^wss?:/.test(url)) return await overWebSocket("the address is a WebSocket's");
      if (choice === "webtransport") {
        if (webTransport === undefined)
          throw new ParleyError({ code: "native-unavailable", message: "WebTransport is missing here." });
        return await webTransport.connect(
          url,
          { ...connect, choice: "WebTransport was asked for" },
          handlers,
        );
      }
      if (webTransport === undefined) return await overWebSocket("WebTransport is missing here");
      const { host } = new URL(url);
      const known = failures.get(host);
      if (known !== undefined && clock.now() < known.until) return await overWebSocket(known.why);
      const found = await probe(clock, webTransport, url, connect, handlers);
      if (typeof found !== "string") {
        failures.delete(host);
        return found;
      }
      if (failures.size >= MAX_FAILURES) failures.clear();
      failures.set(host, { why: found, until: clock.now() + FAILURE_KEPT });
      return await overWebSocket(found);
    },
  };
}

/** A connection over which datagrams come back, or why there is none. */
async function probe(
  clock: Clock,
  carrier: Carrier,
  url: string,
  connect: ConnectOptions,
  handlers: Accept,
): Promise<Connection | string> {
  let isGivenUp = false;
  let ended: CloseInfo | undefined;
  const timeout = Math.min(PROBE_TIMEOUT, connect.connectTimeout ?? PROBE_TIMEOUT);
  const trial = { ...connect, connectTimeout: timeout, choice: "WebTransport works here" };
  let connection: Connection;
  try {
    connection = await carrier.connect(url, trial, (made) => {
      const owner = handlers(made);
      return {
        ...owner,
        closed: (info) => {
          ended = info;
          if (!isGivenUp) owner.closed(info);
        },
      };
    });
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code === "usage") throw error;
    return error.code === "connect-timeout"
      ? `no answer over UDP within ${timeout / 1000} s`
      : `WebTransport failed: ${error.message.replace(/\.$/, "")}`;
  }
  const deadline = clock.now() + timeout;
  // A server that ends the connection of its own will has answered as well.
  while (connection.roundTrip === undefined && ended === undefined) {
    if (clock.now() >= deadline) {
      isGivenUp = true;
      connection.close(CLOSE_CODES.normal, "datagrams do not come back");
      return "datagrams do not come back";
    }
    await new Promise<void>((resolve) => clock.at(clock.now() + LOOK_EVERY, resolve));
  }
  return connection;
}

const LOOK_EVERY = 10;
/** Servers whose failures are remembered; all are forgotten before one more. */
const MAX_FAILURES = 64;
