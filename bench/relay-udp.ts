// The floor of all relays: node:dgram, read, look up, send. A side registers with one 8-byte datagram: "PAIR", then u32 big-endian
// pair * 2 + side (0 = a, 1 = b); it is sent back as the acknowledgement. Every later datagram goes to the pair's other side.
import { createSocket, type RemoteInfo } from "node:dgram";
import { answerStats, type RelayCounts } from "./relay-stats.ts";

const REGISTRATION = Buffer.from("PAIR");
const REGISTRATION_BYTES = 8;

interface Side {
  readonly address: string;
  readonly port: number;
}

/** By pair * 2 + side. */
const sides = new Map<number, Side>();
/** From `address:port` to the key of the other side. */
const others = new Map<string, number>();
const counts: RelayCounts = { received: 0, sent: 0, dropped: 0 };

const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
socket.on("message", (packet: Buffer, from: RemoteInfo) => {
  const key = others.get(`${from.address}:${from.port}`);
  if (key === undefined) {
    register(packet, from);
    return;
  }
  counts.received++;
  const other = sides.get(key);
  if (other === undefined) counts.dropped++;
  else {
    socket.send(packet, other.port, other.address);
    counts.sent++;
  }
});
socket.bind(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  const { address, port } = socket.address();
  console.log(JSON.stringify({ address: `${address}:${port}` }));
});
answerStats(counts);

function register(packet: Buffer, from: RemoteInfo): void {
  if (packet.length !== REGISTRATION_BYTES || !packet.subarray(0, 4).equals(REGISTRATION)) {
    counts.dropped++;
    return;
  }
  const key = packet.readUInt32BE(4);
  sides.set(key, { address: from.address, port: from.port });
  others.set(`${from.address}:${from.port}`, key ^ 1);
  socket.send(packet, from.port, from.address);
}
