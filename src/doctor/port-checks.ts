/** Ports: free, or taken by the server whose folder this is; and whether QUIC and TLS pass at all. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParleyError } from "../../codecs/parley-error.ts";
import { systemClock } from "../../platform/node/clock.ts";
import type { ServerConfig } from "../config.ts";
import type { Check, Finding } from "./finding.ts";
import { certificateInUse } from "./folder-checks.ts";

type Found = Omit<Finding, "name">;

/** `isOurs`: whether a server of this data folder runs now. */
export function portChecks(config: ServerConfig, isOurs: () => Promise<boolean>): readonly Check[] {
  const host = config.host === "localhost" ? "127.0.0.1" : config.host;
  const tcpPort = config.tcpPort ?? config.port;
  const checks: Check[] = [];
  if (config.webTransport)
    checks.push({
      name: "udp",
      fix: "Let a firewall pass UDP on the loopback device, or run with --no-web-transport.",
      look: () => udp(host, config.port, isOurs),
    });
  if (tcpPort !== "off")
    checks.push({ name: "tcp", fix: PORT_FIX, look: () => tls(config, host, tcpPort, isOurs) });
  const { httpPort } = config;
  if (httpPort !== "off")
    checks.push({
      name: "http",
      fix: PORT_FIX,
      look: () => tcp("127.0.0.1", httpPort, "--http-port", isOurs),
    });
  return checks;
}

async function tcp(host: string, port: number, flag: string, isOurs: () => Promise<boolean>): Promise<Found> {
  const where = `TCP ${host}:${port}`;
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return await taken(where, flag, isOurs);
  }
  server.close();
  return { state: "ok", found: port === 0 ? `a free TCP port on ${host} can be had` : `${where} is free` };
}

/** The TLS port: like any TCP port, and whether AGTP over TLS passes there. */
async function tls(
  config: ServerConfig,
  host: string,
  port: number,
  isOurs: () => Promise<boolean>,
): Promise<Found> {
  const found = await tcp(host, port, "--tcp-port", isOurs);
  if (found.state !== "ok") return found;
  const { dialOwnTls, dialTls } = await import("./tls-dialling.ts");
  if (!found.found.endsWith(RUNNING))
    return { ...found, found: `${found.found}, and TLS reached it in ${await dialOwnTls(host, port)} ms` };
  const { hash } = await certificateInUse(config);
  return {
    ...found,
    found: `${found.found}, and AGTP over TLS reached it in ${await dialTls(host, port, hash)} ms`,
  };
}

async function taken(where: string, flag: string, isOurs: () => Promise<boolean>): Promise<Found> {
  if (await isOurs()) return { state: "ok", found: `${where} ${RUNNING}` };
  const fix = `Stop the process that listens there, or give another ${flag}.`;
  return { state: "failed", found: `another process listens on ${where}`, fix };
}

/** Binds the port, or a free one where a server has it, and dials itself. */
async function udp(host: string, port: number, isOurs: () => Promise<boolean>): Promise<Found> {
  try {
    const took = await dialSelf(host, port);
    const where = port === 0 ? `a free UDP port on ${host} can be had` : `UDP ${host}:${port} is free`;
    return { state: "ok", found: `${where}, and QUIC reached it in ${took} ms` };
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== "port-taken") throw error;
    const found = await taken(`UDP ${host}:${port}`, "--port", isOurs);
    if (found.state !== "ok") return found;
    const took = await dialSelf(host, 0);
    return { ...found, found: `${found.found}, and QUIC reached another one in ${took} ms` };
  }
}

/** Milliseconds from dialling to a connection. */
async function dialSelf(host: string, port: number): Promise<number> {
  const { storedCertificate } = await import("../../transports/webtransport/certificate.ts");
  const { listenWebTransport } = await import("../../transports/webtransport/server.ts");
  const { webTransportCarrier } = await import("../../transports/webtransport/client.ts");
  const folder = await mkdtemp(join(tmpdir(), "parley-doctor-"));
  try {
    const certificate = await storedCertificate({ folder, now: Date.now() });
    const clock = systemClock;
    const handlers = { datagram() {}, stream() {}, exchange() {}, closed() {} };
    const listener = await listenWebTransport({ clock, certificate, host, port }, () => handlers);
    try {
      const address = listener.address.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
      const began = performance.now();
      const dialled = await webTransportCarrier({ clock }).connect(
        `https://${address}/agtp`,
        { certificateHashes: [certificate.hash], connectTimeout: 3_000 },
        () => handlers,
      );
      const took = Math.round(performance.now() - began);
      dialled.close(0, "");
      return took;
    } finally {
      await listener.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const RUNNING = "is the running server's";
const PORT_FIX = "Give an address and a port that this user may listen on.";
