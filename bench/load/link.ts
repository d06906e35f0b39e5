import type { FrameSeal } from "../../codecs/frame.ts";

/** One end of one call as the load generator drives it: where its frames go, and what they are bound to. */
export interface LoadEnd {
  readonly seal: FrameSeal;
  readonly sessionDigest: Uint8Array;
  readonly leg: 0 | 1;
  readonly stream: number;
  /** Flow its frames go out on. */
  readonly flow: number;
  readonly ssrc: number;
  readonly payloadType: number;
  /** Sequence number of its first frame. */
  readonly startSequence: number;
  /** Hands one datagram to the relay. */
  send(datagram: Uint8Array): void;
  /** In profile `chain`: what was sent, so that it is listed in a checkpoint when one is due. */
  state?(frame: {
    readonly sequence: number;
    /** Unix milliseconds. */
    readonly captured: number;
    readonly digest: Uint8Array;
  }): void;
  /** What arrives; set before anything is sent. `bytes` is valid during the call. */
  receive: (bytes: Uint8Array) => void;
}

/** Both ends of a call. */
export type LoadCall = readonly [LoadEnd, LoadEnd];

/** Frames that the relay said it refused, by reason. */
export type Refusals = Record<string, number>;

/** Where and what the relay under load is. */
export interface LoadTarget {
  readonly address: string;
  /** Hex; absent for plain UDP. */
  readonly certificateHash?: string;
  /** Where a Parley server takes WebSockets, when they are what is measured. */
  readonly webSocketUrl?: string;
  /** Agent-IDs of those who answer calls there, when their calls are what is measured. */
  readonly agents?: readonly string[];
}

/** Runs `make` for 0 to `count` - 1, at most `width` at a time. */
export async function inParallel<Made>(
  count: number,
  width: number,
  make: (index: number) => Promise<Made>,
): Promise<Made[]> {
  const made: Made[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) made[index] = await make(index);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
  return made;
}
