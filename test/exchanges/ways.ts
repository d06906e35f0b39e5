/** A server as `parley serve` runs it, and the ways to it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import type { Carrier, ConnectionHandlers } from "../../sfu/carrier.ts";
import { DEFAULT_LIMITS } from "../../signaling/switchboard/config.ts";
import type { ServerSettings } from "../../src/config.ts";
import { serve } from "../../src/server/serve.ts";
import { tlsCarrier } from "../../transports/tls/client.ts";
import { webSocketCarrier } from "../../transports/websocket/client.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";
import type { Way } from "./ground.ts";

/** A client's end that takes no notice of what it did not ask for. */
export const SILENT: ConnectionHandlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };

/** As many requests as a suite has, at once. */
const ENOUGH = { perSecond: 10_000, burst: 10_000 };
export const ROOMY = { ...DEFAULT_LIMITS, boundRate: ENOUGH, agentRate: ENOUGH, ownerRate: ENOUGH };

const CARRIERS: Readonly<Record<string, () => Carrier>> = {
  QUIC: () => webTransportCarrier({ clock: systemClock }),
  TLS: () => tlsCarrier({ clock: systemClock }),
  WebSocket: () => webSocketCarrier({ clock: systemClock }),
};

/** One server and a way to it over each carrier; stops with the last way. */
export async function realServer(settings: ServerSettings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "parley-exchanges-"));
  const faults: unknown[] = [];
  const server = await serve({
    dataFolder: folder,
    port: 0,
    httpPort: "off",
    registration: "open",
    residents: false,
    limits: ROOMY,
    ...settings,
    events: {
      log: (level, event, fields) => {
        if (level === "error") faults.push({ event, ...fields });
      },
    },
  });
  const { url, webSocketUrl } = server;
  const { origin } = new URL(url);
  const certificateHashes = [Buffer.from(server.certificateHash, "hex")];
  const way = (name: string): Way => {
    const carrier = CARRIERS[name]?.() as Carrier;
    const dialled = name === "WebSocket" ? String(webSocketUrl) : url;
    return {
      connect: (handlers = SILENT) => carrier.connect(dialled, { certificateHashes }, () => handlers),
      origin,
      wall: () => Date.now(),
      during: (promise) => promise,
      close: async () => {},
    };
  };
  return {
    way,
    url,
    origin,
    port: Number(new URL(url).port),
    certificateHash: server.certificateHash,
    certificateHashes,
    agentId: server.agentId,
    async stop(): Promise<void> {
      await server.stop(0);
      expect(faults).toEqual([]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
