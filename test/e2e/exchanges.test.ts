import { afterAll, beforeAll } from "vitest";
import { exchangesOver } from "../exchanges/suite.ts";
import { realServer } from "../exchanges/ways.ts";

let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  server = await realServer();
});
afterAll(() => server.stop());

for (const carrier of ["QUIC", "TLS", "WebSocket"]) exchangesOver(carrier, async () => server.way(carrier));
