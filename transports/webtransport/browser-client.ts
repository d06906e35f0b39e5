import { ParleyError } from "../../codecs/parley-error.ts";
import {
  type Carrier,
  CLOSE_CODES,
  type Connection,
  type ConnectOptions,
  type DatagramDrops,
} from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { pinOneAtATime } from "../pinning.ts";
import { dialUrl } from "../url.ts";
import { WebTransportConnection } from "./connection.ts";
import type { NativeReceiveStream, NativeSendStream, NativeSession } from "./native.ts";

/** Milliseconds until `connect-timeout` unless told otherwise. */
const CONNECT_TIMEOUT = 5_000;
/** Milliseconds after which the browser drops a datagram that still waits. */
const MAX_DATAGRAM_AGE = 200;
/**
 * Datagrams on their way from the page to the browser's network process at once. Browsers let one go at a time unless told otherwise: on a
 * busy machine that is a few a second, and the others wait for seconds. As many more wait here; what comes then is dropped as `full`.
 */
const OUTGOING_DATAGRAMS = 64;
/** Datagrams that wait for a page that is busy; the browser drops the oldest. Its own default is one. */
const INCOMING_DATAGRAMS = 256;

/** WebTransport of the browser, where there is one: see `webTransportCarrier`. */
export function hasWebTransport(): boolean {
  return typeof WebTransport === "function";
}

/**
 * WebTransport through the browser's own, client side. `connect` throws `usage`, `connect-timeout` and `connect-refused`; browsers do
 * not tell why. `native-unavailable` where the browser's WebTransport sends no datagrams.
 */
export function webTransportCarrier(options: EndOptions): Carrier {
  return {
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const dialled = dialUrl(url);
      const timeout = connect.connectTimeout ?? CONNECT_TIMEOUT;
      const open = async (pinned: Uint8Array | undefined): Promise<Connection> => {
        const transport = await ready(dialled, pinned, timeout, options);
        const sending = datagramWriter(transport);
        if (sending === undefined) {
          transport.close();
          throw new ParleyError({
            code: "native-unavailable",
            message: "It takes no datagrams in this browser.",
          });
        }
        const drops: DatagramDrops = { late: 0, full: 0 };
        const facts = { role: "client", url: dialled.href, pinned, choice: connect.choice, drops } as const;
        const connection = new WebTransportConnection(sessionOf(transport, sending, drops), facts, options);
        try {
          connection.start(handlers);
        } catch (error) {
          connection.close(CLOSE_CODES.normal, "");
          throw error;
        }
        return connection;
      };
      const hashes = connect.certificateHashes;
      return hashes === undefined ? await open(undefined) : await pinOneAtATime(hashes, open);
    },
  };
}

function ready(
  url: URL,
  pinned: Uint8Array | undefined,
  timeout: number,
  { clock }: EndOptions,
): Promise<WebTransport> {
  const hashes = pinned && [{ algorithm: "sha-256", value: pinned as Uint8Array<ArrayBuffer> }];
  const transport = new WebTransport(url.href, hashes ? { serverCertificateHashes: hashes } : {});
  // Whoever is told of the end is told by `closed` of the session.
  transport.closed.catch(() => {});
  const details = { url: url.href };
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.now() + timeout, () => {
      reject(
        new ParleyError({
          code: "connect-timeout",
          message: `No answer from ${url.host} within ${timeout} ms.`,
          details,
        }),
      );
      transport.close();
    });
    transport.ready.then(
      () => {
        cancel();
        resolve(transport);
      },
      (cause: unknown) => {
        cancel();
        const message = `No connection to ${url.host}: ${textOf(cause)}.`;
        reject(new ParleyError({ code: "connect-refused", message, details }, { cause }));
      },
    );
  });
}

/** Takes datagrams, where this browser has any way for that: newer drafts give writables on demand, and some browsers these alone. */
function datagramWriter({ datagrams }: WebTransport): WritableStreamDefaultWriter<Uint8Array> | undefined {
  const { writable, createWritable } = datagrams as {
    readonly writable?: WritableStream<Uint8Array>;
    createWritable?(): WritableStream<Uint8Array>;
  };
  return (writable ?? createWritable?.call(datagrams))?.getWriter();
}

/** The browser's session with the ways of the Node binding, whose connection is the same. */
function sessionOf(
  transport: WebTransport,
  sending: WritableStreamDefaultWriter<Uint8Array>,
  drops: DatagramDrops,
): NativeSession {
  const { datagrams } = transport;
  let underway = 0;
  const taken = (): void => {
    underway -= 1;
  };
  sending.closed.catch(() => {});
  datagrams.outgoingMaxAge = MAX_DATAGRAM_AGE;
  Object.assign(datagrams, {
    outgoingHighWaterMark: OUTGOING_DATAGRAMS,
    incomingHighWaterMark: INCOMING_DATAGRAMS,
    // As later drafts have it.
    outgoingMaxBufferedDatagrams: OUTGOING_DATAGRAMS,
    incomingMaxBufferedDatagrams: INCOMING_DATAGRAMS,
  });
  const receiving = datagrams.readable.getReader();
  const streams = transport.incomingUnidirectionalStreams.getReader();
  const never = new Promise<never>(() => {});
  return {
    acceptUni: async () => receiveStreamOf(await nextOf<ReadableStream<Uint8Array>>(streams)),
    // Clients open every exchange.
    acceptBi: () => never,
    openUni: async () => sendStreamOf(await transport.createUnidirectionalStream()),
    openBi: async () => {
      const stream = await transport.createBidirectionalStream();
      return {
        takeSend: () => sendStreamOf(stream.writable),
        takeRecv: () => receiveStreamOf(stream.readable),
      };
    },
    sendDatagram(data) {
      if (data.length > datagrams.maxDatagramSize) throw new Error("datagram too large");
      if (underway >= OUTGOING_DATAGRAMS) {
        drops.full += 1;
        return;
      }
      underway += 1;
      sending.write(data.slice()).then(taken, taken);
    },
    recvDatagram: () => nextOf<Uint8Array>(receiving),
    maxDatagramSize: () => datagrams.maxDatagramSize,
    close: (closeCode, reason) => transport.close({ closeCode, reason }),
    closed: () =>
      transport.closed.then(
        ({ closeCode, reason }) => ({ closeCode: closeCode ?? 0, reason: reason ?? "" }),
        (error: unknown) => ({ closeCode: 0, reason: textOf(error) }),
      ),
  };
}

async function nextOf<T>(reader: ReadableStreamDefaultReader<T>): Promise<T> {
  const { value, done } = await reader.read();
  if (done) throw new Error("the session is over");
  return value;
}

function sendStreamOf(stream: WritableStream<Uint8Array>): NativeSendStream {
  const writer = stream.getWriter();
  writer.closed.catch(() => {});
  return {
    write: (data) => writer.write(data.slice()).catch(told("STOP_SENDING")),
    finish: () => writer.close().catch(told("STOP_SENDING")),
    reset: (code) => writer.abort(streamError(code)),
  };
}

function receiveStreamOf(stream: ReadableStream<Uint8Array>): NativeReceiveStream {
  const reader = stream.getReader();
  reader.closed.catch(() => {});
  return {
    read: async () => {
      const { value, done } = await reader.read().catch(told("RESET_STREAM"));
      return done ? null : value;
    },
    stop: (code) => reader.cancel(streamError(code)),
  };
}

function streamError(streamErrorCode: number): WebTransportError {
  try {
    return new WebTransportError("", { source: "stream", streamErrorCode });
  } catch {
    // Chromium takes one dictionary, as the drafts before had it.
    const init = { message: "", streamErrorCode } as unknown as string;
    return new WebTransportError(init);
  }
}

/** Says the peer's code in the words of the Node binding. */
function told(frame: "STOP_SENDING" | "RESET_STREAM"): (error: unknown) => never {
  return (error) => {
    const code = error instanceof WebTransportError ? error.streamErrorCode : null;
    throw code === null ? error : new Error(`${frame}: ${code}`);
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
