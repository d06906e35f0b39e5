import { createPeerCertificate } from "./peer-certificate.ts";
import { BrowserPeer } from "./peer-connection.ts";

/** The browser's WebRTC, as calls through a gateway need it. */
export const webRtc = {
  createCertificate: createPeerCertificate,
  connect: (...made: ConstructorParameters<typeof BrowserPeer>) => new BrowserPeer(...made),
  /** Calls `changed` when the browser says that the machine is on another network. The function it gives stops that. */
  watchNetwork(changed: () => void): () => void {
    const { connection } = navigator as { readonly connection?: EventTarget };
    globalThis.addEventListener("online", changed);
    connection?.addEventListener("change", changed);
    return () => {
      globalThis.removeEventListener("online", changed);
      connection?.removeEventListener("change", changed);
    };
  },
} as const;
