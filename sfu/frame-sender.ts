import {
  buildFrame,
  type FrameSeal,
  FrameSigningContext,
  frameDigest,
  type Recorded,
  sealFrame,
} from "../codecs/frame.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import type { Sha256 } from "../codecs/sha256.ts";
import { varintSize, writeVarint } from "../codecs/varint.ts";
import { MAX_DATAGRAM_BYTES } from "./carrier.ts";
import { type RedundancyLevel, RedundancyWriter } from "./redundancy.ts";

export interface FrameSenderOptions {
  /** 32 bytes. */
  readonly sessionDigest: Uint8Array;
  readonly leg: number;
  readonly stream: number;
  /** Flow identifier the server assigned for sending. */
  readonly flow: number;
  readonly ssrc: number;
  readonly payloadType: number;
  /** Of frames that carry the ones before them (RFC 2198). Absent: none do. */
  readonly redPayloadType?: number | undefined;
  readonly clockRate: number;
  /** Samples per channel in one frame; 0 where frames have no length and each has the time of its capture. */
  readonly frameSamples: number;
  /** Generation of the speaker's media key, which `seal` is of. */
  readonly keyGeneration: number;
  readonly seal: FrameSeal;
  /** For the digests. Default: one in JavaScript. */
  readonly sha256?: Sha256;
  /** Sequence number of the first frame: random, 32 bits, so that it tells nothing and cannot collide by accident. */
  readonly startSequence: number;
  /** RTP timestamp of the first frame: random, 32 bits (RFC 3550 5.1). */
  readonly startTimestamp: number;
}

/** What one frame says besides its payload. */
export interface FrameMarks {
  readonly startOfTurn?: boolean;
  readonly endOfTurn?: boolean;
  /** The RTP marker bit, whatever the turn. */
  readonly marker?: boolean;
  /** Of a video unit: whether it decodes alone, its temporal layer, and how many units before it the newest one is that it needs. */
  readonly unit?: { readonly keyFrame: boolean; readonly layer: number; readonly needs: number };
  /** Level in -dBov, 0 to 127, and whether it is voice (RFC 6464). */
  readonly audioLevel?: { readonly level: number; readonly voice: boolean };
  /**
   * RTP ticks from the first frame to this one, of a source that counts them itself: no less than the one before it ended at. Default: it follows the one
   * before, or its capture time where that is ahead.
   */
  readonly position?: number | undefined;
  /** Where that leaves a gap before it: what stood there was lost, and is no silence. The marker is not set for it. */
  readonly isAfterLoss?: boolean | undefined;
  /** Where it was said before. It carries no earlier frames then, and none after it carries it: they would not bear this mark. */
  readonly recorded?: Recorded;
}

export interface SentFrame {
  /** Flow identifier and packet, a new array: ready to go as a datagram. */
  readonly datagram: Uint8Array;
  /** The packet alone, a view into `datagram`: an item of a media stream where `fitsDatagram` is false. */
  readonly packet: Uint8Array;
  /** False when the frame must go on a stream: longer than `MAX_DATAGRAM_BYTES`. */
  readonly fitsDatagram: boolean;
  readonly sequence: number;
  /** RTP timestamp. */
  readonly timestamp: number;
  /** The capture time signed, milliseconds since the Unix epoch before rounding to NTP. */
  readonly captured: number;
  /** Bytes of the packet that carry earlier frames once more. */
  readonly redundantBytes: number;
  /** For the checkpoint, 16 bytes, new. */
  readonly digest: Uint8Array;
}

/**
 * Turns encoded payloads into frames that prove their speaker: numbers them, places them in time, seals them. Within a
 * talkspurt timestamps are contiguous; where the capture time jumps ahead by more than half a frame the timestamp jumps
 * with it and the marker is set, as it is at the start of a turn (RFC 3551 section 4.1). A source with a clock of its own says
 * where its frames stand: then that governs.
 */
export class FrameSender {
  readonly #options: FrameSenderOptions;
  readonly #context: FrameSigningContext;
  readonly #redundancy: RedundancyWriter | undefined;
  #flow: number;
  #sequence: number;
  #seal: FrameSeal;
  /** Media epoch; 0 is not sent. */
  #epoch = 0;
  /** Samples since the first frame at which the next one is due. */
  #due = 0;
  #firstCapture: number | undefined;
  #lastCapture = Number.NEGATIVE_INFINITY;

  constructor(options: FrameSenderOptions) {
    this.#options = options;
    this.#context = new FrameSigningContext(options.sessionDigest, options.leg, options.stream);
    this.#flow = options.flow;
    this.#sequence = options.startSequence;
    this.#seal = options.seal;
    const { payloadType, redPayloadType } = options;
    if (redPayloadType !== undefined)
      this.#redundancy = new RedundancyWriter({ payloadType, redPayloadType });
  }

  /** How many of the frames before it each frame carries; 0 where that was not agreed. */
  get redundancy(): RedundancyLevel {
    return this.#redundancy?.level ?? 0;
  }

  /** Each frame from the next on carries so many of the ones before it. Changes nothing where that was not agreed. */
  useRedundancy(level: RedundancyLevel): void {
    if (this.#redundancy !== undefined) this.#redundancy.level = level;
  }

  /** Sequence number the next frame will have. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** What follows is of this media epoch. */
  beginEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#redundancy?.restart();
  }

  get flow(): number {
    return this.#flow;
  }

  /** Sends on another flow from now on, after a reattachment. */
  useFlow(flow: number): void {
    this.#flow = flow;
  }

  /** What follows is sealed so: the profile changed, or the listener has another key. */
  useSeal(seal: FrameSeal): void {
    this.#seal = seal;
  }

  /**
   * Builds the next frame. `captured`: when its first sample was captured, milliseconds since the Unix epoch by a clock
   * that does not go back; an earlier time than the previous frame's is raised to that. Throws `field-invalid` for a
   * payload or mark out of range.
   */
  send(payload: Uint8Array, captured: number, marks: FrameMarks = {}): SentFrame {
    const { clockRate, frameSamples, keyGeneration, ssrc, startTimestamp } = this.#options;
    const at = Math.max(captured, this.#lastCapture);
    this.#firstCapture ??= at;
    const elapsed = Math.round(((at - this.#firstCapture) * clockRate) / 1000);
    const isAhead = elapsed - this.#due > frameSamples / 2;
    const position = Math.max(this.#due, marks.position ?? (isAhead ? elapsed : this.#due));
    const jumped = position > this.#due;
    const timestamp = (startTimestamp + (position % 2 ** 32)) % 2 ** 32;
    const capture = unixMsToNtp(at);
    const startOfTurn = marks.startOfTurn === true;
    const endOfTurn = marks.endOfTurn === true;
    const { recorded } = marks;
    if (startOfTurn || recorded !== undefined) this.#redundancy?.restart();
    const wrapped = recorded === undefined ? this.#redundancy?.wrap(payload, position) : undefined;
    const headroom = varintSize(this.#flow);
    const datagram = buildFrame(
      {
        profile: this.#seal.profile,
        keyGeneration,
        sequence: this.#sequence,
        captureSeconds: capture.seconds,
        captureFraction: capture.fraction,
        payloadType: wrapped?.payloadType ?? this.#options.payloadType,
        marker: startOfTurn || (jumped && marks.isAfterLoss !== true) || marks.marker === true,
        timestamp,
        ssrc,
        ...(startOfTurn || endOfTurn || marks.unit !== undefined
          ? { info: { startOfTurn, endOfTurn, ...marks.unit } }
          : {}),
        ...(this.#epoch === 0 ? {} : { epoch: this.#epoch }),
        ...(marks.audioLevel === undefined ? {} : { audioLevel: marks.audioLevel }),
        ...(recorded === undefined ? {} : { recorded }),
        payload: wrapped?.payload ?? payload,
      },
      headroom,
    );
    const digest = frameDigest(
      sealFrame(this.#context, datagram, this.#seal, headroom),
      this.#options.sha256,
    );
    writeVarint(datagram, 0, this.#flow);
    this.#due = position + frameSamples;
    this.#lastCapture = at;
    return {
      datagram,
      packet: datagram.subarray(headroom),
      fitsDatagram: datagram.length <= MAX_DATAGRAM_BYTES,
      sequence: this.#sequence++,
      timestamp,
      captured: at,
      redundantBytes: wrapped?.extra ?? 0,
      digest,
    };
  }
}
