// Floods the TLS port of a server from a process of its own, with none of its code. Argument: a `FloodOrder` as JSON. Prints
// `{"mark":"flooding"}` once the flood stands, and a `FloodReport` after the line `stop`. It gives way to everything else on the
// machine: a flood costs its victim what the victim does about it, while the flooder's own work is done elsewhere.
import { connect as connectPlain, type Socket } from "node:net";
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { ForeignAgent } from "../foreign/foreign-agent.ts";
import { bindingOf } from "../foreign/foreign-socket.ts";

/**
 * `half-open`: connections that never finish their handshake. `requests`: a thousand a second, of one agent. `headers`: a megabyte of
 * them. `slow`: requests that come octet by octet. `unread`: requests whose answers nobody reads. `idle`: connections that say nothing.
 */
export type FloodKind = "half-open" | "requests" | "headers" | "slow" | "unread" | "idle";

export interface FloodOrder {
  readonly kind: FloodKind;
  readonly host: string;
  readonly port: number;
  readonly origin: string;
  /** Local addresses to come from, in turn. */
  readonly from: readonly string[];
  /** Connections held open at once. */
  readonly connections: number;
}

export interface FloodReport {
  readonly opened: number;
  /** Ended or refused by the server. */
  readonly ended: number;
  /** Octets handed over. */
  readonly sent: number;
  /** Octets that came back. */
  readonly received: number;
  /** Requests said, where they are counted. */
  readonly requests: number;
}

setPriority(constants.priority.PRIORITY_LOW);
const order = JSON.parse(process.argv[2] ?? "{}") as FloodOrder;
const { host, port, origin, from } = order;
/** Connections opened in one turn of 10 ms, and in all: a flood has an end. */
const OPENED_AT_ONCE = order.kind === "half-open" ? 40 : 10;
const OPENED_AT_MOST = 60_000;
const TURN_MS = 10;
/** The flood stands when so many connections were opened, or after so long. */
const STANDING_MS = 15_000;

const open = new Set<Socket>();
/** Whose requests they are. */
let agent: ForeignAgent | undefined;
let [opened, ended, sent, received, requests] = [0, 0, 0, 0, 0];

/** The beginning of a handshake that promises 512 octets. */
const HELLO = Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03);
const SLOW = "AGTP/1.0 DISCOVER /methods\r\nX-Slow: ".padEnd(2_000, "x");
const LONG = Buffer.from(`AGTP/1.0 DISCOVER /methods\r\nX-Long: ${"x".repeat(1 << 20)}\r\n\r\n`);
const PIPELINED = Buffer.from("AGTP/1.0 DISCOVER /methods\r\n\r\n".repeat(200));

const floods: Readonly<Record<FloodKind, (socket: Socket) => void>> = {
  "half-open": (socket) => put(socket, opened % 2 === 0 ? HELLO.subarray(0, 1) : HELLO),
  requests: (socket) => {
    agent ??= new ForeignAgent("flooder");
    const cb = bindingOf(socket as TLSSocket);
    const proved = agent.prove({ method: "QUERY", path: "/clock", origin }, { cb }, { t0: 1 });
    ask(socket, agent.id, JSON.stringify(proved));
    const { id } = agent;
    every(socket, 10, () => ask(socket, id, '{"t0":1}'));
  },
  headers: (socket) => put(socket, LONG),
  slow: (socket) => {
    let at = 0;
    every(socket, 250, () => put(socket, SLOW.charAt(at++ % SLOW.length)));
  },
  unread: (socket) => {
    socket.pause();
    every(socket, 20, () => {
      if (socket.writableLength > 0) return;
      put(socket, PIPELINED);
      requests += 200;
    });
  },
  idle: () => {},
};

const began = performance.now();
let isStanding = false;
const turns = setInterval(() => {
  const wanted = Math.min(OPENED_AT_ONCE, order.connections - open.size, OPENED_AT_MOST - opened);
  for (let left = wanted; left > 0; left -= 1) flood();
  if (isStanding || (opened < order.connections && performance.now() - began < STANDING_MS)) return;
  isStanding = true;
  print({ mark: "flooding" });
}, TURN_MS);

for await (const line of createInterface({ input: process.stdin })) if (line.includes("stop")) break;
clearInterval(turns);
print({ opened, ended, sent, received, requests } satisfies FloodReport);
for (const socket of open) socket.destroy();
process.exit(0);

function flood(): void {
  const localAddress = from[opened % from.length] as string;
  opened += 1;
  const to = { host, port, localAddress };
  const isPlain = order.kind === "half-open";
  const socket = isPlain
    ? connectPlain(to)
    : connectTls({ ...to, rejectUnauthorized: false, ALPNProtocols: ["agtp"] });
  open.add(socket);
  socket.setNoDelay(true);
  socket.once(isPlain ? "connect" : "secureConnect", () => floods[order.kind](socket));
  if (order.kind !== "unread")
    socket.on("data", (bytes) => {
      received += bytes.length;
    });
  socket.on("error", () => {});
  socket.once("close", () => {
    ended += 1;
    open.delete(socket);
  });
}

function ask(socket: Socket, agentId: string, body: string): void {
  requests += 1;
  const head = `AGTP/1.0 QUERY /clock\r\nAgent-ID: ${agentId}\r\nContent-Type: application/json`;
  put(socket, `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

function put(socket: Socket, octets: string | Uint8Array): void {
  if (!socket.writable) return;
  sent += octets.length;
  socket.write(octets);
}

function every(socket: Socket, ms: number, act: () => void): void {
  const timer = setInterval(act, ms);
  socket.once("close", () => clearInterval(timer));
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
