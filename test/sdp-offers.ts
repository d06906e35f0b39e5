/** Offers of WebRTC programs: `test/vectors/sdp`. */
import { readFileSync } from "node:fs";
import type { LocalDescription, RemoteDescription } from "../transports/webrtc/description.ts";
import { readOffer } from "../transports/webrtc/sdp-reading.ts";

const FOLDER = new URL("vectors/sdp/", import.meta.url);

/** The text of one, e.g. `chromium-both`. */
export function offerText(name: string): string {
  return readFileSync(new URL(`${name}-offer.sdp`, FOLDER), "utf8");
}

/** One that is taken. */
export function takenOffer(name: string): RemoteDescription {
  const read = readOffer(offerText(name));
  if (!read.ok) throw new Error(JSON.stringify(read.fault));
  return read.value;
}

/** What a server's end says of its transport. */
export const OWN_TRANSPORT: Omit<LocalDescription, "sections" | "setup"> = {
  origin: { id: "4611731400430051336", version: 2 },
  ice: { usernameFragment: "s3rv", password: "aServersPasswordOf22Chars" },
  candidates: [
    ...([
      {
        foundation: "udp",
        priority: 1_076_302_079,
        address: "192.0.2.1",
        protocol: "udp",
        port: 4481,
        type: "host",
      },
    ] as const),
    {
      ...{ foundation: "tcp", priority: 1_076_276_479, address: "192.0.2.1", protocol: "tcp", port: 4481 },
      ...{ type: "host", tcpType: "passive" },
    },
  ],
  fingerprints: [{ algorithm: "sha-256", value: Array(32).fill("C0").join(":") }],
};
