import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { ErrorCode } from "../../codecs/error-codes.ts";
import type { Fault } from "../../codecs/result.ts";
import { AGTP_PATH } from "../../transports/url.ts";
import { WEBSOCKET_SERVER_OPTIONS } from "../../transports/websocket/server.ts";
import type { AddressBook } from "./address-limits.ts";
import { PLAIN_HEADERS } from "./headers.ts";
import { pageOrigin } from "./page-origin.ts";

/** What is known of a WebSocket besides itself. */
export interface SocketFacts {
  /** The URL the client dialled, without its query: `wss://127.0.0.1:4480/agtp`. */
  readonly url: string;
  /** `host:port` of the peer, as the operating system tells it. */
  readonly peerAddress: string | undefined;
}

/** Who may come, and what becomes of them. */
export interface UpgradeOptions {
  readonly secure: boolean;
  /** What clients dial to come here. */
  readonly origins: () => readonly string[];
  /** Origins of pages that may connect: the server's own, and those elsewhere that it allows. */
  readonly pageOrigins: () => readonly string[];
  /** Open WebSockets; one more is refused. */
  readonly maxSockets: number;
  /** Why nobody is taken now, if so. */
  readonly unready: () => string | undefined;
  readonly accept: (socket: WebSocket, facts: SocketFacts) => void;
  /** Who asks too often. */
  readonly addresses: AddressBook;
}

type Reason = "path" | "host" | "origin" | "stopping" | "full";
type RefusalReason = Reason | "address-upgrade-rate";

/** Turns requests for `/agtp` into WebSockets, or answers why not: one JSON object with a stable code. */
export class Upgrades {
  /** Who was turned away, counted by reason. */
  readonly refused: Record<RefusalReason, number> = {
    path: 0,
    host: 0,
    origin: 0,
    stopping: 0,
    full: 0,
    "address-upgrade-rate": 0,
  };
  readonly #options: UpgradeOptions;
  readonly #server = new WebSocketServer({ ...WEBSOCKET_SERVER_OPTIONS, noServer: true });
  readonly #open = new Set<WebSocket>();

  constructor(options: UpgradeOptions) {
    this.#options = options;
  }

  /** WebSockets that are open. */
  get open(): number {
    return this.#open.size;
  }

  /** For the event `upgrade` of a server. */
  take(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { secure, origins, addresses } = this.#options;
    const allowed = addresses.takeUpgrade(request.socket.remoteAddress);
    if (!allowed.ok) {
      this.refused["address-upgrade-rate"]++;
      refuse(stream, tooOften(allowed.fault));
      return;
    }
    const dialled = pageOrigin({ secure, host: request.headers.host }, origins());
    const reason = this.#reason(request, dialled);
    if (reason !== undefined || dialled === undefined) {
      this.refused[reason ?? "host"]++;
      refuse(stream, this.#refusal(reason ?? "host"));
      return;
    }
    const peerAddress = peerAddressOf(request.socket);
    const url = `${dialled.replace(/^http/, "ws")}${AGTP_PATH}`;
    this.#server.handleUpgrade(request, stream, head, (socket) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
      this.#options.accept(socket, { url, peerAddress });
    });
  }

  /** Ends what is still open, at once. */
  close(): void {
    for (const socket of this.#open) socket.terminate();
  }

  #reason(request: IncomingMessage, dialled: string | undefined): Reason | undefined {
    const { pageOrigins, maxSockets, unready } = this.#options;
    const { origin } = request.headers;
    if (pathOf(request) !== AGTP_PATH) return "path";
    if (dialled === undefined) return "host";
    // Without an Origin it is no browser: any program could write what it likes there.
    if (origin !== undefined && !pageOrigins().includes(origin)) return "origin";
    if (unready() !== undefined) return "stopping";
    if (this.#open.size >= maxSockets) return "full";
    return undefined;
  }

  #refusal(reason: Reason): Refusal {
    if (reason !== "stopping") return REFUSALS[reason];
    return { status: 503, code: "draining", message: this.#options.unready() ?? "The server stops." };
  }
}

interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** When to come again, where that is known. */
  readonly retryAfterMs?: number;
}

/** A request of another path, host or origin. */
export const HOST_REFUSED: Refusal = {
  status: 421,
  code: "host-refused",
  message: "This server is not known by that host name; the setting `origins` names further ones.",
};
/** What who finds all places taken is told to wait, milliseconds. */
const FULL_RETRY_MS = 5_000;
const ORIGIN_REFUSED: Refusal = {
  status: 403,
  code: "origin-refused",
  message: "Pages of this origin may not connect here; the setting `allowedOrigins` names those that may.",
};
const NOT_FOUND: Refusal = {
  status: 404,
  code: "not-found",
  message: `WebSockets are taken at ${AGTP_PATH} alone.`,
};
const FULL: Refusal = {
  status: 503,
  code: "capacity",
  message: "The server has all the connections it takes.",
  retryAfterMs: FULL_RETRY_MS,
};

/** An address that asks for more WebSockets than it may, or whose rate cannot be looked up. */
function tooOften({ code, details }: Fault): Refusal {
  const { retry_after_ms: wait } = details ?? {};
  const retry = typeof wait === "number" ? { retryAfterMs: wait } : {};
  if (code === "rate-limited")
    return { status: 429, code, message: "Too many connections from this address.", ...retry };
  return { status: 503, code, message: "Rates cannot be looked up now.", ...retry };
}

const REFUSALS: Readonly<Record<Exclude<Reason, "stopping">, Refusal>> = {
  path: NOT_FOUND,
  host: HOST_REFUSED,
  origin: ORIGIN_REFUSED,
  full: FULL,
};

/** The path of a request, its query left out. */
function pathOf(request: { readonly url?: string | undefined }): string {
  return (request.url ?? "").split(/[?#]/, 1)[0] as string;
}

function refuse(stream: Duplex, { status, code, message, retryAfterMs }: Refusal): void {
  const details = retryAfterMs === undefined ? {} : { details: { retry_after_ms: retryAfterMs } };
  const body = JSON.stringify({ error: { code, message, ...details } });
  const headers = {
    ...PLAIN_HEADERS,
    ...(retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) }),
    connection: "close",
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // The peer may be gone already.
  stream.on("error", () => {});
  stream.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`, () =>
    stream.destroy(),
  );
}

/** `host:port` of a socket's peer, IPv4 as IPv4; `undefined` when it is gone. */
export function peerAddressOf({ remoteAddress, remotePort }: Socket): string | undefined {
  const host = remoteAddress?.replace(/^::ffff:/, "");
  return host?.includes(":") ? `[${host}]:${remotePort}` : host && `${host}:${remotePort}`;
}
