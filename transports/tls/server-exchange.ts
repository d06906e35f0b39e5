import { ParleyError } from "../../codecs/parley-error.ts";
import type { DuplexStream, ReceiveStream, SendStream } from "../../sfu/carrier.ts";
import { Inbound } from "./inbound.ts";

/** What an exchange needs of the connection it is on. */
export interface ServerExchangePort {
  /** Resolves when the network took the bytes; false when it never will. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** The request's reader has room again. */
  taken(): void;
  /** The first answer went out. */
  began(): void;
  /** The last answer went out. */
  answered(): void;
  /** Abandoned: the order of answers cannot be kept any more. */
  reset(code: number): void;
  /** Why nothing can be written any more. */
  refusal(): ParleyError;
}

/** One request on a connection that answers in order, and the way to its answers. */
export class ServerExchange implements DuplexStream, SendStream {
  readonly channelBinding: Uint8Array | undefined;
  readonly #port: ServerExchangePort;
  readonly #inbound: Inbound;
  /** Of the request. */
  #state: "arriving" | "whole" | "given-up" = "arriving";
  #isEndless = false;
  #hasAnswered = false;
  #over: "finished" | "reset" | "lost" | undefined;
  #writes: Promise<void> = Promise.resolve();

  constructor(port: ServerExchangePort, channelBinding: Uint8Array | undefined) {
    this.#port = port;
    this.channelBinding = channelBinding;
    this.#inbound = new Inbound({
      taken: () => port.taken(),
      stopped: () => {
        if (this.#state !== "arriving") return;
        this.#state = "given-up";
        port.taken();
      },
    });
  }

  get receive(): ReceiveStream {
    return this.#inbound;
  }

  get send(): SendStream {
    return this;
  }

  /** Whether more bytes belong to this request. */
  get isArriving(): boolean {
    return this.#state === "arriving";
  }

  /** Whether the request ended where it should, so that another can follow. */
  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Whether the request will never be whole: what follows is nobody's, and its answer the last one. */
  get isGivenUp(): boolean {
    return this.#state === "given-up";
  }

  /** Whether more answers come for as long as the peer stays, the first of which went out. */
  get isEndless(): boolean {
    return this.#isEndless && this.#hasAnswered;
  }

  /** Whether the reader of the request is far behind. */
  get isFull(): boolean {
    return this.#inbound.isFull;
  }

  /** Bytes of the request. */
  add(bytes: Uint8Array): void {
    this.#inbound.add(bytes);
  }

  /** The request is all there. `isEndless`: the peer ends its answers, by leaving. */
  whole(isEndless = false): void {
    this.#state = "whole";
    this.#isEndless = isEndless;
    this.#inbound.finish();
  }

  /** The request is at fault: its reader finds the same fault, and what follows is nobody's. */
  malformed(): void {
    this.#state = "given-up";
  }

  /** The connection is over. */
  lost(): void {
    this.#over ??= "lost";
    this.#inbound.fail(this.#port.refusal());
  }

  write(bytes: Uint8Array): Promise<void> {
    const written = this.#writes.then(async () => {
      this.#check();
      if (!(await this.#port.write(bytes))) throw this.#port.refusal();
      if (this.#hasAnswered) return;
      this.#hasAnswered = true;
      this.#port.began();
    });
    this.#writes = written.catch(() => {});
    return written;
  }

  async finish(): Promise<void> {
    await this.#writes;
    this.#check();
    this.#over = "finished";
    this.#port.answered();
  }

  reset(code: number): void {
    if (this.#over !== undefined) return;
    this.#over = "reset";
    this.#port.reset(code);
  }

  #check(): void {
    if (this.#over === "lost") throw this.#port.refusal();
    if (this.#over !== undefined)
      throw new ParleyError({ code: "closed", message: `This side ${this.#over} the exchange.` });
  }
}
