// The floor of relays on Parley's QUIC binding: read, look up, send, and nothing else. A side is told by the URL's query:
// https://<address>/agtp?pair=<number>&side=<a|b>. Every datagram goes to the pair's other side.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBinding } from "../transports/webtransport/binding.ts";
import { storedCertificate } from "../transports/webtransport/certificate.ts";
import { freePort } from "../transports/webtransport/free-port.ts";
import type { NativeSession } from "../transports/webtransport/native.ts";
import { answerStats, type RelayCounts } from "./relay-stats.ts";

/** By pair and side, e.g. `3a`. */
const sides = new Map<string, NativeSession>();
const counts: RelayCounts = { received: 0, sent: 0, dropped: 0 };

const folder = await mkdtemp(join(tmpdir(), "parley-relay-bare-"));
const certificate = await storedCertificate({ folder, now: Date.now() });
await rm(folder, { recursive: true });

const given = Number(process.argv[2] ?? 0);
const address = `127.0.0.1:${given === 0 ? await freePort("127.0.0.1") : given}`;
const server = loadBinding().NapiServer.bind(
  address,
  Buffer.from(certificate.certificatePem),
  Buffer.from(certificate.privateKeyPem),
);
console.log(JSON.stringify({ address, certificateHash: Buffer.from(certificate.hash).toString("hex") }));
answerStats(counts);

for (let request = await server.accept(); request !== null; request = await server.accept()) {
  const query = new URL(await request.url).searchParams;
  const [pair, side] = [query.get("pair"), query.get("side")];
  request.ok().then(
    (session) => relay(session, `${pair}${side}`, `${pair}${side === "a" ? "b" : "a"}`),
    () => {},
  );
}

async function relay(session: NativeSession, own: string, other: string): Promise<void> {
  sides.set(own, session);
  try {
    for (;;) {
      const bytes = await session.recvDatagram();
      counts.received++;
      const to = sides.get(other);
      if (to === undefined) counts.dropped++;
      else forward(to, bytes);
    }
  } catch {
    if (sides.get(own) === session) sides.delete(own);
  }
}

function forward(to: NativeSession, bytes: Uint8Array): void {
  try {
    to.sendDatagram(bytes);
    counts.sent++;
  } catch {
    counts.dropped++;
  }
}
