/** Proves a worker: a WebRTC peer that is none of ours comes by ICE and DTLS, and messages pass both ways. */

import type { WorkerBinary } from "../../transports/webrtc/worker-binary.ts";
import { MediaWorkers } from "../../transports/webrtc/workers.ts";

/** What was proved, in a sentence. Throws where it does not hold. */
export async function proveWorker(binary: WorkerBinary): Promise<string> {
  const workers = new MediaWorkers({
    binary,
    addresses: [{ ip: "127.0.0.1" }],
    port: 0,
    count: 1,
    chance: Math.random,
  });
  try {
    const foreign = await import("../../test/webrtc/data-channel-peer.ts").catch(() => undefined);
    if (foreign === undefined) {
      await workers.take();
      return "It starts and listens; whether a peer comes through was not tried: node-datachannel is not installed.";
    }
    const { answerPeer } = await import("../../test/answered-peer.ts");
    const began = performance.now();
    const peer = new foreign.DataChannelPeer({ channels: ["parley-control", "parley-data"] });
    const heard = Promise.withResolvers<void>();
    const { answer, peer: ours } = await answerPeer(workers, await peer.offer(), {
      message: (stream, message) => {
        if (stream === 1 && message === QUESTION) heard.resolve();
      },
      closed: (reason) => heard.reject(new Error(`The connection of a peer ended: ${reason}`)),
    });
    await peer.accept(answer);
    await peer.connected();
    peer.message(1, QUESTION);
    await heard.promise;
    const took = Math.round(performance.now() - began);
    ours.close("done");
    await peer.close();
    return `A peer on libdatachannel came by ICE and DTLS and was heard, all in ${took} ms`;
  } finally {
    await workers.close();
  }
}

const QUESTION = "Is anybody there?";
