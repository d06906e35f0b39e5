/** Milliseconds that one point of a trace covers. */
export const TRACE_STEP = 100;

/** What arrived of one flow, what was lost, and how long it had waited, in steps of {@link TRACE_STEP}. */
export class FlowTrace {
  readonly bytes: number[] = [];
  readonly lost: number[] = [];
  readonly packets: number[] = [];
  /** The longest wait in the step, milliseconds. */
  readonly waited: number[] = [];
  /** Each packet's wait. */
  readonly waits: number[] = [];

  arrived(bytes: number, now: number, waited: number): void {
    const step = Math.floor(now / TRACE_STEP);
    add(this.bytes, step, bytes);
    add(this.packets, step, 1);
    this.waited[step] = Math.max(this.waited[step] ?? 0, waited);
    this.waits.push(waited);
  }

  dropped(now: number): void {
    add(this.lost, Math.floor(now / TRACE_STEP), 1);
  }
}

/** The sum of a trace's steps between two times, seconds. */
export function sumBetween(steps: readonly number[], from: number, to: number): number {
  let sum = 0;
  for (let step = (from * 1_000) / TRACE_STEP; step < (to * 1_000) / TRACE_STEP; step += 1)
    sum += steps[step] ?? 0;
  return sum;
}

function add(steps: number[], step: number, amount: number): void {
  steps[step] = (steps[step] ?? 0) + amount;
}
