import type { Clock } from "../codecs/clock.ts";
import { decodeHex } from "../codecs/hex.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { type AgtpAuthority, isAgtpUri, parseAgtpUri } from "../signaling/agtp-uri.ts";
import { AGTP_PATH } from "../transports/url.ts";
import { unwrap } from "./unwrap.ts";

/** How long looking an address up may take, ms. */
const LOOK_UP_MS = 10_000;

/** Where a server is, and which certificates it may show. */
export interface ServerAddress {
  /** `https://host:4480/agtp`, or `agtp://host[:port]`. */
  readonly url: string;
  /** Where WebSocket goes, should it be taken. Default: as `Agent.connect` was told, else the same host and port. */
  readonly webSocketUrl?: string | undefined;
  /** SHA-256 of the certificates to accept: 32 bytes, or 64 hex digits. Without it, what the system's roots vouch for. */
  readonly certificateHashes?: readonly (Uint8Array | string)[] | undefined;
}

/** A server's URL; or a function that looks its address up, asked before every try, as certificates change with restarts. */
export type AddressSource = string | (() => Promise<ServerAddress>);

/** An address as it is dialled. */
export interface DialledAddress {
  readonly url: string;
  readonly webSocketUrl?: string | undefined;
  readonly certificateHashes: readonly Uint8Array[] | undefined;
}

/**
 * Where to dial now; `certificateHashes` go for what names none itself. Throws `connect-timeout` when the look-up takes too
 * long, `field-invalid` for a hash that is none, `uri-invalid` for an `agtp://` URI of no server, and what the look-up throws.
 */
export async function lookUp(
  source: AddressSource,
  certificateHashes: ServerAddress["certificateHashes"],
  clock: Clock,
): Promise<DialledAddress> {
  const found: ServerAddress = typeof source === "string" ? { url: source } : await inTime(source(), clock);
  const hashes = found.certificateHashes ?? certificateHashes;
  return { ...found, url: dialledUrl(found.url), certificateHashes: hashes?.map(hashBytes) };
}

/** The URL that carriers dial for a server, whatever they carry: `https://host:port/agtp`. */
export function urlOfServer({ host, port }: AgtpAuthority): string {
  return `https://${host}:${port}${AGTP_PATH}`;
}

function dialledUrl(url: string): string {
  if (!isAgtpUri(url)) return url;
  const uri = unwrap(parseAgtpUri(url));
  if (uri.kind === "server") return urlOfServer(uri.server);
  const message = "It names an agent; an agent connects to a server, agtp://host[:port].";
  throw new ParleyError({ code: "uri-invalid", message, at: "path" });
}

async function inTime(looking: Promise<ServerAddress>, clock: Clock): Promise<ServerAddress> {
  const late = Promise.withResolvers<never>();
  const message = `The server's address was not found in ${LOOK_UP_MS} ms.`;
  const cancel = clock.at(clock.now() + LOOK_UP_MS, () =>
    late.reject(new ParleyError({ code: "connect-timeout", message })),
  );
  try {
    return await Promise.race([looking, late.promise]);
  } finally {
    cancel();
  }
}

function hashBytes(hash: Uint8Array | string): Uint8Array {
  if (typeof hash !== "string") return hash;
  const bytes = decodeHex(hash, 32, "certificateHashes");
  if (bytes.ok) return bytes.value;
  throw new ParleyError(bytes.fault);
}
