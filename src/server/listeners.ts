import type { TLSSocket } from "node:tls";
import type { WebSocket } from "ws";
import type { Clock } from "../../codecs/clock.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { Connection, ConnectionHandlers } from "../../sfu/carrier.ts";
import type { RateMemory } from "../../signaling/shared-state.ts";
import { createTlsCounters, type TlsCounters } from "../../transports/tls/counters.ts";
import { acceptTls } from "../../transports/tls/server.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import type { ServerCertificate } from "../../transports/webtransport/certificate.ts";
import { listenWebTransport, type WebTransportListener } from "../../transports/webtransport/server.ts";
import type { ServerConfig } from "../config.ts";
import type { PeerDesk } from "../gateway/desk.ts";
import { AddressBook } from "../http/address-limits.ts";
import { agtpUrlOf, connectInfo, originNamed, type ResidentListing } from "../http/connect-info.ts";
import { pageFolder } from "../http/page-files.ts";
import { openSite, type PageParts, type Site, type SiteOptions, type WatchParts } from "../http/site.ts";
import { peerAddressOf, type SocketFacts } from "../http/upgrades.ts";
import { UrlTokens } from "../http/url-tokens.ts";
import type { RefusedConnections, TlsPortCounts } from "../metrics/server-metrics.ts";
import { packageVersion } from "../package-info.ts";
import { bare, isAnyAddress, originsOf } from "./origins.ts";

/** What listeners need of the server behind them. */
export interface ListenersOptions {
  readonly config: ServerConfig;
  readonly clock: Clock;
  /** Who has asked how much lately, at all servers that share it. */
  readonly rates: RateMemory;
  readonly certificate: ServerCertificate;
  readonly watch: Omit<WatchParts, "everywhere">;
  /** The agents that the server itself runs now. */
  readonly residents: () => readonly ResidentListing[];
  /**
   * Takes a connection over WebTransport or TLS, whose client may have dialled any of these origins: the URL that QUIC's stack tells is as the
   * client likes, and a TLS client may name nothing. Not before the listeners are open.
   */
  readonly accept: (connection: Connection, origins: readonly string[]) => ConnectionHandlers;
  /** Takes a WebSocket that was let in. Not before the listeners are open. */
  readonly acceptSocket: (socket: WebSocket, facts: SocketFacts) => void;
  /** Where WebRTC peers are opened; asked at each request. */
  readonly desk: () => PeerDesk;
  /** The server's signed manifest; `undefined` before it is up. */
  readonly manifest: () => Uint8Array | undefined;
  readonly fault: (error: unknown) => void;
}

/** Everything a server listens on. */
export interface Listeners {
  readonly webTransport: WebTransportListener | undefined;
  /** AGTP and WebSocket over TLS. */
  readonly tls: Site | undefined;
  /** The plain side, loopback alone. */
  readonly http: Site | undefined;
  /** Every origin that clients may dial, of all listeners. */
  readonly origins: readonly string[];
  /** Carriers that clients can come over. */
  readonly bindings: readonly ("webtransport" | "tls" | "websocket")[];
  /** `host:port` that the server is known by. */
  readonly address: string;
  /** Where agents connect. */
  readonly url: string;
  readonly httpUrl: string | undefined;
  readonly webSocketUrl: string | undefined;
  /** Where AGTP over TLS is: `agtp://127.0.0.1:4480`. */
  readonly agtpUrl: string | undefined;
  /** What the TLS port counts; `undefined` without one. */
  tlsPort(): TlsPortCounts | undefined;
  /** Connections that were turned away, by listener and reason. */
  refused(): RefusedConnections;
  /** Closes all, WebTransport first. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens what the configuration asks for. Throws `port-taken` naming the port, `certificate-broken`, `native-unavailable`, or `usage`
 * for an address that cannot be bound; nothing is left open then.
 */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const { config } = options;
  // One number for UDP and TCP: where it may be any, the pair is tried again when one of the two is taken.
  const isPaired = config.webTransport && config.port === 0 && config.tcpPort === undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await openAll(options);
    } catch (error) {
      const isTaken = error instanceof ParleyError && error.code === "port-taken";
      if (!isPaired || !isTaken || attempt === PAIR_ATTEMPTS) throw error;
    }
  }
}

async function openAll(options: ListenersOptions): Promise<Listeners> {
  const { config, certificate, clock } = options;
  const origins: string[] = [];
  const tokens = new UrlTokens({ origins: () => origins, wall: () => clock.wall() });
  let webTransport: WebTransportListener | undefined;
  let tls: Site | undefined;
  const dialledOverUdp: string[] = [];
  let isOpen = false;
  const page: PageParts = {
    folder: pageFolder(),
    connectInfo: (origin) =>
      connectInfo(factsOf(options, webTransport?.address, tls?.address), origin, tokens.mint(origin)),
    connectsTo: (origin) =>
      webTransport === undefined
        ? []
        : [originNamed([...originsOf(webTransport.address), ...config.origins], origin)],
  };
  const site = {
    // Its pages may connect to any listener.
    pageOrigins: () => [...origins, ...config.allowedOrigins],
    maxSockets: config.limits.connections,
    unready: () => (isOpen ? options.watch.unready() : "The server starts."),
    accept: options.acceptSocket,
    desk: options.desk,
    addresses: new AddressBook({ limits: config.addressLimits, clock, rates: options.rates }),
    ...(config.wellKnown
      ? {
          wellKnown: {
            facts: () => factsOf(options, webTransport?.address, tls?.address),
            manifest: options.manifest,
          },
        }
      : {}),
  } satisfies Partial<SiteOptions>;
  await using opened = new AsyncDisposableStack();
  const host = config.host === "localhost" ? "127.0.0.1" : config.host;
  let http: Site | undefined;
  if (config.httpPort !== "off") {
    http = await openSite({
      ...site,
      // A proxy on this machine may end TLS for further origins.
      origins: (address) => [...originsOf(address, "http"), ...config.origins],
      host: "127.0.0.1",
      port: config.httpPort,
      setting: "httpPort",
      watch: { ...options.watch, unready: site.unready, everywhere: config.watching === "everywhere" },
      ...(config.page ? { page } : {}),
    });
    opened.defer(() => http?.close());
    origins.push(...originsOf(http.address, "http"));
  }
  const dialledOverTls: string[] = [];
  const tlsEndings = createTlsCounters();
  if (config.tcpPort !== "off") {
    tls = await openSite({
      ...site,
      origins: (address) => [...originsOf(address), ...config.origins],
      host,
      port: config.tcpPort ?? config.port,
      setting: "tcpPort",
      tls: {
        certificate,
        clientCertificates: config.clientCertificates,
        limits: config.tlsLimits,
        clock,
        agtp: (socket, { head, idleMs }) =>
          acceptTls(
            socket,
            { url: urlDialled(socket, dialledOverTls), peerAddress: peerAddressOf(socket), head },
            { clock, fault: options.fault, idleTimeout: idleMs, counters: tlsEndings },
            (connection) => options.accept(connection, dialledOverTls),
          ),
      },
      // A browser takes no self-made certificate for a page.
      ...(config.page && config.certificateFile !== undefined ? { page } : {}),
    });
    opened.defer(() => tls?.close());
    dialledOverTls.push(...originsOf(tls.address), ...config.origins);
    origins.push(...originsOf(tls.address));
  }
  if (config.webTransport) {
    const port = config.tcpPort === undefined && tls !== undefined ? portOf(tls.address) : config.port;
    webTransport = await listenWebTransport(
      {
        clock,
        certificate,
        host,
        port,
        maxConnections: config.limits.connections,
        tokenFault: (url) => tokens.fault(url, config.urlTokens === "required"),
        fault: options.fault,
      },
      (connection) => options.accept(connection, dialledOverUdp),
    );
    const listener = webTransport;
    dialledOverUdp.push(...originsOf(listener.address), ...config.origins);
    opened.defer(() => listener.close());
    origins.push(...originsOf(listener.address));
  }
  origins.push(...config.origins);
  // The plain side was opened first and is named last.
  const unique = [...new Set(origins)].sort((a, b) => Number(isPlain(a)) - Number(isPlain(b)));
  origins.splice(0, origins.length, ...unique);
  isOpen = true;
  return listenersOf({ webTransport, tls, tlsEndings, http, origins, opened: opened.move() });
}

function listenersOf(parts: {
  readonly webTransport: WebTransportListener | undefined;
  readonly tls: Site | undefined;
  readonly tlsEndings: TlsCounters;
  readonly http: Site | undefined;
  readonly origins: readonly string[];
  readonly opened: AsyncDisposableStack;
}): Listeners {
  const { webTransport, tls, tlsEndings, http, origins, opened } = parts;
  const address = (webTransport ?? tls ?? http)?.address as string;
  const httpUrl = http === undefined ? undefined : `http://${http.address}`;
  const secure = tls === undefined ? undefined : dialled(tls.address);
  const socketOrigin = secure ?? httpUrl;
  const webSocketUrl =
    socketOrigin === undefined ? undefined : `${socketOrigin.replace(/^http/, "ws")}${AGTP_PATH}`;
  const main = webTransport === undefined ? secure : dialled(webTransport.address);
  let closing: Promise<void> | undefined;
  return {
    webTransport,
    tls,
    http,
    origins,
    bindings: [
      ...(webTransport === undefined ? [] : ["webtransport" as const]),
      ...(tls === undefined ? [] : ["tls" as const]),
      ...(socketOrigin === undefined ? [] : ["websocket" as const]),
    ],
    address,
    url: main === undefined ? (webSocketUrl as string) : `${main}${AGTP_PATH}`,
    httpUrl,
    webSocketUrl,
    agtpUrl: secure === undefined ? undefined : agtpUrlOf(secure),
    tlsPort: () => tls && { handshakes: tls.handshakes, endings: tlsEndings },
    refused: () => ({
      ...(webTransport === undefined ? {} : { webtransport: refusals(webTransport.counters) }),
      ...(tls === undefined ? {} : { tls: tls.refused }),
      ...(http === undefined ? {} : { http: http.refused }),
    }),
    close: () => {
      closing ??= opened.disposeAsync();
      return closing;
    },
  };
}

function refusals(counters: WebTransportListener["counters"]): Readonly<Record<string, number>> {
  return {
    path: counters.refusedPath,
    token: counters.refusedToken,
    full: counters.refusedFull,
    stopping: counters.refusedStopping,
    failed: counters.failed,
  };
}

/** The origin under which this machine reaches a listener. */
function dialled(address: string): string {
  const { hostname } = new URL(`https://${address}`);
  return isAnyAddress(bare(hostname)) ? (originsOf(address)[0] as string) : `https://${address}`;
}

/** The origin, of those that may have been dialled, that a TLS client named; without a name the first one. */
function urlDialled({ servername }: TLSSocket, origins: readonly string[]): string {
  const named = origins.find((origin) => new URL(origin).hostname === servername);
  return `${named ?? origins[0]}${AGTP_PATH}`;
}

function factsOf(options: ListenersOptions, udp: string | undefined, tcp: string | undefined) {
  const { config, certificate } = options;
  const isOwn = config.certificateFile === undefined;
  const dialledAt = (address: string) => ({
    origins: [...originsOf(address), ...config.origins],
    certificateHashes: isOwn ? [encodeHex(certificate.hash)] : [],
  });
  return {
    agentId: options.watch.agentId,
    name: config.name,
    webTransport: udp === undefined ? undefined : dialledAt(udp),
    tls: tcp === undefined ? undefined : dialledAt(tcp),
    webRtcFault: options.desk().unavailable(),
    residents: options.residents(),
    version: VERSION,
  };
}

function isPlain(origin: string): boolean {
  return origin.startsWith("http:");
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

const VERSION = packageVersion();
/** Port numbers tried until both protocols have one. */
const PAIR_ATTEMPTS = 5;
