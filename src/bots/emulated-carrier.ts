import type { Carrier, Connection, ConnectOptions } from "../../sfu/carrier.ts";
import type { Accept } from "../../transports/connection-end.ts";
import type { LinkConditions } from "../emulation/link.ts";
import { startUdpEmulator } from "../emulation/udp-emulator.ts";

/**
 * A carrier over UDP whose every connection goes through a network of its own: the same conditions to the server and back. The
 * connection names the server's URL, not the emulator's, since that is what an agent proves itself to.
 */
export function emulatedCarrier(inner: Carrier, conditions: LinkConditions, seed: number): Carrier {
  let connections = 0;
  return {
    async connect(url: string, options: ConnectOptions, accept: Accept): Promise<Connection> {
      const dialled = new URL(url);
      const emulator = await startUdpEmulator({
        target: dialled.host,
        toServer: conditions,
        toClient: conditions,
        seed: seed + connections++,
      });
      const detour = new URL(url);
      detour.host = emulator.address;
      try {
        return await inner
          .connect(detour.href, options, (connection) => {
            const handlers = accept(asDialled(connection, dialled.href));
            return {
              datagram: (bytes) => handlers.datagram(bytes),
              stream: (stream) => handlers.stream(stream),
              exchange: (stream) => handlers.exchange(stream),
              closed(info) {
                // The last packets of a closing are still under way.
                setTimeout(() => void emulator.close(), 2 * conditions.delay + CLOSING_MS).unref();
                handlers.closed(info);
              },
            };
          })
          .then((connection) => asDialled(connection, dialled.href));
      } catch (error) {
        await emulator.close();
        throw error;
      }
    },
  };
}

const CLOSING_MS = 500;

function asDialled(connection: Connection, url: string): Connection {
  return {
    url,
    get carrier() {
      return connection.carrier;
    },
    get pinned() {
      return connection.pinned;
    },
    get choice() {
      return connection.choice;
    },
    get peerAddress() {
      return connection.peerAddress;
    },
    get roundTrip() {
      return connection.roundTrip;
    },
    get drops() {
      return connection.drops;
    },
    get maxDatagram() {
      return connection.maxDatagram;
    },
    openExchange: () => connection.openExchange(),
    openStream: () => connection.openStream(),
    sendDatagram: (bytes) => connection.sendDatagram(bytes),
    probe: (ms) => connection.probe(ms),
    close: (code, reason) => connection.close(code, reason),
  };
}
