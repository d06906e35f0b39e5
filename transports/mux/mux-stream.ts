import { ParleyError } from "../../codecs/parley-error.ts";
import type { ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { streamLost } from "../memory-stream.ts";
import { UnreadBytes } from "./unread-bytes.ts";

/** Bytes of one stream that its reader has not taken yet, at most; the writer waits when they are reached. */
export const STREAM_WINDOW_BYTES = 64 * 1024;

/** What a sending half needs of its multiplexer. */
export interface SendPort {
  /** Bytes may be ready to go. */
  pump(): void;
  finish(): void;
  reset(code: number): void;
  /** Why the connection is over; `undefined` while it is not. */
  over(): ParleyError | undefined;
}

/** The half of a stream that writes. Bytes are taken from the writer only when they can go. */
export class SendHalf implements SendStream {
  readonly #port: SendPort;
  #state: "open" | "finished" | "reset" = "open";
  #stoppedWith: number | undefined;
  #limit = STREAM_WINDOW_BYTES;
  #sent = 0;
  #writes: Promise<void> = Promise.resolve();
  #pending: { readonly bytes: Uint8Array; offset: number; readonly settle: () => void } | undefined;

  constructor(port: SendPort) {
    this.#port = port;
  }

  write(bytes: Uint8Array): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const written = this.#writes.then(() => this.#write(bytes));
    this.#writes = written.catch(() => {});
    return written;
  }

  async finish(): Promise<void> {
    const early = this.#refusal();
    if (early !== undefined) throw early;
    await this.#writes;
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    this.#state = "finished";
    this.#port.finish();
  }

  reset(code: number): void {
    if (this.#state !== "open" || this.#stoppedWith !== undefined || this.#port.over()) return;
    this.#state = "reset";
    this.#port.reset(code);
    this.wake();
  }

  /** Bytes that the reader's credit and the writer allow to go now. */
  get ready(): number {
    if (this.#pending === undefined) return 0;
    return Math.min(this.#pending.bytes.length - this.#pending.offset, this.#limit - this.#sent);
  }

  /** The next `length` bytes, of those that are ready. Valid until the next turn. */
  take(length: number): Uint8Array {
    const pending = this.#pending;
    if (pending === undefined) return new Uint8Array();
    const piece = pending.bytes.subarray(pending.offset, pending.offset + length);
    pending.offset += piece.length;
    this.#sent += piece.length;
    if (pending.offset === pending.bytes.length) pending.settle();
    return piece;
  }

  /** The reader allows `limit` bytes altogether. False when it takes credit back. */
  credit(limit: number): boolean {
    if (limit < this.#limit) return false;
    this.#limit = limit;
    this.#port.pump();
    return true;
  }

  /** The peer stopped reading. */
  stopped(code: number): void {
    if (this.#state !== "open") return;
    this.#stoppedWith = code;
    this.#port.reset(code);
    this.wake();
  }

  /** Whoever waits looks again: the stream or its connection is over. */
  wake(): void {
    this.#pending?.settle();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#refuse();
    if (bytes.length === 0) return;
    await new Promise<void>((settle) => {
      this.#pending = { bytes, offset: 0, settle };
      this.#port.pump();
    });
    const isWhole = this.#pending?.offset === bytes.length;
    this.#pending = undefined;
    if (!isWhole) this.#refuse();
  }

  #refuse(): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
  }

  #refusal(): ParleyError | undefined {
    if (this.#stoppedWith !== undefined)
      return streamLost("The peer stopped reading the stream.", this.#stoppedWith);
    return (
      this.#port.over() ??
      (this.#state === "open"
        ? undefined
        : new ParleyError({ code: "closed", message: `This side ${this.#state} the stream.` }))
    );
  }
}

/** What a receiving half needs of its multiplexer. */
export interface ReceivePort {
  credit(limit: number): void;
  stop(code: number): void;
  /** Nothing more will be read: called once. */
  done(): void;
  over(): ParleyError | undefined;
}

/** The half of a stream that reads. */
export class ReceiveHalf implements ReceiveStream {
  readonly #port: ReceivePort;
  readonly #arrived = new UnreadBytes();
  #received = 0;
  #read = 0;
  #limit = STREAM_WINDOW_BYTES;
  #ending: "finished" | { readonly code: number } | undefined;
  #isStopped = false;
  #isDone = false;
  #wake: (() => void) | undefined;

  constructor(port: ReceivePort) {
    this.#port = port;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#wake) throw new ParleyError({ code: "usage", message: "A stream has one reader at a time." });
    for (;;) {
      if (this.#isStopped)
        throw new ParleyError({ code: "closed", message: "This side stopped the stream." });
      const chunk = this.#arrived.take();
      if (chunk !== undefined) {
        this.#give(chunk.length);
        return chunk;
      }
      if (this.#ending === "finished") {
        this.#finish();
        return undefined;
      }
      if (this.#ending !== undefined) throw streamLost("The peer reset the stream.", this.#ending.code);
      const over = this.#port.over();
      if (over) throw over;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  stop(code: number): void {
    if (this.#isStopped || this.#isDone) return;
    this.#isStopped = true;
    this.#arrived.clear();
    if (this.#ending === undefined) this.#port.stop(code);
    else this.#finish();
    this.#wake?.();
  }

  /** A chunk; copied. False when it exceeds the credit given, or comes after the end. */
  chunk(bytes: Uint8Array): boolean {
    this.#received += bytes.length;
    if (this.#ending !== undefined || this.#received > this.#limit) return false;
    if (!this.#isStopped) {
      this.#arrived.add(bytes);
      this.#wake?.();
    }
    return true;
  }

  /** The peer finished, or reset with a code. False when it did before. */
  end(ending: "finished" | { readonly code: number }): boolean {
    if (this.#ending !== undefined) return false;
    this.#ending = ending;
    if (ending !== "finished") this.#arrived.clear();
    if (ending !== "finished" || this.#isStopped) this.#finish();
    this.#wake?.();
    return true;
  }

  /** The connection is over: whoever waits looks again. */
  wake(): void {
    this.#wake?.();
  }

  #give(bytes: number): void {
    this.#read += bytes;
    if (this.#ending !== undefined || this.#limit - this.#read > STREAM_WINDOW_BYTES / 2) return;
    this.#limit = this.#read + STREAM_WINDOW_BYTES;
    this.#port.credit(this.#limit);
  }

  #finish(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#port.done();
  }
}
