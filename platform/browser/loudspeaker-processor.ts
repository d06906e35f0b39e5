import type { WorkletProcessor, WorkletScope } from "./worklet-scope.ts";

export const LOUDSPEAKER_PROCESSOR = "parley-loudspeaker";

/** All in samples. */
export interface LoudspeakerProcessorOptions {
  readonly capacity: number;
  /** What waits before playing begins, and begins again after running dry. */
  readonly start: number;
  /** The least that ever waits within {@link LoudspeakerProcessorOptions.window} is kept between these two, by playing faster or slower. */
  readonly least: number;
  readonly most: number;
  readonly window: number;
  /** Change of the rate for each sample by which it is outside of them, at most, and the most that it changes with each sample played. */
  readonly ratePerSample: number;
  readonly mostRate: number;
  readonly mostRateStep: number;
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
  /** How much faster than it comes it is played; slower where negative. */
  readonly rate: number;
  /** The last flush that is done. */
  readonly flush: number;
}

/**
 * Runs in the worklet, with nothing from outside its body: a ring of PCM that is played as it comes. The sound card's clock is not that of
 * the machine: where more and more waits, or less and less, the PCM is resampled by the little that it takes.
 */
export function loudspeakerProcessor(): void {
  const scope = globalThis as unknown as WorkletScope;
  /** A low pass of windowed sines: so many samples on either side of a place, at so many places between two samples. */
  const SIDE = 12;
  const TAPS = 2 * SIDE;
  const PLACES = 256;
  const kernel = kernelOf();

  function kernelOf(): Float32Array {
    const made = new Float32Array((PLACES + 1) * TAPS);
    for (let place = 0; place <= PLACES; place += 1) {
      let sum = 0;
      const row = made.subarray(place * TAPS, (place + 1) * TAPS);
      for (let tap = 0; tap < TAPS; tap += 1) {
        const away = tap - (SIDE - 1) - place / PLACES;
        const x = Math.PI * away;
        const edge = (Math.PI * away) / SIDE;
        const window = 0.42 + 0.5 * Math.cos(edge) + 0.08 * Math.cos(2 * edge);
        row[tap] = (x === 0 ? 1 : Math.sin(x) / x) * window;
        sum += row[tap] as number;
      }
      for (let tap = 0; tap < TAPS; tap += 1) row[tap] = (row[tap] as number) / sum;
    }
    return made;
  }

  class Loudspeaker extends scope.AudioWorkletProcessor implements WorkletProcessor {
    options: LoudspeakerProcessorOptions;
    /** What waits, and behind `read` a little of what was played. */
    ring: Float32Array;
    read: number;
    /** How far behind `read` the next sample is taken, 0 to 1. */
    between: number;
    rate: number;
    wantedRate: number;
    /** The least that waited since the window began, and how long that is. */
    least: number;
    looked: number;
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
      this.ring = new Float32Array(this.options.capacity + TAPS);
      this.read = 0;
      this.between = 0;
      this.rate = 0;
      this.wantedRate = 0;
      this.least = Number.POSITIVE_INFINITY;
      this.looked = 0;
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
      const size = this.ring.length;
      this.read = (this.read + old) % size;
      this.waiting -= old;
      this.dropped += over;
      for (let at = over - old; at < pcm.length; at += 1) {
        this.ring[(this.read + this.waiting) % size] = (pcm[at] as number) / 32_768;
        this.waiting += 1;
      }
    }

    stop(flush: number): void {
      const left = this.isPlaying ? Math.min(this.options.fade, this.waiting) : 0;
      for (let at = 0; at < left; at += 1) {
        const place = (this.read + at) % this.ring.length;
        this.ring[place] = (this.ring[place] as number) * (1 - (at + 1) / left);
      }
      this.flushed += this.waiting - left;
      this.waiting = left;
      this.flush = flush;
      this.lookAnew();
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
      if (this.isPlaying) this.look(output.length);
      this.unreported += output.length;
      if (this.unreported >= this.options.report) this.report();
      return true;
    }

    /** What waits comes in pieces: the least of it within a window is what is never used. */
    look(samples: number): void {
      const { least, most, window, ratePerSample, mostRate, mostRateStep } = this.options;
      this.least = Math.min(this.least, this.waiting);
      this.looked += samples;
      if (this.looked >= window) {
        const outside = Math.max(0, this.least - most) - Math.max(0, least - this.least);
        this.wantedRate = Math.max(-mostRate, Math.min(mostRate, outside * ratePerSample));
        this.lookAnew();
      }
      const step = mostRateStep * samples;
      this.rate += Math.max(-step, Math.min(step, this.wantedRate - this.rate));
    }

    lookAnew(): void {
      this.least = Number.POSITIVE_INFINITY;
      this.looked = 0;
    }

    next(): number {
      if (this.isPlaying && this.waiting === 0) {
        this.isPlaying = false;
        this.between = 0;
        this.lookAnew();
        // What was flushed ended as it should.
        if (Math.abs(this.last) > 0) this.underruns += 1;
      }
      if (!this.isPlaying) {
        // Down to silence within a few milliseconds rather than with a click.
        this.last = Math.abs(this.last) < 0.0001 ? 0 : this.last * 0.96;
        return this.last;
      }
      this.last = this.between === 0 ? (this.ring[this.read] as number) : this.interpolated();
      this.between += this.rate;
      let step = 1;
      if (this.between >= 1) step = 2;
      else if (this.between < 0) step = 0;
      this.between -= step - 1;
      step = Math.min(step, this.waiting);
      this.read = (this.read + step) % this.ring.length;
      this.waiting -= step;
      this.played += step;
      return this.last;
    }

    /** The sound between two samples. What has not come yet is silence. */
    interpolated(): number {
      const { ring } = this;
      const size = ring.length;
      const place = this.between * PLACES;
      const row = Math.floor(place) * TAPS;
      const share = place - Math.floor(place);
      const ahead = Math.min(TAPS, SIDE - 1 + this.waiting);
      let at = (this.read - (SIDE - 1) + size) % size;
      let [near, far] = [0, 0];
      for (let tap = row; tap < row + ahead; tap += 1) {
        const sample = ring[at] as number;
        near += (kernel[tap] as number) * sample;
        far += (kernel[tap + TAPS] as number) * sample;
        at = at + 1 === size ? 0 : at + 1;
      }
      return near + share * (far - near);
    }

    report(): void {
      this.unreported = 0;
      const { waiting, played, dropped, flushed, underruns, rate, flush } = this;
      const report: LoudspeakerReport = { waiting, played, dropped, flushed, underruns, rate, flush };
      this.port.postMessage(report);
    }
  }
  scope.registerProcessor("parley-loudspeaker", Loudspeaker);
}
