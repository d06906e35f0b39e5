import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Passing } from "../../test/net/bottleneck.ts";
import type { Way } from "../../test/net/media-flow.ts";
import { loadBinding } from "../../transports/webtransport/binding.ts";
import { storedCertificate } from "../../transports/webtransport/certificate.ts";
import { freePort } from "../../transports/webtransport/free-port.ts";
import type { NativeSession } from "../../transports/webtransport/native.ts";

/** Milliseconds after which a datagram that has not arrived is lost. */
const LOST_AFTER = 3_000;
/** Bytes that IPv4, UDP, QUIC and its datagram frame take: the stack adds them to what it is given. */
const HEADERS = 60;
/** Bytes of a datagram at least: its number, and the way it goes. */
const LEAST_BYTES = 8;
const CONNECT_TIMEOUT = 10_000;

/** The two ways of one connection of the QUIC stack, its ends in this process. */
export interface QuicWays {
  readonly there: Way;
  readonly back: Way;
  /** Tells of what was lost up to now. */
  settle(): void;
  close(): void;
}

interface UnderWay {
  readonly packet: Passing;
  readonly at: number;
}

/**
 * Connects to a server of its own on `host`, by the path that `leadTo` makes to its port: it returns what to dial. Waits are what a
 * datagram takes beyond `delay`, in the stack's queue as well as in the path's.
 */
export async function connectQuic(options: {
  readonly host: string;
  readonly delay: number;
  readonly now: () => number;
  readonly leadTo: (port: number) => Promise<string>;
}): Promise<QuicWays> {
  const { host, delay, now, leadTo } = options;
  const folder = await mkdtemp(join(tmpdir(), "parley-congestion-"));
  const certificate = await storedCertificate({ folder, now: Date.now() });
  await rm(folder, { recursive: true });
  const { NapiClient, NapiServer } = loadBinding();
  const port = await freePort(host);
  const pem = [certificate.certificatePem, certificate.privateKeyPem].map((text) => Buffer.from(text));
  const server = NapiServer.bind(`${host}:${port}`, pem[0] as Buffer, pem[1] as Buffer);
  const accepted = server.accept().then((request) => request?.ok());
  const dialled = await leadTo(port);
  const client = NapiClient.withCertificateHashes([Buffer.from(certificate.hash)]);
  const [near, far] = await inTime(
    Promise.all([client.connect(`https://${dialled}/agtp`), accepted as Promise<NativeSession>]),
  );
  // A server makes progress while somebody waits for its next client.
  void server.accept().catch(() => undefined);
  const there = new OneWay(near, far, delay, now);
  const back = new OneWay(far, near, delay, now);
  return {
    there,
    back,
    settle: () => {
      there.settle(now());
      back.settle(now());
    },
    close: () => near.close(0, ""),
  };
}

/** Datagrams in one direction: numbers stand for what is carried, whose callbacks are at hand here. */
class OneWay implements Way {
  readonly #from: NativeSession;
  readonly #delay: number;
  readonly #now: () => number;
  readonly #underWay = new Map<number, UnderWay>();
  #next = 0;

  constructor(from: NativeSession, to: NativeSession, delay: number, now: () => number) {
    this.#from = from;
    this.#delay = delay;
    this.#now = now;
    void this.#receive(to);
  }

  offer(packet: Passing): void {
    const at = this.#now();
    const bytes = Buffer.alloc(Math.max(LEAST_BYTES, packet.bytes - HEADERS));
    bytes.writeUInt32BE(this.#next);
    this.#underWay.set(this.#next, { packet, at });
    this.#next += 1;
    try {
      this.#from.sendDatagram(bytes);
    } catch {
      // It is too large for the path, or the session is over: lost, as anything that never arrives.
    }
    this.settle(at);
  }

  settle(now: number): void {
    for (const [number, { packet, at }] of this.#underWay) {
      if (now - at < LOST_AFTER) return;
      this.#underWay.delete(number);
      packet.dropped(at);
    }
  }

  async #receive(session: NativeSession): Promise<void> {
    try {
      for (;;) {
        const bytes = await session.recvDatagram();
        const number = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE(0);
        const found = this.#underWay.get(number);
        if (found === undefined) continue;
        this.#underWay.delete(number);
        const now = this.#now();
        found.packet.passed(now, Math.max(0, now - found.at - this.#delay));
      }
    } catch {
      // The session is over.
    }
  }
}

async function inTime<Value>(promise: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no connection over QUIC")), CONNECT_TIMEOUT);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
