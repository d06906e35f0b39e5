/** A client whose process is killed while it waits for its answer, on a real socket: its kernel says no more than that it has nothing to add. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import { serializeRequest } from "../../codecs/message.ts";
import type { CloseInfo } from "../../sfu/carrier.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { listenTls } from "../../test/tls-server.ts";
import { until } from "../../test/waiting.ts";
import { type ReceivedExchange, receiveExchange } from "../exchange.ts";
import { type ServerCertificate, storedCertificate } from "../webtransport/certificate.ts";
import { ENDED_STALL_MS } from "./byte-socket.ts";

let folder = "";
let certificate: ServerCertificate;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-killed-"));
  certificate = await storedCertificate({ folder, now: Date.now() });
});
afterAll(() => rm(folder, { recursive: true }));

const headers = new Headers([["Request-ID", "call"]]);
const body = new Uint8Array();
const ESTABLISH = {
  dialect: "base",
  method: "ESTABLISH",
  path: "/sessions",
  query: new Map(),
  headers,
  body,
} as const;
const RINGING = { dialect: "base", status: 202, reason: "Accepted", headers, body } as const;

test("is noticed by the second answer that meets nobody", async () => {
  const clock = new VirtualClock();
  const received: ReceivedExchange[] = [];
  const closed: CloseInfo[] = [];
  const listener = await listenTls({ clock, certificate }, () => ({
    datagram() {},
    stream() {},
    exchange: (stream) => void receiveExchange(stream).then((one) => received.push(one)),
    closed: (info) => closed.push(info),
  }));
  const client = connect({ port: listener.port, host: "127.0.0.1", rejectUnauthorized: false });
  client.on("error", () => undefined);
  let heard = 0;
  client.on("data", ({ length }) => {
    heard += length;
  });
  client.write(serializeRequest(ESTABLISH));
  await until("the request is there", () => received.length === 1);
  const responder = received[0]!.responder;
  await responder.respond(RINGING, false);
  await until("it rings", () => heard > 0);
  const [socket] = [...listener.sockets];
  client.destroy();
  await until("the server has its end", () => socket?.readableEnded === true);
  expect(closed, "as one that awaits its answer ends its side").toEqual([]);
  const again = [responder.respond(RINGING, false).catch(() => undefined)];
  // The reset that answers the first one is there before the second goes.
  await new Promise((resolve) => setTimeout(resolve, 50));
  again.push(responder.respond(RINGING, false).catch(() => undefined));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await clock.advance(ENDED_STALL_MS);
  await until("the connection is over", () => closed.length === 1);
  await Promise.all(again);
  await listener.close();
});
