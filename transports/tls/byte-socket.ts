import type { Duplex } from "node:stream";
import type { Clock } from "../../codecs/clock.ts";

/** What a socket tells its owner, each from a turn of its own. */
export interface ByteOwner {
  /** `bytes` is valid during the call only. */
  data(bytes: Uint8Array): void;
  /** The peer will send no more. */
  ended(): void;
  /** Bytes wait for the peer, who took none for `WRITE_STALL_MS`, or `ENDED_STALL_MS` since it ended its side. */
  stalled(): void;
  /** The socket is gone. Called once, and nothing after it. */
  gone(why: string): void;
}

/** Milliseconds after which a peer that takes none of the bytes that wait for it counts as one that does not read. */
export const WRITE_STALL_MS = 30_000;
/**
 * The same for a peer that ended its side. Node does not tell of a write that met a reset (its callback never comes, and the reading side
 * just ends), so that a peer which is gone looks like this.
 */
export const ENDED_STALL_MS = 5_000;
/** Milliseconds a peer has for its half of the closing; what it still sends is dropped. */
export const CLOSE_TIMEOUT_MS = 2_000;
/** Bytes of a peer that are dropped so in that time; what it sends beyond stays unread, for reading it costs as much as using it would. */
export const CLOSE_DROP_BYTES = 32 * 1024;
/** Bytes handed to the socket at once: what waits in it for a slow reader. */
export const WRITE_PIECE_BYTES = 64 * 1024;

/** The bytes of one socket both ways: writing that waits, reading that can pause, and an end that leaves nothing behind. */
export class ByteSocket {
  readonly #duplex: Duplex;
  readonly #clock: Clock;
  readonly #reset: () => void;
  readonly #unwritten = new Set<Unwritten>();
  #stallMs = WRITE_STALL_MS;
  #owner: ByteOwner | undefined;
  #isEnding = false;
  #isGone = false;
  #dropped = 0;
  #cancelClosing: (() => void) | undefined;

  /** `reset` ends the socket without ceremony. */
  constructor(duplex: Duplex, clock: Clock, reset: () => void = () => void duplex.destroy()) {
    this.#duplex = duplex;
    this.#clock = clock;
    this.#reset = reset;
    // The end of what the peer sends must not end what it is told.
    duplex.allowHalfOpen = true;
  }

  /** From here on somebody else is told. */
  handOver(owner: ByteOwner): void {
    this.#owner = owner;
  }

  /** Begins to listen. */
  start(first: ByteOwner): void {
    this.#owner = first;
    const duplex = this.#duplex;
    let why = "the peer left without a word";
    duplex.on("data", (data: Buffer) => {
      if (this.#isEnding) {
        this.#dropped += data.length;
        if (this.#dropped >= CLOSE_DROP_BYTES) duplex.pause();
        return;
      }
      // Without Buffer's own ways: its `slice` does not copy.
      this.#owner?.data(new Uint8Array(data.buffer, data.byteOffset, data.length));
    });
    const ended = (): void => {
      this.#stallMs = ENDED_STALL_MS;
      for (const write of this.#unwritten) write.wait();
      if (!this.#isEnding) this.#owner?.ended();
    };
    duplex.on("end", ended);
    duplex.on("error", (error: Error) => {
      why = `the connection broke: ${error.message}`;
    });
    const closed = (): void => {
      if (this.#isGone) return;
      this.#isGone = true;
      this.#cancelClosing?.();
      this.#giveUpWrites();
      this.#owner?.gone(why);
    };
    duplex.once("close", closed);
    // Whoever had the socket before may have paused it.
    duplex.resume();
    if (duplex.destroyed) queueMicrotask(closed);
    else if (duplex.readableEnded) queueMicrotask(ended);
  }

  /** Whether no byte can be sent any more. */
  get isOver(): boolean {
    return this.#isEnding || this.#isGone || this.#duplex.destroyed;
  }

  /** Bytes handed over that have not left this process. */
  get buffered(): number {
    return this.#duplex.writableLength;
  }

  /** Writes in pieces; resolves when the network took them all, false when it never will. The bytes must stay as they are meanwhile. */
  async write(bytes: Uint8Array): Promise<boolean> {
    for (let offset = 0; offset < bytes.length; offset += WRITE_PIECE_BYTES) {
      const isTaken = await this.#writePiece(bytes.subarray(offset, offset + WRITE_PIECE_BYTES));
      if (!isTaken) return false;
    }
    return !this.isOver;
  }

  /** Writes without waiting. The bytes are the socket's from then on. */
  push(bytes: Uint8Array): void {
    if (!this.isOver) this.#duplex.write(bytes);
  }

  pause(): void {
    if (!this.#isEnding) this.#duplex.pause();
  }

  resume(): void {
    if (!this.#isEnding) this.#duplex.resume();
  }

  /** Ends it in order: what was written goes out, what still comes is dropped. Idempotent. */
  end(): void {
    if (this.isOver) return;
    this.#isEnding = true;
    this.#giveUpWrites();
    this.#duplex.end();
    this.#duplex.resume();
    this.#cancelClosing = this.#clock.at(this.#clock.now() + CLOSE_TIMEOUT_MS, () => this.#duplex.destroy());
  }

  /** Ends it at once: what did not leave is lost. Idempotent. */
  destroy(): void {
    this.#isEnding = true;
    this.#giveUpWrites();
    if (!this.#duplex.destroyed) this.#reset();
  }

  #giveUpWrites(): void {
    for (const write of this.#unwritten) write.settle(false);
  }

  #writePiece(piece: Uint8Array): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    return new Promise((resolve) => {
      let cancel = (): void => {};
      const write: Unwritten = {
        wait: () => {
          cancel();
          cancel = this.#clock.at(this.#clock.now() + this.#stallMs, () => this.#owner?.stalled());
        },
        settle: (isTaken) => {
          cancel();
          this.#unwritten.delete(write);
          resolve(isTaken);
        },
      };
      write.wait();
      this.#unwritten.add(write);
      this.#duplex.write(piece, (error) => write.settle(!error));
    });
  }
}

/** Bytes that the network has not taken yet. */
interface Unwritten {
  /** Gives the peer time from now on. */
  wait(): void;
  settle(isTaken: boolean): void;
}
