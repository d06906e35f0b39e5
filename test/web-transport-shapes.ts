/** A browser's WebTransport over Node's QUIC, in the shapes that browsers give it. */

import { loadBinding } from "../transports/webtransport/binding.ts";
import type {
  NativeBidirectionalStream,
  NativeReceiveStream,
  NativeSendStream,
  NativeSession,
} from "../transports/webtransport/native.ts";

/** How datagrams are sent: by a property, by a writable on demand (newer drafts, some browsers alone), or not at all. */
export type DatagramShape = "property" | "on-demand" | "none";

/** The class that a page of such a browser finds as `WebTransport`. */
export function webTransportOf(shape: DatagramShape): typeof WebTransport {
  class Adapted {
    readonly ready: Promise<void>;
    readonly closed: Promise<WebTransportCloseInfo>;
    readonly datagrams: object;
    readonly incomingUnidirectionalStreams: ReadableStream;
    readonly #session: Promise<NativeSession>;

    constructor(url: string, { serverCertificateHashes = [] }: WebTransportOptions = {}) {
      const hashes = serverCertificateHashes.map(({ value }) => Buffer.from(value as Uint8Array));
      this.#session = loadBinding().NapiClient.withCertificateHashes(hashes).connect(url);
      const session = this.#session;
      this.ready = session.then(() => {});
      this.closed = session.then((one) => one.closed());
      const writable = (): WritableStream<Uint8Array> =>
        new WritableStream({ write: async (bytes) => (await session).sendDatagram(bytes) });
      this.datagrams = {
        maxDatagramSize: 1_200,
        outgoingMaxAge: null,
        readable: endless(async () => (await session).recvDatagram()),
        ...(shape === "property" ? { writable: writable() } : {}),
        ...(shape === "on-demand" ? { createWritable: writable } : {}),
      };
      this.incomingUnidirectionalStreams = endless(async () => readableOf(await (await session).acceptUni()));
    }

    async createUnidirectionalStream(): Promise<WritableStream<Uint8Array>> {
      return writableOf(await (await this.#session).openUni());
    }

    async createBidirectionalStream(): Promise<object> {
      const stream: NativeBidirectionalStream = await (await this.#session).openBi();
      return { readable: readableOf(stream.takeRecv()), writable: writableOf(stream.takeSend()) };
    }

    close({ closeCode = 0, reason = "" }: WebTransportCloseInfo = {}): void {
      void this.#session.then((session) => session.close(closeCode, reason));
    }
  }
  return Adapted as unknown as typeof WebTransport;
}

/** The class that such a page finds as `WebTransportError`. */
export class AdaptedTransportError extends Error {
  readonly source = "stream";
  readonly streamErrorCode: number | null;

  constructor(
    message: string,
    { streamErrorCode = null }: { readonly streamErrorCode?: number | null } = {},
  ) {
    super(message);
    this.streamErrorCode = streamErrorCode;
  }
}

function codeOf(reason: unknown): number {
  return (reason instanceof AdaptedTransportError && reason.streamErrorCode) || 0;
}

function endless<T>(next: () => Promise<T>): ReadableStream<T> {
  return new ReadableStream<T>({ pull: async (controller) => controller.enqueue(await next()) });
}

function readableOf(native: NativeReceiveStream): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const chunk = await native.read(65_536);
      if (chunk === null) controller.close();
      else controller.enqueue(chunk);
    },
    cancel: (reason) => native.stop(codeOf(reason)),
  });
}

function writableOf(native: NativeSendStream): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (bytes) => native.write(bytes),
    close: () => native.finish(),
    abort: (reason) => native.reset(codeOf(reason)),
  });
}
