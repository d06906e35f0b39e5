/** A listener and a client for each carrier, made alike, so that one suite holds for all. */
import type { Clock } from "../codecs/clock.ts";
import { systemClock } from "../platform/node/clock.ts";
import type { Carrier, ConnectOptions, Listener } from "../sfu/carrier.ts";
import type { Accept } from "../transports/connection-end.ts";
import { MemoryNetwork } from "../transports/memory.ts";
import { webSocketCarrier } from "../transports/websocket/client.ts";
import { storedCertificate } from "../transports/webtransport/certificate.ts";
import { webTransportCarrier } from "../transports/webtransport/client.ts";
import { listenWebTransport } from "../transports/webtransport/server.ts";
import { listenWebSocket } from "./web-socket-server.ts";

/** Real time that runs faster: what waits seconds in earnest waits a fraction here. */
const SPEED = 20;
export const fastClock: Clock = {
  now: () => systemClock.now() * SPEED,
  wall: () => systemClock.wall(),
  at: (at, fire) => systemClock.at(at / SPEED, fire),
};

export interface CarrierWorld {
  readonly carrier: Carrier;
  readonly listener: Listener;
  readonly url: string;
  readonly connect: ConnectOptions;
  /** What dialling says once the listener is closed. */
  readonly afterwards: "connect-refused" | "connect-timeout";
}

/** `folder` keeps the certificate; `fault` takes what the server's handlers throw. */
export type WorldMaker = (
  accept: Accept,
  options: { readonly folder: string; readonly fault?: (error: unknown) => void },
) => Promise<CarrierWorld>;

const common = { clock: fastClock, liveness: false } as const;

export const carrierWorlds: Readonly<Record<"memory" | "webtransport" | "websocket", WorldMaker>> = {
  memory: async (accept, { fault }) => {
    const network = new MemoryNetwork({ ...common, ...(fault && { fault }) });
    const listener = network.listen("parley.test:4480", accept);
    return {
      carrier: network,
      listener,
      url: "https://parley.test:4480/agtp",
      connect: {},
      afterwards: "connect-refused",
    };
  },
  webtransport: async (accept, { folder, fault }) => {
    const certificate = await storedCertificate({ folder, now: Date.now() });
    const options = { ...common, certificate, port: 0, ...(fault && { fault }) };
    const listener = await listenWebTransport(options, accept);
    return {
      carrier: webTransportCarrier(common),
      listener,
      url: `https://${listener.address}/agtp`,
      connect: { certificateHashes: [listener.certificateHash] },
      afterwards: "connect-timeout",
    };
  },
  websocket: async (accept, { folder, fault }) => {
    const certificate = await storedCertificate({ folder, now: Date.now() });
    const listener = await listenWebSocket({ ...common, certificate, ...(fault && { fault }) }, accept);
    return {
      carrier: webSocketCarrier(common),
      listener,
      url: listener.url,
      connect: { certificateHashes: [certificate.hash] },
      afterwards: "connect-refused",
    };
  },
};
