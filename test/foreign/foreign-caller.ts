/** Somebody else's client: each request on a TLS connection of its own, proved by that connection's channel binding. */
import { randomBytes } from "node:crypto";
import { headerOf, resultOf, type WireAnswer } from "../exchanges/wire.ts";
import { canonical, type ForeignAgent, type JsonMembers } from "./foreign-agent.ts";
import { ForeignSocket } from "./foreign-socket.ts";

export interface ForeignServer {
  readonly port: number;
  readonly origin: string;
  /** SHA-256 of the certificate, hex. */
  readonly certificateHash: string;
}

/** How a client writes what it asks. */
export interface Manner {
  readonly dialect: "base" | "seed";
  readonly body: "flat" | "envelope";
}

export class ForeignCaller {
  readonly agent: ForeignAgent;
  /** Connections made so far: one for each request. */
  connections = 0;
  readonly #server: ForeignServer;
  readonly #manner: Manner;

  constructor(agent: ForeignAgent, server: ForeignServer, manner: Manner) {
    this.agent = agent;
    this.#server = server;
    this.#manner = manner;
  }

  /** One request and its one answer; then the connection is closed. */
  async ask(
    method: string,
    path: string,
    parameters: JsonMembers = {},
    headers: readonly string[] = [],
  ): Promise<WireAnswer> {
    const socket = await this.open(method, path, parameters, headers);
    try {
      return await socket.answer();
    } finally {
      socket.leave();
    }
  }

  /** The same, which must succeed: the result. */
  async result(...request: Parameters<ForeignCaller["ask"]>): Promise<JsonMembers> {
    return resultOf(await this.ask(...request)) as JsonMembers;
  }

  /** Asks, and leaves the connection open for what comes. */
  async open(
    method: string,
    path: string,
    parameters: JsonMembers = {},
    headers: readonly string[] = [],
  ): Promise<ForeignSocket> {
    const { port, origin, certificateHash } = this.#server;
    const socket = await ForeignSocket.open(port, { fingerprint: certificateHash });
    this.connections += 1;
    const proved = this.agent.prove({ method, path, origin }, { cb: socket.binding }, parameters);
    const { dialect, body: form } = this.#manner;
    const body = canonical(form === "flat" ? proved : { method, parameters: proved });
    const head = [
      dialect === "base" ? `AGTP/1.0 ${method} ${path}` : `${method} ${path} HTTP/AGTP/1.0`,
      "Accept: application/json",
      "Host: 127.0.0.1",
      `Agent-ID: ${this.agent.id}`,
      `Content-Type: ${dialect === "base" ? "application/vnd.agtp+json" : "application/agtp+json"}`,
      `Request-ID: req-${randomBytes(6).toString("hex")}`,
      ...headers,
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    await socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    return socket;
  }
}

/** A version 7 UUID. */
export function freshOfferId(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const tail = randomBytes(10).toString("hex");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6, 18)}`;
}

/** A header of an answer that must be there. */
export function needed(answer: WireAnswer, name: string): string {
  const value = headerOf(answer.headers, name);
  if (value === undefined) throw new Error(`the answer has no ${name}`);
  return value;
}
