import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import { ParleyError } from "../../codecs/parley-error.ts";

/**
 * A UDP port that is free at this moment: the binding does not tell which one it bound when it may choose. Throws `usage` for an
 * address this machine has not.
 */
export function freePort(host: string): Promise<number> {
  const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(bindFault(error, host));
    });
    socket.bind({ port: 0, address: host, exclusive: true }, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Why an address could not be bound, from the binding's words or Node's. @internal */
export function bindFault(error: unknown, address: string): ParleyError {
  const text = error instanceof Error ? error.message : String(error);
  if (/os error (98|48|10048)\b|EADDRINUSE/.test(text))
    return new ParleyError(
      { code: "port-taken", message: `Another process listens on UDP ${address}.` },
      { cause: error },
    );
  if (/certificate|private key|rustls/i.test(text))
    return new ParleyError(
      { code: "certificate-broken", message: `The certificate cannot be used: ${text}.` },
      { cause: error },
    );
  return new ParleyError(
    { code: "usage", message: `Cannot listen on UDP ${address}: ${text}.` },
    { cause: error },
  );
}
