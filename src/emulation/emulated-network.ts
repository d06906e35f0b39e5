import type { Clock } from "../../codecs/clock.ts";
import type {
  Carrier,
  CloseInfo,
  Connection,
  ConnectionHandlers,
  DatagramFate,
  DuplexStream,
  SendStream,
} from "../../sfu/carrier.ts";
import { EmulatedReceive, EmulatedSend, emulatedDuplex } from "./emulated-stream.ts";
import { Lane } from "./lane.ts";
import { Link, type LinkConditions } from "./link.ts";
import { SeededRandom } from "./seeded-random.ts";

/** A network that adds nothing. */
const CLEAR: LinkConditions = { delay: 0 };

/**
 * A network of an agent's own, the same in both directions, put between it and whatever carries its connections, in a browser too:
 * `Agent.connect(url, { network: (carrier, clock) => network.over(carrier, clock) })`. All connections share it. It stands above the
 * carrier: what a real stack would notice of such a network, its own repetitions and congestion control, it does not; the agent's and the
 * server's do.
 */
export class EmulatedNetwork {
  readonly #seed: number;
  #conditions: LinkConditions = CLEAR;
  #lanes: { readonly out: Lane; readonly back: Lane; readonly clock: Clock } | undefined;

  /** The same seed gives the same chances. It begins clear. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Other conditions from now on, for what is up as well; `undefined`: none. */
  change(conditions: LinkConditions | undefined): void {
    this.#conditions = conditions ?? CLEAR;
    if (this.#lanes === undefined) return;
    const { out, back, clock } = this.#lanes;
    for (const { link } of [out, back]) link.change(this.#conditions, clock.now());
  }

  /** The carrier, with this network before it. */
  over(inner: Carrier, clock: Clock): Carrier {
    return {
      connect: async (url, options, handlers) => {
        let emulated: EmulatedConnection | undefined;
        const wrap = (connection: Connection): EmulatedConnection => {
          emulated ??= new EmulatedConnection(connection, this.#through(clock), () => this.#conditions.delay);
          return emulated;
        };
        const made = await inner.connect(url, options, (connection) => {
          const wrapped = wrap(connection);
          return wrapped.told(handlers(wrapped));
        });
        return wrap(made);
      },
    };
  }

  #through(clock: Clock): Lanes {
    if (this.#lanes === undefined) {
      const random = new SeededRandom(this.#seed);
      const lane = (): Lane => new Lane(new Link(this.#conditions, random.fork()), clock);
      this.#lanes = { out: lane(), back: lane(), clock };
    }
    return this.#lanes;
  }
}

interface Lanes {
  readonly out: Lane;
  readonly back: Lane;
}

/** A client's connection whose datagrams, streams and exchanges go through the network. Its own pings do not. */
class EmulatedConnection implements Connection {
  readonly #inner: Connection;
  readonly #lanes: Lanes;
  readonly #delay: () => number;
  #isOver = false;

  constructor(inner: Connection, lanes: Lanes, delay: () => number) {
    this.#inner = inner;
    this.#lanes = lanes;
    this.#delay = delay;
  }

  get carrier() {
    return this.#inner.carrier;
  }

  get url() {
    return this.#inner.url;
  }

  get pinned() {
    return this.#inner.pinned;
  }

  get choice() {
    return this.#inner.choice;
  }

  get peerAddress() {
    return this.#inner.peerAddress;
  }

  get path() {
    return this.#inner.path;
  }

  get drops() {
    return this.#inner.drops;
  }

  get maxDatagram() {
    return this.#inner.maxDatagram;
  }

  get roundTrip(): number | undefined {
    const { roundTrip } = this.#inner;
    return roundTrip === undefined ? undefined : roundTrip + 2 * this.#delay();
  }

  async openExchange(): Promise<DuplexStream> {
    return emulatedDuplex(await this.#inner.openExchange(), this.#lanes.out, this.#lanes.back);
  }

  async openStream(): Promise<SendStream> {
    return new EmulatedSend(await this.#inner.openStream(), this.#lanes.out);
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    if (this.#isOver) return "closed";
    if (bytes.length > this.#inner.maxDatagram) return "too-large";
    const copy = bytes.slice();
    this.#lanes.out.datagram(copy.length, () => void this.#inner.sendDatagram(copy));
    return "sent";
  }

  probe(ms: number) {
    return this.#inner.probe(ms);
  }

  close(code: number, reason: string): void {
    this.#inner.close(code, reason);
  }

  /** What arrives, for its owner. */
  told(owner: ConnectionHandlers): ConnectionHandlers {
    const { out, back } = this.#lanes;
    return {
      datagram: (bytes) => {
        const copy = bytes.slice();
        back.datagram(copy.length, () => owner.datagram(copy));
      },
      stream: (stream) => owner.stream(new EmulatedReceive(stream, back)),
      exchange: (stream) => owner.exchange(emulatedDuplex(stream, out, back)),
      closed: (info: CloseInfo) => {
        this.#isOver = true;
        owner.closed(info);
      },
    };
  }
}
