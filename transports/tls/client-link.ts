import type { AgtpResponse } from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { readResponseBody } from "../../signaling/body.ts";
import type { ByteOwner, ByteSocket } from "./byte-socket.ts";
import { ClientExchange } from "./client-exchange.ts";
import type { ServerSocket } from "./pool.ts";

/** What a link tells its pool. */
export interface LinkOwner {
  /** The link can take another request. */
  free(link: ClientLink): void;
  /** The link is no more. Called once. */
  ended(link: ClientLink): void;
}

/** One TLS connection of a client, for one exchange after the other. */
export class ClientLink implements ByteOwner {
  readonly channelBinding: Uint8Array | undefined;
  readonly #socket: ByteSocket;
  readonly #owner: LinkOwner;
  readonly #reader = new MessageReader("response");
  #exchange: ClientExchange | undefined;
  #over: ParleyError | undefined;

  constructor({ socket, channelBinding }: ServerSocket, owner: LinkOwner) {
    this.channelBinding = channelBinding;
    this.#owner = owner;
    this.#socket = socket;
    socket.start(this);
  }

  /** Whether a request can begin. */
  get isFree(): boolean {
    return this.#over === undefined && this.#exchange === undefined && !this.#socket.isOver;
  }

  /** Begins an exchange on a free link. */
  open(): ClientExchange {
    const exchange = new ClientExchange(
      {
        write: (bytes) => this.#socket.write(bytes),
        taken: () => this.#flow(),
        done: () => {
          this.#exchange = undefined;
          this.#socket.resume();
          if (this.#over === undefined) this.#owner.free(this);
        },
        abandoned: () => {
          this.#exchange = undefined;
          this.#lose(gone("its exchange was given up"), true);
        },
        refusal: () => this.#over ?? gone("the server closed it"),
      },
      this.channelBinding,
    );
    this.#exchange = exchange;
    return exchange;
  }

  /** Ends the link: in order where nothing is under way, otherwise at once, and `error` is what its exchange says. */
  close(error: ParleyError): void {
    this.#lose(error, this.#exchange !== undefined);
  }

  /** @internal */
  data(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0 && this.#over === undefined) {
      const exchange = this.#exchange;
      if (exchange === undefined || exchange.isAnswered) {
        this.#lose(gone("the server said more than it was asked"), true);
        return;
      }
      const length = this.#reader.pushOne(rest);
      exchange.add(rest.subarray(0, length));
      rest = rest.subarray(length);
      const answer = this.#reader.next();
      if (answer !== undefined && isFinal(answer)) exchange.answered();
      else if (this.#reader.fault !== undefined) exchange.malformed();
    }
    this.#flow();
  }

  /** @internal */
  ended(): void {
    this.#lose(gone("the server closed it"), false);
  }

  /** @internal */
  stalled(): void {
    this.#lose(gone("the server does not read"), true);
  }

  /** @internal */
  gone(why: string): void {
    this.#lose(gone(why), true);
  }

  #flow(): void {
    if (this.#exchange?.isFull === true) this.#socket.pause();
    else this.#socket.resume();
  }

  #lose(error: ParleyError, atOnce: boolean): void {
    if (this.#over !== undefined) return;
    this.#over = error;
    if (atOnce) this.#socket.destroy();
    else this.#socket.end();
    this.#exchange?.lost(error);
    this.#exchange = undefined;
    this.#owner.ended(this);
  }
}

/** Answers that are not of the family's JSON say nothing of more to come. */
function isFinal(answer: AgtpResponse): boolean {
  const read = readResponseBody(answer);
  return !read.ok || read.value.final;
}

function gone(why: string): ParleyError {
  return new ParleyError({
    code: "connection-lost",
    message: `The connection of this exchange ended: ${why}.`,
  });
}
