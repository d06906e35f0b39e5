import type { AudioCodec, AudioFormat } from "../codecs/audio-codec.ts";
import type { ExchangeKey, FrameMac } from "../codecs/chain-key.ts";
import type { Clock } from "../codecs/clock.ts";
import type { Sha256 } from "../codecs/sha256.ts";
import type { Signer, Verifier } from "../codecs/signer.ts";
import type { Carrier } from "../sfu/carrier.ts";

/** Everything an agent needs of the machine it runs on. The Node and browser entries each provide one. */
export interface AgentPlatform {
  readonly clock: Clock;
  /** `length` bytes from a cryptographic generator. */
  random(length: number): Uint8Array;
  readonly verifier: Verifier;
  /** A signer for a fresh media key from 32 bytes of seed. */
  createSigner(seed: Uint8Array): Signer;
  /** A fresh X25519 pair for the media-key certificate. */
  createExchangeKey(): ExchangeKey;
  /** Tags of profile `chain`. */
  readonly frameMac: FrameMac;
  /** For the digests of frames. */
  readonly sha256: Sha256;
  /** Formats `createAudioCodec` can make, in order of preference. */
  readonly audioFormats: readonly AudioFormatChoice[];
  /** A codec for one stream. Rejects with `payload-malformed` for a format not in `audioFormats`. */
  createAudioCodec(format: AudioFormat, options: AudioCodecOptions): Promise<AudioCodec>;
  readonly carrier: Carrier;
}

/** One format an agent can offer, with the frame sizes it can be cut into. */
export interface AudioFormatChoice {
  readonly name: string;
  readonly clockRate: number;
  readonly channels: 1 | 2;
  /** Milliseconds, in order of preference. */
  readonly frameMs: readonly number[];
  readonly payloadType: number;
  /** Payload bytes a millisecond takes, for formats of constant rate. */
  readonly bytesPerMs?: number;
}

export interface AudioCodecOptions {
  /** Target bits per second, for codecs with a choice. */
  readonly bitrate?: number;
  /** Share of packets expected to be lost, 0..1: how much forward error correction to spend. */
  readonly expectedLoss?: number;
  /** Whether silence is not sent: of its frames only one goes every 400 ms, and the listener makes the noise behind it. Default false. */
  readonly dtx?: boolean;
}
