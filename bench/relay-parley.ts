// A Parley server as `parley serve` runs it, on a free port, its data in the folder given. Prints its address and certificate.
import { serve } from "../src/server/serve.ts";

const server = await serve({
  dataFolder: process.argv[2] ?? "",
  host: "127.0.0.1",
  port: 0,
  httpPort: "off",
  registration: "open",
  logLevel: "error",
});
console.log(JSON.stringify({ address: new URL(server.url).host, certificateHash: server.certificateHash }));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));
