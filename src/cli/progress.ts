import { SingleBar } from "cli-progress";

/** A bar on standard error while something takes time; nothing where standard error is no terminal. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** Shows `label` and a bar up to `total` of `unit`. */
export function startProgress(label: string, total: number, unit: string): Progress {
  if (!process.stderr.isTTY || total <= 0) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    format: `${label} [{bar}] {value}/{total} ${unit}`,
  });
  bar.start(total, 0);
  return {
    update: (done) => bar.update(Math.min(total, Math.round(done))),
    stop: () => bar.stop(),
  };
}
