/** The pool of media workers: started when peers come, watched, and started again after a death. */
import { ParleyError } from "../../codecs/parley-error.ts";
import { MediaWorker, type WorkerAddress } from "./media-worker.ts";
import type { WorkerBinary } from "./worker-binary.ts";

export interface MediaWorkersOptions {
  readonly binary: WorkerBinary;
  readonly addresses: readonly WorkerAddress[];
  /** The first worker's UDP and TCP port, the next one has the next; 0: free ones. */
  readonly port: number;
  /** At most so many processes; one takes a core. */
  readonly count: number;
  /** From 0 up to 1: spreads the waits before a worker is started again. */
  readonly chance: () => number;
  /** What happens to workers, for the log. Default: nobody is told. */
  readonly told?: (event: WorkerEvent) => void;
}

export type WorkerEvent =
  | { readonly type: "started"; readonly pid: number }
  | { readonly type: "died"; readonly pid: number; readonly peers: number; readonly reason: string }
  | { readonly type: "not-started"; readonly reason: string };

/** How the pool does. */
export interface WorkerCounts {
  readonly running: number;
  readonly peers: number;
  /** Since the start: processes that ended by themselves. */
  readonly deaths: number;
}

/**
 * Spreads peers over worker processes. None runs until somebody asks for one; a further one is started when each that runs has
 * four peers.
 */
export class MediaWorkers {
  readonly #options: MediaWorkersOptions;
  readonly #slots: Slot[];
  #deaths = 0;
  #isClosed = false;

  constructor(options: MediaWorkersOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      port: options.port === 0 ? 0 : options.port + index,
      failures: 0,
    }));
  }

  get counts(): WorkerCounts {
    const running = this.#running();
    return {
      running: running.length,
      peers: running.reduce((sum, worker) => sum + worker.peers, 0),
      deaths: this.#deaths,
    };
  }

  /** UDP and TCP port of each worker that may run, one number for both; 0: a free one. */
  get ports(): readonly number[] {
    return this.#slots.map(({ port }) => port);
  }

  /** The workers that run now. */
  get running(): readonly MediaWorker[] {
    return this.#running();
  }

  /** The worker with the fewest peers, started where that is called for. Throws `webrtc-unavailable` and `port-taken`. */
  async take(): Promise<MediaWorker> {
    if (this.#isClosed) throw unavailable("The server stops.");
    const idlest = leastLoaded(this.#running());
    if (idlest !== undefined && idlest.peers < PEERS_BEFORE_NEXT) return idlest;
    const free = this.#slots.find(({ worker, starting, timer }) => !worker && !starting && !timer);
    if (free === undefined) {
      if (idlest !== undefined) return idlest;
      const coming = this.#slots.find(({ starting }) => starting !== undefined);
      if (coming?.starting !== undefined) return await coming.starting;
      throw unavailable("Media workers ended by themselves and are not up again yet.");
    }
    try {
      return await this.#start(free);
    } catch (error) {
      const other = leastLoaded(this.#running());
      if (other !== undefined) return other;
      throw error;
    }
  }

  /** Ends all of them; resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const slot of this.#slots) clearTimeout(slot.timer);
    const starting = this.#slots.map(({ starting }) => starting?.catch(() => undefined));
    await Promise.all(starting);
    await Promise.all(this.#running().map((worker) => worker.close()));
    for (const slot of this.#slots) slot.worker = undefined;
  }

  #running(): MediaWorker[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  async #start(slot: Slot): Promise<MediaWorker> {
    const { binary, addresses, told } = this.#options;
    const began = performance.now();
    slot.starting = MediaWorker.start({
      binary,
      addresses,
      port: slot.port,
      died: (worker, reason) => {
        this.#deaths += 1;
        slot.worker = undefined;
        told?.({ type: "died", pid: worker.pid, peers: worker.lost, reason });
        this.#again(slot, performance.now() - began);
      },
    });
    try {
      slot.worker = await slot.starting;
      told?.({ type: "started", pid: slot.worker.pid });
      return slot.worker;
    } catch (error) {
      told?.({ type: "not-started", reason: (error as Error).message });
      this.#again(slot, 0);
      throw error;
    } finally {
      slot.starting = undefined;
    }
  }

  /** A worker that keeps dying is started ever later; one that lived long begins anew. */
  #again(slot: Slot, lived: number): void {
    if (this.#isClosed) return;
    slot.failures = lived >= STEADY_MS ? 1 : slot.failures + 1;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (slot.failures - 1), LONGEST_WAIT_MS);
    slot.timer = setTimeout(
      () => {
        slot.timer = undefined;
        void this.#start(slot).catch(() => {});
      },
      wait * (0.5 + this.#options.chance() / 2),
    );
    slot.timer.unref();
  }
}

interface Slot {
  readonly port: number;
  worker?: MediaWorker | undefined;
  starting?: Promise<MediaWorker> | undefined;
  timer?: NodeJS.Timeout | undefined;
  failures: number;
}

function leastLoaded(workers: readonly MediaWorker[]): MediaWorker | undefined {
  return workers.reduce<MediaWorker | undefined>(
    (least, worker) => (least === undefined || worker.peers < least.peers ? worker : least),
    undefined,
  );
}

function unavailable(message: string): ParleyError {
  return new ParleyError({ code: "webrtc-unavailable", message });
}

/** A process takes some memory of its own, so that a few peers share one before the next is started. */
const PEERS_BEFORE_NEXT = 4;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** A worker that lived so long did not die of how it was started. */
const STEADY_MS = 60_000;
