/** A process that has a media worker until it is killed; says which. */
import { mediaWorkers } from "../media-workers.ts";

const worker = await mediaWorkers({ count: 1 }).take();
console.log(worker.pid);
setInterval(() => {}, 60_000);
