import type { AgtpResponse } from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import {
  type Carrier,
  CLOSE_CODES,
  type Connection,
  type ConnectionHandlers,
  type ConnectOptions,
  type DuplexStream,
  type MediaDoor,
  type ReceiveStream,
} from "../../sfu/carrier.ts";

/** A carrier that notes the Audit-ID of every answer that arrived whole: what the server has acknowledged. */
export class AnswerTap implements Carrier {
  readonly auditIds = new Set<string>();
  readonly #carrier: Carrier;
  readonly #connections: Connection[] = [];

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  async connect(
    url: string,
    options: ConnectOptions,
    accept: (connection: Connection) => ConnectionHandlers,
  ): Promise<Connection> {
    const connection = await this.#carrier.connect(url, options, (opened) => accept(this.#tap(opened)));
    this.#connections.push(connection);
    return this.#tap(connection);
  }

  /** Closes its connections from under whoever uses them: in order, unless told to close them as what is lost is closed. */
  drop(code: number = CLOSE_CODES.normal): void {
    for (const connection of this.#connections.splice(0)) connection.close(code, "dropped");
  }

  #tap(connection: Connection): Connection {
    return new Proxy(connection, {
      get: (target, name) => {
        if (name === "openExchange") return async () => this.#listen(await target.openExchange());
        if (name === "media" && target.media !== undefined) return this.#listenAt(target.media);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #listenAt(door: MediaDoor): MediaDoor {
    return {
      open: async (request, handlers) => {
        const opening = await door.open(request, handlers);
        this.#note(opening.answer);
        return opening;
      },
    };
  }

  #note({ headers }: AgtpResponse): void {
    const auditId = headers.get("Audit-ID");
    if (auditId !== undefined) this.auditIds.add(auditId);
  }

  #listen(exchange: DuplexStream): DuplexStream {
    const { send, receive, channelBinding } = exchange;
    const reader = new MessageReader("response");
    const listening: ReceiveStream = {
      read: async () => {
        const bytes = await receive.read();
        if (bytes !== undefined) reader.push(bytes);
        for (let answer = reader.next(); answer !== undefined; answer = reader.next()) this.#note(answer);
        return bytes;
      },
      stop: (code) => receive.stop(code),
    };
    return { send, receive: listening, channelBinding };
  }
}
