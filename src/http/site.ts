import { createServer as createPlainServer, type RequestListener } from "node:http";
import { createServer as createTlsServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import fastifyStatic from "@fastify/static";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { object, optional, readShape, text } from "../../signaling/shape.ts";
import { ASKING_SERVER_OPTIONS, TLS_SERVER_OPTIONS } from "../../transports/tls/server.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import { showsToken } from "../events/events-token.ts";
import type { PeerDesk } from "../gateway/desk.ts";
import { bare, isLoopback } from "../server/origins.ts";
import { PROTOCOLS, TlsDoor, type TlsDoorOptions } from "../server/tls-door.ts";
import type { ConnectInfo } from "./connect-info.ts";
import { PLAIN_HEADERS, pageHeaders } from "./headers.ts";
import { cacheControl, UNBUILT_PAGE } from "./page-files.ts";
import { pageOrigin } from "./page-origin.ts";
import { HOST_REFUSED, type UpgradeOptions, Upgrades } from "./upgrades.ts";
import { addWebRtc } from "./webrtc-routes.ts";
import { addWellKnown, type WellKnownParts } from "./well-known.ts";

/** The page and what it is told. */
export interface PageParts {
  /** Folder of the built page; `undefined`: it is not built. */
  readonly folder: string | undefined;
  /** Asked at each `/connect.json`; `origin` is the page's. */
  readonly connectInfo: (origin: string) => ConnectInfo;
  /** Origins that a page of `origin` connects to besides its own. */
  readonly connectsTo: (origin: string) => readonly string[];
}

/** What is said to whoever watches over the server. */
export interface WatchParts {
  /** Agent-ID of the server. */
  readonly agentId: string;
  /** Why the server should get no new clients, if so. */
  readonly unready: () => string | undefined;
  /** Whether everybody may ask, and not only who dials this machine's loopback. */
  readonly everywhere: boolean;
  /** The text of `/metrics` and its type. */
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
  /** Whoever asks for events shows this. */
  readonly eventsToken: () => string;
  /** What happened behind a place: see `EventFeed.page`. `undefined` while the server starts. */
  readonly events: (after: number, count: number) => JsonObject | undefined;
}

/** What a TLS port has besides HTTP. */
export interface TlsParts extends Pick<TlsDoorOptions, "limits" | "agtp"> {
  /** The certificate, its chain and its key. */
  readonly certificate: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Whether clients are asked for a certificate; who has none comes in as well. */
  readonly clientCertificates: "off" | "asked";
  readonly clock: Clock;
}

/** One HTTP listener. */
export interface SiteOptions extends Omit<UpgradeOptions, "secure" | "origins"> {
  /** IP address. */
  readonly host: string;
  /** TCP port; 0 picks a free one. */
  readonly port: number;
  /** The setting that names the port, for who has to give another. */
  readonly setting: "httpPort" | "tcpPort";
  /** TLS 1.3, nothing older, with AGTP beside HTTP. */
  readonly tls?: TlsParts;
  /** What clients dial to come here, once it listens on `host:port`. */
  readonly origins: (address: string) => readonly string[];
  readonly page?: PageParts;
  readonly wellKnown?: WellKnownParts;
  /** Where WebRTC peers are opened that ask by WHIP and WHEP; asked at each request. */
  readonly desk?: () => PeerDesk;
  readonly watch?: WatchParts;
}

/** A listener that is up. */
export interface Site {
  /** `host:port` actually bound. */
  readonly address: string;
  /** Connections and WebSockets that were turned away, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** TLS connections whose handshake or first line is not there yet. */
  readonly handshakes: number;
  /** Ends every connection and frees the port. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens one listener of the HTTP side: the page where `page` is given, health and metrics where `watch` is, WHIP and WHEP where `desk` is, and WebSockets at `/agtp`.
 * Throws `port-taken` naming the port, `certificate-broken`, or `usage` for an address that cannot be bound.
 */
export async function openSite(options: SiteOptions): Promise<Site> {
  let own: readonly string[] = [];
  const origins = (): readonly string[] => own;
  const upgrades = new Upgrades({ ...options, origins, secure: options.tls !== undefined });
  const dropped = { full: 0, "address-sockets": 0, "address-socket-rate": 0, "address-handshakes": 0 };
  let door: TlsDoor | undefined;
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    serverFactory: (handler) => {
      const { tls, addresses, unready } = options;
      const server = tls === undefined ? createPlainServer(LIMITS, handler) : tlsServer(handler, tls);
      // Room for requests that open no WebSocket, and are short.
      server.maxConnections = options.maxSockets + MAX_REQUESTS + (tls?.limits.connections ?? 0);
      server.on("drop", () => dropped.full++);
      server.on("upgrade", (request, stream, head) => upgrades.take(request, stream, head));
      if (tls === undefined) {
        server.on("connection", (socket: Socket) => {
          const admitted = addresses.open(socket.remoteAddress);
          if (typeof admitted === "string") {
            dropped[admitted]++;
            socket.destroy();
            return;
          }
          admitted.arrived();
          socket.once("close", admitted.close);
        });
      } else door = new TlsDoor(server as HttpsServer, { ...tls, addresses, unready });
      return server;
    },
  });
  await addRoutes(app, options, origins);
  await listen(app, options);
  const { address, family, port } = app.server.address() as AddressInfo;
  const bound = family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  own = options.origins(bound);
  return {
    address: bound,
    get refused() {
      const { refused } = upgrades;
      return { ...refused, ...dropped, full: refused.full + dropped.full, ...door?.refused };
    },
    get handshakes() {
      return door?.handshakes ?? 0;
    },
    async close() {
      door?.close();
      upgrades.close();
      await app.close();
    },
  };
}

function tlsServer(handler: RequestListener, tls: TlsParts): HttpsServer {
  const { certificate } = tls;
  try {
    return createTlsServer(
      {
        ...LIMITS,
        cert: certificate.certificatePem,
        key: certificate.privateKeyPem,
        ...(tls.clientCertificates === "asked" ? ASKING_SERVER_OPTIONS : TLS_SERVER_OPTIONS),
        ALPNProtocols: [...PROTOCOLS],
        // The door says when it is whose turn.
        pauseOnConnect: true,
      },
      handler,
    );
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      { code: "certificate-broken", message: `The certificate cannot be used: ${why}.` },
      { cause },
    );
  }
}

async function addRoutes(
  app: FastifyInstance,
  options: SiteOptions,
  origins: () => readonly string[],
): Promise<void> {
  const { addresses, desk, page, unready, watch, wellKnown } = options;
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(PLAIN_HEADERS);
    const secure = options.tls !== undefined;
    const origin = pageOrigin({ secure, host: request.headers.host }, origins());
    if (origin === undefined) return refuse(reply, HOST_REFUSED);
    request.pageOrigin = origin;
  });
  app.decorateRequest("pageOrigin", "");
  app.setNotFoundHandler((_request, reply) =>
    refuse(reply, { status: 404, code: "not-found", message: "There is nothing here." }),
  );
  app.setErrorHandler((error: { readonly statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    const code = status < 500 ? "message-malformed" : "server-error";
    return refuse(reply, { status, code, message: "The request could not be served." });
  });
  app.get(AGTP_PATH, (_request, reply) =>
    refuse(reply.header("upgrade", "websocket"), {
      status: 426,
      code: "upgrade-required",
      message: "Connect with a WebSocket.",
    }),
  );
  if (watch !== undefined) addWatching(app, watch);
  if (wellKnown !== undefined) addWellKnown(app, wellKnown);
  if (desk !== undefined) await addWebRtc(app, { desk, addresses, origins, unready });
  if (page !== undefined) await addPage(app, page);
}

function addWatching(app: FastifyInstance, watch: WatchParts): void {
  // Behind a proxy this side has a public name; one that hands on what its clients call it says at least that it is one.
  const preHandler = async (request: FastifyRequest, reply: FastifyReply) => {
    const { hostname } = new URL(request.pageOrigin);
    const isHere = isLoopback(bare(hostname)) && !PROXY_HEADERS.some((name) => name in request.headers);
    return watch.everywhere || isHere ? undefined : refuse(reply, WATCHED_HERE_ALONE);
  };
  app.get("/healthz", { preHandler }, () => ({ status: "up", agent_id: watch.agentId }));
  app.get("/readyz", { preHandler }, (_request, reply) => {
    const why = watch.unready();
    return why === undefined ? { status: "ready" } : reply.code(503).send({ status: "not-ready", why });
  });
  app.get("/metrics", { preHandler }, async (_request, reply) => {
    const { type, text } = await watch.metrics();
    return reply.type(type).send(text);
  });
  app.get("/events", { preHandler }, (request, reply) => {
    if (!showsToken(request.headers.authorization, watch.eventsToken()))
      return refuse(reply.header("www-authenticate", "Bearer"), EVENTS_TOKEN_WANTED);
    const query = readShape(EVENTS_QUERY, { ...(request.query as object) }, "query");
    if (!query.ok) return refuse(reply, { status: 400, ...query.fault });
    const { after = "-1", count = String(MAX_EVENTS) } = query.value;
    const page = watch.events(Number(after), Math.min(Number(count), MAX_EVENTS));
    return page ?? refuse(reply, { status: 503, code: "draining", message: "The server starts." });
  });
}

async function addPage(app: FastifyInstance, page: PageParts): Promise<void> {
  app.get("/connect.json", (request) => page.connectInfo(request.pageOrigin));
  app.addHook("onSend", async (request, reply) => {
    if (!String(reply.getHeader("content-type") ?? "").startsWith("text/html")) return;
    reply.headers(pageHeaders(request.pageOrigin, page.connectsTo(request.pageOrigin)));
  });
  if (page.folder === undefined) {
    app.get("/", (_request, reply) => reply.code(503).type("text/html; charset=utf-8").send(UNBUILT_PAGE));
    return;
  }
  await app.register(fastifyStatic, {
    root: page.folder,
    cacheControl: false,
    setHeaders: (reply, path) => void reply.header("cache-control", cacheControl(path)),
  });
}

async function listen(app: FastifyInstance, { host, port, setting: at }: SiteOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const where = `TCP ${host}:${port}`;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      throw new ParleyError(
        { code: "port-taken", message: `Another process listens on ${where}.`, at },
        { cause },
      );
    throw new ParleyError(
      { code: "usage", message: `Cannot listen on ${where}: ${message}.`, at },
      { cause },
    );
  }
}

const WATCHED_HERE_ALONE = {
  status: 421,
  code: "host-refused",
  message: "Health and metrics are told at 127.0.0.1 and localhost; the setting `watching` opens them.",
} as const;

const EVENTS_TOKEN_WANTED = {
  status: 401,
  code: "events-token-required",
  message: "Events are for who shows the token in the server's data folder.",
} as const;
/** What a proxy adds to a request on its way. */
const PROXY_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
];

function refuse(
  reply: FastifyReply,
  refusal: { readonly status: number; readonly code: string; readonly message: string },
): FastifyReply {
  const { status, code, message } = refusal;
  return reply.code(status).send({ error: { code, message } });
}

declare module "fastify" {
  interface FastifyRequest {
    /** The origin under which the request names this server. */
    pageOrigin: string;
  }
}

/** Events in one answer. */
const MAX_EVENTS = 256;
const EVENTS_QUERY = object<{ readonly after?: string; readonly count?: string }>({
  after: optional(text({ max: 16, pattern: /^(?:-1|\d{1,15})$/ })),
  count: optional(text({ max: 4, pattern: /^[1-9]\d{0,3}$/ })),
});
/** Only WebRTC peers send bodies, which have a limit of their own. */
const MAX_BODY_BYTES = 1_024;
/** Connections beside WebSockets, each for short requests; one more is dropped. */
const MAX_REQUESTS = 1_000;
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16 * 1024,
};
