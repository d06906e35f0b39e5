import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { type Carrier, CLOSE_CODES, type Connection, type ConnectOptions } from "../../sfu/carrier.ts";
import type { Accept, EndOptions } from "../connection-end.ts";
import { pinOneAtATime } from "../pinning.ts";
import { dialUrl } from "../url.ts";
import { canDial, loadBinding } from "./binding.ts";
import { type SessionFacts, WebTransportConnection } from "./connection.ts";
import { atEndOfTurn } from "./end-of-turn.ts";
import type { NativeClient, NativeSession } from "./native.ts";
import { mostReads } from "./reads-at-once.ts";

/** What a WebTransport client carrier is made with. */
export interface WebTransportCarrierOptions extends EndOptions {
  /** Where a copy of the binding may be written on older systems. Default: inside node_modules. */
  readonly bindingFolder?: string;
}

/** Milliseconds until `connect-timeout` unless told otherwise. */
export const CONNECT_TIMEOUT = 5_000;

/**
 * WebTransport over QUIC, client side. `connect` throws `usage` for a URL or hash that is none, `connect-timeout`, `connect-refused`
 * (no such host, another certificate, no WebTransport there) and `native-unavailable`. A server that turns a client
 * away accepts first and closes with code and reason at once. After a timeout the stack keeps trying for up to 30 s and holds
 * the process open that long; what it still reaches is closed.
 */
export function webTransportCarrier(options: WebTransportCarrierOptions): Carrier {
  // Reading the system's roots takes tens of milliseconds.
  let trusting: NativeClient | undefined;
  return {
    async connect(url: string, connect: ConnectOptions, handlers: Accept): Promise<Connection> {
      const dialled = dialUrl(url);
      const { NapiClient } = loadBinding(options.bindingFolder);
      if (!canDial())
        throw new ParleyError({
          code: "native-unavailable",
          message: "The QUIC binding needs IPv6 sockets, and this kernel has none.",
        });
      const timeout = connect.connectTimeout ?? CONNECT_TIMEOUT;
      const open = async (client: NativeClient, pinned: Uint8Array | undefined): Promise<Connection> => {
        const attempt = dial(client, dialled, pinned !== undefined, options.clock);
        const session = await within(attempt, timeout, options, dialled);
        const { choice } = connect;
        const facts: SessionFacts = {
          role: "client",
          url: dialled.href,
          pinned,
          choice,
          beforeNext: atEndOfTurn,
          mostReads,
        };
        const connection = new WebTransportConnection(session, facts, options);
        try {
          connection.start(handlers);
        } catch (error) {
          connection.close(CLOSE_CODES.normal, "");
          throw error;
        }
        return connection;
      };
      if (connect.certificateHashes === undefined) {
        trusting ??= NapiClient.withSystemRoots();
        return await open(trusting, undefined);
      }
      return await pinOneAtATime(connect.certificateHashes, (pinned) =>
        open(NapiClient.withCertificateHashes([Buffer.from(pinned)]), pinned),
      );
    },
  };
}

/**
 * With pinned hashes names do not matter, so `localhost` is tried as 127.0.0.1 and, without an answer, as ::1 too; the stack
 * itself would try one of them only. Whoever answers first decides.
 */
function dial(client: NativeClient, url: URL, pinned: boolean, clock: Clock): Promise<NativeSession> {
  if (!pinned || url.hostname !== "localhost") return client.connect(url.href);
  const at = (host: string): Promise<NativeSession> => {
    const numeric = new URL(url);
    numeric.hostname = host;
    return client.connect(numeric.href);
  };
  return new Promise((resolve, reject) => {
    let won = false;
    const take = (session: NativeSession): void => {
      if (won) session.close(CLOSE_CODES.normal, "");
      else {
        won = true;
        resolve(session);
      }
    };
    const first = at("127.0.0.1");
    const cancel = clock.at(clock.now() + SECOND_FAMILY_AFTER, () => void at("[::1]").then(take, reject));
    first.finally(cancel).then(take, reject);
  });
}

function within(
  attempt: Promise<NativeSession>,
  timeout: number,
  options: EndOptions,
  url: URL,
): Promise<NativeSession> {
  return new Promise((resolve, reject) => {
    const cancel = options.clock.at(options.clock.now() + timeout, () => {
      attempt.then(
        (session) => session.close(CLOSE_CODES.normal, ""),
        () => {},
      );
      reject(
        new ParleyError({
          code: "connect-timeout",
          message: `No answer from ${url.host} within ${timeout} ms.`,
          details: { url: url.href },
        }),
      );
    });
    attempt.then(
      (session) => {
        cancel();
        resolve(session);
      },
      (error: unknown) => {
        cancel();
        const why = error instanceof Error ? error.message : String(error);
        reject(
          new ParleyError(
            {
              code: "connect-refused",
              message: `No connection to ${url.host}: ${why}.`,
              details: { url: url.href },
            },
            { cause: error },
          ),
        );
      },
    );
  });
}

/** Milliseconds the first address family has for itself (RFC 8305, section 5: connection attempt delay). */
const SECOND_FAMILY_AFTER = 250;
