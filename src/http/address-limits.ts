import type { Clock } from "../../codecs/clock.ts";
import { ok, type Result } from "../../codecs/result.ts";
import type { Rate, RateMemory } from "../../signaling/shared-state.ts";
import { bare, isLoopback } from "../server/origins.ts";

/**
 * What one address may have on the TCP ports together: an IPv4 address, or an IPv6 network of 64 bits. Rates count at all servers that
 * share them, connections at each.
 */
export interface AddressLimits {
  /** TCP connections open at once; beyond: dropped before TLS, counted `address-sockets`. */
  readonly sockets: number;
  /** New TCP connections a second, and their burst; beyond: dropped before TLS, counted `address-socket-rate`. */
  readonly socketRate: Rate;
  /** Connections whose TLS handshake, or first line, is not there yet; beyond: dropped before TLS, counted `address-handshakes`. */
  readonly handshakes: number;
  /** WebSockets asked for a second, and their burst; beyond: 429 `rate-limited`, counted `address-upgrade-rate`. */
  readonly upgradeRate: Rate;
}

/** Room for a building behind one address, not for one machine that wants everything. */
export const DEFAULT_ADDRESS_LIMITS: AddressLimits = {
  sockets: 256,
  socketRate: { perSecond: 50, burst: 200 },
  handshakes: 64,
  upgradeRate: { perSecond: 10, burst: 60 },
};

interface Account {
  sockets: number;
  /** Of them, those that have not arrived. */
  arriving: number;
}

/** A connection that may stay. */
export interface Admitted {
  /** Its handshake is over. Idempotent. */
  arrived(): void;
  /** It is gone. To be called once. */
  close(): void;
}

/**
 * Who has how much of the TCP ports. Loopback addresses are exempt: every program of this machine and everybody behind a proxy
 * on it comes from there, so one would spend what is another's; the ports' totals bound them.
 */
export class AddressBook {
  readonly #limits: AddressLimits;
  readonly #clock: Clock;
  readonly #exempt: (address: string) => boolean;
  readonly #rates: RateMemory;
  readonly #connected = new Map<string, Account>();

  /** `exempt`: addresses that nothing is counted of. Default: loopback. */
  constructor(options: {
    readonly limits: AddressLimits;
    readonly clock: Clock;
    readonly rates: RateMemory;
    readonly exempt?: (address: string) => boolean;
  }) {
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#rates = options.rates;
    this.#exempt = options.exempt ?? isLoopbackPeer;
  }

  /** One connection came: what to tell of it, or why it may not stay. */
  open(
    address: string | undefined,
  ): Admitted | "address-sockets" | "address-socket-rate" | "address-handshakes" {
    if (address === undefined || this.#exempt(address)) return EXEMPT;
    const network = networkOf(address);
    const account = this.#connected.get(network) ?? { sockets: 0, arriving: 0 };
    if (account.sockets >= this.#limits.sockets) return "address-sockets";
    if (account.arriving >= this.#limits.handshakes) return "address-handshakes";
    if (!this.#take(`sockets ${network}`, this.#limits.socketRate).ok) return "address-socket-rate";
    account.sockets += 1;
    account.arriving += 1;
    this.#connected.set(network, account);
    let isArriving = true;
    const arrived = (): void => {
      if (isArriving) account.arriving -= 1;
      isArriving = false;
    };
    const close = (): void => {
      arrived();
      account.sockets -= 1;
      if (account.sockets === 0) this.#connected.delete(network);
    };
    return { arrived, close };
  }

  /** Whether an open connection of this address may ask for a WebSocket now. Faults as `RateMemory.take`. */
  takeUpgrade(address: string | undefined): Result<void> {
    if (address === undefined || this.#exempt(address)) return ok(undefined);
    return this.#take(`upgrades ${networkOf(address)}`, this.#limits.upgradeRate);
  }

  #take(name: string, rate: Rate): Result<void> {
    return this.#rates.take([{ name, rate }], this.#clock.wall());
  }
}

/** What is counted as one: an IPv4 address, also where it is written as IPv6, or the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const [plain = ""] = address.split("%", 1);
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(plain)?.[1];
  if (mapped !== undefined || !plain.includes(":")) return mapped ?? plain;
  const [head = "", tail = ""] = plain.split("::");
  const [left, right] = [head, tail].map((part) => (part === "" ? [] : part.split(":")));
  const between = Array<string>(Math.max(0, 8 - (left?.length ?? 0) - (right?.length ?? 0))).fill("0");
  const groups = [...(left ?? []), ...between, ...(right ?? [])].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}

/** The network of a connection's peer, `host:port`; `undefined` for one that is not known, and for loopback, which stands for many. */
export function networkOfPeer(peerAddress: string | undefined): string | undefined {
  const address = peerAddress && bare(peerAddress.replace(/:\d+$/, ""));
  return address === undefined || isLoopbackPeer(address) ? undefined : networkOf(address);
}

const EXEMPT: Admitted = { arrived() {}, close() {} };

function isLoopbackPeer(address: string): boolean {
  return isLoopback(bare(address.replace(/^::ffff:/i, "")));
}
