// A Parley server as `parley serve` runs it, on a free port, its data in the folder given; with a second argument `ws` it takes
// WebSockets on its plain side as well. Prints its address and certificate.
import { systemClock } from "../platform/node/clock.ts";
import { collectInShort, giveRoomInFloods } from "../src/cli/short-collections.ts";
import { serve } from "../src/server/serve.ts";

collectInShort();
const withSockets = process.argv[3] === "ws";
const server = await serve({
  dataFolder: process.argv[2] ?? "",
  host: "127.0.0.1",
  port: 0,
  httpPort: withSockets ? 0 : "off",
  registration: "open",
  logLevel: "error",
});
giveRoomInFloods(server, systemClock);
const webSocketUrl = withSockets ? `${server.httpUrl?.replace("http", "ws")}/agtp` : undefined;
const { certificateHash } = server;
console.log(JSON.stringify({ address: new URL(server.url).host, certificateHash, webSocketUrl }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
