import type { Clock } from "../codecs/clock.ts";
import type { ErrorCode } from "../codecs/error-codes.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  type Carrier,
  CLOSE_CODES,
  type CloseInfo,
  type Connection,
  type ConnectOptions,
  type Unreached,
} from "../sfu/carrier.ts";
import type { Accept } from "./connection-end.ts";

/** Which carrier is wanted: `auto` takes WebTransport where it works, and WebSocket elsewhere; AGTP over TLS only who asks for it gets. */
export type CarrierChoice = "auto" | "webtransport" | "websocket" | "tls";

/** What a choosing carrier chooses from. */
export interface ChoosingOptions {
  readonly clock: Clock;
  /** Without it, WebTransport is missing here. */
  readonly webTransport: Carrier | undefined;
  readonly webSocket: Carrier;
  /** AGTP over TLS; browsers have none. */
  readonly tls?: Carrier | undefined;
  /** Default `auto`. */
  readonly choice?: CarrierChoice | undefined;
  /** Where WebSocket goes unless a connection says otherwise. Default: the same host and port as WebTransport. */
  readonly webSocketUrl?: string | undefined;
}

/** Milliseconds that WebTransport has to connect, and then for a datagram and a stream to come back, before WebSocket is taken. */
export const PROBE_TIMEOUT = 1_500;
/** Milliseconds for which a failure of WebTransport is remembered where WebSocket works, so that reconnecting does not wait for it again. */
export const FAILURE_KEPT = 60_000;

/** What became of one carrier when none worked: in `details.attempts` of the error, in the order tried. */
export interface CarrierAttempt {
  readonly carrier: "webtransport" | "websocket";
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Chooses between WebTransport and WebSocket; the connection's `choice` says why. WebSocket is taken where WebTransport is missing, does
 * not connect in time, or does not bring a datagram and a stream of the server's. Throws what the carrier taken throws; where both
 * failed, the more telling of both errors with `details.attempts`; `native-unavailable` where a carrier alone is wanted and missing.
 */
export function choosingCarrier(options: ChoosingOptions): Carrier {
  const { clock, webTransport, webSocket, choice = "auto" } = options;
  const failures = new Map<string, { readonly failure: Failure; readonly until: number }>();
  const remember = (host: string, failure: Failure): void => {
    if (failures.size >= MAX_FAILURES) failures.clear();
    failures.set(host, { failure, until: clock.now() + FAILURE_KEPT });
  };
  /** Connections over WebTransport that was chosen, and those that stand in for one whose path went dark. */
  const chosen = new WeakSet<Connection>();
  const standIns = new WeakSet<Connection>();
  const standIn: Carrier = {
    async connect(url, connect, handlers) {
      const to = connect.webSocketUrl ?? options.webSocketUrl ?? url;
      const made = await webSocket.connect(to, { ...connect, choice: WENT_DARK }, handlers);
      standIns.add(made);
      const error = new ParleyError({ code: "connection-lost", message: "No answer over UDP any more." });
      remember(new URL(url).host, { why: WENT_DARK, error });
      return made;
    },
  };
  const back: Carrier = {
    async connect(url, connect, handlers) {
      const found = webTransport && (await probe(webTransport, url, connect, handlers));
      if (found === undefined || "why" in found) throw found?.error ?? missing("WebTransport");
      failures.delete(new URL(url).host);
      chosen.add(found);
      return found;
    },
  };
  const carrier: Carrier = {
    instead(connection) {
      if (chosen.has(connection)) return standIn;
      // A TCP connection ends with its address; another one may not.
      return connection.carrier === "websocket" ? carrier : undefined;
    },
    preferred: (connection) => (standIns.has(connection) ? back : undefined),
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const overWebSocket = (why: string): Promise<Connection> =>
        webSocket.connect(
          connect.webSocketUrl ?? options.webSocketUrl ?? url,
          { ...connect, choice: why },
          handlers,
        );
      const insteadOf = async ({ why, error }: Failure): Promise<Connection> => {
        try {
          return await overWebSocket(why);
        } catch (last) {
          throw last instanceof ParleyError && last.code !== "usage" ? bothFailed(error, last) : last;
        }
      };
      if (choice === "tls") {
        if (options.tls === undefined) throw missing("AGTP over TLS");
        return await options.tls.connect(url, { ...connect, choice: "TLS was asked for" }, handlers);
      }
      if (choice === "websocket") return await overWebSocket("WebSocket was asked for");
      if (/^wss?:/.test(url)) return await overWebSocket("the address is a WebSocket's");
      if (choice === "webtransport") {
        if (webTransport === undefined) throw missing("WebTransport");
        return await webTransport.connect(
          url,
          { ...connect, choice: "WebTransport was asked for" },
          handlers,
        );
      }
      if (webTransport === undefined)
        return await insteadOf({ why: "WebTransport is missing here", error: missing("WebTransport") });
      const { host } = new URL(url);
      const known = failures.get(host);
      if (known !== undefined && clock.now() < known.until) {
        try {
          const again = await insteadOf(known.failure);
          if (known.failure.why === WENT_DARK) standIns.add(again);
          return again;
        } catch (error) {
          failures.delete(host);
          throw error;
        }
      }
      const found = await probe(webTransport, url, connect, handlers);
      if (!("why" in found)) {
        failures.delete(host);
        chosen.add(found);
        return found;
      }
      const connection = await insteadOf(found);
      remember(host, found);
      return connection;
    },
  };
  return carrier;
}

/** Why WebTransport was not taken: for people, and as an error. */
interface Failure {
  readonly why: string;
  readonly error: ParleyError;
}

/** A connection over which datagrams and the server's streams come, or why there is none. */
async function probe(
  carrier: Carrier,
  url: string,
  connect: ConnectOptions,
  handlers: Accept,
): Promise<Connection | Failure> {
  let isTrial = true;
  let ended: CloseInfo | undefined;
  let tell = (_: CloseInfo): void => {};
  const timeout = Math.min(PROBE_TIMEOUT, connect.connectTimeout ?? PROBE_TIMEOUT);
  const trial = { ...connect, connectTimeout: timeout, choice: "WebTransport works here" };
  let connection: Connection;
  try {
    connection = await carrier.connect(url, trial, (made) => {
      const owner = handlers(made);
      tell = (info) => owner.closed(info);
      return {
        ...owner,
        closed: (info) => {
          ended = info;
          if (!isTrial) owner.closed(info);
        },
      };
    });
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code === "usage") throw error;
    const why =
      error.code === "connect-timeout"
        ? `no answer over UDP within ${timeout / 1000} s`
        : `WebTransport failed: ${error.message.replace(/\.$/, "")}`;
    return { why, error };
  }
  const unreached = await connection.probe(timeout);
  if (ended !== undefined && ended.code !== CLOSE_CODES.normal) {
    // The server ended it of its own will: that is its answer.
    tell(ended);
    return connection;
  }
  const why = ended === undefined ? unreached && MISSING[unreached] : `WebTransport broke: ${ended.reason}`;
  if (why === undefined) {
    isTrial = false;
    return connection;
  }
  connection.close(CLOSE_CODES.normal, why);
  return { why, error: new ParleyError({ code: "connection-lost", message: `No WebTransport: ${why}.` }) };
}

/** One error for two: that of WebSocket, unless it only says that nothing was heard. */
function bothFailed(first: ParleyError, last: ParleyError): ParleyError {
  const attempts: readonly CarrierAttempt[] = [
    { carrier: "webtransport", code: first.code, message: first.message },
    { carrier: "websocket", code: last.code, message: last.message },
  ];
  const isSilent = last.code === "connect-timeout" && first.code === "connect-refused";
  const [telling, other] = isSilent ? [first, last] : [last, first];
  return new ParleyError(
    {
      code: telling.code,
      message: `${telling.message} Over ${isSilent ? "WebSocket" : "WebTransport"}: ${other.message}`,
      details: { ...telling.details, attempts },
    },
    { cause: telling },
  );
}

function missing(carrier: string): ParleyError {
  return new ParleyError({ code: "native-unavailable", message: `${carrier} is missing here.` });
}

const MISSING: Readonly<Record<Unreached, string>> = {
  datagrams: "datagrams do not come back",
  streams: "streams that the server opens do not arrive",
};
/** Why a connection is a WebSocket whose agent had WebTransport before. */
const WENT_DARK = "WebTransport had no answer any more";
/** Servers whose failures are remembered; all are forgotten before one more. */
const MAX_FAILURES = 64;
