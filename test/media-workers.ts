/** Media workers for tests: on loopback, on free ports. */
import { findWorker, isWorker } from "../transports/webrtc/worker-binary.ts";
import { MediaWorkers, type MediaWorkersOptions } from "../transports/webrtc/workers.ts";

export function mediaWorkers(more: Partial<MediaWorkersOptions> = {}): MediaWorkers {
  const binary = findWorker();
  if (!isWorker(binary)) throw new Error(`${binary.reason} ${binary.remedy}`);
  const addresses = [{ ip: "127.0.0.1" }];
  return new MediaWorkers({ binary, addresses, port: 0, count: 2, chance: () => 0, ...more });
}
