import { ParleyError } from "../../codecs/parley-error.ts";
import type { DuplexStream, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { streamLost } from "../memory-stream.ts";
import type { NativeBidirectionalStream, NativeReceiveStream, NativeSendStream } from "./native.ts";
import { plainBytes } from "./plain-bytes.ts";

/** Most bytes one `read` returns. */
const READ_BYTES = 64 * 1024;

/** What a stream asks of its connection. */
export interface StreamPort {
  /** Bytes arrived: the peer lives. */
  heard(): void;
  /** Why the connection is over; `undefined` while it is not. */
  over(): ParleyError | undefined;
}

/** Both halves of an exchange. @internal */
export function duplexOf(native: NativeBidirectionalStream, port: StreamPort): DuplexStream {
  return {
    receive: new WebTransportReceiveStream(native.takeRecv(), port),
    send: new WebTransportSendStream(native.takeSend(), port),
  };
}

/** @internal */
export class WebTransportReceiveStream implements ReceiveStream {
  readonly #native: NativeReceiveStream;
  readonly #port: StreamPort;
  #stopped = false;
  #refuse: ((why: ParleyError) => void) | undefined;

  constructor(native: NativeReceiveStream, port: StreamPort) {
    this.#native = native;
    this.#port = port;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#stopped) return Promise.reject(stoppedHere());
    if (this.#refuse !== undefined)
      return Promise.reject(
        new ParleyError({ code: "usage", message: "A stream has one reader at a time." }),
      );
    return new Promise((resolve, reject) => {
      // The binding holds a stop back until a pending read is over: the reader here must not wait for that.
      this.#refuse = reject;
      this.#native.read(READ_BYTES).then(
        (chunk) => {
          this.#refuse = undefined;
          this.#port.heard();
          resolve(chunk === null ? undefined : plainBytes(chunk));
        },
        (error: unknown) => {
          this.#refuse = undefined;
          reject(translate(error, this.#port, RESET, "The peer reset the stream."));
        },
      );
    });
  }

  stop(code: number): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#refuse?.(stoppedHere());
    this.#native.stop(code).catch(() => {});
  }
}

/** @internal */
export class WebTransportSendStream implements SendStream {
  readonly #native: NativeSendStream;
  readonly #port: StreamPort;
  readonly #writing = new Set<(why: ParleyError) => void>();
  #ended: "finished" | "reset" | undefined;

  constructor(native: NativeSendStream, port: StreamPort) {
    this.#native = native;
    this.#port = port;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(endedHere(this.#ended));
    return new Promise((resolve, reject) => {
      // A reset waits behind a write that the peer's window blocks: the writer here must not.
      this.#writing.add(reject);
      this.#native.write(bytes).then(
        () => {
          this.#writing.delete(reject);
          resolve();
        },
        (error: unknown) => {
          this.#writing.delete(reject);
          reject(translate(error, this.#port, STOP, "The peer stopped reading the stream."));
        },
      );
    });
  }

  async finish(): Promise<void> {
    if (this.#ended !== undefined) throw endedHere(this.#ended);
    this.#ended = "finished";
    try {
      await this.#native.finish();
    } catch (error) {
      throw translate(error, this.#port, STOP, "The peer stopped reading the stream.");
    }
  }

  reset(code: number): void {
    if (this.#ended === "reset") return;
    this.#ended = "reset";
    for (const refuse of this.#writing) refuse(endedHere("reset"));
    this.#writing.clear();
    this.#native.reset(code).catch(() => {});
  }
}

function stoppedHere(): ParleyError {
  return new ParleyError({ code: "closed", message: "This side stopped the stream." });
}

function endedHere(how: "finished" | "reset"): ParleyError {
  return new ParleyError({ code: "closed", message: `This side ${how} the stream.` });
}

/** The binding's errors are texts; their wording is pinned by the tests of this folder. */
function translate(error: unknown, port: StreamPort, byPeer: RegExp, message: string): ParleyError {
  if (error instanceof ParleyError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = byPeer.exec(text)?.[1];
  if (code !== undefined) return streamLost(message, Number(code));
  return (
    port.over() ??
    new ParleyError({ code: "connection-lost", message: `The stream ended: ${text}.` }, { cause: error })
  );
}

const RESET = /RESET_STREAM: (\d+)/;
const STOP = /STOP_SENDING: (\d+)/;
