import { networkOf } from "../http/address-limits.ts";

/** Connections that are not led anywhere yet, by name and by the network they come from. Each waits until it is its turn. */
export class Arrivals<Arrival> {
  readonly #byName = new Map<string, { readonly arrival: Arrival; readonly network: string }>();
  /** Names in the order in which they came. */
  readonly #byNetwork = new NamesByNetwork();
  /** Of them those that wait; the network whose turn is next comes first. */
  readonly #waiting = new NamesByNetwork();

  get size(): number {
    return this.#byName.size;
  }

  /** Whether anyone waits for its turn. */
  get isWaiting(): boolean {
    return this.#waiting.networks.size > 0;
  }

  get(name: string): Arrival | undefined {
    return this.#byName.get(name)?.arrival;
  }

  *all(): Iterable<Arrival> {
    for (const { arrival } of this.#byName.values()) yield arrival;
  }

  add(name: string, address: string, arrival: Arrival): void {
    this.take(name);
    const network = networkOf(address);
    this.#byName.set(name, { arrival, network });
    this.#byNetwork.add(network, name);
    this.#waiting.add(network, name);
  }

  take(name: string): Arrival | undefined {
    const known = this.#byName.get(name);
    if (known === undefined) return undefined;
    this.#byName.delete(name);
    this.#byNetwork.delete(known.network, name);
    this.#waiting.delete(known.network, name);
    return known.arrival;
  }

  /** The next one waits no more: the oldest of the network whose turn it is, so that one with thousands holds up nobody else's. */
  next(): Arrival | undefined {
    const [turn] = this.#waiting.networks;
    if (turn === undefined) return undefined;
    const [network, names] = turn;
    const [name] = names as ReadonlySet<string>;
    this.#waiting.delete(network, name as string);
    this.#waiting.toEnd(network);
    return this.get(name as string);
  }

  /** Who goes when there is no room: the oldest of the network that has most, so that a flood pushes out itself and nobody else. */
  get excess(): string | undefined {
    let most: ReadonlySet<string> | undefined;
    for (const [, names] of this.#byNetwork.networks) if (names.size > (most?.size ?? 0)) most = names;
    const [oldest] = most ?? [];
    return oldest;
  }
}

/** Names in the order in which they were added, by network; none without a name. */
class NamesByNetwork {
  readonly networks = new Map<string, Set<string>>();

  add(network: string, name: string): void {
    const names = this.networks.get(network);
    if (names === undefined) this.networks.set(network, new Set([name]));
    else names.add(name);
  }

  delete(network: string, name: string): void {
    const names = this.networks.get(network);
    names?.delete(name);
    if (names?.size === 0) this.networks.delete(network);
  }

  toEnd(network: string): void {
    const names = this.networks.get(network);
    if (names === undefined) return;
    this.networks.delete(network);
    this.networks.set(network, names);
  }
}
