// The floor of relays on WebSockets: the package ws, read, look up, send. A side is told by the URL's query:
// ws://<address>/?pair=<number>&side=<a|b>. Every message goes to the pair's other side.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { answerStats, type RelayCounts } from "./relay-stats.ts";

/** By pair and side, e.g. `3a`. */
const sides = new Map<string, WebSocket>();
const counts: RelayCounts = { received: 0, sent: 0, dropped: 0 };

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket, request) => {
  const query = new URL(request.url ?? "", "ws://relay").searchParams;
  const [pair, side] = [query.get("pair"), query.get("side")];
  const own = `${pair}${side}`;
  const other = `${pair}${side === "a" ? "b" : "a"}`;
  sides.set(own, socket);
  socket.on("close", () => sides.delete(own));
  socket.on("message", (message) => {
    counts.received++;
    const to = sides.get(other);
    if (to?.readyState !== WebSocket.OPEN) {
      counts.dropped++;
      return;
    }
    to.send(message, { binary: true });
    counts.sent++;
  });
});
await once(server, "listening");
console.log(JSON.stringify({ address: `127.0.0.1:${(server.address() as AddressInfo).port}` }));
answerStats(counts);
