/** One process of mediasoup, with the ports that all its peers share. */
import type { types } from "mediasoup";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { WorkerBinary } from "./worker-binary.ts";

/** One address of a worker. */
export interface WorkerAddress {
  /** IP address to listen on. */
  readonly ip: string;
  /** What peers are told instead: an IP address or a name. */
  readonly announced?: string;
}

export interface MediaWorkerOptions {
  readonly binary: WorkerBinary;
  readonly addresses: readonly WorkerAddress[];
  /** UDP and TCP port at every address; 0: free ones. */
  readonly port: number;
  /** It ended by itself. Everything it held is gone. */
  readonly died: (worker: MediaWorker, reason: string) => void;
}

/** What it costs to run. */
export interface WorkerUsage {
  /** In milliseconds, of its processor time so far. */
  readonly cpuTime: number;
  /** In bytes, the most it has held. */
  readonly memory: number;
}

/** A worker process that is up. */
export class MediaWorker {
  /** Peers on it now. */
  peers = 0;
  /** Peers that it took with it when it died. */
  lost = 0;
  readonly #worker: types.Worker;
  readonly #server: types.WebRtcServer;

  private constructor(worker: types.Worker, server: types.WebRtcServer) {
    this.#worker = worker;
    this.#server = server;
  }

  /** Starts a process. Throws `webrtc-unavailable` where it does not come up, and `port-taken` where its ports are in use. */
  static async start({ binary, addresses, port, died }: MediaWorkerOptions): Promise<MediaWorker> {
    const { createWorker } = await loadMediasoup();
    const worker = await withoutItsSignals(() => createWorker({ workerBin: binary.path })).catch((cause) => {
      const message = `The worker ${binary.path} does not start: ${(cause as Error).message}`;
      throw new ParleyError({ code: "webrtc-unavailable", message }, { cause });
    });
    let server: types.WebRtcServer;
    try {
      server = await worker.createWebRtcServer({ listenInfos: listenInfos(addresses, port) });
    } catch (cause) {
      worker.close();
      const where = addresses.map(({ ip }) => ip).join(", ");
      const message = `A media worker cannot listen on port ${port} of ${where}: ${(cause as Error).message}`;
      throw new ParleyError({ code: "port-taken", message }, { cause });
    }
    const started = new MediaWorker(worker, server);
    worker.on("died", (error) => died(started, error.message));
    return started;
  }

  get pid(): number {
    return this.#worker.pid;
  }

  /** A router of its own for one peer, and the server that its transport listens with. @internal */
  async openRouter(codecs: types.RouterRtpCodecCapability[]): Promise<{
    readonly router: types.Router;
    readonly server: types.WebRtcServer;
  }> {
    return { router: await this.#worker.createRouter({ mediaCodecs: codecs }), server: this.#server };
  }

  /** Where it listens. */
  async ports(): Promise<
    readonly { readonly protocol: "udp" | "tcp"; readonly ip: string; readonly port: number }[]
  > {
    const { udpSockets, tcpServers } = await this.#server.dump();
    return [
      ...udpSockets.map(({ ip, port }) => ({ protocol: "udp" as const, ip, port })),
      ...tcpServers.map(({ ip, port }) => ({ protocol: "tcp" as const, ip, port })),
    ];
  }

  async usage(): Promise<WorkerUsage> {
    const { ru_utime, ru_stime, ru_maxrss } = await this.#worker.getResourceUsage();
    return { cpuTime: ru_utime + ru_stime, memory: ru_maxrss * 1024 };
  }

  /** Ends the process with everything in it; resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#worker.subprocessClosed) return;
    const gone = new Promise<void>((resolve) => void this.#worker.once("subprocessclose", resolve));
    this.#worker.close();
    await gone;
  }
}

async function loadMediasoup(): Promise<typeof import("mediasoup")> {
  try {
    return await import("mediasoup");
  } catch (cause) {
    const message = "The package mediasoup is not installed.";
    throw new ParleyError({ code: "webrtc-unavailable", message }, { cause });
  }
}

/** mediasoup ends its workers at the first SIGTERM, while calls may still go on for the grace of an orderly stop. */
function withoutItsSignals(start: () => Promise<types.Worker>): Promise<types.Worker> {
  const before = SIGNALS.map((signal) => new Set(process.listeners(signal)));
  const starting = start();
  for (const [index, signal] of SIGNALS.entries()) {
    for (const listener of process.listeners(signal)) {
      if (before[index]?.has(listener) === false) process.off(signal, listener);
    }
  }
  return starting;
}

function listenInfos(addresses: readonly WorkerAddress[], port: number): types.TransportListenInfo[] {
  return addresses.flatMap(({ ip, announced }) =>
    (["udp", "tcp"] as const).map((protocol) => ({
      protocol,
      ip,
      ...(announced === undefined ? {} : { announcedAddress: announced }),
      ...(port === 0 ? {} : { port }),
    })),
  );
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
