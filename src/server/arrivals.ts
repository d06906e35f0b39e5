import { networkOf } from "../http/address-limits.ts";

/** Connections that are not led anywhere yet, by name and by the network they come from. */
export class Arrivals<Arrival> {
  readonly #byName = new Map<string, { readonly arrival: Arrival; readonly network: string }>();
  /** Names in the order in which they came. */
  readonly #byNetwork = new Map<string, Set<string>>();

  get size(): number {
    return this.#byName.size;
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
    const names = this.#byNetwork.get(network);
    if (names === undefined) this.#byNetwork.set(network, new Set([name]));
    else names.add(name);
  }

  take(name: string): Arrival | undefined {
    const known = this.#byName.get(name);
    if (known === undefined) return undefined;
    this.#byName.delete(name);
    const names = this.#byNetwork.get(known.network);
    names?.delete(name);
    if (names?.size === 0) this.#byNetwork.delete(known.network);
    return known.arrival;
  }

  /** Who goes when there is no room: the oldest of the network that has most, so that a flood pushes out itself and nobody else. */
  get excess(): string | undefined {
    let most: Set<string> | undefined;
    for (const names of this.#byNetwork.values()) if (names.size > (most?.size ?? 0)) most = names;
    const [oldest] = most ?? [];
    return oldest;
  }
}
