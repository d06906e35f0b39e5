/** What an audio worklet's scope has and the DOM's types do not name (Web Audio API 1.32). */
export interface WorkletProcessor {
  readonly port: MessagePort;
  /** Blocks by input or output, then by channel. The processor lives while it returns true. */
  process(
    inputs: readonly (readonly Float32Array[])[],
    outputs: readonly (readonly Float32Array[])[],
  ): boolean;
}

export interface WorkletScope {
  readonly AudioWorkletProcessor: new (options?: unknown) => { readonly port: MessagePort };
  registerProcessor(
    name: string,
    processor: new (options: { processorOptions: never }) => WorkletProcessor,
  ): void;
}
