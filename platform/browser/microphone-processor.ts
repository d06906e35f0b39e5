import type { WorkletProcessor, WorkletScope } from "./worklet-scope.ts";

export const MICROPHONE_PROCESSOR = "parley-microphone";

export interface MicrophoneProcessorOptions {
  /** Samples of one block. */
  readonly blockSamples: number;
}

/** Runs in the worklet, with nothing from outside its body: all channels mixed to one, in 16-bit blocks of one length. */
export function microphoneProcessor(): void {
  const scope = globalThis as unknown as WorkletScope;
  class Microphone extends scope.AudioWorkletProcessor implements WorkletProcessor {
    block: Int16Array<ArrayBuffer>;
    filled: number;

    constructor(options: { readonly processorOptions: MicrophoneProcessorOptions }) {
      super(options);
      this.block = new Int16Array(options.processorOptions.blockSamples);
      this.filled = 0;
    }

    process(inputs: readonly (readonly Float32Array[])[]): boolean {
      const channels = inputs[0] ?? [];
      const length = channels[0]?.length ?? 0;
      for (let at = 0; at < length; at += 1) {
        let sum = 0;
        for (const channel of channels) sum += channel[at] as number;
        const sample = Math.round((sum / channels.length) * 32_767);
        this.block[this.filled] = Math.max(-32_768, Math.min(32_767, sample));
        this.filled += 1;
        if (this.filled < this.block.length) continue;
        const full = this.block;
        this.block = new Int16Array(full.length);
        this.filled = 0;
        this.port.postMessage(full, [full.buffer]);
      }
      return true;
    }
  }
  scope.registerProcessor("parley-microphone", Microphone);
}
