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

/** The raw key of the Ed25519 certificate that the peer proved to hold in the handshake, where it showed one. */
export function peerKeyOf(socket: TLSSocket): Uint8Array | undefined {
  if (socket.destroyed) return undefined;
  const key = socket.getPeerX509Certificate()?.publicKey;
  if (key?.asymmetricKeyType !== "ed25519") return undefined;
  const { x } = key.export({ format: "jwk" });
  return x === undefined ? undefined : new Uint8Array(Buffer.from(x, "base64url"));
}

const EXPORTER_LABEL = "EXPORTER-Channel-Binding";
const EXPORTED_BYTES = 32;
