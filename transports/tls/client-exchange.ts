import { ParleyError } from "../../codecs/parley-error.ts";
import type { DuplexStream, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { Inbound } from "./inbound.ts";

/** What an exchange needs of the connection it has for itself. */
export interface ClientExchangePort {
  /** Resolves when the network took the bytes; false when it never will. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** The answers' reader has room again. */
  taken(): void;
  /** Request and answers are through: the connection can take another request. */
  done(): void;
  /** Given up in the middle. */
  abandoned(): void;
  /** Why nothing can be written any more. */
  refusal(): ParleyError;
}

/** One request and its answers, alone on a connection until the final one came. */
export class ClientExchange implements DuplexStream, SendStream {
  readonly channelBinding: Uint8Array | undefined;
  readonly #port: ClientExchangePort;
  readonly #inbound: Inbound;
  #sending: "open" | "finished" | "reset" = "open";
  /** The final answer came. */
  #isAnswered = false;
  /** The connection is not this exchange's any more. */
  #isOver = false;
  #writes: Promise<void> = Promise.resolve();

  constructor(port: ClientExchangePort, channelBinding: Uint8Array | undefined) {
    this.#port = port;
    this.channelBinding = channelBinding;
    this.#inbound = new Inbound({ taken: () => port.taken(), stopped: () => this.#settle(true) });
  }

  get receive(): ReceiveStream {
    return this.#inbound;
  }

  get send(): SendStream {
    return this;
  }

  /** Whether the reader of the answers is far behind. */
  get isFull(): boolean {
    return this.#inbound.isFull;
  }

  /** Whether the final answer came. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Bytes of the answers. */
  add(bytes: Uint8Array): void {
    this.#inbound.add(bytes);
  }

  /** The final answer is all there. */
  answered(): void {
    this.#isAnswered = true;
    this.#inbound.finish();
    this.#settle(false);
  }

  /** An answer is at fault: its reader finds the same fault. */
  malformed(): void {
    this.#end();
    this.#inbound.finish();
  }

  /** The connection is over. */
  lost(error: ParleyError): void {
    this.#isOver = true;
    this.#inbound.fail(error);
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#writes.then(async () => {
      this.#check();
      if (!(await this.#port.write(bytes))) throw this.#port.refusal();
    });
    this.#writes = written.catch(() => {});
    return written;
  }

  async finish(): Promise<void> {
    await this.#writes;
    this.#check();
    this.#sending = "finished";
    this.#settle(false);
  }

  reset(_code: number): void {
    if (this.#sending !== "open") return;
    this.#sending = "reset";
    this.#end();
  }

  /** Lets the connection go: to other requests where both sides are through. */
  #settle(isStopped: boolean): void {
    if (this.#isOver) return;
    if (this.#isAnswered && this.#sending === "finished") {
      this.#isOver = true;
      this.#port.done();
    } else if (isStopped) this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#port.abandoned();
  }

  #check(): void {
    if (this.#sending !== "open")
      throw new ParleyError({ code: "closed", message: `This side ${this.#sending} the exchange.` });
    if (this.#isOver) throw this.#port.refusal();
  }
}
