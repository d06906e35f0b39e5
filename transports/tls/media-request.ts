import type { AgtpResponse } from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { readResponseBody } from "../../signaling/body.ts";
import { isSuccess } from "../../signaling/status.ts";
import type { ByteOwner, ByteSocket } from "./byte-socket.ts";

/** The one request that makes a TLS connection one for media, and its answer. */
export class MediaRequest implements ByteOwner {
  readonly #socket: ByteSocket;
  readonly #granted: () => ByteOwner;
  readonly #reader = new MessageReader("response");
  readonly #answer = Promise.withResolvers<AgtpResponse>();
  #isOver = false;

  /** `granted` is called when the answer is a success, in the turn in which it came, and names who is told from then on. */
  constructor(socket: ByteSocket, granted: () => ByteOwner) {
    this.#socket = socket;
    this.#granted = granted;
    this.#answer.promise.catch(() => {});
    socket.start(this);
  }

  /** Sends the request and gives its final answer. Throws `connection-lost`, what it was given up with, and what is wrong with the answer. */
  async run(request: Uint8Array): Promise<AgtpResponse> {
    // A server may refuse before it took the whole request.
    void this.#socket.write(request);
    return await this.#answer.promise;
  }

  /** Gives up. Nothing once the answer is there. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#answer.reject(error);
    this.#socket.destroy();
  }

  /** @internal */
  data(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0 && !this.#isOver) {
      rest = rest.subarray(this.#reader.pushOne(rest));
      const answer = this.#reader.next();
      if (answer !== undefined) this.#take(answer, rest);
      else if (this.#reader.fault !== undefined) this.fail(new ParleyError(this.#reader.fault));
    }
  }

  /** @internal */
  ended(): void {
    this.gone("the server closed it");
  }

  /** @internal */
  stalled(): void {
    this.gone("the server does not read");
  }

  /** @internal */
  gone(why: string): void {
    this.fail(
      new ParleyError({
        code: "connection-lost",
        message: `The connection for media ended without an answer: ${why}.`,
      }),
    );
  }

  #take(answer: AgtpResponse, rest: Uint8Array): void {
    const body = readResponseBody(answer);
    if (body.ok && !body.value.final) return;
    this.#isOver = true;
    if (!isSuccess(answer.status)) {
      this.#socket.end();
      this.#answer.resolve(answer);
      return;
    }
    try {
      const owner = this.#granted();
      this.#socket.handOver(owner);
      this.#answer.resolve(answer);
      if (rest.length > 0) owner.data(rest);
    } catch (error) {
      this.#socket.destroy();
      this.#answer.reject(error);
    }
  }
}
