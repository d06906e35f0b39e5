/** A world with two ways to its server: one over UDP, and one over TCP for agents whose first goes dark. */
import type { Agent } from "../../agent/agent.ts";
import type { ConnectOptions } from "../../agent/connect.ts";
import type { Carrier } from "../../sfu/carrier.ts";
import { Link, type LinkConditions } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { choosingCarrier } from "../../transports/choosing.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { ORIGIN, World } from "./world.ts";

const SERVER = "127.0.0.1:4480";
/** Round trips that a WebSocket takes to open: TCP, TLS and the upgrade. */
const OPENING_ROUND_TRIPS = 3;

/** Both directions of one way. */
export interface Way {
  readonly toServer: Link;
  readonly toClient: Link;
  /** Nothing gets through from now on, for so long. */
  darken(ms?: number): void;
}

export class TwoWays {
  readonly world = new World();
  readonly udp: Way;
  readonly tcp: Way;
  /** How often each way was dialled. */
  readonly dialled = { udp: 0, tcp: 0 };
  readonly #random: SeededRandom;
  readonly #carriers: { readonly webTransport: Carrier; readonly webSocket: Carrier };

  constructor(conditions: LinkConditions, seed = 1) {
    this.#random = new SeededRandom(seed);
    this.udp = this.#way(conditions);
    this.tcp = this.#way(conditions);
    this.#carriers = {
      webTransport: this.#carrier("udp", "webtransport"),
      webSocket: this.#carrier("tcp", "websocket"),
    };
  }

  /** An agent that comes over UDP, and may choose. */
  async agent(name: string, options: Partial<ConnectOptions> = {}): Promise<Agent> {
    const carrier = choosingCarrier({ clock: this.world.clock, ...this.#carriers });
    return await this.world.agent(name, options, carrier);
  }

  #way(conditions: LinkConditions): Way {
    const { clock } = this.world;
    const toServer = new Link(conditions, this.#random.fork());
    const toClient = new Link(conditions, this.#random.fork());
    const darken = (ms = Number.POSITIVE_INFINITY): void => {
      for (const link of [toServer, toClient]) link.darken(clock.now(), clock.now() + ms);
    };
    return { toServer, toClient, darken };
  }

  #carrier(name: "udp" | "tcp", kind: "webtransport" | "websocket"): Carrier {
    const { clock, reported, server } = this.world;
    const { toServer, toClient } = this[name];
    const fault = (error: unknown) => reported.push(error);
    const network = new MemoryNetwork({ clock, toServer, toClient, carrier: kind, fault });
    network.listen(SERVER, (connection) => server.accept(connection, [ORIGIN]));
    return {
      connect: async (url, options, handlers) => {
        this.dialled[name] += 1;
        const opened = Promise.withResolvers<void>();
        let at = clock.now();
        for (let trip = 0; name === "tcp" && trip < OPENING_ROUND_TRIPS; trip += 1) {
          at = toClient.reliable(60, toServer.reliable(60, at));
        }
        const limit = clock.now() + (options.connectTimeout ?? 5_000);
        if (at > limit) clock.at(limit, () => opened.reject(new Error("no answer")));
        else clock.at(at, opened.resolve);
        await opened.promise;
        const connection = await network.connect(url, options, handlers);
        return Object.defineProperty(connection, "choice", { value: options.choice });
      },
    };
  }
}
