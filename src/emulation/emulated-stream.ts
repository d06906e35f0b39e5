import type { DuplexStream, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import type { Lane, Order } from "./lane.ts";

/** Bytes of a stream carried as one piece. */
const PIECE_BYTES = 1_200;
/** Bytes of a stream that came and nobody read yet; no more is taken meanwhile. */
const UNREAD_BYTES = 256 * 1024;

/** What is written goes through `lane` before it reaches `inner`. */
export class EmulatedSend implements SendStream {
  readonly #inner: SendStream;
  readonly #lane: Lane;
  readonly #order: Order = { last: 0 };
  #arrived: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #isReset = false;

  constructor(inner: SendStream, lane: Lane) {
    this.#inner = inner;
    this.#lane = lane;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#isReset; at += PIECE_BYTES) {
      const piece = bytes.slice(at, at + PIECE_BYTES);
      await this.#carry(piece.length, () => this.#inner.write(piece));
    }
  }

  async finish(): Promise<void> {
    await this.#carry(0, () => this.#inner.finish());
  }

  reset(code: number): void {
    this.#isReset = true;
    this.#inner.reset(code);
  }

  /** What fails at the far end fails whatever is written next, as in a network. */
  async #carry(bytes: number, act: () => Promise<void>): Promise<void> {
    await this.#lane.reliable(bytes, this.#order, () => {
      this.#arrived = this.#arrived
        .then(() => (this.#isReset || this.#failure !== undefined ? undefined : act()))
        .catch((error: unknown) => {
          this.#failure ??= { error };
        });
    });
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

type Arrival = { readonly bytes: Uint8Array } | { readonly end: true } | { readonly error: unknown };

/** What `inner` brings comes when it got through `lane`. */
export class EmulatedReceive implements ReceiveStream {
  readonly #inner: ReceiveStream;
  readonly #lane: Lane;
  readonly #order: Order = { last: 0 };
  readonly #arrivals: Arrival[] = [];
  #held = 0;
  #wakeReader: (() => void) | undefined;
  #wakePump: (() => void) | undefined;
  #isStopped = false;

  constructor(inner: ReceiveStream, lane: Lane) {
    this.#inner = inner;
    this.#lane = lane;
    void this.#pump();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#arrivals.length === 0)
      await new Promise<void>((wake) => {
        this.#wakeReader = wake;
      });
    const [arrival] = this.#arrivals as [Arrival];
    if ("error" in arrival) throw arrival.error;
    if ("end" in arrival) return undefined;
    this.#arrivals.shift();
    this.#held -= arrival.bytes.length;
    this.#wakePump?.();
    return arrival.bytes;
  }

  stop(code: number): void {
    this.#isStopped = true;
    this.#inner.stop(code);
    this.#wakePump?.();
  }

  async #pump(): Promise<void> {
    let last: Arrival = { end: true };
    try {
      for (;;) {
        const bytes = await this.#inner.read();
        if (bytes === undefined) break;
        this.#held += bytes.length;
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
          const piece = bytes.slice(at, at + PIECE_BYTES);
          await this.#lane.reliable(piece.length, this.#order, () => this.#take({ bytes: piece }));
        }
        while (this.#held > UNREAD_BYTES && !this.#isStopped)
          await new Promise<void>((wake) => {
            this.#wakePump = wake;
          });
      }
    } catch (error) {
      last = { error };
    }
    await this.#lane.reliable(0, this.#order, () => this.#take(last));
  }

  #take(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#wakeReader?.();
  }
}

/** Both halves of an exchange, each through its lane. */
export function emulatedDuplex(inner: DuplexStream, out: Lane, back: Lane): DuplexStream {
  return {
    send: new EmulatedSend(inner.send, out),
    receive: new EmulatedReceive(inner.receive, back),
    channelBinding: inner.channelBinding,
  };
}
