/** What one audio format is and can do, as negotiation sees it. */
export interface AudioFormat {
  /** Lowercase RTP encoding name: `opus`, `g722`, `pcmu`, `pcma`. */
  readonly name: string;
  /** Samples a second of the PCM handed to and from the codec. */
  readonly clockRate: number;
  /** RTP clock rate, Hz: that of the PCM, but for G.722, where it is half of it. */
  readonly rtpClockRate: number;
  readonly channels: 1 | 2;
  /** Samples per channel in one frame. */
  readonly frameSamples: number;
}

/** RTP timestamp units of one frame. */
export function rtpTicks({ clockRate, rtpClockRate, frameSamples }: AudioFormat): number {
  return (frameSamples * rtpClockRate) / clockRate;
}

/** What of an encoder may change while it runs. What is left out stays as it is. */
export interface CodecTuning {
  /** Bits per second of payload. */
  readonly bitrate?: number;
  /** Share of payloads expected to be lost, 0 to 1: how much forward error correction to spend. */
  readonly expectedLoss?: number;
  /** Whether silence becomes payloads that need not all be sent: see {@link AudioCodec.isPause}. */
  readonly dtx?: boolean;
}

/** Encodes and decodes one stream of one {@link AudioFormat}. Not shared between streams: both halves keep state. */
export interface AudioCodec {
  readonly format: AudioFormat;
  /** Samples of delay the encoder adds before the first sample comes out. */
  readonly lookahead: number;
  /** One frame of interleaved PCM (`frameSamples * channels` samples) to one payload, valid until the next call. */
  encode(pcm: Int16Array): Uint8Array;
  /** One payload to one frame of interleaved PCM, valid until the next call. Throws `ParleyError` `payload-malformed`. */
  decode(payload: Uint8Array): Int16Array;
  /**
   * One frame of PCM in place of a lost one. With `next`, the payload that followed the lost frame, a codec that
   * carries forward error correction recovers from it; otherwise it conceals.
   */
  conceal(next?: Uint8Array): Int16Array;
  /** Whether `conceal` can recover a lost frame from the payload that followed it. Absent: never. */
  carriesEarlier?(next: Uint8Array): boolean;
  /**
   * Whether a payload says that its speaker is silent: until there is something to hear again no more need come, but one now and then.
   * Absent: none does.
   */
  isPause?(payload: Uint8Array): boolean;
  /** One frame of PCM of the noise behind a silent speaker, valid until the next call. Absent: digital silence. */
  comfort?(): Int16Array;
  /** Changes how it encodes from the next frame on; what it has no choice in is ignored. Throws `field-invalid`. Absent: no choices. */
  tune?(settings: CodecTuning): void;
  /** Forgets what it encoded and decoded: nothing of it is in the next payload, or in what the next one is decoded to. Absent: it keeps nothing. */
  forget?(): void;
  /** Releases native or wasm memory. Idempotent. */
  close(): void;
}
