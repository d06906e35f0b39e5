/** Which addresses media workers listen on, and what they tell their peers of them. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { WorkerAddress } from "./media-worker.ts";

/**
 * `host`: the address the server listens on, or `localhost`. `announced`: what peers are told instead, where they reach this machine under
 * another address. An address that stands for all of the machine's is listened on one by one: peers have to be told which ones there are.
 */
export async function listenAddresses(
  host: string,
  announced: string | undefined,
  own: readonly string[] = ownAddresses(),
): Promise<readonly WorkerAddress[]> {
  if (announced !== undefined) return [{ ip: await addressOf(host), announced }];
  if (host !== "0.0.0.0" && host !== "::") return [{ ip: await addressOf(host) }];
  const usable = own.filter((address) => host === "::" || isIP(address) === 4);
  return usable.slice(0, MAX_ADDRESSES).map((ip) => ({ ip }));
}

/** Addresses of this machine that others may dial; those of one link alone need a zone that no candidate has. */
function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    .filter((address) => !address.toLowerCase().startsWith("fe80:"));
}

async function addressOf(host: string): Promise<string> {
  return isIP(host) === 0 ? (await lookup(host)).address : host;
}

/** Each becomes two candidates in every description. */
const MAX_ADDRESSES = 8;
