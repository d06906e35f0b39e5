import { type AgtpRequest, serializeRequest } from "../../codecs/message.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { MediaDoor, MediaOpening } from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { connectTimedOut } from "../tls-dial.ts";
import { TlsMediaConnection } from "./media-connection.ts";
import { MediaRequest } from "./media-request.ts";
import type { DialServer, ServerFacts } from "./pool.ts";

/** Opens connections for media at the server of a pool, and closes with it. */
export class TlsMediaDoor implements MediaDoor {
  readonly #facts: ServerFacts;
  readonly #dial: DialServer;
  readonly #options: EndOptions;
  /** Milliseconds the server has for its answer. */
  readonly #timeout: number;
  readonly #giveUp = new AbortController();
  readonly #asking = new Set<MediaRequest>();
  readonly #open = new Set<TlsMediaConnection>();
  #over: ParleyError | undefined;

  constructor(facts: ServerFacts, dial: DialServer, options: EndOptions, timeout: number) {
    this.#facts = facts;
    this.#dial = dial;
    this.#options = options;
    this.#timeout = timeout;
  }

  async open(
    request: (channelBinding: Uint8Array) => Promise<AgtpRequest>,
    handlers: Accept,
  ): Promise<MediaOpening> {
    this.#check();
    const { socket, channelBinding } = await this.#dial(this.#giveUp.signal).catch((error: unknown) => {
      this.#check();
      throw error;
    });
    let connection: TlsMediaConnection | undefined;
    const asking = new MediaRequest(socket, () => {
      const made = new TlsMediaConnection(socket, this.#facts, this.#options, () => this.#open.delete(made));
      made.start(handlers);
      this.#open.add(made);
      connection = made;
      return made;
    });
    this.#asking.add(asking);
    const { clock } = this.#options;
    const timedOut = connectTimedOut(new URL(this.#facts.url), this.#timeout);
    const cancel = clock.at(clock.now() + this.#timeout, () => asking.fail(timedOut));
    try {
      this.#check();
      if (channelBinding === undefined) throw lost();
      const message = await request(channelBinding);
      const answer = await asking.run(serializeRequest(message));
      return { answer, connection };
    } catch (error) {
      asking.fail(error);
      throw error;
    } finally {
      cancel();
      this.#asking.delete(asking);
    }
  }

  /** Closes what is open, gives up what is under way, and opens nothing more. Idempotent. */
  close(code: number, reason: string, why: ParleyError): void {
    this.#over ??= why;
    this.#giveUp.abort();
    for (const asking of this.#asking) asking.fail(this.#over);
    for (const connection of this.#open) connection.close(code, reason);
  }

  #check(): void {
    if (this.#over !== undefined) throw this.#over;
  }
}

function lost(): ParleyError {
  return new ParleyError({ code: "connection-lost", message: "The connection for media ended at once." });
}
