import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";

/** Channel binding of a TLS connection (RFC 9266): the same at both ends, and at no other connection. `undefined` once it is gone. */
export function channelBindingOf(socket: TLSSocket): Uint8Array | undefined {
  if (socket.destroyed) return undefined;
  try {
    const exported = socket.exportKeyingMaterial(EXPORTED_BYTES, EXPORTER_LABEL, new Uint8Array() as Buffer);
    return new Uint8Array(createHash("sha256").update(exported).digest());
  } catch {
    return undefined;
  }
}

/**
 * The certificates (DER) that the client showed, its own first, in the order in which it sent them; none on a session that was taken up
 * again, of whose certificates the stack knows the first alone.
 */
export function peerCertificatesOf(socket: TLSSocket): readonly Uint8Array[] {
  const shown: Uint8Array[] = [];
  if (socket.destroyed || socket.isSessionReused()) return shown;
  let next = socket.getPeerX509Certificate();
  for (; next !== undefined && shown.length < MAX_SHOWN; next = next.issuerCertificate)
    shown.push(new Uint8Array(next.raw));
  return shown;
}

/** The raw key of the Ed25519 certificate that the peer proved to hold in the handshake, where it showed one. */
export function peerKeyOf(socket: TLSSocket): Uint8Array | undefined {
  if (socket.destroyed) return undefined;
  const key = socket.getPeerX509Certificate()?.publicKey;
  if (key?.asymmetricKeyType !== "ed25519") return undefined;
  const { x } = key.export({ format: "jwk" });
  return x === undefined ? undefined : new Uint8Array(Buffer.from(x, "base64url"));
}

/** Certificates taken of one client; who judges them takes fewer, and must see that there were more. */
const MAX_SHOWN = 16;
const EXPORTER_LABEL = "EXPORTER-Channel-Binding";
const EXPORTED_BYTES = 32;
