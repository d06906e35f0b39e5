import type { WebRtcFacts } from "../server/webrtc.ts";

/** Whether a server takes WebRTC peers, and where; or how to turn that on. */
export function webRtcText({ ports, off }: WebRtcFacts): string {
  if (ports === undefined) return `off: ${off}`;
  const [first = 0] = ports;
  const range = ports.length === 1 ? first : `${first} to ${ports.at(-1)}`;
  const where = first === 0 ? "free UDP and TCP ports" : `UDP and TCP ${range}`;
  return `on, ${ports.length === 1 ? "1 worker" : `up to ${ports.length} workers`}, ${where}`;
}
