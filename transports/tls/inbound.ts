import { ParleyError } from "../../codecs/parley-error.ts";
import type { ReceiveStream } from "../../sfu/carrier.ts";
import { UnreadBytes } from "../mux/unread-bytes.ts";

/** Bytes of one exchange that its reader has not taken, past which the socket is not read. */
const MAX_UNREAD_BYTES = 64 * 1024;

/** What an exchange's incoming half needs of its connection. */
export interface InboundPort {
  /** There is room again. */
  taken(): void;
  /** The reader wants no more; called once, and not after the end was read. */
  stopped(code: number): void;
}

/** The bytes of one exchange as they come, up to where its connection says that it ends. */
export class Inbound implements ReceiveStream {
  readonly #port: InboundPort;
  readonly #unread = new UnreadBytes();
  #unreadBytes = 0;
  #ending: "whole" | ParleyError | undefined;
  #isStopped = false;
  #isRead = false;
  #wake: (() => void) | undefined;

  constructor(port: InboundPort) {
    this.#port = port;
  }

  /** Whether the reader is so far behind that the socket should wait. */
  get isFull(): boolean {
    return this.#unreadBytes >= MAX_UNREAD_BYTES;
  }

  /** More bytes; copied. */
  add(bytes: Uint8Array): void {
    if (this.#isStopped || bytes.length === 0) return;
    this.#unread.add(bytes);
    this.#unreadBytes += bytes.length;
    this.#wake?.();
  }

  /** Everything came. */
  finish(): void {
    this.#ending ??= "whole";
    this.#wake?.();
  }

  /** The rest will not come. */
  fail(error: ParleyError): void {
    if (this.#ending !== undefined) return;
    this.#ending = error;
    this.#drop();
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#wake) throw new ParleyError({ code: "usage", message: "A stream has one reader at a time." });
    for (;;) {
      if (this.#isStopped)
        throw new ParleyError({ code: "closed", message: "This side stopped the stream." });
      const bytes = this.#unread.take();
      if (bytes !== undefined) {
        this.#unreadBytes -= bytes.length;
        this.#port.taken();
        return bytes;
      }
      if (this.#ending instanceof ParleyError) throw this.#ending;
      if (this.#ending === "whole") {
        this.#isRead = true;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  stop(code: number): void {
    if (this.#isStopped || this.#isRead) return;
    this.#isStopped = true;
    this.#drop();
    this.#port.stopped(code);
    this.#wake?.();
  }

  #drop(): void {
    this.#unread.clear();
    this.#unreadBytes = 0;
  }
}
