/** A capture file of UDP packets over IPv4 and Ethernet, as packet analysers read it (draft-ietf-opsawg-pcap). */

export interface CapturedPacket {
  /** Unix milliseconds. */
  readonly at: number;
  readonly payload: Uint8Array;
}

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const HEADER_BYTES = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
const SOURCE = [192, 0, 2, 1];
const DESTINATION = [192, 0, 2, 2];

/** All packets from one host to another, at UDP port `port` on both. */
export function encodePcap(packets: readonly CapturedPacket[], port: number): Buffer {
  const title = Buffer.alloc(24);
  title.writeUInt32LE(0xa1b2c3d4, 0);
  title.writeUInt16LE(2, 4);
  title.writeUInt16LE(4, 6);
  title.writeUInt32LE(65_535, 16);
  title.writeUInt32LE(1, 20);
  return Buffer.concat([title, ...packets.flatMap((packet) => record(packet, port))]);
}

function record({ at, payload }: CapturedPacket, port: number): Buffer[] {
  const length = HEADER_BYTES + payload.length;
  const meta = Buffer.alloc(16);
  meta.writeUInt32LE(Math.floor(at / 1000), 0);
  meta.writeUInt32LE(Math.floor((at % 1000) * 1000), 4);
  meta.writeUInt32LE(length, 8);
  meta.writeUInt32LE(length, 12);
  const header = Buffer.alloc(HEADER_BYTES);
  header.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
  const ip = header.subarray(ETHERNET_BYTES);
  ip[0] = 0x45;
  ip.writeUInt16BE(length - ETHERNET_BYTES, 2);
  ip[8] = 64;
  ip[9] = 17;
  ip.set(SOURCE, 12);
  ip.set(DESTINATION, 16);
  ip.writeUInt16BE(checksum(ip.subarray(0, IPV4_BYTES)), 10);
  const udp = ip.subarray(IPV4_BYTES);
  udp.writeUInt16BE(port, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(UDP_BYTES + payload.length, 4);
  return [meta, header, Buffer.from(payload)];
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
