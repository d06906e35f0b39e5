import {
  type AgtpRequest,
  type AgtpResponse,
  type Dialect,
  serializeRequest,
  serializeResponse,
} from "../codecs/message.ts";
import { MessageReader } from "../codecs/message-reader.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type Fault, refuse } from "../codecs/result.ts";
import type { DuplexStream } from "../sfu/carrier.ts";

/**
 * Sends a request on a fresh stream, ends the sending side, and gives its answers. Waits for nothing itself: bound the
 * time of each answer where it is awaited, and `cancel` on expiry. Throws as `serializeRequest` does.
 */
export function openExchange(stream: DuplexStream, request: AgtpRequest): Exchange {
  return new Exchange(stream, serializeRequest(request));
}

/** The client's side of one exchange: the answers to one request, in order, until the server ends the stream. */
export class Exchange implements AsyncIterable<AgtpResponse> {
  readonly #stream: DuplexStream;
  #isSent = false;
  #sendFailure: unknown;
  #isRead = false;
  #isOver = false;

  /** @internal Use `openExchange`. */
  constructor(stream: DuplexStream, bytes: Uint8Array) {
    this.#stream = stream;
    // A server may refuse before it took the whole request, so a failure counts only when no answer comes.
    this.#send(bytes).catch((error: unknown) => {
      this.#sendFailure = error;
    });
  }

  /**
   * Reads the answers; once only. Leaving the loop early stops the stream. Throws `connection-lost` when the stream
   * breaks or ends without an answer, `closed` after `cancel`, and the fault of a malformed answer.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<AgtpResponse, undefined> {
    if (this.#isRead) {
      throw new ParleyError(refuse("closed", "The answers of an exchange can be read once.").fault);
    }
    this.#isRead = true;
    const reader = new MessageReader("response");
    let isAnswered = false;
    let hasEnded = false;
    try {
      for (;;) {
        const bytes = await this.#stream.receive.read();
        hasEnded = bytes === undefined;
        const fault = bytes === undefined ? reader.end() : reader.push(bytes);
        for (let answer = reader.next(); answer !== undefined; answer = reader.next()) {
          isAnswered = true;
          yield answer;
        }
        if (fault !== undefined) {
          throw new ParleyError(fault);
        }
        if (hasEnded && isAnswered) {
          return;
        }
        if (hasEnded) {
          const silent = refuse("connection-lost", "The stream ended without an answer.").fault;
          throw this.#sendFailure ?? new ParleyError(silent);
        }
      }
    } finally {
      this.#end(0, hasEnded);
    }
  }

  /** Gives up: drops what is unsent and stops what is unread, with an application code. A pending read ends. Idempotent. */
  cancel(code: number): void {
    this.#end(code, false);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    await this.#stream.send.write(bytes);
    await this.#stream.send.finish();
    this.#isSent = true;
  }

  #end(code: number, hasEnded: boolean): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    if (!this.#isSent) {
      this.#stream.send.reset(code);
    }
    if (!hasEnded) {
      this.#stream.receive.stop(code);
    }
  }
}

/** What a server read from a fresh exchange, and the way to answer it. */
export type ReceivedExchange = {
  readonly responder: Responder;
} & (
  | { readonly request: AgtpRequest; readonly fault?: undefined }
  /** Not a request: answer in this dialect, `base` when the bytes told none. */
  | { readonly request?: undefined; readonly fault: Fault; readonly dialect: Dialect }
);

/**
 * Reads one request from a stream the peer opened. A stream carries one request: what follows it is not read. Rejects
 * with `connection-lost` when the stream breaks first. Waits as long as the peer takes: bound the time outside, and
 * end the wait with `stream.receive.stop`.
 */
export async function receiveExchange(stream: DuplexStream): Promise<ReceivedExchange> {
  const responder = new Responder(stream);
  const reader = new MessageReader("request");
  for (;;) {
    const bytes = await stream.receive.read();
    const fault = bytes === undefined ? reader.end() : reader.push(bytes);
    const request = reader.next();
    if (request !== undefined) {
      return { responder, request };
    }
    if (fault !== undefined) {
      return { responder, fault, dialect: reader.dialect ?? "base" };
    }
    if (bytes === undefined) {
      const empty = refuse("message-malformed", "The stream ended without a request.", "line 1").fault;
      return { responder, fault: empty, dialect: "base" };
    }
  }
}

/** Octets of answers that may wait for a peer that reads slowly; an answer beyond is refused with `capacity`. */
export const MAX_WAITING_ANSWER_BYTES = 64 * 1024 * 1024;

/** Writes the answers of one exchange, each whole and in the order they were given. */
export class Responder {
  readonly #stream: DuplexStream;
  #tail: Promise<void> = Promise.resolve();
  /** Octets of answers given and not yet written. */
  #waiting = 0;
  /** No further answer is taken. */
  #isClosed = false;
  /** The stream is ended or abandoned. */
  #isOver = false;

  constructor(stream: DuplexStream) {
    this.#stream = stream;
  }

  /**
   * Sends one answer, after those given before; `final` ends the stream. Resolves when the carrier took the bytes.
   * Rejects with `closed` after the final answer or `abandon`, `capacity` beyond `MAX_WAITING_ANSWER_BYTES`,
   * what `serializeResponse` throws (after both the exchange is still open), and `connection-lost` when the stream is broken.
   */
  async respond(response: AgtpResponse, final: boolean): Promise<void> {
    if (this.#isClosed) {
      throw new ParleyError(refuse("closed", "The exchange is over.").fault);
    }
    const bytes = serializeResponse(response);
    if (this.#waiting + bytes.length > MAX_WAITING_ANSWER_BYTES) {
      throw new ParleyError(refuse("capacity", "The peer does not read its answers.").fault);
    }
    this.#isClosed = final;
    this.#waiting += bytes.length;
    const written = this.#tail.then(() => this.#write(bytes, final));
    this.#tail = written.catch(() => undefined);
    try {
      await written;
    } finally {
      this.#waiting -= bytes.length;
    }
  }

  /**
   * Breaks the exchange off, with an application code: answers not yet taken by the carrier are lost. Idempotent, and
   * nothing once the final answer went out.
   */
  abandon(code: number): void {
    this.#isClosed = true;
    if (!this.#isOver) {
      this.#isOver = true;
      this.#stream.send.reset(code);
      this.#stream.receive.stop(code);
    }
  }

  async #write(bytes: Uint8Array, final: boolean): Promise<void> {
    await this.#stream.send.write(bytes);
    if (final) {
      await this.#stream.send.finish();
      this.#isOver = true;
      // Whatever the peer still sends behind its request is of no interest.
      this.#stream.receive.stop(0);
    }
  }
}
