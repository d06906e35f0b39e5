import { describe, expect, it } from "vitest";
import { MemoryRates } from "../../signaling/shared-state.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { AddressBook, type AddressLimits, networkOf, networkOfPeer } from "./address-limits.ts";

const LIMITS: AddressLimits = {
  sockets: 2,
  socketRate: { perSecond: 1, burst: 4 },
  handshakes: 9,
  upgradeRate: { perSecond: 1, burst: 1 },
};
const ADDRESS = "203.0.113.7";

function scene() {
  const clock = new VirtualClock();
  return { clock, book: new AddressBook({ limits: LIMITS, clock, rates: new MemoryRates() }) };
}

function opened(book: AddressBook, address: string): () => void {
  const admitted = book.open(address);
  if (typeof admitted === "string") throw new Error(admitted);
  return () => admitted.close();
}

describe("one address", () => {
  it("has so many connections whose handshake is not over", () => {
    const clock = new VirtualClock();
    const book = new AddressBook({
      limits: { ...LIMITS, sockets: 9, handshakes: 2 },
      clock,
      rates: new MemoryRates(),
    });
    const [first] = [book.open(ADDRESS), book.open(ADDRESS)];
    expect(book.open(ADDRESS)).toBe("address-handshakes");
    if (typeof first !== "object") throw new Error("not admitted");
    first.arrived();
    // Its end is not another arrival.
    opened(book, ADDRESS);
    first.close();
    expect(book.open(ADDRESS)).toBe("address-handshakes");
  });

  it("has so many connections at once, and another has its own", () => {
    const { book } = scene();
    const close = opened(book, ADDRESS);
    opened(book, ADDRESS);
    expect(book.open(ADDRESS)).toBe("address-sockets");
    opened(book, "203.0.113.8");
    close();
    opened(book, ADDRESS);
  });

  it("opens so many in a time, whether they stay or not", async () => {
    const { book, clock } = scene();
    for (let count = 0; count < LIMITS.socketRate.burst; count += 1) opened(book, ADDRESS)();
    expect(book.open(ADDRESS)).toBe("address-socket-rate");
    await clock.advance(1_000);
    opened(book, ADDRESS)();
    expect(book.open(ADDRESS)).toBe("address-socket-rate");
  });

  it("asks for so many WebSockets in a time", async () => {
    const { book, clock } = scene();
    opened(book, ADDRESS);
    expect(book.takeUpgrade(ADDRESS).ok).toBe(true);
    expect(book.takeUpgrade(ADDRESS)).toMatchObject({
      fault: { code: "rate-limited", details: { retry_after_ms: 1_000 } },
    });
    await clock.advance(1_000);
    expect(book.takeUpgrade(ADDRESS).ok).toBe(true);
  });

  it("spends one rate at all servers that share it", () => {
    const rates = new MemoryRates();
    const clock = new VirtualClock();
    const [one, other] = [1, 2].map(() => new AddressBook({ limits: LIMITS, clock, rates }));
    for (let count = 0; count < LIMITS.socketRate.burst / 2; count += 1) {
      opened(one as AddressBook, ADDRESS)();
      opened(other as AddressBook, ADDRESS)();
    }
    expect(other?.open(ADDRESS)).toBe("address-socket-rate");
    opened(other as AddressBook, "203.0.113.8");
  });
});

it("of this machine is never counted: everybody behind a proxy here has it", () => {
  const { book } = scene();
  for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", undefined])
    for (let count = 0; count < 10; count += 1) {
      expect(book.open(address)).toBeTypeOf("object");
      expect(book.takeUpgrade(address).ok).toBe(true);
    }
});

it.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["64:ff9b::198.51.100.1", "64:ff9b:0:0::/64"],
])("%s counts as %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

it.each([
  ["203.0.113.7:50000", "203.0.113.7"],
  ["[2001:db8:1:2::1]:50000", "2001:db8:1:2::/64"],
  ["127.0.0.1:50000", undefined],
  ["[::1]:50000", undefined],
  [undefined, undefined],
])("a peer at %s is of %s", (peerAddress, network) => {
  expect(networkOfPeer(peerAddress)).toBe(network);
});
