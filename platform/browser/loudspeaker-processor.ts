import type { WorkletProcessor, WorkletScope } from "./worklet-scope.ts";

export const LOUDSPEAKER_PROCESSOR = "parley-loudspeaker";

/** All in samples. */
export interface LoudspeakerProcessorOptions {
  readonly capacity: number;
  /** What waits before playing begins, and begins again after running dry. */
  readonly start: number;
  /** How long what plays takes to fade when it is flushed. */
  readonly fade: number;
  /** How often it reports. */
  readonly report: number;
}

/** PCM to play, or the number of a flush. */
export type LoudspeakerMessage = Int16Array | number;

export interface LoudspeakerReport {
  /** Samples. */
  readonly waiting: number;
  readonly played: number;
  readonly dropped: number;
  readonly flushed: number;
  readonly underruns: number;
  /** The last flush that is done. */
  readonly flush: number;
}

/** Runs in the worklet, with nothing from outside its body: a ring of PCM that is played as it comes. */
export function loudspeakerProcessor(): void {
  const scope = globalThis as unknown as WorkletScope;
  class Loudspeaker extends scope.AudioWorkletProcessor implements WorkletProcessor {
    options: LoudspeakerProcessorOptions;
    ring: Float32Array;
    read: number;
    waiting: number;
    isPlaying: boolean;
    last: number;
    played: number;
    dropped: number;
    flushed: number;
    underruns: number;
    flush: number;
    unreported: number;

    constructor(options: { readonly processorOptions: LoudspeakerProcessorOptions }) {
      super(options);
      this.options = options.processorOptions;
      this.ring = new Float32Array(this.options.capacity);
      this.read = 0;
      this.waiting = 0;
      this.isPlaying = false;
      this.last = 0;
      this.played = 0;
      this.dropped = 0;
      this.flushed = 0;
      this.underruns = 0;
      this.flush = 0;
      this.unreported = 0;
      this.port.onmessage = ({ data }: MessageEvent<LoudspeakerMessage>) => {
        if (typeof data === "number") this.stop(data);
        else this.take(data);
      };
    }

    take(pcm: Int16Array): void {
      const { capacity } = this.options;
      // What comes too much pushes the oldest out: what is newest is nearest to the present.
      const over = Math.max(0, this.waiting + pcm.length - capacity);
      const old = Math.min(over, this.waiting);
      this.read = (this.read + old) % capacity;
      this.waiting -= old;
      this.dropped += over;
      for (let at = over - old; at < pcm.length; at += 1) {
        this.ring[(this.read + this.waiting) % capacity] = (pcm[at] as number) / 32_768;
        this.waiting += 1;
      }
    }

    stop(flush: number): void {
      const { capacity, fade } = this.options;
      const left = this.isPlaying ? Math.min(fade, this.waiting) : 0;
      for (let at = 0; at < left; at += 1) {
        const place = (this.read + at) % capacity;
        this.ring[place] = (this.ring[place] as number) * (1 - (at + 1) / left);
      }
      this.flushed += this.waiting - left;
      this.waiting = left;
      this.flush = flush;
      this.report();
    }

    process(
      _inputs: readonly (readonly Float32Array[])[],
      outputs: readonly (readonly Float32Array[])[],
    ): boolean {
      const output = outputs[0]?.[0];
      if (output === undefined) return true;
      if (!this.isPlaying && this.waiting >= this.options.start) this.isPlaying = true;
      for (let at = 0; at < output.length; at += 1) output[at] = this.next();
      this.unreported += output.length;
      if (this.unreported >= this.options.report) this.report();
      return true;
    }

    next(): number {
      if (this.isPlaying && this.waiting === 0) {
        this.isPlaying = false;
        // What was flushed ended as it should.
        if (Math.abs(this.last) > 0) this.underruns += 1;
      }
      if (!this.isPlaying) {
        // Down to silence within a few milliseconds rather than with a click.
        this.last = Math.abs(this.last) < 0.0001 ? 0 : this.last * 0.96;
        return this.last;
      }
      this.last = this.ring[this.read] as number;
      this.read = (this.read + 1) % this.options.capacity;
      this.waiting -= 1;
      this.played += 1;
      return this.last;
    }

    report(): void {
      this.unreported = 0;
      const { waiting, played, dropped, flushed, underruns, flush } = this;
      const report: LoudspeakerReport = { waiting, played, dropped, flushed, underruns, flush };
      this.port.postMessage(report);
    }
  }
  scope.registerProcessor("parley-loudspeaker", Loudspeaker);
}
