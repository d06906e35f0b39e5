import type { Clock } from "../codecs/clock.ts";
import type { ReceiveStream, Unreached } from "../sfu/carrier.ts";
import { CARRIER_FLOW, type Liveness, PING_BYTES } from "./liveness.ts";

/** Milliseconds between a probe's pings: one that is lost must not decide. */
const PROBE_EVERY = 250;

/**
 * Asks a server for a datagram and a stream of its own opening. Some browsers connect over WebTransport and never see the one or
 * the other.
 * @internal
 */
export class Probe {
  readonly #clock: Clock;
  readonly #liveness: Liveness;
  readonly #over = Promise.withResolvers<void>();
  #hasStream = false;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, liveness: Liveness) {
    this.#clock = clock;
    this.#liveness = liveness;
  }

  /** What did not come within `ms`; `undefined` when everything did. */
  async run(ms: number): Promise<Unreached | undefined> {
    const deadline = this.#clock.now() + ms;
    const ask = (): void => {
      this.#liveness.pingForStream();
      const next = this.#clock.now() + PROBE_EVERY;
      this.#cancel = this.#clock.at(Math.min(next, deadline), next < deadline ? ask : () => this.end());
    };
    ask();
    await this.#over.promise;
    if (this.#liveness.roundTrip === undefined) return "datagrams";
    return this.#hasStream ? undefined : "streams";
  }

  /** A pong may have come. */
  look(): void {
    if (this.#hasStream && this.#liveness.roundTrip !== undefined) this.end();
  }

  /** The time is up, or the connection over. */
  end(): void {
    this.#cancel?.();
    this.#over.resolve();
  }

  /** Takes the answer among the peer's streams, and gives everything else to `pass` as it came. */
  async stream(stream: ReceiveStream, pass: (stream: ReceiveStream) => void): Promise<void> {
    try {
      let first = await stream.read();
      if (first?.[0] !== CARRIER_FLOW) {
        pass(startingWith(first, stream));
        return;
      }
      while (first.length < PING_BYTES) {
        const more = await stream.read();
        if (more === undefined) break;
        first = Uint8Array.of(...first, ...more);
      }
      stream.stop(0);
      if (!this.#liveness.isOwnPong(first)) return;
      this.#hasStream = true;
      this.look();
    } catch {
      // Reset before it said whose it was: nobody's loss.
    }
  }
}

/** The stream with the chunk that was read from it already. */
function startingWith(first: Uint8Array | undefined, stream: ReceiveStream): ReceiveStream {
  let isFirst = true;
  return {
    read() {
      if (!isFirst) return stream.read();
      isFirst = false;
      return Promise.resolve(first);
    },
    stop: (code) => stream.stop(code),
  };
}
