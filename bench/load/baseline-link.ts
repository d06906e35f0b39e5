/** Calls through the baselines: plain UDP, the bare relay on Parley's QUIC binding, and one on WebSockets. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { WebSocket } from "ws";
import { systemClock } from "../../platform/node/clock.ts";
import { createSigner, random } from "../../platform/node/sodium.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";
import { inParallel, type LoadCall, type LoadEnd, type LoadTarget } from "./link.ts";

/** Connects `calls` pairs of UDP sockets. */
export function udpCalls(target: LoadTarget, calls: number): Promise<LoadCall[]> {
  const [host = "", port = ""] = target.address.split(":");
  return inParallel(calls, CONNECTS_AT_ONCE, async (pair) => {
    const end = async (leg: 0 | 1): Promise<LoadEnd> => {
      const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
      socket.connect(Number(port), host);
      await once(socket, "connect");
      const registration = Buffer.from("PAIR\0\0\0\0");
      registration.writeUInt32BE(pair * 2 + leg, 4);
      socket.send(registration);
      await once(socket, "message");
      const made = unsigned(leg, (bytes) => socket.send(bytes));
      socket.on("message", (bytes: Buffer) => made.receive(bytes));
      return made;
    };
    return [await end(0), await end(1)];
  });
}

/** Connects `calls` pairs of QUIC sessions. */
export function bareCalls(target: LoadTarget, calls: number): Promise<LoadCall[]> {
  // The bare relay answers no pings.
  const carrier = webTransportCarrier({ clock: systemClock, liveness: false });
  const certificateHashes = [Buffer.from(target.certificateHash ?? "", "hex")];
  return inParallel(calls, CONNECTS_AT_ONCE, async (pair) => {
    const end = async (leg: 0 | 1): Promise<LoadEnd> => {
      let made: LoadEnd | undefined;
      const connection = await carrier.connect(
        `https://${target.address}/agtp?pair=${pair}&side=${leg === 0 ? "a" : "b"}`,
        { certificateHashes },
        () => ({
          datagram: (bytes) => made?.receive(bytes),
          stream() {},
          exchange() {},
          closed({ reason }) {
            throw new Error(`the bare relay closed a session: ${reason}`);
          },
        }),
      );
      made = unsigned(leg, (bytes) => {
        if (connection.sendDatagram(bytes) !== "sent") throw new Error("a datagram was not taken");
      });
      return made;
    };
    return [await end(0), await end(1)];
  });
}

/** Connects `calls` pairs of WebSockets. */
export function webSocketCalls(target: LoadTarget, calls: number): Promise<LoadCall[]> {
  return inParallel(calls, CONNECTS_AT_ONCE, async (pair) => {
    const end = async (side: "a" | "b"): Promise<LoadEnd> => {
      const url = `ws://${target.address}/?pair=${pair}&side=${side}`;
      const socket = new WebSocket(url, { perMessageDeflate: false });
      await once(socket, "open");
      const made = unsigned(side === "a" ? 0 : 1, (bytes) => socket.send(bytes, { binary: true }));
      socket.on("message", (bytes: Buffer) => made.receive(bytes));
      return made;
    };
    return [await end("a"), await end("b")];
  });
}

/** An end whose frames carry a key that no relay looks at. */
function unsigned(leg: 0 | 1, send: (bytes: Uint8Array) => void): LoadEnd {
  return {
    seal: { profile: "frame", signer: createSigner(random(32)) },
    sessionDigest: new Uint8Array(32),
    leg,
    stream: 1,
    flow: 2,
    ssrc: leg,
    payloadType: 0,
    startSequence: 1,
    send,
    receive: () => {},
  };
}

const CONNECTS_AT_ONCE = 16;
