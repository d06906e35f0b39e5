import type { Clock } from "../../codecs/clock.ts";
import type { Verifier } from "../../codecs/signer.ts";

/** What the driver and the media plane tell as it happens; whatever can be read when somebody asks is in `ServerOverview`. */
export interface Instruments {
  /** A datagram came, was let through, and its last copy left after so many milliseconds. */
  relayed(ms: number): void;
  /** A client reported what came: the round trip, and the time in queues on the way to it, ms. */
  reported(roundTrip: number, queueDelay: number): void;
  /** One frame's signature was judged. */
  verified(ms: number): void;
  /** So many entries of the record log became durable. */
  committed(entries: number, ms: number): void;
  /** An answer is on its way; `method` is unknown where the request could not be read. */
  answered(method: string | undefined, status: number): void;
  connected(carrier: string): void;
  /** An event that is logged as well. */
  told(event: string, fields: Readonly<Record<string, string | number | boolean | undefined>>): void;
}

export const NO_INSTRUMENTS: Instruments = {
  relayed() {},
  reported() {},
  verified() {},
  committed() {},
  answered() {},
  connected() {},
  told() {},
};

/** The verifier, its time taken. */
export function timed(verifier: Verifier, clock: Clock, instruments: Instruments): Verifier {
  if (instruments === NO_INSTRUMENTS) return verifier;
  return {
    isAcceptableKey: (key) => verifier.isAcceptableKey(key),
    verify(key, message, signature) {
      const began = clock.now();
      const holds = verifier.verify(key, message, signature);
      instruments.verified(clock.now() - began);
      return holds;
    },
  };
}
