import { isIP } from "node:net";

const LOOPBACK = ["127.0.0.1", "localhost"];

/**
 * The origins clients dial to reach a server that listens on `address` (`host:port`): names of this machine's loopback only
 * where it listens there, and the address itself where it is one.
 */
export function originsOf(address: string, scheme: "http" | "https" = "https"): string[] {
  const { hostname, port } = new URL(`https://${address}`);
  const host = bare(hostname);
  const hosts = isAnyAddress(host) || isLoopback(host) ? [...LOOPBACK] : [];
  if (!isAnyAddress(host)) hosts.push(isIP(host) === 6 ? `[${host}]` : host);
  // An origin does not name the port that its scheme has anyway.
  return [...new Set(hosts.map((name) => new URL(`${scheme}://${name}:${port || "443"}`).origin))];
}

/** True for an address that means every address of the machine. */
export function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** The host of a URL, an IPv6 address without its brackets. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** True for a name or an address of this machine alone; IPv6 without brackets. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
