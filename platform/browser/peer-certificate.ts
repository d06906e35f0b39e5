import { ParleyError } from "../../codecs/parley-error.ts";

/** A DTLS certificate for one peer connection, made here: its key cannot be read. */
export interface PeerCertificate {
  readonly certificate: RTCCertificate;
  /** SHA-256 of it, 64 lowercase hex digits. */
  readonly fingerprint: string;
}

/** Makes one. Throws `native-unavailable` where the browser has no WebRTC, or does not say what its certificates are. */
export async function createPeerCertificate(): Promise<PeerCertificate> {
  if (typeof RTCPeerConnection === "undefined") throw missing("This browser has no WebRTC.");
  const certificate = await RTCPeerConnection.generateCertificate({
    name: "ECDSA",
    namedCurve: "P-256",
  } as EcKeyGenParams);
  const known = certificate.getFingerprints?.().find(({ algorithm }) => algorithm === "sha-256")?.value;
  const fingerprint = known?.replaceAll(":", "").toLowerCase();
  if (fingerprint === undefined)
    throw missing("This browser does not tell the fingerprint of a certificate.");
  return { certificate, fingerprint };
}

function missing(message: string): ParleyError {
  return new ParleyError({ code: "native-unavailable", message });
}
