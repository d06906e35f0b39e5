import { type Carrier, CLOSE_CODES, type Connection, type ConnectOptions } from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { checkHashes } from "../pinning.ts";
import { CONNECT_TIMEOUT, connectTimedOut, type Dialled, TlsDial } from "../tls-dial.ts";
import { dialUrl } from "../url.ts";
import { channelBindingOf } from "./binding.ts";
import { ByteSocket } from "./byte-socket.ts";
import type { ClientCertificate } from "./client-certificate.ts";
import { TlsMediaDoor } from "./media-door.ts";
import { TlsPool } from "./pool.ts";

/** What ALPN calls this carrier; servers may leave it out. */
const AGTP_PROTOCOL = "agtp";

/**
 * AGTP over TLS 1.3, client side in Node. With certificate hashes the server's certificate is compared before anything is said.
 * `connect` throws `usage` for a URL or hash that is none, `connect-timeout`, and `connect-refused` (nobody there, another
 * certificate, an older TLS). `certificate` is shown in every handshake. What it gives is a pool: each exchange has a TLS connection for itself.
 */
export function tlsCarrier(options: EndOptions, certificate?: ClientCertificate): Carrier {
  return {
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const dialled = dialUrl(url);
      const { certificateHashes: hashes, choice, connectTimeout = CONNECT_TIMEOUT } = connect;
      if (hashes !== undefined) checkHashes(hashes);
      const attempt = (trusted: typeof hashes) => ({
        url: dialled,
        dial: new TlsDial(dialled, trusted, AGTP_PROTOCOL, certificate),
      });
      const dial = async (trusted: typeof hashes, signal?: AbortSignal) => {
        const { socket, pinned, reset } = await dialWithin(attempt(trusted), connectTimeout, options, signal);
        const channelBinding = channelBindingOf(socket);
        return { socket: new ByteSocket(socket, options.clock, reset), channelBinding, pinned };
      };
      const first = await dial(hashes);
      const { pinned } = first;
      const facts = { url: dialled.href, pinned, choice };
      // Proofs name the certificate: later connections must show the same one.
      const again = (signal: AbortSignal) => dial(pinned && [pinned], signal);
      const media = new TlsMediaDoor(facts, again, options, connectTimeout);
      const pool = new TlsPool(facts, again, options, media);
      try {
        pool.start(handlers, first);
      } catch (error) {
        pool.close(CLOSE_CODES.normal, "");
        throw error;
      }
      return pool;
    },
  };
}

async function dialWithin(
  { url, dial }: { readonly url: URL; readonly dial: TlsDial },
  timeout: number,
  { clock }: EndOptions,
  signal: AbortSignal | undefined,
): Promise<Dialled> {
  const cancel = clock.at(clock.now() + timeout, () => dial.abort(connectTimedOut(url, timeout)));
  const giveUp = (): void => dial.abort();
  signal?.addEventListener("abort", giveUp);
  try {
    return await dial.run();
  } finally {
    cancel();
    signal?.removeEventListener("abort", giveUp);
  }
}
