import { ParleyError } from "../../codecs/parley-error.ts";
import { BoundedQueue } from "../../sfu/bounded-queue.ts";
import { createContext } from "./audio-context.ts";
import {
  MICROPHONE_PROCESSOR,
  type MicrophoneProcessorOptions,
  microphoneProcessor,
} from "./microphone-processor.ts";

/** Captured blocks that wait for a reader, ms of sound; the oldest goes, counted in `dropped`. */
const WAITING_MS = 500;

export interface MicrophoneOptions {
  /** Hz of the PCM handed out: that of the format it is for, 48,000 for Opus. Default 48,000. */
  readonly clockRate?: number;
  /** Milliseconds of one block. Default 20. */
  readonly blockMs?: 10 | 20;
  /** Takes out of the sound what the loudspeaker plays. Default true. */
  readonly echoCancellation?: boolean;
  /** Default true. */
  readonly noiseSuppression?: boolean;
  /** Evens out how loud the voice is. Default true. */
  readonly autoGainControl?: boolean;
  /** Of `navigator.mediaDevices.enumerateDevices()`. Default: the browser's choice. */
  readonly deviceId?: string;
  /** A stream to take the sound of in place of a microphone's: a file being played, a tone. It stays its owner's. */
  readonly stream?: MediaStream;
}

/**
 * Opens a microphone; the browser asks the user. Throws `microphone-refused`, and `device-unavailable` where there is none or it
 * cannot be used now.
 */
export async function openMicrophone(options: MicrophoneOptions = {}): Promise<Microphone> {
  const { clockRate = 48_000, blockMs = 20 } = options;
  const stream = options.stream ?? (await capture(options));
  let context: AudioContext | undefined;
  try {
    context = await createContext(clockRate, microphoneProcessor);
    const processorOptions: MicrophoneProcessorOptions = {
      blockSamples: (clockRate * blockMs) / 1000,
    };
    const node = new AudioWorkletNode(context, MICROPHONE_PROCESSOR, { processorOptions });
    context.createMediaStreamSource(stream).connect(node);
    // Its output is silence: a node that leads nowhere is not run everywhere.
    node.connect(context.destination);
    return new Microphone({ context, node, stream, blockMs, isOwner: options.stream === undefined });
  } catch (cause) {
    if (options.stream === undefined) stopTracks(stream);
    await context?.close();
    if (cause instanceof ParleyError) throw cause;
    throw new ParleyError(
      { code: "device-unavailable", message: `The sound cannot be had at ${clockRate} Hz.` },
      { cause },
    );
  }
}

/** What a microphone hears, in blocks of mono 16-bit PCM, until it is closed or pulled out. One reader. */
export class Microphone implements AsyncIterable<Int16Array> {
  /** Hz. */
  readonly clockRate: number;
  /** The sound as it comes in, to be shown or recorded as well. */
  readonly stream: MediaStream;
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  readonly #isOwner: boolean;
  readonly #blocks: BoundedQueue<Int16Array>;
  #closing: Promise<void> | undefined;

  /** @internal Microphones come from `openMicrophone`. */
  constructor(options: {
    readonly context: AudioContext;
    readonly node: AudioWorkletNode;
    readonly stream: MediaStream;
    readonly blockMs: number;
    /** Whether the stream ends with the microphone. */
    readonly isOwner: boolean;
  }) {
    this.#context = options.context;
    this.#node = options.node;
    this.#isOwner = options.isOwner;
    this.stream = options.stream;
    this.clockRate = options.context.sampleRate;
    this.#blocks = new BoundedQueue(WAITING_MS / options.blockMs);
    this.#node.port.onmessage = ({ data }: MessageEvent<Int16Array>) => this.#blocks.push(data);
    for (const track of this.stream.getAudioTracks()) {
      track.addEventListener("ended", () => this.#blocks.end());
    }
  }

  /** What the browser calls the device. */
  get label(): string {
    return this.stream.getAudioTracks()[0]?.label ?? "";
  }

  /** Whether sound comes in. False until the user has done something on the page, where the browser wants that; see `resume`. */
  get running(): boolean {
    return this.#context.state === "running";
  }

  /** Blocks dropped because nobody read them within half a second. */
  get dropped(): number {
    return this.#blocks.dropped;
  }

  /** Begins listening where the browser held it back; to be called from a click or a key. */
  async resume(): Promise<void> {
    await this.#context.resume();
  }

  [Symbol.asyncIterator](): AsyncIterator<Int16Array> {
    return this.#blocks[Symbol.asyncIterator]();
  }

  /** Lets the device go; readers get what is left, then the end. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#node.port.onmessage = null;
    this.#blocks.end();
    if (this.#isOwner) stopTracks(this.stream);
    await this.#context.close();
  }
}

async function capture(options: MicrophoneOptions): Promise<MediaStream> {
  const { echoCancellation = true, noiseSuppression = true, autoGainControl = true, deviceId } = options;
  if (navigator.mediaDevices === undefined) {
    throw new ParleyError({
      code: "device-unavailable",
      message: "Browsers give a microphone to pages from https: and from localhost alone.",
    });
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        echoCancellation,
        noiseSuppression,
        autoGainControl,
        channelCount: { ideal: 1 },
        ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }),
      },
    });
  } catch (cause) {
    const isRefused = REFUSALS.includes((cause as DOMException).name);
    throw new ParleyError(
      isRefused
        ? { code: "microphone-refused", message: "This page may not use the microphone." }
        : { code: "device-unavailable", message: "There is no microphone that can be used now." },
      { cause },
    );
  }
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

const REFUSALS = ["NotAllowedError", "SecurityError"];
