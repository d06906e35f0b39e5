import type { AgtpRequest } from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import type {
  Carrier,
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  DuplexStream,
} from "../../sfu/carrier.ts";

/** A carrier that notes every request that its connections send, as it stands on the wire. */
export class RequestTap implements Carrier {
  readonly requests: AgtpRequest[] = [];
  readonly #carrier: Carrier;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  async connect(
    url: string,
    options: ConnectOptions,
    accept: (connection: Connection) => ConnectionHandlers,
  ): Promise<Connection> {
    return this.#tap(await this.#carrier.connect(url, options, (opened) => accept(this.#tap(opened))));
  }

  #tap(connection: Connection): Connection {
    return new Proxy(connection, {
      get: (target, name) => {
        if (name === "openExchange") return async () => this.#listen(await target.openExchange());
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #listen(stream: DuplexStream): DuplexStream {
    const reader = new MessageReader("request");
    const { send } = stream;
    return {
      ...stream,
      send: {
        write: (bytes) => {
          reader.push(bytes);
          for (let request = reader.next(); request !== undefined; request = reader.next())
            this.requests.push(request);
          return send.write(bytes);
        },
        finish: () => send.finish(),
        reset: (code) => send.reset(code),
      },
    };
  }
}
