import { ParleyError } from "../codecs/parley-error.ts";
import type { ReceiveStream, SendStream } from "../sfu/carrier.ts";

/** Bytes written and not yet read on one direction of one stream; a writer waits when they are reached. */
export const STREAM_BUFFER_BYTES = 256 * 1024;

/** What one direction of a stream needs from its connection. */
export interface PipePort {
  /** Runs `deliver` at the other end: after everything sent before, later by what the link takes for `bytes`. */
  carry(bytes: number, deliver: () => void): void;
  /** Runs `deliver` at the writing end, with the delay of the way back. */
  carryBack(deliver: () => void): void;
  /** Why the connection of the writing or of the reading end is over; `undefined` while it is not. */
  over(end: "writer" | "reader"): ParleyError | undefined;
  /** The direction is done at the reading end: read to its end, reset, or stopped. Called once. */
  done(): void;
}

/**
 * One direction of a stream in memory: reliable, ordered, at most `STREAM_BUFFER_BYTES` under way. The two halves behave
 * as WebTransport's do: a reset discards what was not read, a stop makes the peer's writes fail.
 * @internal
 */
export class MemoryPipe implements SendStream, ReceiveStream {
  readonly #port: PipePort;
  readonly #arrived: Uint8Array[] = [];
  #unread = 0;
  #writer: "open" | "finished" | "reset" = "open";
  #reader: "open" | "ended" | "stopped" = "open";
  /** Set when the reset or end reached the reader. */
  #ending: "finished" | { readonly code: number } | undefined;
  /** Set when the stop reached the writer. */
  #stoppedWith: number | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(port: PipePort) {
    this.#port = port;
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#writing.then(() => this.#take(bytes));
    this.#writing = written.catch(() => {});
    return written;
  }

  async finish(): Promise<void> {
    await this.#writing;
    this.#refuseWriting();
    this.#writer = "finished";
    this.#port.carry(0, () => {
      this.#ending ??= "finished";
      this.#wakeReader?.();
    });
  }

  reset(code: number): void {
    if (this.#writer !== "open" || this.#port.over("writer")) return;
    this.#writer = "reset";
    this.#wakeWriter?.();
    this.#port.carry(0, () => {
      this.#ending ??= { code };
      this.#arrived.length = 0;
      this.#wakeReader?.();
      this.#finishReading("ended");
    });
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#wakeReader)
      throw new ParleyError({ code: "usage", message: "A stream has one reader at a time." });
    for (;;) {
      if (this.#reader === "stopped")
        throw new ParleyError({ code: "closed", message: "This side stopped the stream." });
      const chunk = this.#arrived.shift();
      if (chunk !== undefined) {
        this.#unread -= chunk.length;
        this.#port.carryBack(() => this.#wakeWriter?.());
        return chunk;
      }
      if (this.#ending === "finished") {
        this.#finishReading("ended");
        return undefined;
      }
      if (this.#ending !== undefined) throw streamLost("The peer reset the stream.", this.#ending.code);
      const over = this.#port.over("reader");
      if (over) throw over;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
      this.#wakeReader = undefined;
    }
  }

  stop(code: number): void {
    if (this.#reader !== "open") return;
    this.#arrived.length = 0;
    this.#finishReading("stopped");
    this.#wakeReader?.();
    this.#port.carryBack(() => {
      this.#stoppedWith = code;
      this.#wakeWriter?.();
    });
  }

  /** The connection ended at one of its sides: whoever waits looks again. */
  wake(): void {
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  async #take(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    do {
      this.#refuseWriting();
      const room = STREAM_BUFFER_BYTES - this.#unread;
      if (room > 0 && offset < bytes.length) {
        const piece = new Uint8Array(bytes.subarray(offset, offset + room));
        offset += piece.length;
        this.#unread += piece.length;
        this.#port.carry(piece.length, () => this.#arrive(piece));
      } else if (offset < bytes.length) {
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
        this.#wakeWriter = undefined;
      }
    } while (offset < bytes.length);
  }

  #arrive(piece: Uint8Array): void {
    if (this.#reader !== "open") return;
    this.#arrived.push(piece);
    this.#wakeReader?.();
  }

  #refuseWriting(): void {
    if (this.#stoppedWith !== undefined)
      throw streamLost("The peer stopped reading the stream.", this.#stoppedWith);
    const over = this.#port.over("writer");
    if (over) throw over;
    if (this.#writer !== "open")
      throw new ParleyError({ code: "closed", message: `This side ${this.#writer} the stream.` });
  }

  #finishReading(state: "ended" | "stopped"): void {
    if (this.#reader !== "open") return;
    this.#reader = state;
    this.#port.done();
  }
}

/** The failure of a stream that the peer ended early. @internal */
export function streamLost(message: string, code: number): ParleyError {
  return new ParleyError({ code: "connection-lost", message, details: { stream_code: code } });
}
