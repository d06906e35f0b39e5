import { readU32, readU48 } from "./big-endian.ts";
import {
  type FrameProfile,
  INFO_END_OF_TURN,
  INFO_KEY,
  INFO_START_OF_TURN,
  LEVEL_VOICE,
  MAX_AUDIO_LEVEL,
  MAX_LAYER,
  SESSION_DIGEST_BYTES,
} from "./frame-layout.ts";
import { type NtpTime, ntpToUnixMs } from "./ntp.ts";

/** Where a frame that is played back comes from: the `recorded` element. */
export interface Recorded {
  /** Digest of the session it was first spoken in, 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** Its stream there. */
  readonly stream: number;
  /** Its 48-bit sequence number there. */
  readonly sequence: number;
  /** When it was first captured. */
  readonly capture: NtpTime;
}

/**
 * What `parseFrame` found in one packet. One view serves many packets: each successful parse overwrites all of it, a
 * failed one leaves it as it was. Offsets count in the array that was parsed; the view does not hold that array, so
 * methods that read bytes take it again. Before the first parse it is a frame of zeros.
 */
export class FrameView {
  // Initial values stand with the declarations: a field that is undefined first has every later large number boxed,
  // which costs an allocation a field a frame.
  /** Offset of the packet's first byte, and the offset after its last. */
  start = 0;
  end = 0;
  /** RTP marker bit. */
  marker = false;
  payloadType = 0;
  /** RTP timestamp, unsigned 32 bits in the format's clock rate. */
  timestamp = 0;
  ssrc = 0;
  profile: FrameProfile = "frame";
  /** 0 to 15. */
  keyGeneration = 0;
  /** 48 bits. */
  sequence = 0;
  /** Capture time, NTP halves. */
  captureSeconds = 0;
  captureFraction = 0;
  /** Where the tag stands: 64 bytes in profile `frame`, 16 in `chain`. */
  tagOffset = 0;
  tagLength = 0;
  /** First byte of frame info, -1 without that element. */
  infoByte = -1;
  /** How many numbers before this frame the newest one is that it cannot be decoded without; 0 where it does not say. */
  needs = 0;
  /** Byte of the audio level element, -1 without it. */
  levelByte = -1;
  /** Media epoch; 0 without that element. */
  epoch = 0;
  /** Where the recorded element's data stands, -1 without it. */
  recordedOffset = -1;
  /** Where the payload begins; it goes on to `end` and may be empty. */
  payloadOffset = 0;

  /** Payload bytes. */
  get payloadLength(): number {
    return this.end - this.payloadOffset;
  }

  /** Capture time in milliseconds since the Unix epoch, by the speaker's clock. */
  get captureMs(): number {
    return ntpToUnixMs(this.captureSeconds, this.captureFraction);
  }

  /** Decodes without earlier frames. False without frame info. */
  get keyFrame(): boolean {
    return this.infoByte >= 0 && (this.infoByte & INFO_KEY) !== 0;
  }

  /** First frame of a turn. False without frame info. */
  get startOfTurn(): boolean {
    return this.infoByte >= 0 && (this.infoByte & INFO_START_OF_TURN) !== 0;
  }

  /** Last frame of a turn. False without frame info. */
  get endOfTurn(): boolean {
    return this.infoByte >= 0 && (this.infoByte & INFO_END_OF_TURN) !== 0;
  }

  /** Layer of a scalable encoding, 0 to 31. 0 without frame info. */
  get layer(): number {
    return this.infoByte < 0 ? 0 : this.infoByte & MAX_LAYER;
  }

  /** Level in -dBov, 0 (loudest) to 127 (silence), RFC 6464; undefined without that element. */
  get audioLevel(): number | undefined {
    return this.levelByte < 0 ? undefined : this.levelByte & MAX_AUDIO_LEVEL;
  }

  /** The speaker says that this frame holds voice (RFC 6464 V bit). False without an audio level. */
  get voice(): boolean {
    return this.levelByte >= 0 && (this.levelByte & LEVEL_VOICE) !== 0;
  }

  /** The payload, as a view on `bytes`: the array that was parsed. */
  payload(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.payloadOffset, this.end);
  }

  /** The tag, as a view on `bytes`: the array that was parsed. */
  tag(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.tagOffset, this.tagOffset + this.tagLength);
  }

  /** The recorded element, copied out of `bytes`, the array that was parsed; undefined without it. */
  recorded(bytes: Uint8Array): Recorded | undefined {
    const at = this.recordedOffset;
    if (at < 0) return undefined;
    return {
      sessionDigest: bytes.slice(at, at + SESSION_DIGEST_BYTES),
      stream: readU32(bytes, at + SESSION_DIGEST_BYTES),
      sequence: readU48(bytes, at + SESSION_DIGEST_BYTES + 4),
      capture: {
        seconds: readU32(bytes, at + SESSION_DIGEST_BYTES + 10),
        fraction: readU32(bytes, at + SESSION_DIGEST_BYTES + 14),
      },
    };
  }
}
