import type { FrameProfile } from "../codecs/frame.ts";
import type { Relay } from "../sfu/relay.ts";
import type { Verdict } from "../sfu/relay-io.ts";
import type { AdmissionRow } from "../signaling/admission.ts";
import type { HeardKey } from "./tag-keys.ts";

/** Milliseconds to add to the other end's times to get this machine's, and how sure that is. */
export interface PeerClock {
  readonly offset: number;
  readonly uncertainty: number;
}

/** How long before `wall`, by this machine's clock, the frame just admitted was captured, ms. */
export function ageOf({ row, view }: Verdict, wall: number): number {
  return wall - view.captureMs - (row?.clockOffset ?? 0);
}

/** The row of one heard stream, in a table of its own: what of it changes while the call lasts. */
export class HeardRow {
  readonly #admission: Relay;
  readonly #first: AdmissionRow;

  constructor(admission: Relay, row: AdmissionRow) {
    this.#admission = admission;
    this.#first = row;
  }

  /** As it is in force. */
  get present(): AdmissionRow {
    return this.#admission.rowOf(this.#first) ?? this.#first;
  }

  /** Whether a frame is of a key that this end has not been told of yet. */
  isAhead(generation: number): boolean {
    return generation > Math.max(...this.present.keys.keys());
  }

  /** Frames come on another flow from now on. */
  moveTo(flow: number, now: number): void {
    this.#replace({ ...this.present, flow }, now);
  }

  /** Nothing was taken of the stream from `since` until now: who sent it meanwhile could not know. */
  stoodStill(since: number, now: number): void {
    const { sessionId, leg, stream } = this.#first;
    this.#admission.apply({ kind: "stood-still", sessionId, leg, stream, since }, now);
  }

  /** Frames are signed with another key from now on: what the one before signed is refused. */
  takeKey(key: HeardKey, expiresAt: number, now: number): void {
    const { present } = this;
    this.#replace(
      {
        ...present,
        keys: new Map([...present.keys, [key.generation, key.ed25519]]),
        tagKeys: new Map([...(present.tagKeys ?? []), [key.generation, key.tagKey]]),
        notBefore: key.notBefore,
        notAfter: Math.min(key.notAfter, expiresAt),
      },
      now,
    );
  }

  /** Frames are of this profile from now on, and for a while still of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number, now: number): void {
    const { connection, flow, transmitAllowed } = this.present;
    this.#admission.apply({ kind: "terms", connection, flow, termsNumber, transmitAllowed, profile }, now);
  }

  /** Frames of this profile are let through as well for a while. */
  expectProfile(profile: FrameProfile, now: number): void {
    const { connection, flow } = this.present;
    this.#admission.apply({ kind: "profile-ahead", connection, flow, profile }, now);
  }

  /** Frames are captured by another clock from now on. */
  takeClock({ offset, uncertainty }: PeerClock, now: number): void {
    this.#replace({ ...this.present, clockOffset: offset, clockUncertainty: uncertainty }, now);
  }

  #replace(row: AdmissionRow, now: number): void {
    this.#admission.apply({ kind: "move", row, epoch: 0 }, now);
  }
}
